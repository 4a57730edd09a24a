//! People who are let in, and what they show for it.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;

use super::StoreError;
use crate::domain::{ids::PersonId, person::Role};

/// A password as it is kept: argon2id's own text (PHC string format), which is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// Somebody with an account. An agent of `agents.toml` has one only for a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Identity; an agent's is the one in `agents.toml`.
    pub id: PersonId,
    /// What they may do.
    pub role: Role,
    /// How they sign in; `None` with tokens only.
    pub password: Option<PasswordHash>,
    /// Since when the account is as it is.
    pub since: Timestamp,
}

/// What lets somebody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialKind {
    /// A browser's, in a cookie.
    Session,
    /// One that was issued.
    Token,
}

impl CredentialKind {
    /// The name used in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Token => "token",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Session, Self::Token].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// SHA-256 of the secret that lets somebody in; the secret itself is kept nowhere.
pub type SecretDigest = [u8; 32];

/// Something that lets somebody in for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Of its secret.
    pub digest: SecretDigest,
    /// What it is.
    pub kind: CredentialKind,
    /// Whom it lets in.
    pub person: PersonId,
    /// Until when.
    pub expires_at: Timestamp,
}

/// What [`super::Store`] knows of people.
#[async_trait]
pub trait People: Send + Sync + 'static {
    /// Everybody with an account, by id.
    async fn people(&self) -> Result<Vec<Person>, StoreError>;

    /// One of them.
    async fn person(&self, id: &PersonId) -> Result<Option<Person>, StoreError>;

    /// Makes an account, or makes it what it is to be. That ends what let the person in before.
    async fn put_person(&self, person: Person) -> Result<(), StoreError>;

    /// Takes an account away, and what lets the person in; whether there was one.
    async fn remove_person(&self, id: &PersonId) -> Result<bool, StoreError>;

    /// Lets somebody in; forgets what has expired.
    async fn add_credential(&self, credential: Credential) -> Result<(), StoreError>;

    /// What has this secret, unless it has expired.
    async fn credential(&self, digest: &SecretDigest) -> Result<Option<Credential>, StoreError>;

    /// Ends one; whether there was one.
    async fn end_credential(&self, digest: &SecretDigest) -> Result<bool, StoreError>;

    /// Ends all of a person; whether there was one.
    async fn end_credentials(&self, id: &PersonId) -> Result<bool, StoreError>;
}
