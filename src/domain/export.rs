//! Exports: a campaign's contacts or attempts as a file, for a while.

use std::{fmt, time::Duration};

use jiff::Timestamp;

use super::{business::BusinessKey, ids::BatchId, results::CallResult};

/// Longest time that the file of an export is kept unless the settings say more.
pub const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Which export; counted from 1 in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExportId(pub u32);

impl fmt::Display for ExportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExportKind {
    /// Contacts, each with how far it has come.
    Contacts,
    /// Attempts, each with its result.
    Attempts,
}

impl ExportKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Contacts, Self::Attempts];

    /// The name used in tables and output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contacts => "contacts",
            Self::Attempts => "attempts",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl fmt::Display for ExportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How the file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExportFormat {
    /// A header and rows (RFC 4180).
    Csv,
    /// A JSON object a line.
    Jsonl,
    /// A workbook of a spreadsheet.
    Xlsx,
}

impl ExportFormat {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Csv, Self::Jsonl, Self::Xlsx];

    /// The name used in tables and output, and what a file's name ends with.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Xlsx => "xlsx",
        }
    }

    /// The format of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == name)
    }
}

impl fmt::Display for ExportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far an export has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExportState {
    /// Its turn has not come.
    Waiting,
    /// Its file is being written.
    Running,
    /// There is a file.
    Done,
    /// There is none, for a reason that the export tells.
    Failed,
    /// Somebody did not want it any more before it was done.
    Cancelled,
    /// Somebody took the file away.
    Deleted,
    /// The file's time is over.
    Expired,
    /// The file was taken away since somebody was erased who may stand in it.
    Withdrawn,
}

impl ExportState {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Waiting,
        Self::Running,
        Self::Done,
        Self::Failed,
        Self::Cancelled,
        Self::Deleted,
        Self::Expired,
        Self::Withdrawn,
    ];

    /// The name used in tables and output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Deleted => "deleted",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether there may be a file later.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Running)
    }
}

/// Which rows are wanted; of contacts the newest attempt and the newest business result are looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExportFilter {
    /// Of this batch only.
    pub batch: Option<BatchId>,
    /// Attempts that were placed at this instant or later.
    pub from: Option<Timestamp>,
    /// Attempts that were placed before this instant.
    pub until: Option<Timestamp>,
    /// Attempts that ended so.
    pub result: Option<CallResult>,
    /// With this business result; one without a sub-result takes all of them in.
    pub business: Option<BusinessKey>,
}

/// Of a row what a filter looks at.
#[derive(Debug, Clone, Copy)]
pub struct Filtered<'a> {
    /// The batch that the contact came with.
    pub batch: &'a BatchId,
    /// When the attempt was placed; `None` if there is none.
    pub placed_at: Option<Timestamp>,
    /// How it ended; `None` while it is live.
    pub result: Option<CallResult>,
    /// The business result.
    pub business: Option<&'a BusinessKey>,
}

impl ExportFilter {
    /// Whether a row is wanted.
    #[must_use]
    pub fn admits(&self, row: Filtered<'_>) -> bool {
        let business = |wanted: &BusinessKey| {
            row.business.is_some_and(|found| {
                found.result == wanted.result && (wanted.sub_result.is_none() || found.sub_result == wanted.sub_result)
            })
        };
        self.batch.as_ref().is_none_or(|batch| batch == row.batch)
            && self.from.is_none_or(|from| row.placed_at.is_some_and(|at| from <= at))
            && self.until.is_none_or(|until| row.placed_at.is_some_and(|at| at < until))
            && self.result.is_none_or(|result| row.result == Some(result))
            && self.business.as_ref().is_none_or(business)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        assert!(ExportKind::ALL.into_iter().all(|kind| ExportKind::parse(kind.as_str()) == Some(kind)));
        assert!(ExportFormat::ALL.into_iter().all(|format| ExportFormat::parse(format.as_str()) == Some(format)));
        assert!(ExportState::ALL.into_iter().all(|state| ExportState::parse(state.as_str()) == Some(state)));
        assert_eq!(ExportFormat::parse("CSV"), None);
    }

    #[test]
    fn a_filter_wants_all_of_what_it_says() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let batch = BatchId::parse("first").unwrap();
        let (sold, soon) = (BusinessKey::parse("sold").unwrap(), BusinessKey::parse("callback/soon").unwrap());
        let row =
            Filtered { batch: &batch, placed_at: Some(at(10)), result: Some(CallResult::Busy), business: Some(&soon) };
        let nothing = Filtered { batch: &batch, placed_at: None, result: None, business: None };
        assert!(ExportFilter::default().admits(row) && ExportFilter::default().admits(nothing));
        let of = |change: fn(&mut ExportFilter)| {
            let mut filter = ExportFilter::default();
            change(&mut filter);
            (filter.admits(row), filter.admits(nothing))
        };
        assert_eq!(of(|f| f.batch = BatchId::parse("first").ok()), (true, true));
        assert_eq!(of(|f| f.batch = BatchId::parse("second").ok()), (false, false));
        assert_eq!(of(|f| f.from = Timestamp::from_second(10).ok()), (true, false));
        assert_eq!(of(|f| f.from = Timestamp::from_second(11).ok()), (false, false));
        assert_eq!(of(|f| f.until = Timestamp::from_second(11).ok()), (true, false));
        assert_eq!(of(|f| f.until = Timestamp::from_second(10).ok()), (false, false));
        assert_eq!(of(|f| f.result = Some(CallResult::Busy)), (true, false));
        assert_eq!(of(|f| f.result = Some(CallResult::Answered)), (false, false));
        assert_eq!(of(|f| f.business = BusinessKey::parse("callback")), (true, false));
        assert_eq!(of(|f| f.business = BusinessKey::parse("callback/soon")), (true, false));
        assert_eq!(of(|f| f.business = BusinessKey::parse("callback/late")), (false, false));
        assert!(!ExportFilter { business: Some(sold), ..ExportFilter::default() }.admits(row));
        let first_fails = ExportFilter { batch: BatchId::parse("x").ok(), result: row.result, ..Default::default() };
        assert!(!first_fails.admits(row));
    }
}
