//! The reconciling loop asks nothing about people or answers, and nobody commands it here.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use dialops::{
    domain::ids::{AttemptId, CampaignId, CustomerId, PersonId},
    store::{
        NewAuditEntry, Store, StoreError,
        audit::{Audit, AuditEntry},
        keyed::{Admitted, KeptAnswer, KeyedId, KeyedRequest, KeyedRequests},
        people::{Credential, People, Person, SecretDigest},
        questionnaire::{AnswersDecision, Asked, FilledQuestionnaire, Questionnaires, SaveAnswers},
    },
};

use crate::flaky::Flaky;

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

#[async_trait]
impl Questionnaires for Flaky {
    async fn questionnaire(&self, _: AttemptId) -> Result<Option<FilledQuestionnaire>, StoreError> {
        unreachable!()
    }

    async fn questionnaires_of(&self, _: &[AttemptId]) -> Result<BTreeMap<AttemptId, FilledQuestionnaire>, StoreError> {
        unreachable!()
    }

    async fn questionnaires_of_contact(
        &self,
        _: &CampaignId,
        _: &CustomerId,
    ) -> Result<Vec<FilledQuestionnaire>, StoreError> {
        unreachable!()
    }

    async fn questionnaire_page(
        &self,
        _: &CampaignId,
        _: Option<AttemptId>,
        _: u32,
    ) -> Result<Vec<FilledQuestionnaire>, StoreError> {
        unreachable!()
    }

    async fn asked(&self, _: &CampaignId) -> Result<Vec<Asked>, StoreError> {
        unreachable!()
    }

    async fn save_answers(&self, _: SaveAnswers) -> Result<AnswersDecision, StoreError> {
        unreachable!()
    }
}
