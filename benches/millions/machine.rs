//! What the machine says of this process and its disk.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

fn status_mb(pid: &str, name: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let kilobytes = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    kilobytes.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

/// Memory of this process now.
pub(crate) fn resident_mb() -> f64 {
    status_mb("self", "VmRSS:")
}

/// Memory of another process now.
pub(crate) fn resident_mb_of(pid: u32) -> f64 {
    status_mb(&pid.to_string(), "VmRSS:")
}

/// The most that this process has had since [`forget_peak`].
pub(crate) fn peak_mb() -> f64 {
    status_mb("self", "VmHWM:")
}

/// The same of another process, since [`forget_peak_of`].
pub(crate) fn peak_mb_of(pid: u32) -> f64 {
    status_mb(&pid.to_string(), "VmHWM:")
}

/// Lets the peak begin anew (proc(5), `clear_refs`).
pub(crate) fn forget_peak() {
    fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// The same of another process.
pub(crate) fn forget_peak_of(pid: u32) {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
}

/// What another process has had of the processors, in seconds: user and system time in ticks, of which Linux has a hundred
/// a second (proc(5)).
pub(crate) fn cpu_seconds_of(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let behind_name = stat.rsplit(')').next().unwrap();
    let ticks = behind_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap());
    ticks.sum::<f64>() / 100.0
}

/// Length of a file and of its log.
pub(crate) fn bytes_of(database: &Path) -> u64 {
    let log = database.with_extension("db-wal");
    [database, &log].into_iter().filter_map(|path| fs::metadata(path).ok()).map(|file| file.len()).sum()
}

/// Appends of 4 KiB, each made durable.
pub(crate) fn fsyncs(folder: &Path, times: usize) -> Vec<Duration> {
    let mut file = File::create(folder.join("fsync")).unwrap();
    let append = |_| {
        let begun = Instant::now();
        file.write_all(&[7; 4096]).unwrap();
        file.sync_data().unwrap();
        begun.elapsed()
    };
    (0..times).map(append).collect()
}
