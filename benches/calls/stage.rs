//! A daemon of its own in a folder of its own, and SIPp beside it.

use std::{
    fmt::Write as _,
    fs,
    net::{TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::repository::git;

/// Ticks per second of `/proc/…/stat`, which Linux has fixed.
const TICKS: f64 = 100.0;

pub(crate) struct Wanted {
    pub(crate) agents: usize,
    pub(crate) phone: u16,
    pub(crate) carrier: u16,
    pub(crate) calls_per_second: u32,
    pub(crate) contacts: usize,
}

pub(crate) struct Stage {
    folder: TempDir,
    daemon: Child,
    agents: usize,
}

impl Stage {
    /// Starts a daemon with its campaign paused, its contacts imported and everyone signed out.
    pub(crate) fn new(wanted: &Wanted) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("repo/campaigns/shared")).unwrap();
        let shared = root.join("repo/campaigns/shared");
        fs::write(shared.join("tenant.toml"), "id = \"t\"\nname = \"T\"\ntimezone = \"UTC\"\nregion = \"CN\"\n[agents]\nring = \"10s\"\nwrap_up = \"0s\"\n").unwrap();
        fs::write(shared.join("queues.toml"), "[[queues]]\nid = \"q\"\nname = \"Q\"\n").unwrap();
        let mut agents = String::new();
        for n in 0..wanted.agents {
            let phone = wanted.phone;
            write!(
                agents,
                "[[agents]]\nid = \"a{n}\"\nname = \"A\"\nsip = \"sip:a{n}@127.0.0.1:{phone}\"\nqueues = [\"q\"]\n"
            )
            .unwrap();
        }
        fs::write(shared.join("agents.toml"), agents).unwrap();
        git(root, ["init", "-q", "-b", "main", "repo"], b"");
        write_campaign(root, "running");
        git(&root.join("repo"), ["add", "-A"], b"");
        git(&root.join("repo"), ["commit", "-qm", "first"], b"");
        fs::write(root.join("dialops.toml"), settings(wanted)).unwrap();
        let log = fs::File::create(root.join("log")).unwrap();
        let daemon = Command::new(env!("CARGO_BIN_EXE_dialops"))
            .args(["run", "--config"])
            .arg(root.join("dialops.toml"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let stage = Self { folder, daemon, agents: wanted.agents };
        stage.wait_for("the commit in force", || stage.status().contains("\"phase\":\"running\""));
        let mut contacts = "customer_id,number.mobile\n".to_owned();
        for n in 0..wanted.contacts {
            writeln!(contacts, "c{n},+86138{n:08}").unwrap();
        }
        fs::write(stage.folder().join("contacts.csv"), contacts).unwrap();
        let file = stage.folder().join("contacts.csv");
        stage.dialops(&["contacts", "import", "c1", file.to_str().unwrap()]);
        stage
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn dialops(&self, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_dialops"))
            .arg("--socket")
            .arg(self.folder().join("d.sock"))
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn status(&self) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_dialops"))
            .arg("--socket")
            .arg(self.folder().join("d.sock"))
            .args(["status", "--format", "json"])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn wait_for(&self, what: &str, condition: impl Fn() -> bool) {
        let begun = Instant::now();
        while !condition() {
            let log = || fs::read_to_string(self.folder().join("log")).unwrap_or_default();
            assert!(begun.elapsed() < Duration::from_secs(20), "no {what} within 20 s\n{}", log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Signs everyone in. Calls begin with the first.
    pub(crate) fn agents_idle(&self) {
        let names: Vec<String> = (0..self.agents).map(|n| format!("a{n}")).collect();
        thread::scope(|scope| {
            for some in names.chunks(self.agents.div_ceil(8)) {
                scope.spawn(move || {
                    for name in some {
                        self.dialops(&["agents", "set", name, "idle"]);
                    }
                });
            }
        });
    }

    /// Commits the campaign's state and waits until it is in force.
    pub(crate) fn commit_state(&self, state: &str) {
        write_campaign(self.folder(), state);
        git(&self.folder().join("repo"), ["commit", "-qam", state, "--allow-empty"], b"");
        let desired = format!("\"desired\":\"{state}\"");
        self.wait_for(state, || self.status().contains(&desired));
    }

    /// CPU seconds of the daemon so far.
    pub(crate) fn cpu(&self) -> f64 {
        cpu_of(self.daemon.id()).unwrap()
    }

    /// Attempts that have ended, by the daemon's metrics.
    pub(crate) fn ended(&self) -> usize {
        let status = self.status();
        let results = status.split("\"results\":{").nth(1).and_then(|rest| rest.split('}').next()).unwrap_or_default();
        results.split(',').filter_map(|pair| pair.split(':').nth(1)?.parse::<usize>().ok()).sum()
    }

    pub(crate) fn results(&self) -> Vec<String> {
        let lines = self.dialops(&["results", "c1", "--format", "json"]);
        let result = |line: &str| Some(line.split("\"result\":\"").nth(1)?.split('"').next()?.to_owned());
        lines.lines().map(|line| result(line).unwrap_or_else(|| "live".to_owned())).collect()
    }

    pub(crate) fn stop(mut self) {
        let id = self.daemon.id().to_string();
        Command::new("kill").arg(id).status().unwrap();
        self.daemon.wait().unwrap();
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

fn write_campaign(root: &Path, state: &str) {
    let text = format!(
        "id = \"c1\"\nname = \"C1\"\nstate = \"{state}\"\nmode = \"preoccupied\"\ncaller_numbers = [\"+862880000001\"]\n\
         starts_at = 2026-01-01T00:00:00Z\nends_at = 2099-01-01T00:00:00Z\nskill_queue = \"q\"\n\
         [calling_hours]\ntimezone = \"UTC\"\nwindows = [\"00:00-24:00\"]\n[strategy]\nmax_ring = \"20s\"\n\
         [results.global]\nmax_days = 1\nmax_attempts_per_day = 1\nretry_interval = \"1h\"\n"
    );
    fs::write(root.join("repo/campaigns/c1.toml"), text).unwrap();
}

fn settings(wanted: &Wanted) -> String {
    let port = |socket: std::io::Result<std::net::SocketAddr>| socket.unwrap().port();
    let http = port(TcpListener::bind("127.0.0.1:0").unwrap().local_addr());
    let sip = port(UdpSocket::bind("127.0.0.1:0").unwrap().local_addr());
    let (rate, carrier) = (wanted.calls_per_second, wanted.carrier);
    format!(
        "[source]\nrepository = \"repo\"\n[store]\npath = \"d.db\"\n[http]\nlisten = \"127.0.0.1:{http}\"\nsocket = \"d.sock\"\n\
         [sip]\nlisten = \"127.0.0.1:{sip}\"\n[[trunks]]\nid = \"carrier\"\naddress = \"127.0.0.1:{carrier}\"\n\
         max_concurrent_calls = 1000\nmax_calls_per_second = {rate}\n[ceilings]\nowned_caller_numbers = [\"+862880000001\"]\n\
         max_concurrent_calls = 1000\nmax_calls_per_second = {rate}\n[safety]\ndial = \"all\"\n[log]\nlevel = \"warn\"\n"
    )
}

/// A SIPp that waits for calls.
pub(crate) struct Sipp {
    pub(crate) port: u16,
    child: Child,
    _folder: TempDir,
}

impl Drop for Sipp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts SIPp with a scenario of `tests/fixtures/sipp/bench-*.xml`.
pub(crate) fn sipp(name: &str) -> Sipp {
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let child = Command::new("sipp")
        .arg("-sf")
        .arg(scenario(folder.path(), name))
        .args(["-i", "127.0.0.1", "-p", &port.to_string(), "-buff_size", "4000000"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sipp; Debian's package is sip-tester");
    thread::sleep(Duration::from_millis(300));
    Sipp { port, child, _folder: folder }
}

/// A copy of a scenario, since SIPp writes beside it.
pub(crate) fn scenario(folder: &Path, name: &str) -> PathBuf {
    let file = format!("bench-{name}.xml");
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sipp").join(&file);
    let to = folder.join(file);
    fs::copy(from, &to).unwrap();
    to
}

fn cpu_of(process: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some((fields[11].parse::<f64>().ok()? + fields[12].parse::<f64>().ok()?) / TICKS)
}

/// Waits for a process and gives the CPU seconds it took, read until it ends.
pub(crate) fn wait_cpu(mut child: Child) -> (f64, ExitStatus) {
    let mut cpu = 0.0;
    loop {
        if let Some(now) = cpu_of(child.id()) {
            cpu = f64::max(cpu, now);
        }
        if let Some(status) = child.try_wait().unwrap() {
            return (cpu, status);
        }
        thread::sleep(Duration::from_millis(10));
    }
}
