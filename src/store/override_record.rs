//! Overrides as the store keeps them, the past ones too.

use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::overrides::Override;

/// An override, and how it ended before its time if somebody ended it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverrideRecord {
    /// What was decided.
    pub made: Arc<Override>,
    /// When it was ended by hand; `None` for one that nobody ended.
    pub ended: Option<OverrideEnd>,
}

/// The end of an override by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverrideEnd {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
}
