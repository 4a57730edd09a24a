//! `dialops check` on 10,000 campaigns, the whole process on one core: `cargo bench --bench check`.
//!
//! Targets: at most 0.5 s of wall time and 64 MB of memory at the peak. Prints each run and the median;
//! exits 1 if the median misses a target. Linux only, as it reads `/proc`.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints what it measures")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock and waits")]

use std::{
    fs,
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

const CAMPAIGNS: usize = 10_000;
const RUNS: usize = 7;
const WALL_MAX: Duration = Duration::from_millis(500);
const PEAK_KB_MAX: u64 = 64 * 1024;

/// How often memory is looked at; the kernel keeps the peak itself, up to the last look.
const LOOK: Duration = Duration::from_micros(500);

/// Length of a tick in `/proc`, which is the same on all Linux machines.
const TICK: Duration = Duration::from_millis(10);

#[derive(Debug, Clone, Copy)]
struct Run {
    wall: Duration,
    cpu: Duration,
    peak_kb: u64,
}

fn main() -> ExitCode {
    let root = tempfile::tempdir().unwrap();
    let bytes = generate(root.path());
    println!("{CAMPAIGNS} campaigns, {} bytes each, on one core, files in the page cache", bytes / CAMPAIGNS);
    let mut runs: Vec<Run> = (0..RUNS).map(|_| measure(root.path())).collect();
    for run in &runs {
        println!("  wall {:>8.1?}   cpu {:>6.0?}   peak {:>6} kB", run.wall, run.cpu, run.peak_kb);
    }
    runs.sort_by_key(|run| run.wall);
    let median = runs[RUNS / 2];
    let peak_kb = runs.iter().map(|run| run.peak_kb).max().unwrap_or_default();
    println!(
        "median wall {:.1?} (at most {WALL_MAX:?}), highest peak {peak_kb} kB (at most {PEAK_KB_MAX})",
        median.wall
    );
    if median.wall <= WALL_MAX && peak_kb <= PEAK_KB_MAX { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Writes the repository's example with many more campaigns of its first kind; gives their bytes.
fn generate(root: &Path) -> usize {
    let campaigns = root.join("campaigns");
    fs::create_dir_all(campaigns.join("shared")).unwrap();
    for name in ["tenant.toml", "queues.toml", "agents.toml"] {
        fs::copy(Path::new("campaigns/shared").join(name), campaigns.join("shared").join(name)).unwrap();
    }
    // Without comments: what people write after the first one.
    let example = fs::read_to_string("campaigns/spring-offer.toml").unwrap();
    let lines: Vec<&str> = example.lines().filter(|line| !line.trim_start().starts_with("# ")).collect();
    let example = lines.join("\n") + "\n";
    let mut bytes = 0;
    for number in 0..CAMPAIGNS {
        let text = example
            .replace("\"spring-offer\"", &format!("\"campaign-{number}\""))
            .replace("\"Spring offer\"", &format!("\"Campaign number {number}\""));
        bytes += text.len();
        fs::write(campaigns.join(format!("campaign-{number:05}.toml")), text).unwrap();
    }
    bytes
}

fn measure(root: &Path) -> Run {
    let started = Instant::now();
    let mut child = Command::new("taskset")
        .args(["-c", "0", env!("CARGO_BIN_EXE_dialops"), "check"])
        .arg(root)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut peak_kb = 0;
    while !has_ended(&child) {
        peak_kb = peak_kb.max(peak(&child));
        std::thread::sleep(LOOK);
    }
    let (wall, cpu) = (started.elapsed(), cpu(&child));
    assert!(child.wait().unwrap().success(), "the generated configuration must be good");
    Run { wall, cpu, peak_kb }
}

fn stat(child: &Child) -> Vec<String> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    rest.split(' ').map(str::to_owned).collect()
}

/// Whether it is a zombie: ended, with its figures still there.
fn has_ended(child: &Child) -> bool {
    stat(child)[0] == "Z"
}

/// User and system time; fields 14 and 15 of proc(5).
fn cpu(child: &Child) -> Duration {
    let stat = stat(child);
    let ticks: u32 = stat[11..13].iter().map(|ticks| ticks.parse::<u32>().unwrap()).sum();
    TICK * ticks
}

fn peak(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}
