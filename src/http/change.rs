//! What somebody changes, as the audit log has it.

use std::{fmt::Write, sync::Arc};

use axum::{extract::RawPathParams, http::StatusCode};

use super::{access::Actor, error::ApiError, state::ServerState};
use crate::{
    domain::{
        audit::{Deed, DeedResult},
        ids::{BatchId, CampaignId, CustomerId},
    },
    store::{Dispatches, NewAuditEntry, Store, keyed::KeyedId},
};

/// A change that is asked for: who asks, and what it is about. Handlers make changes of the store through
/// [`Change::store`] and [`Change::dispatches`], so that the entry is in the transaction of the change. What is no such
/// change begins with [`Change::begin`], and what came of it is written down behind it; or a loop writes it down.
#[derive(Debug, Clone)]
pub(super) struct Change(NewAuditEntry);

impl Change {
    /// One of somebody.
    pub(super) fn new(actor: &Actor, action: &str, object: impl Into<String>) -> Self {
        let (who, role, result) = (actor.name.clone(), actor.role, DeedResult::Done);
        Self(NewAuditEntry::new(Deed { who, role, action: action.to_owned(), object: object.into(), result }))
    }

    /// One through a route: what its path names is what it is about.
    pub(super) async fn of(state: &ServerState, actor: &Actor, action: &str, params: Option<&RawPathParams>) -> Self {
        let (mut object, mut campaign) = (String::new(), None);
        for (name, value) in params.iter().flat_map(|params| params.iter()) {
            let value = match name {
                // Its name and a customer's id may be personal.
                "batch" => BatchId::parse(value).map(|batch| batch.masked().to_string()).unwrap_or_default(),
                "customer" => contact(state, campaign.as_ref(), value).await,
                _ => value.to_owned(),
            };
            if name == "campaign" {
                campaign = CampaignId::parse(&value).ok();
            }
            let name = if name == "customer" { "contact" } else { name };
            let separator = if object.is_empty() { "" } else { ", " };
            // A text takes whatever is written.
            let _written = write!(object, "{separator}{name} {value}");
        }
        Self::new(actor, action, object)
    }

    /// One of a contact, through a form that is no route's own change.
    pub(super) async fn of_contact(
        state: &ServerState,
        actor: &Actor,
        action: &str,
        (campaign, customer): (&CampaignId, &str),
    ) -> Self {
        let found = contact(state, Some(campaign), customer).await;
        Self::new(actor, action, format!("campaign {campaign}, contact {found}"))
    }

    /// The same of another object.
    pub(super) fn about(&self, object: impl Into<String>) -> Self {
        Self(self.0.of(Deed { object: object.into(), ..self.0.deed.clone() }))
    }

    /// The same, done for a request of an idempotency key.
    pub(super) fn keyed(self, id: KeyedId) -> Self {
        Self(self.0.keyed(id))
    }

    /// Whether the store has it, in the transaction of a change.
    pub(super) fn is_written(&self) -> bool {
        self.0.is_written()
    }

    /// Who asks.
    pub(super) fn by(&self) -> &str {
        &self.0.deed.who
    }

    /// What is done, for a loop that makes the change and writes it down.
    pub(super) fn deed(&self) -> Deed {
        self.0.deed.clone()
    }

    /// A loop has written it down.
    pub(super) fn was_written(&self) {
        self.0.count_as_written();
    }

    /// The store, each change through which is written down with this.
    pub(super) fn store(&self, state: &ServerState) -> Arc<dyn Store> {
        state.store.audited(self.0.clone())
    }

    /// Writes down that it begins, before anything is changed: what is a command to a loop, or takes many transactions,
    /// leaves a trace even if the daemon ends before it is over. What can't be written down is not done.
    pub(super) async fn begin(&self, state: &ServerState) -> Result<(), ApiError> {
        let deed = Deed { result: DeedResult::Began, ..self.0.deed.clone() };
        Ok(state.store.audit(NewAuditEntry::new(deed)).await?)
    }

    /// Writes down what is no change, before it is shown: what can't be written down is not shown.
    pub(super) async fn note(&self, state: &ServerState) -> Result<(), ApiError> {
        Ok(state.store.audit(self.0.clone()).await?)
    }

    /// The outbox, each change of which through this is written down with it.
    pub(super) fn dispatches(&self, state: &ServerState) -> Arc<dyn Dispatches> {
        state.dispatches.audited_dispatches(self.0.clone())
    }

    /// Writes down what came of it.
    pub(super) async fn write_down(&self, state: &ServerState, result: DeedResult) {
        let entry = self.0.of(Deed { result, ..self.0.deed.clone() });
        if let Err(error) = state.store.audit(entry).await {
            tracing::error!(%error, action = self.0.deed.action, "the audit log can't be written: it has a gap");
        }
    }

    /// Writes it down unless that was done in the transaction of the change.
    pub(super) async fn finish(&self, state: &ServerState, status: StatusCode) {
        let result = match status {
            status if status.is_server_error() => DeedResult::Failed,
            status if status.is_client_error() => DeedResult::Refused,
            _ => DeedResult::Done,
        };
        if !self.0.is_written() {
            self.write_down(state, result).await;
        }
    }
}

/// A contact by the number that the store has for it, which tells nothing of the customer.
async fn contact(state: &ServerState, campaign: Option<&CampaignId>, customer: &str) -> String {
    let unknown = || "unknown".to_owned();
    let (Some(campaign), Ok(customer)) = (campaign, CustomerId::parse(customer)) else { return unknown() };
    match state.store.contact(campaign, &customer).await {
        Ok(Some(found)) => format!("#{}", found.contact.reference.0),
        Ok(None) | Err(_) => unknown(),
    }
}
