//! The files of `shared/`, from what was read to definitions.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Absent, Agents, Defined, References, agents::agents, attributes::attributes, business_results::business_results,
    calendars::calendars, categories::categories, defined::Definition, do_not_call::do_not_call, queues::queues,
    results::result_names, sms::sms, surveys::surveys, tenant::tenant,
};
use crate::{
    config::{
        layout::FileKind,
        load::{Commit, InFile},
        tables::{
            agents::AgentsFile, attributes::AttributesFile, business_results::BusinessResultsFile,
            calendars::CalendarsFile, categories::CategoriesFile, do_not_call::DoNotCallFile, queues::QueuesFile,
            results::ResultsFile, sms::SmsFile, surveys::SurveyFile, tenant::TenantFile,
        },
    },
    domain::{
        attribute::Attribute,
        business_result::BusinessResult,
        campaign::{Campaign, Definitions, Queue},
        category::Category,
        do_not_call::DoNotCallList,
        ids::CampaignId,
        result_name::ResultName,
        results::CallResult,
        sms::SmsTemplate,
        special_days::Calendar,
        survey::Survey,
        tenant::Tenant,
    },
};

/// A file of one kind.
#[derive(Debug, Default)]
pub(crate) enum Kept<T> {
    /// There is none.
    #[default]
    Absent,
    /// It is there and cannot be read, which has been said.
    Broken,
    /// What it holds.
    Read(InFile<T>),
}

impl<T> Kept<T> {
    /// The file, if it was read.
    pub(crate) fn read(self) -> Option<InFile<T>> {
        match self {
            Self::Read(file) => Some(file),
            Self::Absent | Self::Broken => None,
        }
    }

    fn misplace(&mut self) {
        if matches!(self, Self::Absent) {
            *self = Self::Broken;
        }
    }

    /// What it defines: nothing if there is no file, and nobody knows what if it is broken.
    fn define<D: Definition>(self, read: impl FnOnce(InFile<T>) -> Defined<D>) -> Option<Defined<D>> {
        match self {
            Self::Absent => Some(Defined::default()),
            Self::Broken => None,
            Self::Read(file) => Some(read(file)),
        }
    }
}

/// The files of `shared/`.
#[derive(Default)]
pub(crate) struct SharedFiles {
    pub(crate) tenant: Kept<TenantFile>,
    pub(crate) queues: Kept<QueuesFile>,
    pub(crate) agents: Kept<AgentsFile>,
    pub(crate) attributes: Kept<AttributesFile>,
    pub(crate) categories: Kept<CategoriesFile>,
    pub(crate) business_results: Kept<BusinessResultsFile>,
    pub(crate) calendars: Kept<CalendarsFile>,
    pub(crate) results: Kept<ResultsFile>,
    pub(crate) sms: Kept<SmsFile>,
    pub(crate) surveys: Vec<Kept<SurveyFile>>,
    pub(crate) do_not_call: Kept<DoNotCallFile>,
}

impl SharedFiles {
    /// Takes a file that is not there for one that can't be read: it stands elsewhere, which has been said.
    pub(crate) fn misplace(&mut self, kind: FileKind) {
        match kind {
            FileKind::Tenant => self.tenant.misplace(),
            FileKind::Queues => self.queues.misplace(),
            FileKind::Agents => self.agents.misplace(),
            FileKind::Attributes => self.attributes.misplace(),
            FileKind::Categories => self.categories.misplace(),
            FileKind::BusinessResults => self.business_results.misplace(),
            FileKind::Calendars => self.calendars.misplace(),
            FileKind::Results => self.results.misplace(),
            FileKind::Sms => self.sms.misplace(),
            FileKind::Survey => self.surveys.push(Kept::Broken),
            FileKind::DoNotCall => self.do_not_call.misplace(),
            FileKind::Template | FileKind::Campaign => {}
        }
    }

