//! Counts of attempts: kept up by the writer, and read in looks, each of a bounded number of rows.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rusqlite::Connection;

use super::{
    contact::{campaign_key, column},
    fault::{Doing, Fault},
    read,
    sql::{self, Row},
    statements::Statements,
};
use crate::{
    domain::{
        ids::{AgentId, AttemptId, BatchId, CampaignId},
        results::CallResult,
        statistics::{Calls, Quarter, Span},
    },
    store::{
        Statistics,
        row::{self, damaged},
    },
};

/// Rows that one look goes past.
const LOOK: usize = if cfg!(test) { 5 } else { 20_000 };

/// Counts an attempt that has just ended.
pub(super) fn ended(all: &mut Statements, attempt: AttemptId) {
    const SQL: &str = "INSERT INTO statistic (campaign, quarter, kind, name, attempts, connected, talked) \
        SELECT a.campaign, a.placed_at / 900000000, k.column1, \
        CASE k.column1 WHEN 'result' THEN a.result WHEN 'agent' THEN a.agent ELSE CAST(c.batch AS TEXT) END, \
        1, a.connected_at IS NOT NULL, coalesce(max(a.ended_at - a.connected_at, 0), 0) \
        FROM attempt a CROSS JOIN contact c ON c.id = a.contact \
        CROSS JOIN (VALUES ('result'), ('agent'), ('batch')) k WHERE a.id = ? \
        ON CONFLICT (campaign, quarter, kind, name) DO UPDATE SET attempts = attempts + excluded.attempts, \
        connected = connected + excluded.connected, talked = talked + excluded.talked";
    all.add(SQL).bind(attempt.to_i64());
}

/// The business result that was last set for an attempt, as its column has it.
pub(super) fn business_of(conn: &Connection, attempt: i64) -> Result<Option<String>, Fault> {
    const SQL: &str = "SELECT result FROM business_result WHERE attempt = ?1 ORDER BY id DESC LIMIT 1";
    sql::query_scalar(SQL).bind(attempt).fetch_optional(conn).doing("reading a business result")
}

/// Counts an attempt under another business result than before.
pub(super) fn business(conn: &Connection, attempt: i64, was: Option<&str>, is: Option<&str>) -> Result<(), Fault> {
    const SQL: &str = "INSERT INTO statistic (campaign, quarter, kind, name, attempts, connected, talked) \
        SELECT campaign, placed_at / 900000000, 'business', ?2, ?3, 0, 0 FROM attempt WHERE id = ?1 \
        ON CONFLICT (campaign, quarter, kind, name) DO UPDATE SET attempts = attempts + excluded.attempts";
    for (name, by) in [(was, -1), (is, 1)] {
        let Some(name) = name else { continue };
        let query = sql::query(SQL).bind(attempt).bind(name).bind(by);
        query.execute(conn).doing("counting a business result")?;
    }
    Ok(())
}

/// How far counting has come: which campaign it looks at, and behind which row of that.
#[derive(Debug, Clone)]
struct Reached {
    campaign: i64,
    row: Option<(i64, String, String)>,
}

/// A count under way.
#[derive(Debug)]
pub(super) struct Count {
    /// The one campaign, or all.
    only: Option<i64>,
    span: Span,
    counted: Statistics,
    batches: BTreeMap<i64, Calls>,
    reached: Option<Reached>,
    /// Likewise for contacts that were connected: behind which attempt.
    connected: Option<(i64, (i64, i64))>,
    contacts: BTreeSet<i64>,
    looks: u32,
}

/// What one look at statistics came to.
pub(super) enum Counting {
    /// There is more to be looked at.
    More(Box<Count>),
    /// That was all.
    Done(Box<Statistics>),
}

impl Count {
    /// Begins one.
    pub(super) fn begin(conn: &Connection, campaign: Option<&CampaignId>, span: Span) -> Result<Box<Self>, Fault> {
        let only = campaign.map(|campaign| campaign_key(conn, campaign)).transpose()?;
        let tally = match campaign {
            Some(campaign) => read::tally(conn, campaign)?,
            None => read::tally_of_all(conn)?,
        };
        let counted = Statistics { tally, ..Statistics::default() };
        let first = match only {
            Some(only) => Some(only),
            None => next_campaign(conn, i64::MIN)?,
        };
        Ok(Box::new(Self {
            only,
            span,
            counted,
            batches: BTreeMap::new(),
            reached: first.map(|campaign| Reached { campaign, row: None }),
            connected: first.map(|campaign| (campaign, (i64::MIN, -1))),
            contacts: BTreeSet::new(),
            looks: 0,
        }))
    }

    /// Goes on for one look.
    pub(super) fn go_on(mut self: Box<Self>, conn: &Connection) -> Result<Counting, Fault> {
        self.looks += 1;
        let mut room = LOOK;
        while room > 0 && self.reached.is_some() {
            room = self.rows(conn, room)?;
        }
        while room > 0 && self.connected.is_some() {
            room = self.contacts(conn, room)?;
        }
        let more = self.reached.is_some() || self.connected.is_some();
        Ok(if more { Counting::More(self) } else { Counting::Done(Box::new(self.done(conn)?)) })
    }

    fn done(mut self, conn: &Connection) -> Result<Statistics, Fault> {
        self.counted.at_once = self.looks == 1;
        if let Some(campaign) = self.only {
            let query = sql::query_as("SELECT id, name FROM batch WHERE campaign = ?1").bind(campaign);
            let names: Vec<(i64, String)> = query.fetch_all(conn).doing("reading batches")?;
            for (key, name) in names {
                let Some(calls) = self.batches.remove(&key) else { continue };
                let batch = BatchId::parse(&name).map_err(|_| damaged("batch.name"))?;
                self.counted.by_batch.insert(batch, calls);
            }
        }
        Ok(self.counted)
    }

