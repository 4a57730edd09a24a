//! `dialops simulate` as a whole process: how long ten days take, and whether agents are as busy as arithmetic says.
//!
//! `cargo bench --bench simulate`; `-- speed` and `-- utilisation` do one of both. Speed: ten days, 100,000
//! contacts, 100 agents, at most 10 s. Utilisation: that of agents who are reserved first is H / (H + D), of
//! conversation and wrap-up H and of dialling for one conversation D (docs/simulate.md), within one point for each
//! number of agents and answer rate; nobody is abandoned. Exits 1 if a target is missed.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints, and stops when something is wrong")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::{
    fs,
    path::Path,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use serde_json::Value;

/// How long ten days may take, and how often they are simulated.
const TEN_DAYS_MAX: Duration = Duration::from_secs(10);
const RUNS: usize = 3;

/// The grid: agents, and customers who answer, in percent.
const AGENTS: [u32; 3] = [5, 20, 100];
const ANSWER_RATES: [u32; 4] = [10, 20, 30, 50];

/// So many days of work each world of the grid has, all agents together, and their seconds: chance moves its
/// utilisation by 0.2 points then.
const AGENT_DAYS: u32 = 100;
const DAY: f64 = 86_400.0;

/// How far utilisation may be from arithmetic.
const POINTS_MAX: f64 = 1.0;

/// Mean lengths in seconds, as the worlds below have them.
const TALK: f64 = 120.0;
const WRAP_UP: f64 = 20.0;
const ANSWER_AFTER: f64 = 9.0;
const BUSY_AFTER: f64 = 4.0;
const NO_ANSWER_AFTER: f64 = 22.0;
const BUSY_SHARE: f64 = 0.25;

