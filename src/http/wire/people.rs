//! Accounts, and the audit log.

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::forms::DURATION;
use crate::store::audit::AuditEntry;

/// `GET /api/v1/people`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PeopleList {
    /// By id.
    pub people: Vec<PersonView>,
    /// Give it as `cursor` for the next page; `None` on the last.
    pub next: Option<String>,
}

/// Somebody with an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersonView {
    /// Identity.
    pub id: String,
    /// `viewer`, `agent`, `supervisor` or `admin`.
    pub role: String,
    /// Whether they can sign in with a password.
    pub has_password: bool,
    /// Since when the account is as it is.
    pub since: String,
    /// Whether they are let in now; an agent only while `agents.toml` in force has them.
    pub is_let_in: bool,
}

/// Body of `PUT /api/v1/people/{id}`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MakePerson {
    /// `viewer`, `supervisor` or `admin`.
    #[schemars(extend("enum" = ["viewer", "supervisor", "admin"]))]
    pub role: String,
    /// To sign in with; without it what it was, or none.
    #[serde(default)]
    #[schemars(with = "Option<String>", length(min = 12, max = 200))]
    pub password: Option<SecretString>,
}

/// Body of `PUT /api/v1/people/{id}/password`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetPassword {
    /// To sign in with.
    #[schemars(with = "String", length(min = 12, max = 200))]
    pub password: SecretString,
}

/// Body of `POST /api/v1/people/{id}/tokens`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueToken {
    /// How long it lasts, such as `8h`.
    #[serde(default)]
    #[schemars(regex(pattern = DURATION))]
    pub lasts: Option<String>,
}

/// A token, shown this once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// What lets its holder in.
    pub token: String,
    /// Until when.
    pub expires_at: String,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token(…, until {})", self.expires_at)
    }
}

/// `GET /api/v1/audit`: one page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditPage {
    /// Oldest first.
    pub entries: Vec<AuditView>,
    /// Give it as `cursor` for the next page; `None` while there is none.
    pub next: Option<String>,
    /// Give it as `cursor` for what is written later; `None` while nothing is.
    pub follow: Option<String>,
}

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditView {
    /// From 1, without a gap.
    pub id: u64,
    /// When.
    pub at: String,
    /// Who.
    pub who: String,
    /// In which role.
    pub role: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub object: String,
    /// What came of it: `done`, `refused`, `failed`, `denied`, or `began` for what takes long.
    pub result: String,
    /// Of this entry and all before it.
    pub digest: String,
}

impl From<&AuditEntry> for AuditView {
    fn from(entry: &AuditEntry) -> Self {
        Self {
            id: entry.id,
            at: entry.at.to_string(),
            who: entry.who.clone(),
            role: entry.role.clone(),
            action: entry.action.clone(),
            object: entry.object.clone(),
            result: entry.result.clone(),
            digest: entry.digest.clone(),
        }
    }
}

impl AuditView {
    /// The entry that it shows; `None` if its time is none.
    #[must_use]
    pub fn entry(&self) -> Option<AuditEntry> {
        Some(AuditEntry {
            id: self.id,
            at: self.at.parse().ok()?,
            who: self.who.clone(),
            role: self.role.clone(),
            action: self.action.clone(),
            object: self.object.clone(),
            result: self.result.clone(),
            digest: self.digest.clone(),
        })
    }
}
