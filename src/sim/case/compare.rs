//! `expected.csv` beside what was called: instants, not text, and only the order where no time is given.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::files::{CaseError, CaseFile};
use crate::{domain::results::CallResult, sim::record::Attempt};

/// One expected attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// When its INVITE leaves; `None` if only its place in the order matters.
    pub at: Option<Timestamp>,
    /// Whom.
    pub customer: String,
    /// The number called.
    pub number: String,
    /// How it ends.
    pub result: CallResult,
    /// Who is held for it, if that matters.
    pub agent: Option<String>,
    /// The number shown, if that matters.
    pub caller_number: Option<String>,
    /// Of which campaign, if that matters.
    pub campaign: Option<String>,
    /// How far from `at` it may be.
    pub tolerance: SignedDuration,
}

/// Something that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// An expected attempt was not made.
    Missing(Expected),
    /// An attempt was made that nobody expected.
    NotExpected(Box<Attempt>),
    /// An attempt was made at another time.
    Time {
        /// As it should have been.
        expected: Expected,
        /// As it was.
        actual: Box<Attempt>,
    },
    /// An attempt ended otherwise, or had another agent, caller number or campaign.
    Other {
        /// As it should have been.
        expected: Expected,
        /// As it was.
        actual: Box<Attempt>,
    },
    /// An attempt came before one that stands earlier.
    Order {
        /// As it should have been.
        expected: Expected,
        /// As it was.
        actual: Box<Attempt>,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    at: String,
    customer_id: String,
    number: String,
    result: String,
    agent: Option<String>,
    caller_number: Option<String>,
    campaign: Option<String>,
    tolerance_s: Option<f64>,
}

pub(super) fn read(file: &CaseFile) -> Result<Vec<Expected>, CaseError> {
    let mut reader = csv::Reader::from_reader(&*file.bytes);
    let rows = reader.deserialize().enumerate();
    rows.map(|(index, row)| {
        let wrong = |problem: String| CaseError::wrong(&file.name, format!("row {}: {problem}", index + 1));
        let row: Row = row.map_err(|error| wrong(error.to_string()))?;
        let at = match row.at.as_str() {
            "" => None,
            at => Some(at.parse().map_err(|_| wrong(format!("at: {at:?} is no time with an offset")))?),
        };
        let result = CallResult::parse(&row.result).ok_or_else(|| wrong(format!("no result {:?}", row.result)))?;
        let tolerance = SignedDuration::try_from_secs_f64(row.tolerance_s.unwrap_or_default());
        let tolerance = tolerance.map_err(|error| wrong(format!("tolerance_s: {error}")))?;
        let Row { customer_id: customer, number, agent, caller_number, campaign, .. } = row;
        Ok(Expected { at, customer, number, result, agent, caller_number, campaign, tolerance })
    })
    .collect()
}

/// All differences, in the order in which attempts are expected, then what nobody expected.
///
/// The nth expected call of a customer's number is held beside the nth that was made.
pub(super) fn compare(expected: &[Expected], attempts: &[Attempt]) -> Vec<Difference> {
    let mut made: BTreeMap<(&str, &str), Vec<&Attempt>> = BTreeMap::new();
    for attempt in attempts.iter().rev() {
        made.entry((attempt.customer.as_str(), attempt.number.expose())).or_default().push(attempt);
    }
    let mut differences = Vec::new();
    let mut latest = Timestamp::MIN;
    for row in expected {
        let actual = made.get_mut(&(row.customer.as_str(), row.number.as_str())).and_then(Vec::pop);
        let Some(actual) = actual else {
            differences.push(Difference::Missing(row.clone()));
            continue;
        };
        let late = row.at.map(|at| actual.at.duration_since(at).abs());
        let boxed = || Box::new(actual.clone());
        if !is_same(row, actual) {
            differences.push(Difference::Other { expected: row.clone(), actual: boxed() });
        }
        if late.is_some_and(|late| late > row.tolerance) {
            differences.push(Difference::Time { expected: row.clone(), actual: boxed() });
        } else if late.is_none() && actual.at < latest {
            differences.push(Difference::Order { expected: row.clone(), actual: boxed() });
        }
        latest = latest.max(actual.at);
    }
    let mut more: Vec<&Attempt> = made.into_values().flatten().collect();
    more.sort_by_key(|attempt| (attempt.at, attempt.id));
    differences.extend(more.into_iter().map(|attempt| Difference::NotExpected(Box::new(attempt.clone()))));
    differences
}

/// Whether an attempt is as expected, its time aside. What the other side said counts beside what it
/// was settled as: the sixth fault in a row is both.
fn is_same(row: &Expected, actual: &Attempt) -> bool {
    let same = |wanted: &Option<String>, was: &str| wanted.as_ref().is_none_or(|wanted| wanted == was);
    (actual.result == Some(row.result) || actual.heard == Some(row.result))
        && same(&row.agent, actual.agent.as_str())
        && same(&row.caller_number, actual.caller_number.expose())
        && same(&row.campaign, actual.campaign.as_str())
}
