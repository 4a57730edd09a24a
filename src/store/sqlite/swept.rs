//! Places that nobody may find any more are taken away.

use std::{collections::BTreeMap, sync::Arc};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{
    SWEPT_AT_ONCE, SqliteStore,
    place::{self, Stale},
    readers::blocking,
    writer::{Command, Reply, Work},
};
use crate::{domain::ids::CampaignId, store::StoreError};

impl SqliteStore {
    /// Has places taken away that a page came past in vain. If there is no room now, the next page comes
    /// past them too.
    pub(super) fn sweep(&self, evaluation: i64, stale: Vec<Stale>) {
        let (ordered, own) = place::parted(stale);
        self.shared.sweep(evaluation, ordered);
        for keys in own.chunks(SWEPT_AT_ONCE) {
            let (reply, _) = oneshot::channel();
            let _ = self.long.try_send(Command { work: Work::Sweep(evaluation, keys.to_vec()), entry: None, reply });
        }
    }

    /// Has a contact taken away, or what is personal of it, and then the places that it had: they hold what
    /// its campaign sorts by. Who they are is looked up beside the writer, since no index has them.
    pub(super) async fn gone(&self, campaign: &CampaignId, work: Work) -> Result<(), StoreError> {
        let Reply::Gone(contact) = self.ask(&self.urgent, work).await? else { return Err(StoreError::Closed) };
        let (campaign, orders) = (campaign.clone(), Arc::clone(&self.shared.orders));
        let look = move |conn: &Connection| {
            orders.settle();
            place::of(conn, &campaign, contact)
        };
        let mut by_evaluation: BTreeMap<i64, Vec<Stale>> = BTreeMap::new();
        for (evaluation, place) in self.read(look).await? {
            by_evaluation.entry(evaluation).or_default().push(place);
        }
        for (evaluation, places) in by_evaluation {
            self.swept(evaluation, places).await?;
        }
        Ok(())
    }

    /// Takes places away, and returns once they are gone.
    pub(super) async fn swept(&self, evaluation: i64, places: Vec<Stale>) -> Result<(), StoreError> {
        let (ordered, own) = place::parted(places);
        for keys in own.chunks(SWEPT_AT_ONCE) {
            // What follows from a change is no change of its own.
            self.hand_in(&self.long, Work::Sweep(evaluation, keys.to_vec()), None).await?;
        }
        let orders = Arc::clone(&self.shared.orders);
        let swept = blocking(move || orders.sweep(evaluation, &ordered)).await;
        swept.map_err(|fault| self.told(fault))
    }
}
