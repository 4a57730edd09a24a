//! Writes that came with an idempotency key: what was answered, so that one that comes again does nothing again.
//!
//! Nothing here can be read without the key, which only its sender has: what a request is known by and what tells it from
//! others are digests made with the key, and its answer is sealed under it.

use async_trait::async_trait;
use jiff::Timestamp;

use super::StoreError;

/// What a request with a key is known by.
pub type KeyedId = [u8; 32];

/// Rows that are forgotten at once.
pub(super) const FORGOTTEN_AT_ONCE: u32 = 100;

/// A request that came with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedRequest {
    /// Digest of the key and of who sent it.
    pub id: KeyedId,
    /// Digest of what is asked for.
    pub request: [u8; 32],
    /// Until when its answer is kept.
    pub expires_at: Timestamp,
}

/// An answer that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// Its status.
    pub status: u16,
    /// What it said, sealed; `None` if that was too long, or was forgotten since somebody was erased.
    pub sealed: Option<Vec<u8>>,
}

/// How a request with a key stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admitted {
    /// It is to be done; others of this key wait for [`KeyedRequests::answer_keyed`].
    New,
    /// Its key came with another request.
    Other,
    /// It is being done.
    UnderWay,
    /// A life before this one did it, or began to, and ended before the answer.
    Lost,
    /// It was done.
    Answered(KeptAnswer),
}

/// What [`super::Store`] keeps of requests with keys.
#[async_trait]
pub trait KeyedRequests: Send + Sync + 'static {
    /// Takes a request in; forgets some whose time is over.
    async fn admit_keyed(&self, request: KeyedRequest) -> Result<Admitted, StoreError>;

    /// Keeps what it was answered.
    async fn answer_keyed(&self, id: &KeyedId, answer: KeptAnswer) -> Result<(), StoreError>;

    /// Forgets one that changed nothing, so that it can be tried again; whether that was so.
    async fn release_keyed(&self, id: &KeyedId) -> Result<bool, StoreError>;
}
