//! Files as they are written, one per kind, before references are followed.

pub(crate) mod agents;
pub(crate) mod attributes;
pub(crate) mod business_results;
pub(crate) mod calendars;
pub(crate) mod campaign;
pub(crate) mod categories;
pub(crate) mod do_not_call;
pub(crate) mod exports;
pub(crate) mod notifications;
pub(crate) mod outbox;
pub(crate) mod queues;
pub(crate) mod results;
pub(crate) mod settings;
pub(crate) mod simulation;
pub(crate) mod sms;
pub(crate) mod source;
pub(crate) mod surveys;
pub(crate) mod template;
pub(crate) mod tenant;
pub(crate) mod webhooks;
