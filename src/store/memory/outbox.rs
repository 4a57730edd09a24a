//! The outbox of the store, as the trait has it.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;

use super::{MemoryStore, limit_of};
use crate::{
    domain::ids::ContactRef,
    store::{
        AllDispatchCounts, DispatchFacts, DispatchFilter, DispatchId, DispatchRecord, Dispatches, Lane, LanePage, News,
        StoreError, Tried, audit::NewAuditEntry,
    },
};

#[async_trait]
impl Dispatches for MemoryStore {
    fn audited_dispatches(&self, entry: NewAuditEntry) -> Arc<dyn Dispatches> {
        Arc::new(Self { entry: Some(entry), ..self.clone() })
    }

    fn news(&self) -> Arc<News> {
        Arc::clone(&self.lock().news)
    }

    async fn lanes(&self) -> Result<Vec<Lane>, StoreError> {
        Ok(self.state()?.lanes())
    }

    async fn lane_page(&self, lane: &Lane, limit: u32) -> Result<LanePage, StoreError> {
        Ok(self.state()?.lane_page(lane, limit_of(limit)))
    }

    async fn dispatch_facts(&self, id: DispatchId) -> Result<Option<DispatchFacts>, StoreError> {
        Ok(self.state()?.dispatch_facts(id, self.clock.now().wall))
    }

    async fn claim_dispatch(&self, id: DispatchId) -> Result<bool, StoreError> {
        Ok(self.state()?.claim_dispatch(id))
    }

    async fn tried(&self, id: DispatchId, tried: Tried) -> Result<(), StoreError> {
        self.state()?.tried(id, tried, self.clock.now().wall);
        Ok(())
    }

    async fn park_overdue(&self) -> Result<BTreeMap<Lane, u64>, StoreError> {
        Ok(self.state()?.park_overdue(self.clock.now().wall))
    }

    async fn dispatches(
        &self,
        filter: &DispatchFilter,
        after: Option<DispatchId>,
        limit: u32,
    ) -> Result<Vec<DispatchRecord>, StoreError> {
        Ok(self.state()?.dispatches(filter, after, limit_of(limit)))
    }

    async fn dispatches_of(&self, contact: ContactRef) -> Result<Vec<DispatchRecord>, StoreError> {
        Ok(self.state()?.dispatches_of(contact))
    }

    async fn retry_dispatches(&self, filter: &DispatchFilter, limit: u32) -> Result<u64, StoreError> {
        let now = self.clock.now().wall;
        self.noted(|state| Ok(state.retry_dispatches(filter, limit_of(limit), now)), |moved| *moved > 0)
    }

    async fn drop_dispatches(&self, filter: &DispatchFilter, why: &str, limit: u32) -> Result<u64, StoreError> {
        let now = self.clock.now().wall;
        self.noted(|state| Ok(state.drop_dispatches(filter, why, limit_of(limit), now)), |moved| *moved > 0)
    }

    async fn dispatch_counts(&self) -> Result<AllDispatchCounts, StoreError> {
        Ok(self.state()?.dispatch_counts())
    }
}
