//! A stage for the whole daemon: a repository, settings, a carrier and agents' phones on loopback.
//!
//! SIPp plays both other sides, and its message trace is the judge (`traffic`): it knows nothing of
//! what the daemon believes. The daemon is the built binary; it is told things as its users tell it,
//! by commits and by its command line.

mod clocks;
pub(crate) mod daemon;
pub(crate) mod sipp;
pub(crate) mod traffic;

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::PathBuf,
    process::{Command, Stdio},
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

use dialops::{clock::Clock, domain::ids::Revision, http::wire::Attempt};
use jiff::SignedDuration;
use serde_json::Value;

use self::{daemon::Daemon, sipp::Sipp, traffic::Traffic};
use crate::repository::Repository;

/// Longest wait for anything that should happen soon.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Where programs are, for the daemon and its commands.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The campaign that most tests use.
pub(crate) const CAMPAIGN: &str = "spring";

/// A number that is dialled at this carrier: see `stage-carrier.xml`.
pub(crate) mod number {
    /// Answers at once, talks for 50 ms, hangs up.
    pub(crate) fn quick(serial: u32) -> String {
        format!("+86215000{serial:04}")
    }

    /// Rings for 300 ms, answers, talks for as long, hangs up.
    pub(crate) fn slow(serial: u32) -> String {
        format!("+86215011{serial:04}")
    }

    /// Answers at once, talks for 3 s, hangs up.
    pub(crate) fn talks(serial: u32) -> String {
        format!("+86215002{serial:04}")
    }

    /// Answers at once and talks until the other side hangs up.
    pub(crate) fn waits(serial: u32) -> String {
        format!("+86215100{serial:04}")
    }

    /// Rings for 300 ms, answers and talks until the other side hangs up.
    pub(crate) fn waits_after_ringing(serial: u32) -> String {
        format!("+86215110{serial:04}")
    }

    pub(crate) fn busy(serial: u32) -> String {
        format!("+86215200{serial:04}")
    }

    /// Rings until it is cancelled.
    pub(crate) fn rings(serial: u32) -> String {
        format!("+86215300{serial:04}")
    }

    pub(crate) fn vacant(serial: u32) -> String {
        format!("+86215400{serial:04}")
    }

    /// Two phones answer.
    pub(crate) fn forks(serial: u32) -> String {
        format!("+86215501{serial:04}")
    }

    /// Garbage, and then busy.
    pub(crate) fn garbage(serial: u32) -> String {
        format!("+86215600{serial:04}")
    }

    /// No circuit is free.
    pub(crate) fn congested(serial: u32) -> String {
        format!("+86215800{serial:04}")
    }

    /// Nothing at all.
    pub(crate) fn silent(serial: u32) -> String {
        format!("+86215700{serial:04}")
    }
}

/// A campaign's file, with what tests change.
#[derive(Debug, Clone)]
pub(crate) struct Campaign {
    pub(crate) id: String,
    pub(crate) state: &'static str,
    pub(crate) window: String,
    pub(crate) max_ring: &'static str,
    pub(crate) attempts_per_day: u32,
    pub(crate) retry_interval: &'static str,
    /// A TOML list.
    pub(crate) do_not_call: &'static str,
    pub(crate) timezone: &'static str,
    pub(crate) starts_at: &'static str,
    pub(crate) ends_at: &'static str,
    /// A TOML table in place of the usual policy.
    pub(crate) results: Option<&'static str>,
    /// Further keys.
    pub(crate) rest: &'static str,
}

impl Default for Campaign {
    fn default() -> Self {
        Self {
            id: CAMPAIGN.to_owned(),
            state: "running",
            window: "00:00-24:00".to_owned(),
            max_ring: "5s",
            attempts_per_day: 2,
            retry_interval: "1h",
            do_not_call: "[]",
            timezone: "UTC",
            starts_at: "2026-01-01T00:00:00Z",
            ends_at: "2099-01-01T00:00:00Z",
            results: None,
            rest: "",
        }
    }
}

