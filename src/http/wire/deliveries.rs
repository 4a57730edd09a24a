//! JSON of what others are told: callbacks and text messages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{forms::SLUG, text};
use crate::store::{AllDispatchCounts, DispatchCounts, DispatchRecord, TRIED_FOR};

/// How much waits by one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutboxView {
    /// `callback` or `sms`.
    pub channel: String,
    /// What is to be sent.
    pub pending: u64,
    /// What a person has to decide.
    pub parked: u64,
    /// Since when the oldest of what is to be sent has waited.
    pub oldest: Option<String>,
}

impl OutboxView {
    /// All ways by which something waits.
    #[must_use]
    pub fn all(counts: &AllDispatchCounts) -> Vec<Self> {
        let some = counts.iter().filter(|(_, counts)| counts.pending + counts.parked > 0);
        some.map(|(channel, counts)| Self::of(channel.as_str(), counts)).collect()
    }

    /// As a sentence, times as `show` has them.
    #[must_use]
    pub fn sentence(&self, show: impl Fn(&str) -> String) -> String {
        let what = if self.channel == "sms" { "text messages" } else { "callbacks" };
        let oldest = self.oldest.as_deref().map(|at| format!(", the oldest since {}", show(at)));
        let parked = match self.parked {
            0 => String::new(),
            parked => format!("; {parked} parked: see `dialops callbacks list`"),
        };
        format!("{what} {} to be sent{}{parked}", self.pending, oldest.unwrap_or_default())
    }

    fn of(channel: &str, counts: &DispatchCounts) -> Self {
        let oldest = counts.oldest_parks_at.and_then(|at| at.checked_sub(TRIED_FOR).ok());
        Self { channel: channel.to_owned(), pending: counts.pending, parked: counts.parked, oldest: text(oldest) }
    }
}

/// Answer of `GET /api/v1/deliveries`: a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeliveryList {
    /// Oldest first.
    pub deliveries: Vec<DeliveryView>,
    /// Give it as `cursor` for the next page; `None` on the last.
    pub next: Option<String>,
}

/// Something that others are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryView {
    /// Its number.
    pub id: i64,
    /// `callback` or `sms`.
    pub channel: String,
    /// `connected`, `ended` or `not_reached`.
    pub event: String,
    /// The campaign.
    pub campaign: String,
    /// The customer.
    pub customer: String,
    /// The attempt.
    pub attempt: Option<String>,
    /// `pending`, `parked`, `sent` or `dropped`.
    pub state: String,
    /// When what it tells of happened.
    pub happened_at: String,
    /// How often it was tried.
    pub tries: u32,
    /// When it is tried next; `None` while it waits for the one before it of its contact, and once it is over.
    pub due_at: Option<String>,
    /// When it is parked, if it is not taken before.
    pub parks_at: Option<String>,
    /// When it was over.
    pub over_at: Option<String>,
    /// Why it was not taken the last time, or why it is parked or dropped.
    pub last_error: Option<String>,
}

impl From<&DispatchRecord> for DeliveryView {
    fn from(record: &DispatchRecord) -> Self {
        Self {
            id: record.id.0,
            channel: record.channel.as_str().to_owned(),
            event: record.event.as_str().to_owned(),
            campaign: record.campaign.to_string(),
            customer: record.customer.to_string(),
            attempt: record.attempt.map(|attempt| attempt.to_string()),
            state: record.state.as_str().to_owned(),
            happened_at: record.made_at.to_string(),
            tries: record.tries,
            due_at: text(record.due_at),
            parks_at: text(record.over_at.is_none().then_some(record.park_at)),
            over_at: text(record.over_at),
            last_error: record.last_error.clone(),
        }
    }
}

/// Body of `POST /api/v1/deliveries/retry` and `…/drop`: which ones are meant. Without anything it is all that are
/// parked, and for `drop` with `pending` all that are to be sent too.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Meant {
    /// Those by one way.
    #[serde(default)]
    #[schemars(extend("enum" = ["callback", "sms", null]))]
    pub channel: Option<String>,
    /// Those of one campaign.
    #[serde(default)]
    #[schemars(regex(pattern = SLUG))]
    pub campaign: Option<String>,
    /// That one alone.
    #[serde(default, deserialize_with = "super::whole")]
    pub id: Option<i64>,
    /// Those to be sent too.
    #[serde(default)]
    pub pending: bool,
}

/// Its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Moved {
    /// How many there were.
    pub moved: u64,
}
