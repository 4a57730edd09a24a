//! Random cases: what the specification says is always true holds of the calls that the oracle asks for in them.

use std::{collections::BTreeMap, path::Path};

use crate::{oracle, worked_cases};

/// A call by its beginning and end, in seconds.
struct Call {
    at: i64,
    end: i64,
    attempt: oracle::Attempt,
}

/// The oracle's calls with the ends that the script gives them.
fn calls(case: &Path) -> Vec<Call> {
    let mut script = BTreeMap::new();
    for row in csv::Reader::from_path(case.join("script.csv")).unwrap().records() {
        let row = row.unwrap();
        let seconds = |column: usize| row[column].parse::<i64>().unwrap();
        script.insert((row[0].to_owned(), seconds(1)), seconds(3) + seconds(4));
    }
    let mut tries = BTreeMap::<String, i64>::new();
    let attempts = oracle::expected(case, &worked_cases::folder().join("shared")).into_iter();
    attempts
        .map(|attempt| {
            let tries = tries.entry(attempt.number.clone()).or_default();
            *tries += 1;
            let at = attempt.at.as_second();
            Call { at, end: at + script[&(attempt.number.clone(), *tries)], attempt }
        })
        .collect()
}

#[test]
fn nobody_has_two_calls_at_once() {
    let mut made = 0;
    for seed in 0..40 {
        let case = tempfile::tempdir().unwrap();
        oracle::random::write(seed, case.path());
        let calls = calls(case.path());
        made += calls.len();
        for (place, later) in calls.iter().enumerate() {
            for earlier in calls[..place].iter().filter(|earlier| later.at < earlier.end) {
                let (one, other) = (&earlier.attempt, &later.attempt);
                assert_ne!(one.customer_id, other.customer_id, "seed {seed}: {one:?} and {other:?}");
                assert_ne!(one.number, other.number, "seed {seed}: {one:?} and {other:?}");
                assert_ne!(one.agent, other.agent, "seed {seed}: {one:?} and {other:?}");
            }
        }
    }
    assert!(made > 200, "only {made} calls: the cases say little");
}

#[test]
fn a_seed_gives_one_case() {
    let files = |seed| {
        let case = tempfile::tempdir().unwrap();
        oracle::random::write(seed, case.path());
        let entries = std::fs::read_dir(case.path()).unwrap().map(|entry| entry.unwrap().path());
        let read = |path: std::path::PathBuf| (path.file_name().unwrap().to_owned(), std::fs::read(&path).unwrap());
        entries.map(read).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(files(7), files(7));
    assert_ne!(files(7), files(8));
}
