//! Random cases: what the specification says is always true holds of the calls that the oracle asks for in them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::{config_fixtures, oracle, simulate, worked_cases};

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
        config_fixtures::files(case.path())
    };
    assert_eq!(files(7), files(7));
    assert_ne!(files(7), files(8));
}

/// How many random cases the engine is held to the oracle by; `ORACLE_SEEDS=FIRST..LAST` asks for others.
fn seeds() -> std::ops::Range<u64> {
    let given = std::env::var_os("ORACLE_SEEDS");
    let range = given.as_deref().and_then(std::ffi::OsStr::to_str).and_then(|text| text.split_once(".."));
    range.map_or(0..150, |(first, last)| first.parse().unwrap()..last.parse().unwrap())
}

/// Where the case of a seed is written: to be kept and looked at, to a folder of its own in `ORACLE_KEEP`.
fn folder(seed: u64) -> (PathBuf, Option<TempDir>) {
    if let Some(kept) = std::env::var_os("ORACLE_KEEP") {
        let folder = Path::new(&kept).join(seed.to_string());
        std::fs::create_dir_all(&folder).unwrap();
        return (folder, None);
    }
    let passing = tempfile::tempdir().unwrap();
    (passing.path().to_owned(), Some(passing))
}

/// The engine in the simulator against the oracle, call by call: who was called when, on which number,
/// from which, by whom and how it ended.
#[test]
fn the_engine_calls_as_the_oracle_says() {
    let shared = worked_cases::folder().join("shared");
    let (mut made, mut wrong) = (0, Vec::new());
    for seed in seeds() {
        let (case, _passing) = folder(seed);
        oracle::random::write(seed, &case);
        let mut expected: Vec<String> = oracle::expected(&case, &shared).iter().map(line).collect();
        let output = simulate::play(&case, "json");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let Ok(simulated) = serde_json::from_slice::<serde_json::Value>(&output.stdout) else {
            wrong.push(format!("seed {seed}: {told}"));
            continue;
        };
        let mut called: Vec<String> = simulated["attempts"].as_array().unwrap().iter().map(simulated_line).collect();
        expected.sort();
        called.sort();
        made += called.len();
        if called != expected {
            // What comes after the first difference most often follows from it.
            let first = |a: &[String], b: &[String]| a.iter().find(|line| !b.contains(line)).cloned();
            let (missing, surplus) = (first(&expected, &called), first(&called, &expected));
            wrong.push(format!("seed {seed}: first not called: {missing:?}\n  first called instead: {surplus:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), seeds().count(), wrong.join("\n"));
    assert!(made > 400, "only {made} calls: the cases say little");
}

fn line(attempt: &oracle::Attempt) -> String {
    let oracle::Attempt { at, campaign, customer_id, number, caller_number, agent, result, .. } = attempt;
    format!("{at} {campaign} {customer_id} {number} from {caller_number} by {agent}: {result}")
}

fn simulated_line(attempt: &serde_json::Value) -> String {
    let text = |key: &str| attempt[key].as_str().unwrap_or_default().to_owned();
    let at: jiff::Timestamp = text("at").parse().unwrap();
    let (campaign, customer, number) = (text("campaign"), text("customer_id"), text("number"));
    format!(
        "{at} {campaign} {customer} {number} from {} by {}: {}",
        text("caller_number"),
        text("agent"),
        text("result")
    )
}
