//! What stands in `shared/`, and what campaigns may refer to in it.

mod agents;
mod attributes;
mod business_results;
mod calendars;
mod categories;
pub(crate) mod defined;
mod do_not_call;
mod files;
mod questions;
mod queues;
mod results;
mod sms;
mod surveys;
mod tenant;

pub(crate) use agents::Agents;
pub(crate) use defined::{Absent, Defined};
pub(crate) use files::{Kept, SharedFiles};

use defined::Definition;

use super::code::Code;
use crate::domain::{
    attribute::Attribute,
    business_result::BusinessResult,
    campaign::Queue,
    category::Category,
    do_not_call::DoNotCallList,
    ids::{AttributeId, BusinessResultId, CalendarId, CategoryId, DoNotCallId, QueueId, SmsId, SurveyId},
    sms::SmsTemplate,
    special_days::Calendar,
    survey::Survey,
    tenant::Tenant,
};

/// What campaigns refer to; `None` if that file could not be read, so that nothing is said of it.
#[derive(Clone, Copy)]
pub(crate) struct References<'a> {
    pub(crate) tenant: Option<&'a Tenant>,
    pub(crate) queues: Option<&'a Defined<Queue>>,
    pub(crate) agents: Option<&'a Agents>,
    pub(crate) attributes: Option<&'a Defined<Attribute>>,
    pub(crate) categories: Option<&'a Defined<Category>>,
    pub(crate) business_results: Option<&'a Defined<BusinessResult>>,
    pub(crate) calendars: Option<&'a Defined<Calendar>>,
    pub(crate) sms: Option<&'a Defined<SmsTemplate>>,
    pub(crate) surveys: Option<&'a Defined<Survey>>,
    pub(crate) do_not_call: Option<&'a Defined<DoNotCallList>>,
}

macro_rules! definitions {
    ($($type:ty: $id:ty, $one:literal, $many:literal, $file:literal, $unknown:ident;)+) => {$(
        impl Definition for $type {
            type Id = $id;

            const ONE: &'static str = $one;
            const MANY: &'static str = $many;
            const FILE: &'static str = $file;
            const UNKNOWN: Code = Code::$unknown;

            fn id(&self) -> &$id {
                &self.id
            }
        }
    )+};
}

definitions! {
    Queue: QueueId, "queue", "queues", "shared/queues.toml", UnknownQueue;
    Attribute: AttributeId, "attribute", "attributes", "shared/attributes.toml", UnknownAttribute;
    Category: CategoryId, "number category", "number categories", "shared/categories.toml", UnknownCategory;
    BusinessResult: BusinessResultId, "business result", "business results", "shared/business-results.toml",
        UnknownBusinessResult;
    Calendar: CalendarId, "calendar", "calendars", "shared/calendars.toml", UnknownCalendar;
    SmsTemplate: SmsId, "SMS template", "SMS templates", "shared/sms.toml", UnknownSms;
    Survey: SurveyId, "survey", "surveys", "shared/surveys/*.toml", UnknownSurvey;
    DoNotCallList: DoNotCallId, "do-not-call list", "do-not-call lists", "shared/do-not-call.toml", UnknownDoNotCall;
}