fn main() -> ExitCode {
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |part: &str| asked.is_empty() || asked.iter().any(|argument| argument == part);
    let speed = !wanted("speed") || speed();
    let utilisation = !wanted("utilisation") || utilisation();
    if speed && utilisation { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Ten days of 100 agents and 100,000 contacts: with one number and the usual rates, and with two numbers that are
/// seldom answered.
fn speed() -> bool {
    println!("| 100,000 contacts, 100 agents, 10 days | calls | fastest | median | a call |\n|---|---|---|---|---|");
    let worlds =
        [("one number, 30 % answer", "[\"mobile\"]", 30), ("two numbers, 20 % answer", "[\"mobile\", \"home\"]", 20)];
    let mut met = true;
    for (name, numbers, answer_rate) in worlds {
        let world = format!(
            "[contacts]\ncount = 100000\nnumbers = {numbers}\n[calls]\nanswer_rate = \"{answer_rate}%\"\n\
             [agents]\ncount = 100\nshifts = [\"09:00-18:00\"]\n"
        );
        let policy = "max_days = 3\nmax_attempts_per_day = 2\nretry_interval = \"30m\"\n";
        let folder = repository("09:00-18:00", policy, &world);
        let mut runs: Vec<(Duration, Value)> = (0..RUNS).map(|_| simulate(folder.path(), 10)).collect();
        assert!(runs.windows(2).all(|pair| pair[0].1 == pair[1].1), "the same seed gave other calls");
        runs.sort_by_key(|(took, _)| *took);
        let calls = runs[0].1["attempts"].as_u64().unwrap();
        let (fastest, median) = (runs[0].0, runs[RUNS / 2].0);
        let each = median / u32::try_from(calls).unwrap();
        println!("| {name} | {calls} | {fastest:.2?} | {median:.2?} | {each:.1?} |");
        met &= median <= TEN_DAYS_MAX;
    }
    println!("at most {TEN_DAYS_MAX:?} wanted: {}\n", if met { "met" } else { "missed" });
    met
}

/// How busy agents are beside H / (H + D), over the grid.
fn utilisation() -> bool {
    println!("| agents | answer rate | conversations | utilisation | H / (H + D) | points between | abandoned |");
    println!("|---|---|---|---|---|---|---|");
    let mut met = true;
    for agents in AGENTS {
        for percent in ANSWER_RATES {
            // A tenth more than are called, so that agents are at work to the end.
            let conversations = f64::from(AGENT_DAYS) * DAY * by_arithmetic(percent) / (TALK + WRAP_UP);
            let contacts = (conversations * 110.0 / f64::from(percent)).round();
            let world = format!(
                "[contacts]\ncount = {contacts}\n[calls]\nanswer_rate = \"{percent}%\"\nanswer_after = \"{ANSWER_AFTER}s\"\n\
                 busy = \"25%\"\nbusy_after = \"{BUSY_AFTER}s\"\nno_answer_after = \"{NO_ANSWER_AFTER}s\"\n\
                 talk = \"{TALK}s\"\nwrap_up = \"{WRAP_UP}s\"\n[agents]\ncount = {agents}\n"
            );
            let policy = "max_days = 1\nmax_attempts_per_day = 1\nretry_interval = \"1m\"\n";
            let folder = repository("00:00-24:00", policy, &world);
            let (_, report) = simulate(folder.path(), AGENT_DAYS / agents);
            assert!(report["finished_at"].is_null(), "agents were not at work to the end");
            let seconds = |key: &str| report["agents"][key].as_f64().unwrap();
            let (is, wanted) = (100.0 * seconds("busy_s") / seconds("there_s"), 100.0 * by_arithmetic(percent));
            let abandoned = report["abandoned"].as_u64().unwrap();
            let (answers, between) = (&report["answers"], is - wanted);
            println!(
                "| {agents} | {percent} % | {answers} | {is:.2} % | {wanted:.2} % | {between:+.2} | {abandoned} |"
            );
            met &= between.abs() <= POINTS_MAX && abandoned == 0;
        }
    }
    println!("within {POINTS_MAX} point and nobody abandoned wanted: {}", if met { "met" } else { "missed" });
    met
}

/// H / (H + D) for agents without set-up times.
fn by_arithmetic(answer_rate: u32) -> f64 {
    let p = f64::from(answer_rate) / 100.0;
    let unanswered = BUSY_SHARE * BUSY_AFTER + (1.0 - BUSY_SHARE) * NO_ANSWER_AFTER;
    let (work, dialling) = (TALK + WRAP_UP, (1.0 - p) / p * unanswered + ANSWER_AFTER);
    work / (work + dialling)
}

/// A repository with one campaign and a world.
fn repository(hours: &str, policy: &str, world: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let shared = folder.path().join("campaigns/shared");
    fs::create_dir_all(&shared).unwrap();
    let campaign = format!(
        "id = \"c\"\nname = \"C\"\nstate = \"running\"\nmode = \"preoccupied\"\ncaller_numbers = [\"+864005550100\"]\n\
         starts_at = 2031-03-03T00:00:00Z\nends_at = 2032-03-03T00:00:00Z\nskill_queue = \"q\"\n\
         [calling_hours]\ntimezone = \"UTC\"\nwindows = [\"{hours}\"]\n[results.global]\n{policy}\
         [agents]\nwrap_up = \"1h\"\n"
    );
    let files = [
        ("campaigns/c.toml", campaign.as_str()),
        ("campaigns/sim.toml", world),
        ("campaigns/shared/tenant.toml", "id = \"t\"\nname = \"T\"\ntimezone = \"UTC\"\nregion = \"CN\"\n"),
        ("campaigns/shared/queues.toml", "[[queues]]\nid = \"q\"\nname = \"Q\"\n"),
        (
            "campaigns/shared/agents.toml",
            "[[agents]]\nid = \"a\"\nname = \"A\"\nsip = \"sip:a@127.0.0.1\"\nqueues = [\"q\"]\n",
        ),
    ];
    for (path, text) in files {
        fs::write(folder.path().join(path), text).unwrap();
    }
    folder
}

/// Simulates the campaign for so many days at most; how long that took, and the report.
fn simulate(folder: &Path, days: u32) -> (Duration, Value) {
    let started = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dialops"));
    let output = command.arg("simulate").arg(folder).args(["c", "--format", "json", "--days", &days.to_string()]);
    let output = output.output().unwrap();
    let took = started.elapsed();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (took, serde_json::from_slice(&output.stdout).unwrap())
}