impl Campaign {
    pub(crate) fn text(&self) -> String {
        let Self { id, state, window, max_ring, do_not_call, timezone, starts_at, ends_at, rest, .. } = self;
        let results = self.results.map_or_else(|| self.days(), str::to_owned);
        format!(
            r#"
id = "{id}"
name = "{id}"
state = "{state}"
mode = "preoccupied"
caller_numbers = ["+862160001000"]
starts_at = {starts_at}
ends_at = {ends_at}
skill_queue = "sales"
calling_hours = {{ timezone = "{timezone}", windows = ["{window}"] }}
strategy = {{ max_ring = "{max_ring}", do_not_call = {do_not_call} }}
results = {results}
{rest}
"#
        )
    }

    fn days(&self) -> String {
        let Self { attempts_per_day, retry_interval, .. } = self;
        format!(
            r#"{{ policy = "global", global = {{ max_days = 3, max_attempts_per_day = {attempts_per_day}, retry_interval = "{retry_interval}" }} }}"#
        )
    }
}

/// A stage that is set: nothing is running but the two SIPp.
pub(crate) struct Stage {
    pub(crate) repository: Repository,
    pub(crate) carrier: Sipp,
    pub(crate) phones: Sipp,
    pub(crate) http: SocketAddr,
    pub(crate) sip: SocketAddr,
    folder: tempfile::TempDir,
    lives: std::cell::Cell<u32>,
    clock: Clock,
    /// How far the next life's clock is ahead of this machine's.
    ahead: std::cell::Cell<SignedDuration>,
}

impl Stage {
    /// A stage with one campaign, not committed yet, and these agents.
    pub(crate) fn new(agents: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = own_address();
        let stage = Self {
            repository: Repository::new(),
            carrier: Sipp::start("stage-carrier", free_udp(at), folder.path()),
            phones: Sipp::start("stage-phones", free_udp(at), folder.path()),
            http: free_tcp(at),
            sip: free_udp(at),
            folder,
            lives: std::cell::Cell::new(0),
            clock: Clock::system(),
            ahead: std::cell::Cell::new(SignedDuration::ZERO),
        };
        stage.settings(|text| text);
        std::fs::write(stage.path("token"), "stage").unwrap();
        stage.write_shared(agents);
        stage.write_campaign(&Campaign::default());
        stage
    }

    /// A file beside the settings.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Adds to the settings as they are.
    pub(crate) fn settings_more(&self, more: &str) {
        let text = std::fs::read_to_string(self.path("dialops.toml")).unwrap();
        std::fs::write(self.path("dialops.toml"), format!("{text}\n{more}")).unwrap();
    }

    /// Writes the settings, changed by `change`.
    pub(crate) fn settings(&self, change: impl FnOnce(String) -> String) {
        let (repository, http, sip) = (self.repository.path().display(), self.http, self.sip);
        let trunk = self.carrier.address;
        let text = format!(
            r#"
source = {{ repository = "{repository}", poll = "1s" }}
store = {{ path = "dialops.db" }}
http = {{ listen = "{http}", socket = "dialops.sock", token = {{ file = "token" }} }}
sip = {{ listen = "{sip}" }}
safety = {{ dial = "all" }}
[[trunks]]
id = "carrier"
address = "{trunk}"
max_concurrent_calls = 100
max_calls_per_second = 1000
[ceilings]
owned_caller_numbers = ["+862160001000"]
max_calls_per_second = 1000
"#
        );
        std::fs::write(self.path("dialops.toml"), change(text)).unwrap();
    }

    fn write_shared(&self, agents: &[&str]) {
        let tenant = "id = \"acme\"\nname = \"Acme\"\ntimezone = \"UTC\"\nregion = \"CN\"\n\
                      agents = { ring = \"2s\", wrap_up = \"0s\" }\n";
        self.repository.write("campaigns/shared/tenant.toml", tenant);
        self.repository.write("campaigns/shared/queues.toml", "[[queues]]\nid = \"sales\"\nname = \"Sales\"\n");
        let mut text = String::new();
        for agent in agents {
            let phone = self.phones.address;
            write!(
                text,
                "[[agents]]\nid = \"{agent}\"\nname = \"{agent}\"\nsip = \"sip:{agent}@{phone}\"\nqueues = [\"sales\"]\n"
            )
            .unwrap();
        }
        self.repository.write("campaigns/shared/agents.toml", text);
    }

