//! `dialops check` beside three validators that no one here wrote, on the same files:
//! `cargo bench --bench check`. `tests/run` installs them (check-jsonschema, Taplo, Tombi).
//!
//! The whole process each time, cold, on one core, in turns. Targets for ours: 1,000 files in 0.1 s and
//! 10,000 in 0.5 s of wall time, at most 64 MB. Then a file with eight faults: what each says of it. Exits 1
//! if ours misses a target. Linux only, as it reads `/proc`.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints, and stops when something is wrong")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock and waits")]

mod faults;
mod process;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Duration,
};

use process::{Run, measure};

/// How many files, how often each program reads them, and how long ours may take.
const SIZES: [(usize, usize, Duration); 2] =
    [(1_000, 5, Duration::from_millis(100)), (10_000, 3, Duration::from_millis(500))];
const PEAK_KB_MAX: u64 = 64 * 1024;

/// A program under measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Program {
    Dialops,
    CheckJsonschema,
    Taplo,
    Tombi,
}

impl Program {
    const ALL: [Self; 4] = [Self::Dialops, Self::CheckJsonschema, Self::Taplo, Self::Tombi];

    fn name(self) -> &'static str {
        match self {
            Self::Dialops => "dialops check",
            Self::CheckJsonschema => "check-jsonschema",
            Self::Taplo => "taplo lint",
            Self::Tombi => "tombi lint",
        }
    }

    /// The command that checks all files below `root`; what it says goes to its outputs.
    fn command(self, root: &Path) -> Command {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let venv = |name: &str| Command::new(here.join("target/venv/bin").join(name));
        let mut command = match self {
            Self::Dialops => Command::new(env!("CARGO_BIN_EXE_dialops")),
            Self::CheckJsonschema => venv("check-jsonschema"),
            Self::Taplo => venv("taplo"),
            Self::Tombi => venv("tombi"),
        };
        match self {
            Self::Dialops => drop(command.args(["check", "."])),
            Self::CheckJsonschema => {
                // It takes one schema: the campaigns alone, which are nearly all of it.
                command.args(["--schemafile", "schemas/campaign.schema.json"]).args(campaigns(root));
            }
            Self::Taplo => drop(command.arg("lint")),
            Self::Tombi => drop(command.args(["lint", "--offline"])),
        }
        command.current_dir(root);
        command
    }
}

fn campaigns(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root.join("campaigns")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_file()).collect()
}

fn main() -> ExitCode {
    let met: Vec<bool> = SIZES.into_iter().map(|(files, runs, wall)| in_turns(files, runs, wall)).collect();
    faults::table(Program::ALL);
    if met.into_iter().all(|met| met) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Measures all programs in turns on so many files; whether ours met its targets.
fn in_turns(files: usize, runs: usize, wall_max: Duration) -> bool {
    let root = tempfile::tempdir().unwrap();
    let bytes = generate(root.path(), files);
    println!("{files} campaigns, {} bytes each, on one core, files in the page cache", bytes / files);
    let mut all: Vec<Vec<Run>> = vec![Vec::new(); Program::ALL.len()];
    for _ in 0..runs {
        for (program, runs) in Program::ALL.into_iter().zip(&mut all) {
            runs.push(measure(program.command(root.path())));
        }
    }
    println!("| program | wall, median of {runs} | CPU, median | peak |\n|---|---|---|---|");
    for (program, runs) in Program::ALL.into_iter().zip(&mut all) {
        let Run { wall, cpu, peak_kb } = median(runs);
        println!("| {} | {wall:.2?} | {cpu:.2?} | {} MB |", program.name(), peak_kb / 1024);
    }
    let ours = median(&mut all[0]);
    let met = ours.wall <= wall_max && ours.peak_kb <= PEAK_KB_MAX;
    println!(
        "at most {wall_max:?} and {} MB wanted of ours: {}\n",
        PEAK_KB_MAX / 1024,
        if met { "met" } else { "missed" }
    );
    met
}

/// The middle wall and CPU time, and the highest peak.
fn median(runs: &mut [Run]) -> Run {
    let middle = runs.len() / 2;
    runs.sort_by_key(|run| run.cpu);
    let cpu = runs[middle].cpu;
    runs.sort_by_key(|run| run.wall);
    Run { wall: runs[middle].wall, cpu, peak_kb: runs.iter().map(|run| run.peak_kb).max().unwrap_or_default() }
}

/// Writes the repository's example with many more campaigns of its first kind; gives their bytes.
fn generate(root: &Path, count: usize) -> usize {
    copy(Path::new("schemas"), &root.join("schemas"));
    copy(Path::new("campaigns/shared"), &root.join("campaigns/shared"));
    for ties in [".taplo.toml", "tombi.toml"] {
        fs::copy(ties, root.join(ties)).unwrap();
    }
    // Without comments: what people write after the first one. The ties name the schema.
    let example = fs::read_to_string("campaigns/spring-offer.toml").unwrap();
    let lines: Vec<&str> = example.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let example = lines.join("\n") + "\n";
    let mut bytes = 0;
    for number in 0..count {
        let text = example
            .replace("\"spring-offer\"", &format!("\"campaign-{number}\""))
            .replace("\"Spring offer\"", &format!("\"Campaign number {number}\""));
        bytes += text.len();
        fs::write(root.join(format!("campaigns/campaign-{number:05}.toml")), text).unwrap();
    }
    bytes
}

/// Copies a folder without its `#:schema` lines.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::write(target, fs::read_to_string(path).unwrap().replacen("#:schema ", "# ", 1)).unwrap();
        }
    }
}
