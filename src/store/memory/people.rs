//! People, and who changed what.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use jiff::Timestamp;

use super::{MemoryStore, State, limit_of};
use crate::{
    domain::ids::PersonId,
    store::{
        Store, StoreError,
        audit::{Audit, AuditEntry, NewAuditEntry},
        people::{Credential, People, Person, SecretDigest},
    },
};

/// All that is known of them.
#[derive(Debug, Default)]
pub(super) struct Known {
    people: BTreeMap<PersonId, Person>,
    credentials: BTreeMap<SecretDigest, Credential>,
    audit: Vec<AuditEntry>,
}

impl Known {
    fn end_all(&mut self, id: &PersonId) -> bool {
        let before = self.credentials.len();
        self.credentials.retain(|_, credential| credential.person != *id);
        self.credentials.len() < before
    }
}

impl State {
    /// Writes an entry behind the newest.
    pub(super) fn audit(&mut self, entry: &NewAuditEntry, now: Timestamp) {
        let log = &mut self.known.audit;
        let before = log.last().map(|entry| entry.digest.clone()).unwrap_or_default();
        let id = log.last().map_or(1, |entry| entry.id + 1);
        log.push(entry.after(id, now, &before));
    }
}

#[async_trait]
impl People for MemoryStore {
    async fn people(&self) -> Result<Vec<Person>, StoreError> {
        Ok(self.state()?.known.people.values().cloned().collect())
    }

    async fn person(&self, id: &PersonId) -> Result<Option<Person>, StoreError> {
        Ok(self.state()?.known.people.get(id).cloned())
    }

    async fn put_person(&self, person: Person) -> Result<(), StoreError> {
        let mut state = self.state()?;
        state.known.end_all(&person.id);
        state.known.people.insert(person.id.clone(), person);
        self.note(&mut state, true);
        Ok(())
    }

    async fn remove_person(&self, id: &PersonId) -> Result<bool, StoreError> {
        let mut state = self.state()?;
        let removed = state.known.people.remove(id).is_some();
        let removed = state.known.end_all(id) || removed;
        Ok(self.note(&mut state, removed))
    }

    async fn add_credential(&self, credential: Credential) -> Result<(), StoreError> {
        let now = self.clock.now().wall;
        let mut state = self.state()?;
        state.known.credentials.retain(|_, credential| credential.expires_at > now);
        state.known.credentials.insert(credential.digest, credential);
        self.note(&mut state, true);
        Ok(())
    }

    async fn credential(&self, digest: &SecretDigest) -> Result<Option<Credential>, StoreError> {
        let now = self.clock.now().wall;
        Ok(self.state()?.known.credentials.get(digest).filter(|found| found.expires_at > now).cloned())
    }

    async fn end_credential(&self, digest: &SecretDigest) -> Result<bool, StoreError> {
        let mut state = self.state()?;
        let ended = state.known.credentials.remove(digest).is_some();
        Ok(self.note(&mut state, ended))
    }

    async fn end_credentials(&self, id: &PersonId) -> Result<bool, StoreError> {
        let mut state = self.state()?;
        let ended = state.known.end_all(id);
        Ok(self.note(&mut state, ended))
    }
}

impl MemoryStore {
    /// Does something, and writes down what it is to be written down with if it was a change.
    pub(super) fn noted<T>(
        &self,
        verb: impl FnOnce(&mut State) -> Result<T, StoreError>,
        is_change: impl Fn(&T) -> bool,
    ) -> Result<T, StoreError> {
        let mut state = self.state()?;
        let done = verb(&mut state)?;
        self.note(&mut state, is_change(&done));
        Ok(done)
    }

    /// Writes down what a change is to be written down with, if there was one.
    pub(super) fn note(&self, state: &mut State, changed: bool) -> bool {
        if let Some(entry) = self.entry.as_ref().filter(|_| changed) {
            state.audit(entry, self.clock.now().wall);
            if let Some(request) = entry.request() {
                state.keyed.done(request);
            }
        }
        changed
    }
}

#[async_trait]
impl Audit for MemoryStore {
    fn audited(&self, entry: NewAuditEntry) -> Arc<dyn Store> {
        Arc::new(Self { entry: Some(entry), ..self.clone() })
    }

    async fn audit(&self, entry: NewAuditEntry) -> Result<(), StoreError> {
        let now = self.clock.now().wall;
        self.state()?.audit(&entry, now);
        Ok(())
    }

    async fn audit_page(&self, after: Option<u64>, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        let state = self.state()?;
        let all = state.known.audit.iter().filter(|entry| after.is_none_or(|after| entry.id > after));
        if after.is_some() {
            return Ok(all.take(limit_of(limit)).cloned().collect());
        }
        let newest = state.known.audit.len().saturating_sub(limit_of(limit));
        Ok(all.skip(newest).cloned().collect())
    }
}