    /// Defines the categories of the numbers that tests import.
    pub(crate) fn write_categories(&self) {
        let category = |id: &str| format!("[[categories]]\nid = \"{id}\"\nname = \"{id}\"\n");
        let text: String = ["mobile", "home", "office"].map(category).concat();
        self.repository.write("campaigns/shared/categories.toml", text);
    }

    pub(crate) fn write_campaign(&self, campaign: &Campaign) {
        self.repository.write(format!("campaigns/{}.toml", campaign.id), campaign.text());
    }

    /// Writes and commits a campaign.
    pub(crate) fn commit(&self, campaign: &Campaign) -> Revision {
        self.write_campaign(campaign);
        self.repository.commit(&format!("{} is {}", campaign.id, campaign.state))
    }

    /// Starts the daemon; it need not get far.
    pub(crate) fn start(&self, arguments: &[&str]) -> Daemon {
        let mut command = self.command(&["run"]);
        command.args(arguments);
        self.live(command)
    }

    /// Starts it by another program, and waits until a commit is in force.
    pub(crate) fn run_under(&self, program: &[&str]) -> Daemon {
        let daemon = self.command(&["run"]);
        let mut command = Command::new(program[0]);
        command.env_clear().env("PATH", PATH).args(&program[1..]).arg(daemon.get_program()).args(daemon.get_args());
        let daemon = self.live(command);
        self.until("the daemon is ready", || daemon.is_ready());
        daemon
    }

    fn live(&self, mut command: Command) -> Daemon {
        let life = self.lives.get() + 1;
        self.lives.set(life);
        let log = self.path(&format!("life-{life}.log"));
        self.set_clock_of(&mut command);
        Daemon::start(command, log, self.http)
    }

    /// Starts it with further variables, and waits until a commit is in force.
    pub(crate) fn run_with(&self, variables: &[(&str, &str)]) -> Daemon {
        let mut command = self.command(&["run"]);
        command.envs(variables.iter().copied());
        let daemon = self.live(command);
        self.until("the daemon is ready", || daemon.is_ready());
        daemon
    }

    /// Starts the daemon and waits until a commit is in force.
    pub(crate) fn run(&self) -> Daemon {
        let daemon = self.start(&[]);
        self.until("the daemon is ready", || daemon.is_ready());
        daemon
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dialops"));
        command
            .env_clear()
            .env("PATH", PATH)
            .args(arguments)
            .arg("--config")
            .arg(self.path("dialops.toml"))
            .stdin(Stdio::null());
        command
    }

