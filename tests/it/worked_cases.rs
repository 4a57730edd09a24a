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

/// A row of `expected.csv`: when, whom, which number, and how it ends.
type Row = (Timestamp, String, String, String);

fn written(case: &Path) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(case.join("expected.csv")).unwrap();
    let row = |record: csv::StringRecord| {
        (record[0].parse().unwrap(), record[1].to_owned(), record[2].to_owned(), record[3].to_owned())
    };
    let mut rows: Vec<_> = reader.records().map(|record| row(record.unwrap())).collect();
    rows.sort();
    rows
}

fn found(case: &Path) -> Vec<Row> {
    let attempts = oracle::expected(case, &folder().join("shared")).into_iter();
    let mut rows: Vec<_> = attempts.map(|it| (it.at, it.customer_id, it.number, it.result)).collect();
    rows.sort();
    rows
}

#[test]
fn the_oracle_finds_what_was_derived_by_hand() {
    let cases = all();
    assert!(cases.len() >= 12, "cases are missing");
    for case in cases {
        assert_eq!(found(&case), written(&case), "{}", case.display());
    }
}
