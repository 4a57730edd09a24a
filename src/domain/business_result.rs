//! Business results: what a conversation achieved (SPEC §1.2, `shared/`).

use std::collections::BTreeMap;

use super::ids::{BusinessResultId, SubResultId};

/// What a conversation may have achieved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusinessResult {
    /// Identity.
    pub id: BusinessResultId,
    /// Shown to people.
    pub name: String,
    /// Its shades, by id, each with the name that people see.
    pub sub_results: BTreeMap<SubResultId, String>,
    /// Whether an agent who sets it is asked when to call again.
    pub schedules_callback: bool,
    /// Whether it counts as the campaign's goal.
    pub counts_as_goal: bool,
}
