//! How results are shown to people; rules always use the results' own names.

/// What people see of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultName {
    /// Shown in its place.
    pub name: String,
    /// Results of one group are counted together in reports.
    pub group: Option<String>,
}