    /// Runs a command beside the daemon: what it wrote to stdout.
    pub(crate) fn cli(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "dialops {arguments:?}: {} {err}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that has to fail: its exit code and what it wrote to stderr.
    pub(crate) fn cli_fails(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.command(arguments).output().unwrap();
        assert!(!output.status.success(), "dialops {arguments:?} should fail");
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }

    /// Runs a command, however it ends: its exit code and what it wrote.
    pub(crate) fn cli_says(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// Signs in with a daemon that may die of it.
    pub(crate) fn try_sign_in(&self, agents: &[&str]) {
        for agent in agents {
            let _died = self.command(&["agents", "set", agent, "idle"]).output().unwrap();
        }
    }

    pub(crate) fn sign_in(&self, agents: &[&str]) {
        for agent in agents {
            self.cli(&["agents", "set", agent, "idle"]);
        }
    }

    /// Imports contacts through the daemon that runs, each a customer with his numbers.
    pub(crate) fn import(&self, contacts: &[(&str, &[String])]) {
        self.import_into(CAMPAIGN, contacts);
    }

    /// The same into another campaign.
    pub(crate) fn import_into(&self, campaign: &str, contacts: &[(&str, &[String])]) {
        let most = contacts.iter().map(|(_, numbers)| numbers.len()).max().unwrap_or(1);
        let columns: Vec<&str> = ["number.mobile", "number.home", "number.office"].into_iter().take(most).collect();
        let mut text = format!("customer_id,{}\n", columns.join(","));
        for (customer, numbers) in contacts {
            let mut row = numbers.to_vec();
            row.resize(most, String::new());
            writeln!(text, "{customer},{}", row.join(",")).unwrap();
        }
        self.import_file_into(campaign, "contacts.csv", &text);
    }

    /// Imports a file of contacts with that name and text.
    pub(crate) fn import_file(&self, name: &str, text: &str) {
        self.import_file_into(CAMPAIGN, name, text);
    }

    fn import_file_into(&self, campaign: &str, name: &str, text: &str) {
        let file = self.path(name);
        std::fs::write(&file, text).unwrap();
        self.cli(&["contacts", "import", campaign, file.to_str().unwrap()]);
    }

    /// Imports customers `c1`, `c2` … with one number each.
    pub(crate) fn import_numbers(&self, numbers: &[String]) {
        let names: Vec<String> = (1..=numbers.len()).map(|n| format!("c{n}")).collect();
        let contacts: Vec<(&str, &[String])> =
            names.iter().zip(numbers).map(|(name, number)| (name.as_str(), std::slice::from_ref(number))).collect();
        self.import(&contacts);
    }

    /// Every attempt, as `dialops results` tells it.
    pub(crate) fn results(&self) -> Vec<Attempt> {
        self.results_of(CAMPAIGN)
    }

    /// The same of another campaign.
    pub(crate) fn results_of(&self, campaign: &str) -> Vec<Attempt> {
        let lines = self.cli(&["results", campaign, "--unmasked", "--format", "json"]);
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn status(&self) -> Value {
        serde_json::from_str(&self.cli(&["status", "--format", "json"])).unwrap()
    }

    pub(crate) fn why(&self, customer: &str) -> Value {
        self.why_in(CAMPAIGN, customer)
    }

    /// The same of another campaign's contact.
    pub(crate) fn why_in(&self, campaign: &str, customer: &str) -> Value {
        serde_json::from_str(&self.cli(&["why", campaign, customer, "--format", "json"])).unwrap()
    }

    /// What the carrier saw.
    pub(crate) fn carrier_traffic(&self) -> Traffic {
        self.carrier.traffic()
    }

    /// When the carrier was asked for a number, in order.
    pub(crate) fn invited_at(&self, number: &str) -> Vec<jiff::Timestamp> {
        self.carrier_traffic().of(number).iter().map(|call| call.invited_at.unwrap()).collect()
    }

    /// What the phones saw.
    pub(crate) fn phone_traffic(&self) -> Traffic {
        self.phones.traffic()
    }

    /// Waits for something.
    pub(crate) fn until(&self, what: &str, done: impl FnMut() -> bool) {
        self.until_within(PATIENCE, what, done);
    }

    pub(crate) fn until_within(&self, patience: Duration, what: &str, done: impl FnMut() -> bool) {
        assert!(self.holds_within(patience, done), "waited in vain until {what}\n{}", self.last_log());
    }

    /// Whether something comes true in time.
    pub(crate) fn holds_within(&self, patience: Duration, mut done: impl FnMut() -> bool) -> bool {
        let deadline = self.now() + patience;
        while !done() {
            if self.now() > deadline {
                return false;
            }
            pause(Duration::from_millis(50));
        }
        true
    }

    /// Time since some fixed instant.
    pub(crate) fn now(&self) -> Duration {
        self.clock.now().mono
    }

    /// The newest life's log, its end.
    pub(crate) fn last_log(&self) -> String {
        let text = std::fs::read_to_string(self.path(&format!("life-{}.log", self.lives.get()))).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.folder.disable_cleanup(true);
            eprintln!("the stage is left in {}", self.folder.path().display());
        }
    }
}

/// Waits: what is waited for happens in other processes.
#[expect(clippy::disallowed_methods, reason = "a test that watches other processes has nothing else to do")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// A loopback address that no other stage has, so that a port which the kernel gave stays free until
/// it is used, and between two lives of a daemon.
fn own_address() -> IpAddr {
    static STAGES: AtomicU8 = AtomicU8::new(0);
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, high.max(1), low, STAGES.fetch_add(1, Ordering::Relaxed).wrapping_add(1).max(1)).into()
}

fn free_udp(at: IpAddr) -> SocketAddr {
    UdpSocket::bind((at, 0)).unwrap().local_addr().unwrap()
}

pub(crate) fn free_tcp(at: IpAddr) -> SocketAddr {
    TcpListener::bind((at, 0)).unwrap().local_addr().unwrap()
}
