//! The outbox of the store, as the trait has it.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;

use super::{SqliteStore, dispatch, writer::Work};
use crate::{
    domain::ids::{CampaignId, ContactRef},
    store::{
        AllDispatchCounts, DispatchFacts, DispatchFilter, DispatchId, DispatchRecord, Dispatches, Lane, LanePage, News,
        StoreError, Tried, audit::NewAuditEntry, dispatch::counted,
    },
};

#[async_trait]
impl Dispatches for SqliteStore {
    fn audited_dispatches(&self, entry: NewAuditEntry) -> Arc<dyn Dispatches> {
        Arc::new(Self { entry: Some(entry), ..self.clone() })
    }

    fn news(&self) -> Arc<News> {
        Arc::clone(&self.shared.news)
    }

    async fn lanes(&self) -> Result<Vec<Lane>, StoreError> {
        self.read(dispatch::lanes).await
    }

    async fn lane_page(&self, lane: &Lane, limit: u32) -> Result<LanePage, StoreError> {
        let lane = lane.clone();
        self.read(move |conn| dispatch::page(conn, &lane, limit)).await
    }

    async fn dispatch_facts(&self, id: DispatchId) -> Result<Option<DispatchFacts>, StoreError> {
        let (generation, now) = (self.shared.generation(), self.shared.clock.now().wall);
        let lists = move |campaign: &CampaignId| {
            let defined = generation.as_ref().and_then(|generation| generation.definitions.campaigns.get(campaign));
            defined.map(|defined| defined.do_not_call.clone()).unwrap_or_default()
        };
        self.read(move |conn| dispatch::facts(conn, id, lists, now)).await
    }

    async fn claim_dispatch(&self, id: DispatchId) -> Result<bool, StoreError> {
        self.changed(&self.urgent, Work::Claim(id)).await
    }

    async fn tried(&self, id: DispatchId, tried: Tried) -> Result<(), StoreError> {
        self.urgent(Work::Tried(id, tried)).await
    }

    async fn park_overdue(&self) -> Result<BTreeMap<Lane, u64>, StoreError> {
        Ok(counted(self.moved(Work::ParkOverdue).await?))
    }

    async fn dispatches(
        &self,
        filter: &DispatchFilter,
        after: Option<DispatchId>,
        limit: u32,
    ) -> Result<Vec<DispatchRecord>, StoreError> {
        let filter = filter.clone();
        self.read(move |conn| dispatch::records(conn, &filter, after, limit)).await
    }

    async fn dispatches_of(&self, contact: ContactRef) -> Result<Vec<DispatchRecord>, StoreError> {
        self.read(move |conn| dispatch::of_contact(conn, contact)).await
    }

    async fn retry_dispatches(&self, filter: &DispatchFilter, limit: u32) -> Result<u64, StoreError> {
        Ok(self.moved(Work::RetryDispatches(filter.clone(), limit)).await?.len() as u64)
    }

    async fn drop_dispatches(&self, filter: &DispatchFilter, why: &str, limit: u32) -> Result<u64, StoreError> {
        Ok(self.moved(Work::DropDispatches(filter.clone(), why.to_owned(), limit)).await?.len() as u64)
    }

    async fn dispatch_counts(&self) -> Result<AllDispatchCounts, StoreError> {
        Arc::clone(&self.readers)
            .read_behind(&self.background, dispatch::counts)
            .await
            .map_err(|fault| self.told(fault))
    }
}
