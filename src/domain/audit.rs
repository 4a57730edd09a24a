//! What somebody did, as the audit log has it.

use super::person::Role;

/// What somebody did. Nothing in it is personal of a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// Who: a person's id, `token` or `uid 0`.
    pub who: String,
    /// In which role.
    pub role: Role,
    /// What was done, such as `batch.pause`.
    pub action: String,
    /// To what.
    pub object: String,
    /// What came of it.
    pub result: DeedResult,
}

/// What came of a deed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeedResult {
    /// It takes long, and has begun.
    Began,
    /// It is done.
    Done,
    /// It was not right, and changed nothing.
    Refused,
    /// It did not work, or only in part.
    Failed,
    /// Whoever asked may not.
    Denied,
}

impl DeedResult {
    /// The name used in tables and output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Began => "began",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Denied => "denied",
        }
    }
}
