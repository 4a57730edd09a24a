//! Templates of text messages.

use super::ids::{AttributeId, SmsId};

/// A text message with gaps that are filled for each contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmsTemplate {
    /// Identity.
    pub id: SmsId,
    /// Shown to people.
    pub name: String,
    /// What is sent.
    pub text: Vec<Part>,
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// As it stands.
    Text(String),
    /// A gap.
    Gap(Gap),
}

/// What a gap is filled with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gap {
    /// The customer's id: `{customer_id}`.
    CustomerId,
    /// What the import gave as `custom_field`: `{custom_field}`.
    CustomField,
    /// The campaign's name: `{campaign}`.
    Campaign,
    /// The tenant's name: `{tenant}`.
    Tenant,
    /// An attribute of the contact: `{attr.tier}`.
    Attribute(AttributeId),
}
