//! The reconciling loop asks nothing about people, and nobody commands it here.

use std::sync::Arc;

use async_trait::async_trait;
use dialops::{
    domain::ids::PersonId,
    store::{
        NewAuditEntry, Store, StoreError,
        audit::{Audit, AuditEntry},
        keyed::{Admitted, KeptAnswer, KeyedId, KeyedRequest, KeyedRequests},
        people::{Credential, People, Person, SecretDigest},
    },
};

use crate::reconcile::Flaky;

#[async_trait]
impl People for Flaky {
    async fn people(&self) -> Result<Vec<Person>, StoreError> {
        unreachable!()
    }

    async fn person(&self, _: &PersonId) -> Result<Option<Person>, StoreError> {
        unreachable!()
    }

    async fn put_person(&self, _: Person) -> Result<(), StoreError> {
        unreachable!()
    }

    async fn remove_person(&self, _: &PersonId) -> Result<bool, StoreError> {
        unreachable!()
    }

    async fn add_credential(&self, _: Credential) -> Result<(), StoreError> {
        unreachable!()
    }

    async fn credential(&self, _: &SecretDigest) -> Result<Option<Credential>, StoreError> {
        unreachable!()
    }

    async fn end_credential(&self, _: &SecretDigest) -> Result<bool, StoreError> {
        unreachable!()
    }

    async fn end_credentials(&self, _: &PersonId) -> Result<bool, StoreError> {
        unreachable!()
    }
}

#[async_trait]
impl Audit for Flaky {
    fn audited(&self, _: NewAuditEntry) -> Arc<dyn Store> {
        unreachable!()
    }

    async fn audit(&self, _: NewAuditEntry) -> Result<(), StoreError> {
        unreachable!()
    }

    async fn audit_page(&self, _: Option<u64>, _: u32) -> Result<Vec<AuditEntry>, StoreError> {
        unreachable!()
    }
}

#[async_trait]
impl KeyedRequests for Flaky {
    async fn admit_keyed(&self, _: KeyedRequest) -> Result<Admitted, StoreError> {
        unreachable!()
    }

    async fn answer_keyed(&self, _: &KeyedId, _: KeptAnswer) -> Result<(), StoreError> {
        unreachable!()
    }

    async fn release_keyed(&self, _: &KeyedId) -> Result<bool, StoreError> {
        unreachable!()
    }
}
