//! Exports of a million rows by the daemon as a process of its own: how long, and how much memory they add.
//!
//! ```text
//! cargo bench --bench exports                     # 1,000,000 contacts and as many attempts, a few minutes, 6 GB of disk
//! cargo bench --bench exports -- 100000           # fewer
//! cargo bench --bench exports -- 1000000 ./x1     # keeps the store in x1, and goes on with one that is there
//! ```
//!
//! Contacts come in by `dialops contacts import`, attempts and business results by SQL, as a million calls would take
//! their time. Each export is asked for by `dialops export` and downloaded; times are of the whole command, memory is the
//! most that the daemon has had meanwhile (VmHWM) and how much more that is than before.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a benchmark"
)]

#[path = "../millions/machine.rs"]
#[expect(dead_code, reason = "the other bench uses more of it")]
mod machine;
#[path = "../../tests/it/repository.rs"]
#[expect(dead_code, reason = "the integration tests use more of it")]
mod repository;
mod stage;

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use stage::Stage;

/// Contacts, and attempts.
const ROWS: u64 = 1_000_000;

/// Most seconds of an export of [`ROWS`].
const SECONDS: f64 = 30.0;

/// Most megabytes that it may add.
const MEGABYTES: f64 = 100.0;

fn main() {
    let rows = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(ROWS);
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    let folder = tempfile::Builder::new().prefix("exports-").tempdir_in(target).unwrap();
    let kept = std::env::args().skip(1).find(|argument| argument.contains('/')).map(PathBuf::from);
    kept.iter().for_each(|kept| std::fs::create_dir_all(kept).unwrap());
    let stage = Stage::new(kept.as_deref().unwrap_or(folder.path()));
    println!("{rows} rows in {}", stage.folder().display());
    if stage.is_new() {
        let begun = Instant::now();
        stage.fill(rows);
        println!("filled in {:.0} s", begun.elapsed().as_secs_f64());
    }
    let daemon = stage.start();
    let key = age_recipient();
    for what in ["attempts", "contacts"] {
        for format in ["csv", "jsonl", "xlsx"] {
            measure(&stage, daemon.pid(), (what, format), None, rows);
        }
    }
    measure(&stage, daemon.pid(), ("attempts", "csv"), Some(&key), rows);
}

fn age_recipient() -> String {
    age::x25519::Identity::generate().to_public().to_string()
}

fn measure(stage: &Stage, daemon: u32, (what, format): (&str, &str), recipient: Option<&str>, rows: u64) {
    let output = stage.folder().join(format!("export.{format}"));
    let _absent = std::fs::remove_file(&output);
    let before = machine::resident_mb_of(daemon);
    machine::forget_peak_of(daemon);
    let cpu_before = machine::cpu_seconds_of(daemon);
    let begun = Instant::now();
    stage.export(what, format, recipient, &output);
    let took = begun.elapsed().as_secs_f64();
    let (peak, cpu) = (machine::peak_mb_of(daemon), machine::cpu_seconds_of(daemon) - cpu_before);
    let bytes = std::fs::metadata(&output).unwrap().len() as f64 / 1e6;
    let sealed = if recipient.is_some() { ", encrypted" } else { "" };
    println!(
        "{what} as {format}{sealed}: {took:.1} s ({cpu:.1} s of CPU), {:.1} us a row, {bytes:.0} MB; the daemon {peak:.0} MB at most, {:.0} more",
        took * 1e6 / rows as f64,
        peak - before
    );
    let met = |met: bool| if met { "met" } else { "MISSED" };
    let most = SECONDS * rows as f64 / ROWS as f64;
    println!(
        "  wanted: at most {most:.0} s: {}; at most {MEGABYTES:.0} MB more: {}",
        met(took <= most),
        met(peak - before <= MEGABYTES)
    );
    std::fs::remove_file(&output).unwrap();
    stage.forget_all();
}
