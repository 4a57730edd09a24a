//! One evaluation on its way: contacts are read beside the writer, their places sorted, and handed to it
//! in order, so that the rows grow at their end only.

use std::{mem, path::PathBuf, sync::Arc};

use jiff::Timestamp;
use rusqlite::Connection;

use super::{
    SqliteStore,
    contact::{self, Kept, contact_columns, contact_joins, kept_columns},
    evaluations::UnderWay,
    fault::Fault,
    place,
    readers::blocking,
    sorter::{Sorted, Sorter},
    sql::{self, Row},
    writer::{Reply, Work},
};
use crate::{
    domain::order,
    store::{BATCH_WINDOW, EVALUATION_SLICE, Evaluated, StoreError},
};

/// Places that are written in one transaction: few, since intents wait meanwhile.
const WRITTEN_AT_ONCE: usize = 500;

/// Transactions of one piece.
const WRITES: usize = 8;

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
    /// The last contact that has been read.
    after: i64,
    /// The last one that it is about; those that come later are written as they come.
    last: i64,
    /// As of when contacts stand.
    at: Timestamp,
    sorting: Sorting,
}

#[derive(Debug)]
enum Sorting {
    /// Contacts are being read.
    In(Sorter),
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
        Self { campaign, under_way, after: first - 1, last, at, sorting: Sorting::In(Sorter::new(folder)) }
    }

    /// Goes on by a piece; `None` if it was given up.
    pub(super) async fn go_on(&mut self, store: &SqliteStore) -> Result<Option<Evaluated>, StoreError> {
        match mem::replace(&mut self.sorting, Sorting::Lost) {
            Sorting::Lost => Ok(None),
            Sorting::In(sorter) => {
                let sorter = self.read(store, sorter).await?;
                if self.after < self.last {
                    self.sorting = Sorting::In(sorter);
                    return Ok(Some(self.told(None)));
                }
                let sorted = blocking(move || Ok(sorter.finish()?)).await.map_err(|fault| store.told(fault))?;
                self.write(store, sorted).await
            }
            Sorting::Out(sorted) => self.write(store, sorted).await,
        }
    }

    fn told(&self, complete: Option<u64>) -> Evaluated {
        let campaign = self.under_way.campaign.id.clone();
        Evaluated { campaign, admitted: complete.unwrap_or(0), complete: complete.is_some() }
    }

    /// Reads the next contacts.
    async fn read(&mut self, store: &SqliteStore, mut sorter: Sorter) -> Result<Sorter, StoreError> {
        let end = self.last.min(self.after.saturating_add(BATCH_WINDOW));
        let (after, campaign, under_way, at) = (self.after, self.campaign, Arc::clone(&self.under_way), self.at);
        let query = move |conn: &Connection| {
            let (mut read, mut last) = (0, 0);
            let query = sql::query(SLICE).bind(after).bind(end).bind(campaign).bind(EVALUATION_SLICE);
            query.while_some(conn, "reading contacts to apply a definition to", |row| {
                last = take(row, &under_way, at, &mut sorter)?;
                read += 1;
                Ok(Some(()))
            })?;
            Ok((sorter, last, read == EVALUATION_SLICE))
        };
        let (sorter, last, full) = store.read(query).await?;
        self.after = if full { last } else { end };
        Ok(sorter)
    }

    /// Has the next places written, and what follows when that were all.
    async fn write(&mut self, store: &SqliteStore, mut sorted: Sorted) -> Result<Option<Evaluated>, StoreError> {
        for _ in 0..WRITES {
            let (places, rest) = blocking(move || Ok((sorted.slice(WRITTEN_AT_ONCE)?, sorted)))
                .await
                .map_err(|fault| store.told(fault))?;
            sorted = rest;
            if places.is_empty() {
                let work = Work::Complete(self.campaign, Arc::clone(&self.under_way));
                let Reply::Completed(open) = store.ask(&store.long, work).await? else { return Ok(None) };
                return Ok(open.map(|open| self.told(Some(open))));
            }
            let work = Work::Append(Arc::clone(&self.under_way), places);
            let Reply::Changed(true) = store.ask(&store.long, work).await? else { return Ok(None) };
        }
        self.sorting = Sorting::Out(sorted);
        Ok(Some(self.told(None)))
    }
}

/// Takes the places of a contact in; gives its key.
fn take(row: &Row, under_way: &UnderWay, at: Timestamp, sorter: &mut Sorter) -> Result<i64, Fault> {
    let Kept { contact, live, stood, paused_out, .. } = contact::kept(row)?;
    let campaign = &under_way.campaign;
    let stands = under_way.read(&contact, paused_out) && !live && !paused_out && !contact.progress.is_over();
    if stands && campaign.matches(&contact.attributes) {
        let standing = order::standing(campaign, &contact, at);
        for place in place::places(campaign, &contact, stood, &standing) {
            sorter.push(place)?;
        }
    }
    Ok(contact.reference.0)
}
