//! `script.csv`: what becomes of each call to each number.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::Deserialize;

use super::files::{CaseError, CaseFile};
use crate::{
    domain::{phone::E164, results::CallResult},
    sim::{machine::Halt, outside::Fate},
};

/// Fates by number and by how many calls there were to it.
#[derive(Debug)]
pub(super) struct Script {
    rows: BTreeMap<(E164, u32), Fate>,
    calls: BTreeMap<E164, u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    number: String,
    r#try: u32,
    result: String,
    ring_s: f64,
    talk_s: f64,
}

impl Script {
    pub(super) fn read(file: &CaseFile) -> Result<Self, CaseError> {
        let mut rows = BTreeMap::new();
        let mut reader = csv::Reader::from_reader(&*file.bytes);
        for (index, row) in reader.deserialize().enumerate() {
            let wrong = |problem: String| CaseError::wrong(&file.name, format!("row {}: {problem}", index + 1));
            let row: Row = row.map_err(|error| wrong(error.to_string()))?;
            let number = E164::parse(&row.number).map_err(|error| wrong(format!("number: {error}")))?;
            let result = CallResult::parse(&row.result);
            let fate = Fate {
                result: result.ok_or_else(|| wrong(format!("no result {:?}", row.result)))?,
                ring: Duration::try_from_secs_f64(row.ring_s).map_err(|error| wrong(format!("ring_s: {error}")))?,
                talk: Duration::try_from_secs_f64(row.talk_s).map_err(|error| wrong(format!("talk_s: {error}")))?,
            };
            if rows.insert((number, row.r#try), fate).is_some() {
                return Err(wrong(format!("try {} of {} stands twice", row.r#try, row.number)));
            }
        }
        Ok(Self { rows, calls: BTreeMap::new() })
    }

    /// What becomes of the next call to a number.
    pub(super) fn next(&mut self, at: Timestamp, number: &E164) -> Result<Fate, Halt> {
        let calls = self.calls.entry(number.clone()).or_default();
        *calls += 1;
        let fate = self.rows.get(&(number.clone(), *calls)).copied();
        fate.ok_or_else(|| Halt::NoRow { number: number.expose().to_owned(), attempt: *calls, at })
    }
}
