//! Terms of a campaign with others: agents, questionnaire, text message, callback.

use std::num::NonZeroU32;

use super::{Campaigns, calling::Used};
use crate::{
    config::{
        code::Code,
        diagnostic::Diagnostic,
        items::once,
        kinds::{text::Slug, url::WebAddress},
        load::InFile,
        read::At,
        tables::campaign::{AgentsTable, CallbackTable, SurveyTable},
    },
    domain::{
        attribute::{Attribute, AttributeType},
        campaign::{AgentTerms, Callback, SurveyReference},
        ids::{AttributeId, CategoryId},
        survey::{Survey, SurveyState},
        tenant::Tenant,
    },
};

/// What the tenant says where a campaign does not.
pub(super) fn agent_terms(table: &AgentsTable, tenant: &Tenant) -> AgentTerms {
    let AgentTerms { hold, ring, wrap_up } = tenant.agents.terms();
    AgentTerms {
        hold: table.hold.as_ref().map_or(hold, |hold| hold.value),
        ring: table.ring.as_ref().map_or(ring, |ring| ring.value),
        wrap_up: table.wrap_up.as_ref().map_or(wrap_up, |wrap_up| wrap_up.value),
    }
}

impl Campaigns<'_, '_> {
    pub(super) fn attribute(&mut self, file: usize, id: &At<AttributeId>) -> Option<Attribute> {
        self.references.attributes.and_then(|known| known.refer(id, file, self.commit)).cloned()
    }

    /// Reports an attribute that `strategy.attributes` does not have; the caller adds to it.
    pub(super) fn not_in_use(&mut self, file: usize, id: &At<AttributeId>, used: &Used) -> Option<&mut Diagnostic> {
        let used = used.as_ref().filter(|used| !used.value.contains(&id.value))?;
        let list = self.commit.locate(&InFile { file, value: used.span });
        let message = format!("the campaign does not use attribute {:?}", id.value.as_str());
        let fault = self.commit.error(Code::AttributeNotUsed, &InFile { file, value: id.span }, message);
        Some(fault.label("not in `strategy.attributes`").relate(list, "the attributes in use"))
    }

    pub(super) fn category(&mut self, file: usize, id: &At<CategoryId>) {
        if let Some(known) = self.references.categories {
            known.refer(id, file, self.commit);
        }
    }

    /// The attributes in use.
    pub(super) fn used(&mut self, file: usize, list: Option<At<Vec<At<AttributeId>>>>) -> Used {
        let At { value: list, span } = list?;
        once::<Slug<AttributeId>>(file, &list, self.commit);
        for id in &list {
            self.attribute(file, id);
        }
        Some(At { value: list.into_iter().map(|id| id.value).collect(), span })
    }

    pub(super) fn survey(&mut self, file: usize, table: SurveyTable) -> Option<SurveyReference> {
        let (id, version) = (table.id?, table.version?);
        let survey = self.references.surveys.and_then(|known| known.refer(&id, file, self.commit));
        if let Some(survey) = survey {
            self.survey_version(file, survey, &version);
        }
        Some(SurveyReference { id: id.value, version: version.value.get() })
    }

    fn survey_version(&mut self, file: usize, survey: &Survey, version: &At<NonZeroU32>) {
        let number = version.value.get();
        let place = InFile { file, value: version.span };
        match survey.versions.get(&number) {
            Some(found) if found.state == SurveyState::Published => {}
            Some(_) => {
                let message = format!("version {number} of survey \"{}\" is a draft", survey.id);
                self.commit
                    .error(Code::SurveyDraft, &place, message)
                    .label("not published")
                    .help("set `state = \"published\"` in the survey's file, or use a version that has it");
            }
            None => {
                let published = survey.versions.iter().filter(|(_, known)| known.state == SurveyState::Published);
                let published: Vec<String> = published.map(|(number, _)| number.to_string()).collect();
                let message = format!("survey \"{}\" has no version {number}", survey.id);
                let help = if published.is_empty() {
                    "none of its versions is published".to_owned()
                } else {
                    format!("published: {}", published.join(", "))
                };
                self.commit.error(Code::UnknownSurveyVersion, &place, message).label("no such version").help(help);
            }
        }
    }

    pub(super) fn callback(&mut self, file: usize, table: CallbackTable, used: &Used) -> Option<Callback> {
        let CallbackTable { url, fields, signing_secret, .. } = table;
        once::<Slug<AttributeId>>(file, &fields.value, self.commit);
        for field in &fields.value {
            self.callback_field(file, field, used);
        }
        let At { value: WebAddress { text, host }, span } = url?;
        if let Some(allowed) = &self.ceilings.callback_hosts
            && !allowed.iter().any(|known| known.eq_ignore_ascii_case(&host))
        {
            let message = format!("the settings do not allow callbacks to {host}");
            self.commit
                .error(Code::CallbackHost, &InFile { file, value: span }, message)
                .label("not in `ceilings.callback_hosts`")
                .help("use a host that is listed there, or ask for this one to be added");
        }
        Some(Callback {
            url: text,
            fields: fields.value.into_iter().map(|field| field.value).collect(),
            signing_secret: signing_secret.map(|secret| secret.value),
        })
    }

    fn callback_field(&mut self, file: usize, field: &At<AttributeId>, used: &Used) {
        if self.attribute(file, field).is_some_and(|found| found.kind == AttributeType::Encrypted) {
            let message = format!("attribute {:?} is encrypted, and never leaves the store", field.value.as_str());
            let place = InFile { file, value: field.span };
            self.commit.error(Code::AttributeEncrypted, &place, message).label("encrypted");
        } else {
            self.not_in_use(file, field, used);
        }
    }
}
