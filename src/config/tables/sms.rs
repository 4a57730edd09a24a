//! `shared/sms.toml`.

use crate::{
    config::{
        kinds::{
            list::List,
            message::Message,
            text::{Slug, Text},
        },
        table::table,
    },
    domain::ids::SmsId,
};

table! {
    /// Templates of text messages; a campaign names one to send when a contact is finally not reached.
    pub(crate) struct SmsFile "the file of SMS templates" {
        /// One `[[sms]]` for each.
        required sms: List<SmsTable, 1> => [
            { id = "not-reached", name = "Not reached", text = "{tenant} tried to call you." }
        ],
    }
}

table! {
    /// A template of a text message.
    pub(crate) struct SmsTable "an SMS template" {
        /// Identity: 1 to 64 of a-z, 0-9 and '-', unique.
        required id: Slug<SmsId> => "not-reached",
        /// Shown to people; 1 to 100 characters, unique.
        required name: Text<1, 100> => "Not reached",
        /// What is sent, 1 to 1000 characters. Gaps are filled for each contact: `{customer_id}`, `{custom_field}`,
        /// `{attr.<id>}`, `{campaign}`, `{tenant}`; `{{` and `}}` are braces themselves.
        required text: Message => "{tenant} tried to call you about {campaign}.",
    }
}
