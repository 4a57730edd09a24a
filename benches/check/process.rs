//! One process on one core: its wall time, its CPU time and its peak.

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How often memory is looked at; the kernel keeps the peak itself, up to the last look.
const LOOK: Duration = Duration::from_micros(500);

/// Length of a tick in `/proc`, which is the same on all Linux machines.
const TICK: Duration = Duration::from_millis(10);

/// What a process took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
    pub(crate) peak_kb: u64,
}

/// Runs a command to its good end.
pub(crate) fn measure(command: Command) -> Run {
    let mut pinned = Command::new("taskset");
    pinned.args(["-c", "0"]).arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        pinned.current_dir(folder);
    }
    let started = Instant::now();
    let mut child = pinned.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut peak_kb = 0;
    while !has_ended(&child) {
        peak_kb = peak_kb.max(peak(&child));
        std::thread::sleep(LOOK);
    }
    let (wall, cpu) = (started.elapsed(), cpu(&child));
    assert!(child.wait().unwrap().success(), "{command:?}: the generated configuration must be good");
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
