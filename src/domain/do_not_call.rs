//! Do-not-call lists: their names and meaning. Their contents are imported.

use super::ids::DoNotCallId;

/// A list of numbers that may not be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoNotCallList {
    /// Identity.
    pub id: DoNotCallId,
    /// Shown to people.
    pub name: String,
    /// What it is for and where it comes from.
    pub description: String,
}