    fn after(&self, conn: &Connection, campaign: i64) -> Result<Option<i64>, Fault> {
        if self.only.is_some() { Ok(None) } else { next_campaign(conn, campaign) }
    }

    /// Counts at most `room` rows of a campaign; for how many more there is room.
    fn rows(&mut self, conn: &Connection, room: usize) -> Result<usize, Fault> {
        const SQL: &str = "SELECT quarter, kind, name, attempts, connected, talked FROM statistic \
            WHERE campaign = ?1 AND quarter >= ?2 AND (quarter, kind, name) > (?2, ?3, ?4) AND quarter < ?5 \
            ORDER BY quarter, kind, name LIMIT ?6";
        let Some(Reached { campaign, row }) = self.reached.take() else { return Ok(room) };
        // No kind is empty, and all are greater than that.
        let (quarter, kind, name) = row.unwrap_or((self.from(), String::new(), String::new()));
        let query = sql::query(SQL).bind(campaign).bind(quarter).bind(kind).bind(name).bind(self.to());
        let (mut read, mut last) = (0, None);
        let query = query.bind(i64::try_from(room).unwrap_or(i64::MAX));
        query.while_some(conn, "reading statistics", |row| {
            self.enter(row)?;
            read += 1;
            if read == room {
                last = Some((column(row, 0)?, column(row, 1)?, column(row, 2)?));
            }
            Ok(Some(()))
        })?;
        self.reached = match last {
            Some(row) => Some(Reached { campaign, row: Some(row) }),
            None => self.after(conn, campaign)?.map(|campaign| Reached { campaign, row: None }),
        };
        // Who has many campaigns without calls goes past some of them, too.
        Ok(room.saturating_sub(read.max(1)))
    }

    fn enter(&mut self, row: &Row<'_>) -> Result<(), Fault> {
        let n = |index| Ok::<_, Fault>(column::<i64>(row, index)?.unsigned_abs());
        let calls = Calls { attempts: n(3)?, connected: n(4)?, talked: Duration::from_micros(n(5)?) };
        if calls.attempts == 0 {
            return Ok(());
        }
        let name: &str = column(row, 2)?;
        match column::<&str>(row, 1)? {
            "result" => {
                let result = CallResult::parse(name).ok_or_else(|| damaged("statistic.name"))?;
                *self.counted.by_result.entry(result).or_default() += calls;
                *self.counted.by_quarter.entry(Quarter::new(column(row, 0)?)).or_default() += calls;
            }
            "agent" => {
                let agent = AgentId::parse(name).map_err(|_| damaged("statistic.name"))?;
                *self.counted.by_agent.entry(agent).or_default() += calls;
            }
            "batch" => {
                let key = name.parse().map_err(|_| damaged("statistic.name"))?;
                *self.batches.entry(key).or_default() += calls;
            }
            "business" => {
                *self.counted.by_business.entry(row::business_key(name)?).or_default() += calls.attempts;
            }
            _ => return Err(damaged("statistic.kind").into()),
        }
        Ok(())
    }

    /// Counts contacts of at most `room` connected attempts of a campaign; for how many more there is room.
    fn contacts(&mut self, conn: &Connection, room: usize) -> Result<usize, Fault> {
        const SQL: &str = "SELECT contact, placed_at, id FROM attempt INDEXED BY attempt_connected \
            WHERE campaign = ?1 AND connected_at IS NOT NULL AND ended_at IS NOT NULL AND placed_at >= ?2 \
            AND (placed_at, contact) >= (?2, ?3) AND placed_at < ?4 ORDER BY placed_at, contact LIMIT ?5";
        let Some((campaign, (placed_at, contact))) = self.connected.take() else { return Ok(room) };
        let micros = |quarter: i64| quarter.saturating_mul(Quarter::MICROS);
        let first = placed_at.max(micros(self.from()));
        let query = sql::query(SQL).bind(campaign).bind(first).bind(contact).bind(micros(self.to()));
        let (mut read, mut last) = (0, None);
        let query = query.bind(i64::try_from(room).unwrap_or(i64::MAX));
        query.while_some(conn, "counting connected contacts", |row| {
            let contact = column(row, 0)?;
            self.contacts.insert(contact);
            read += 1;
            if read == room {
                // Another call of it would count no more.
                last = Some((column(row, 1)?, contact + 1));
            }
            Ok(Some(()))
        })?;
        self.connected = match last {
            Some(reached) => Some((campaign, reached)),
            None => {
                // A contact is of one campaign.
                self.counted.connected_contacts += self.contacts.len() as u64;
                self.contacts.clear();
                self.after(conn, campaign)?.map(|campaign| (campaign, (i64::MIN, -1)))
            }
        };
        Ok(room.saturating_sub(read.max(1)))
    }

    fn from(&self) -> i64 {
        self.span.from.map_or(i64::MIN, Quarter::number)
    }

    fn to(&self) -> i64 {
        self.span.to.map_or(i64::MAX, Quarter::number)
    }
}

fn next_campaign(conn: &Connection, after: i64) -> Result<Option<i64>, Fault> {
    let query = sql::query_scalar("SELECT id FROM campaign WHERE id > ?1 ORDER BY id LIMIT 1").bind(after);
    query.fetch_optional(conn).doing("counting calls")
}
