//! What somebody changes, as the audit log has it.

use std::{fmt::Write, sync::Arc};

use axum::{extract::RawPathParams, http::StatusCode};

use super::{access::Actor, state::ServerState};
use crate::{
    domain::{
        audit::{Deed, DeedResult},
        ids::{BatchId, CampaignId, CustomerId},
    },
    store::{NewAuditEntry, Store, keyed::KeyedId},
};

/// A change that is asked for: who asks, and what it is about. Handlers make changes of the store through
/// [`Change::store`], so that the entry is in the transaction of the change; what is no such change is written down
/// behind it.
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
