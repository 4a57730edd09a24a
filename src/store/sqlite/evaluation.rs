//! One evaluation on its way: contacts are read beside the writer, their places sorted, and written to the
//! order file in order, so that it grows at its end only.

use std::{mem, path::PathBuf, sync::Arc};

use futures_util::future::try_join_all;
use jiff::Timestamp;
use rusqlite::Connection;

use super::{
    SqliteStore, background,
    contact::{self, Kept, contact_columns, contact_joins, kept_columns},
    evaluations::{Found, UnderWay},
    fault::Fault,
    place,
    sorter::{self, Sorted, Sorter},
    sql::{self, Row},
    writer::{Reply, Work},
};
use crate::{
    domain::{ids::CampaignId, order},
    store::{BATCH_WINDOW, EVALUATION_SLICE, Evaluated, StoreError},
};

/// Places that are written in one transaction, and in one piece.
const WRITTEN_AT_ONCE: usize = 4_000;

/// The next contacts of a campaign in the order of ids, in which they lie; the plus keeps SQLite from going
/// through all of the campaign by another index.
pub(in crate::store) const SLICE: &str = concat!(
    "SELECT ",
    kept_columns!(),
    " FROM contact c",
    contact_joins!(),
    "WHERE c.id > ?1 AND c.id <= ?2 AND +c.campaign = ?3 ORDER BY c.id LIMIT ?4"
);

/// An evaluation on its way.
#[derive(Debug)]
pub(super) struct Evaluation {
    /// Key of its campaign.
    campaign: i64,
    under_way: Arc<UnderWay>,
    /// As of when contacts stand.
    at: Timestamp,
    sorting: Sorting,
}

/// Contacts that are read side by side.
const LANES: i64 = background::THREADS as i64;

/// Contacts of a lane that one piece reads.
const SLICE_OF_LANE: i64 = EVALUATION_SLICE / LANES;

/// A part of the contacts, on its way into the order.
#[derive(Debug)]
struct Lane {
    /// The last contact that has been read.
    after: i64,
    /// The last one that it is about; those that come later are written as they come.
    last: i64,
    sorter: Sorter,
}

#[derive(Debug)]
enum Sorting {
    /// Contacts are being read.
    In(Vec<Lane>),
    /// Places are being written.
    Out(Sorted),
    /// A piece was begun and not ended, so what has become of it is not known.
    Lost,
}

impl Evaluation {
    /// One that has yet to read its campaign's contacts, the first to the last; `folder` is for what does
    /// not fit into memory.
    pub(super) fn new(
        campaign: i64,
        under_way: Arc<UnderWay>,
        (first, last): (i64, i64),
        at: Timestamp,
        folder: PathBuf,
    ) -> Self {
        let share = (last - first) / LANES + 1;
        let lane = |n: i64| {
            let after = first - 1 + n * share;
            Lane { after, last: last.min(after + share), sorter: Sorter::new(folder.clone()) }
        };
        Self { campaign, under_way, at, sorting: Sorting::In((0..LANES).map(lane).collect()) }
    }

    /// Goes on by a piece; `None` if it was given up.
    pub(super) async fn go_on(&mut self, store: &SqliteStore) -> Result<Option<Evaluated>, StoreError> {
        match mem::replace(&mut self.sorting, Sorting::Lost) {
            Sorting::Lost => Ok(None),
            Sorting::In(lanes) => {
                let read = lanes.into_iter().map(|lane| self.read(store, lane));
                let lanes: Vec<Lane> = try_join_all(read).await?;
                if lanes.iter().any(|lane| lane.after < lane.last) {
                    self.sorting = Sorting::In(lanes);
                    return Ok(Some(self.told(None)));
                }
                let sorters = lanes.into_iter().map(|lane| lane.sorter).collect();
                let sorted = store
                    .background
                    .run(move || Ok(sorter::merge(sorters)?))
                    .await
                    .map_err(|fault| store.told(fault))?;
                self.write(store, sorted).await
            }
            Sorting::Out(sorted) => self.write(store, sorted).await,
        }
    }

    /// Whose it is.
    pub(super) fn campaign(&self) -> &CampaignId {
        &self.under_way.campaign.id
    }

    fn told(&self, complete: Option<u64>) -> Evaluated {
        let campaign = self.under_way.campaign.id.clone();
        Evaluated { campaign, admitted: complete.unwrap_or(0), complete: complete.is_some() }
    }

    /// Reads the next contacts of a lane.
    async fn read(&self, store: &SqliteStore, mut lane: Lane) -> Result<Lane, StoreError> {
        if lane.after >= lane.last {
            return Ok(lane);
        }
        let (campaign, under_way, at) = (self.campaign, Arc::clone(&self.under_way), self.at);
        let query = move |conn: &Connection| {
            let end = lane.last.min(lane.after.saturating_add(BATCH_WINDOW));
            let (mut read, mut last) = (0, 0);
            let query = sql::query(SLICE).bind(lane.after).bind(end).bind(campaign).bind(SLICE_OF_LANE);
            query.while_some(conn, "reading contacts to apply a definition to", |row| {
                last = take(row, &under_way, at, &mut lane.sorter)?;
                read += 1;
                Ok(Some(()))
            })?;
            lane.after = if read == SLICE_OF_LANE { last } else { end };
            Ok(lane)
        };
        let read = Arc::clone(&store.readers).read_behind(&store.background, query);
        read.await.map_err(|fault| store.told(fault))
    }

    /// Writes the next places, and has what follows done when that were all.
    async fn write(&mut self, store: &SqliteStore, mut sorted: Sorted) -> Result<Option<Evaluated>, StoreError> {
        let (under_way, shared) = (Arc::clone(&self.under_way), Arc::clone(&store.shared));
        let write = move || {
            let places = sorted.slice(WRITTEN_AT_ONCE)?;
            let goes_on = shared.is_next(&under_way);
            if goes_on && !places.is_empty() {
                shared.orders.append(&under_way, &places)?;
            }
            Ok((goes_on, places.len() < WRITTEN_AT_ONCE, sorted))
        };
        let (goes_on, all, sorted) = store.background.run(write).await.map_err(|fault| store.told(fault))?;
        if !goes_on {
            return Ok(None);
        }
        if !all {
            self.sorting = Sorting::Out(sorted);
            return Ok(Some(self.told(None)));
        }
        let work = Work::Complete(self.campaign, Arc::clone(&self.under_way));
        let Reply::Completed(open) = store.ask(&store.long, work).await? else { return Ok(None) };
        Ok(open.map(|open| self.told(Some(open))))
    }
}

/// Takes the places of a contact in; gives its key. What decides whether it stands at all is read first, as a
/// filter may leave most of them out.
fn take(row: &Row<'_>, under_way: &UnderWay, at: Timestamp, sorter: &mut Sorter) -> Result<i64, Fault> {
    let (id, paused_out, open) = (contact::key(row)?, contact::paused_out(row)?, !contact::is_over(row)?);
    let (campaign, attributes) = (&under_way.campaign, contact::attributes_of(row)?);
    let matches = campaign.matches(&attributes);
    let stands = under_way.read(id, Found { open, matches, paused: paused_out });
    if !stands || !open || !matches || paused_out {
        return Ok(id);
    }
    let Kept { contact, live, stood, .. } = contact::kept_with(row, attributes)?;
    if !live {
        let standing = order::standing(campaign, &contact, at);
        for place in place::places(campaign, &contact, stood, &standing) {
            sorter.push(place)?;
        }
    }
    Ok(id)
}