    /// What they define; every fault between them is reported.
    pub(crate) fn define(self, commit: &mut Commit<'_>) -> Shared {
        let queues = self.queues.read().map(|file| queues(file, commit));
        let agents = self.agents.read().map(|file| agents(file, queues.as_ref(), commit));
        let attributes = self.attributes.define(|file| attributes(file, commit));
        let business_results = self.business_results.define(|file| business_results(file, commit));
        let do_not_call = self.do_not_call.define(|file| do_not_call(file, commit));
        let result_names = match self.results {
            Kept::Absent => Some(BTreeMap::new()),
            Kept::Broken => None,
            Kept::Read(file) => result_names(file, commit),
        };
        let broken_survey = self.surveys.iter().any(|file| matches!(file, Kept::Broken));
        let survey_files = self.surveys.into_iter().filter_map(Kept::read).collect();
        Shared {
            tenant: self
                .tenant
                .read()
                .and_then(|file| tenant(file, business_results.as_ref(), do_not_call.as_ref(), commit)),
            categories: self.categories.define(|file| categories(file, commit)),
            calendars: self.calendars.define(|file| calendars(file, commit)),
            sms: self.sms.define(|file| sms(file, attributes.as_ref(), commit)),
            surveys: surveys(survey_files, broken_survey, commit),
            queues,
            agents,
            attributes,
            business_results,
            result_names,
            do_not_call,
        }
    }
}

/// What the files of `shared/` define; `None` where one is missing or could not be read.
pub(crate) struct Shared {
    tenant: Option<Tenant>,
    queues: Option<Defined<Queue>>,
    agents: Option<Agents>,
    attributes: Option<Defined<Attribute>>,
    categories: Option<Defined<Category>>,
    business_results: Option<Defined<BusinessResult>>,
    calendars: Option<Defined<Calendar>>,
    result_names: Option<BTreeMap<CallResult, ResultName>>,
    sms: Option<Defined<SmsTemplate>>,
    surveys: Defined<Survey>,
    do_not_call: Option<Defined<DoNotCallList>>,
}

impl Shared {
    /// What campaigns may refer to.
    pub(crate) fn references(&self) -> References<'_> {
        References {
            tenant: self.tenant.as_ref(),
            queues: self.queues.as_ref(),
            agents: self.agents.as_ref(),
            attributes: self.attributes.as_ref(),
            categories: self.categories.as_ref(),
            business_results: self.business_results.as_ref(),
            calendars: self.calendars.as_ref(),
            sms: self.sms.as_ref(),
            surveys: Some(&self.surveys),
            do_not_call: self.do_not_call.as_ref(),
        }
    }

    /// The files that are not there and that campaigns may refer to.
    pub(crate) fn absent(&self) -> Vec<Absent> {
        let absent = [
            self.attributes.as_ref().and_then(Defined::absent),
            self.categories.as_ref().and_then(Defined::absent),
            self.business_results.as_ref().and_then(Defined::absent),
            self.calendars.as_ref().and_then(Defined::absent),
            self.sms.as_ref().and_then(Defined::absent),
            self.surveys.absent(),
            self.do_not_call.as_ref().and_then(Defined::absent),
        ];
        absent.into_iter().flatten().collect()
    }

    /// All of it with the campaigns; `None` if something is not there.
    pub(crate) fn with(self, campaigns: BTreeMap<CampaignId, Arc<Campaign>>) -> Option<Definitions> {
        Some(Definitions {
            tenant: self.tenant?,
            queues: self.queues?.by_id,
            agents: self.agents?.by_id,
            attributes: self.attributes?.by_id,
            categories: self.categories?.by_id,
            business_results: self.business_results?.by_id,
            calendars: self.calendars?.by_id,
            result_names: self.result_names?,
            sms: self.sms?.by_id,
            surveys: self.surveys.by_id,
            do_not_call: self.do_not_call?.by_id,
            campaigns,
        })
    }
}
