//! Number categories such as `mobile`: defined once, shared by all campaigns.

use super::ids::CategoryId;

/// A number category.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Category {
    /// Identity.
    pub id: CategoryId,
    /// Shown to people.
    pub name: String,
}
