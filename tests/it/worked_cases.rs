//! Worked cases: worlds with the calls that the dialling rules ask for in them, derived by hand from the
//! specification. The oracle must find the same calls.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::oracle;

/// The folder of the cases.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cases")
}

/// Each case's folder, in the order of their numbers.
pub(crate) fn all() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<_> = entries.filter(|path| path.join("world.toml").exists()).collect();
    cases.sort();
    cases
}

/// An attempt by the columns that a case's `expected.csv` has.
type Row = (Timestamp, Vec<String>);

/// What the case says, and its columns.
fn written(case: &Path) -> (Vec<String>, Vec<Row>) {
    let mut reader = csv::Reader::from_path(case.join("expected.csv")).unwrap();
    let columns: Vec<_> = reader.headers().unwrap().iter().skip(1).map(str::to_owned).collect();
    let row =
        |record: csv::StringRecord| (record[0].parse().unwrap(), record.iter().skip(1).map(str::to_owned).collect());
    let mut rows: Vec<Row> = reader.records().map(|record| row(record.unwrap())).collect();
    rows.sort();
    (columns, rows)
}

/// What the oracle says, by the same columns.
fn found(case: &Path, columns: &[String]) -> Vec<Row> {
    let cell = |attempt: &oracle::Attempt, column: &String| match column.as_str() {
        "customer_id" => attempt.customer_id.clone(),
        "number" => attempt.number.clone(),
        "result" => attempt.result.clone(),
        "agent" => attempt.agent.clone(),
        "caller_number" => attempt.caller_number.clone(),
        other => panic!("{}: no column {other}", case.display()),
    };
    let attempts = oracle::expected(case, &folder().join("shared"));
    let row = |attempt: &oracle::Attempt| (attempt.at, columns.iter().map(|column| cell(attempt, column)).collect());
    let mut rows: Vec<_> = attempts.iter().map(row).collect();
    rows.sort();
    rows
}

#[test]
fn the_oracle_finds_what_was_derived_by_hand() {
    let cases = all();
    assert!(cases.len() >= 12, "cases are missing");
    for case in cases {
        let (columns, rows) = written(&case);
        assert_eq!(found(&case, &columns), rows, "{}", case.display());
    }
}
