//! The standard `process_*` series, read from `/proc/self` at each scrape.

use std::fs;

use jiff::Timestamp;
use prometheus::{Counter, Gauge, IntGauge, Opts, core::Collector};

/// The series; a value that `/proc` does not give stays as it was.
#[derive(Debug)]
pub(super) struct Gauges {
    cpu_seconds: Counter,
    resident: IntGauge,
    virtual_memory: IntGauge,
    open_files: IntGauge,
    max_files: IntGauge,
    threads: IntGauge,
}

/// Registers collectors of different types.
pub(super) trait Add {
    fn add<C: Collector + Clone + 'static>(&self, collector: prometheus::Result<C>) -> C;
}

impl Gauges {
    pub(super) fn new(declare: &impl Add, started_at: Timestamp) -> Self {
        let gauge = |name, help| declare.add(IntGauge::with_opts(Opts::new(name, help)));
        let start = Gauge::new("process_start_time_seconds", "When the process started.");
        declare.add(start).set(started_at.as_duration().as_secs_f64());
        Self {
            cpu_seconds: declare.add(Counter::new("process_cpu_seconds_total", "User and system CPU time spent.")),
            resident: gauge("process_resident_memory_bytes", "Resident memory."),
            virtual_memory: gauge("process_virtual_memory_bytes", "Virtual memory."),
            open_files: gauge("process_open_fds", "Open file descriptors."),
            max_files: gauge("process_max_fds", "Most file descriptors that may be open."),
            threads: gauge("process_threads", "Threads."),
        }
    }

    pub(super) fn read(&self) {
        if let Some(seconds) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(cpu_seconds) {
            self.cpu_seconds.inc_by((seconds - self.cpu_seconds.get()).max(0.0));
        }
        if let Ok(status) = fs::read_to_string("/proc/self/status") {
            let rows = [("VmRSS:", &self.resident, 1024), ("VmSize:", &self.virtual_memory, 1024)];
            for (key, gauge, unit) in rows.into_iter().chain([("Threads:", &self.threads, 1)]) {
                if let Some(value) = field(&status, key) {
                    gauge.set(value.saturating_mul(unit));
                }
            }
        }
        if let Ok(entries) = fs::read_dir("/proc/self/fd") {
            // One of them is the directory being read.
            self.open_files.set(i64::try_from(entries.count()).unwrap_or(i64::MAX).saturating_sub(1));
        }
        if let Some(most) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
            self.max_files.set(i64::try_from(most).unwrap_or(i64::MAX));
        }
    }
}

/// The first number after `key` in `/proc/self/status`.
fn field(status: &str, key: &str) -> Option<i64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

/// `utime + stime` of `/proc/self/stat`: fields 14 and 15, counted after the program's name, which
/// may itself hold spaces and parentheses (proc(5)).
fn cpu_seconds(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    let per_second = u32::try_from(rustix::param::clock_ticks_per_second()).ok().filter(|&ticks| ticks > 0)?;
    Some((f64::from(user) + f64::from(system)) / f64::from(per_second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_with_parentheses_is_no_field() {
        let line = "1 (a (b) c) S 0 1 1 0 -1 4194560 1 2 3 4 250 50 0 0 20 0 1 0 5 6 7";
        let ticks = f64::from(u32::try_from(rustix::param::clock_ticks_per_second()).unwrap());
        assert!((cpu_seconds(line).unwrap() - 300.0 / ticks).abs() < 1e-9);
        assert_eq!(cpu_seconds("garbage"), None);
    }

    #[test]
    fn status_fields_are_found() {
        assert_eq!(field("Name:\tx\nVmRSS:\t  120 kB\n", "VmRSS:"), Some(120));
        assert_eq!(field("Name:\tx\n", "VmRSS:"), None);
    }
}
