//! The whole daemon as a process that follows a repository of 10,000 campaigns by fetching it.
//!
//! `cargo bench --bench daemon` (optionally `-- CAMPAIGNS`): the time from its start until it is ready, the first time
//! (with the first fetch) and then; from a webhook's call to the commit in force, with one campaign changed and with
//! all; what it takes at rest, where it polls every 30 s; and a scrape beside encoding the same series alone. The
//! repository is `file://`, so that `git` fetches as from a server, without one.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark that fails says where, and prints")]

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::LazyLock,
    time::Duration,
};

use dialops::clock::Clock;
use hmac::{Hmac, Mac as _};
use prometheus::{Encoder as _, TextEncoder, proto};
use sha2::Sha256;

#[path = "../tests/it/repository.rs"]
#[expect(dead_code, reason = "the integration tests use more of it")]
mod repository;

#[path = "common/many.rs"]
mod many;

use many::{campaign, repository_of};
use repository::Repository;

const CAMPAIGNS: usize = 10_000;
const WEBHOOKS: usize = 100;
const STARTS: usize = 5;
const AT_REST: Duration = Duration::from_secs(120);
const SCRAPES: usize = 200;
const PATIENCE: Duration = Duration::from_secs(120);
const SECRET: &str = "bench";

/// Ticks per second of `/proc/PID/stat`, which Linux has fixed.
const TICKS: f64 = 100.0;

fn main() {
    let campaigns = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(CAMPAIGNS);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(measure(campaigns));
}

async fn measure(campaigns: usize) {
    let repository = repository_of(campaigns);
    repository.git(["gc", "--quiet"]);
    let place = Place::new(&repository, campaigns);
    let (first, took) = Daemon::start(&place, "24h").await;
    println!("{campaigns} campaigns: ready {:.2} s after the first start, with the first fetch", took.as_secs_f64());
    first.stop();
    let mut took = Vec::new();
    for _ in 0..STARTS {
        let (daemon, ready) = Daemon::start(&place, "24h").await;
        took.push(ready);
        daemon.stop();
    }
    let at = percentiles(took);
    println!("  after later starts: p50 {:.0} ms   max {:.0} ms of {STARTS}   (target: 1000 ms)", at(50), at(100));

    let (daemon, _) = Daemon::start(&place, "24h").await;
    webhooks(&repository, &daemon, campaigns).await;
    scrapes(&daemon).await;
    daemon.stop();
    at_rest(&place, campaigns).await;
}

async fn webhooks(repository: &Repository, daemon: &Daemon, campaigns: usize) {
    let mut took = Vec::new();
    for n in 0..WEBHOOKS {
        let (path, text) = campaign(n * 97 % campaigns, &format!("amended {n}"));
        repository.write(format!("campaigns/{path}"), text);
        took.push(daemon.commit(repository, "amend one campaign").await);
    }
    let at = percentiles(took);
    println!("webhook to in force, one of {campaigns} changed, {WEBHOOKS} commits, with the fetch:");
    println!("  p50 {:.0} ms   p99 {:.0} ms   max {:.0} ms   (target: p99 1000 ms)", at(50), at(99), at(100));
    let mut took = Vec::new();
    for round in 0..3 {
        for n in 0..campaigns {
            let (path, text) = campaign(n, &format!("all amended {round}"));
            repository.write(format!("campaigns/{path}"), text);
        }
        took.push(daemon.commit(repository, "amend all campaigns").await);
    }
    let at = percentiles(took);
    println!("  all changed: p50 {:.0} ms   max {:.0} ms of 3   (target: 3000 ms)", at(50), at(100));
}

async fn scrapes(daemon: &Daemon) {
    let text = daemon.get("/metrics").await;
    let families = families(&text);
    let series: usize = families.iter().map(|family| family.get_metric().len()).sum();
    let (mut scraped, mut encoded) = (Vec::new(), Vec::new());
    for _ in 0..SCRAPES {
        let started = now();
        assert!(daemon.get("/metrics").await.len() > text.len() / 2);
        scraped.push(now() - started);
        // Over the same connection and with as little to do as can be.
        let started = now();
        daemon.get("/-/healthy").await;
        let connection = now() - started;
        let started = now();
        let mut bytes = Vec::new();
        TextEncoder::new().encode(&families, &mut bytes).unwrap();
        encoded.push(connection + (now() - started));
    }
    let (scraped, encoded) = (percentiles(scraped), percentiles(encoded));
    println!(
        "a scrape of {series} samples in {} kB: p50 {:.2} ms; the encoder alone and an empty request {:.2} ms: {:.2} times   \
         (target: 1.5)",
        text.len() / 1024,
        scraped(50),
        encoded(50),
        scraped(50) / encoded(50)
    );
}

async fn at_rest(place: &Place, campaigns: usize) {
    let (daemon, _) = Daemon::start(place, "30s").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let cpu = daemon.cpu_seconds();
    tokio::time::sleep(AT_REST).await;
    let share = (daemon.cpu_seconds() - cpu) / AT_REST.as_secs_f64() * 100.0;
    println!(
        "at rest with {campaigns} campaigns, polled every 30 s: {share:.2} % of a core, its children's part included; \
         {:.0} MB   (target: 1 %, 150 MB)",
        daemon.resident_mb()
    );
    daemon.stop();
}

/// The samples of a scrape, as the encoder takes them: what it costs to write them and nothing else.
fn families(text: &str) -> Vec<proto::MetricFamily> {
    let mut by_name: BTreeMap<String, Vec<proto::Metric>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let labels = labels.trim_end_matches('}').split("\",").filter(|label| !label.is_empty()).map(|label| {
            let (name, value) = label.split_once("=\"").unwrap();
            let mut pair = proto::LabelPair::default();
            pair.set_name(name.to_owned());
            pair.set_value(value.trim_end_matches('"').to_owned());
            pair
        });
        let mut gauge = proto::Gauge::default();
        gauge.set_value(value.parse().unwrap());
        let mut metric = proto::Metric::default();
        metric.set_label(labels.collect());
        metric.set_gauge(gauge);
        by_name.entry(name.to_owned()).or_default().push(metric);
    }
    let family = |(name, metrics)| {
        let mut family = proto::MetricFamily::default();
        family.set_name(name);
        family.set_help("As long as the usual sentence that tells what it is.".to_owned());
        family.set_field_type(proto::MetricType::GAUGE);
        family.set_metric(metrics);
        family
    };
    by_name.into_iter().map(family).collect()
}

static CLOCK: LazyLock<Clock> = LazyLock::new(Clock::system);

fn now() -> Duration {
    CLOCK.now().mono
}

/// Milliseconds at a percentile.
fn percentiles(mut took: Vec<Duration>) -> impl Fn(usize) -> f64 {
    took.sort_unstable();
    move |percent| took[(took.len() * percent / 100).min(took.len() - 1)].as_secs_f64() * 1e3
}

/// Where a daemon lives.
struct Place {
    folder: tempfile::TempDir,
    http: u16,
    url: String,
}

impl Place {
    fn new(repository: &Repository, campaigns: usize) -> Self {
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (folder, http, sip) = (tempfile::tempdir().unwrap(), free(), free());
        let url = format!("file://{}", repository.path().display());
        let settings = format!(
            "[source]\nurl = \"{url}\"\npoll = \"POLL\"\n[store]\npath = \"dialops.db\"\n\
             [http]\nlisten = \"127.0.0.1:{http}\"\nsocket = \"dialops.sock\"\ntoken = {{ file = \"token\" }}\n\
             [sip]\nlisten = \"127.0.0.1:{sip}\"\n[ceilings]\nactive_campaigns = {campaigns}\n\
             owned_caller_numbers = [\"+862160001001\"]\ncallback_hosts = [\"crm.example.net\"]\n\
             [metrics]\nper_campaign = true\n[[webhooks]]\nid = \"bench\"\nkind = \"github\"\nsecret = {{ file = \"secret\" }}\nper_minute = 6000\n"
        );
        for (name, text) in [("dialops.toml", &*settings), ("token", "bench"), ("secret", SECRET)] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        Self { folder, http, url }
    }

    fn settings(&self, poll: &str) -> PathBuf {
        let text = fs::read_to_string(self.folder.path().join("dialops.toml")).unwrap();
        let path = self.folder.path().join("now.toml");
        fs::write(&path, text.replace("POLL", poll)).unwrap();
        path
    }
}

/// A daemon that is running.
struct Daemon {
    child: Child,
    http: u16,
    client: reqwest::Client,
}

impl Daemon {
    /// Starts it and waits until it is ready.
    async fn start(place: &Place, poll: &str) -> (Self, Duration) {
        let log = fs::File::create(place.folder.path().join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_dialops"));
        command.arg("run").arg("--config").arg(place.settings(poll));
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        // A connection that was idle may end just as it is used again.
        let client = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
        let started = now();
        let daemon = Self { child: command.spawn().unwrap(), http: place.http, client };
        while daemon.status_of("/-/ready").await != Some(200) {
            assert!((now() - started) < PATIENCE, "{} is not followed; see the log", place.url);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        (daemon, now() - started)
    }

    async fn status_of(&self, path: &str) -> Option<u16> {
        let answer = self.client.get(format!("http://127.0.0.1:{}{path}", self.http)).send().await;
        answer.ok().map(|answer| answer.status().as_u16())
    }

    async fn get(&self, path: &str) -> String {
        let answer = self.client.get(format!("http://127.0.0.1:{}{path}", self.http)).bearer_auth("bench").send().await;
        answer.unwrap().error_for_status().unwrap().text().await.unwrap()
    }

    /// Commits, tells the daemon, and waits until that commit is in force.
    async fn commit(&self, repository: &Repository, message: &str) -> Duration {
        let head = repository.commit(message).to_string();
        let body = format!("{{\"ref\": \"refs/heads/main\", \"after\": \"{head}\"}}");
        let mut tag = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        tag.update(body.as_bytes());
        let mut signature = "sha256=".to_owned();
        tag.finalize().into_bytes().iter().for_each(|byte| write!(signature, "{byte:02x}").unwrap());
        let started = now();
        let call = self.client.post(format!("http://127.0.0.1:{}/hooks/bench", self.http));
        let call = call.header("X-GitHub-Event", "push").header("X-GitHub-Delivery", &head);
        let call = call.header("X-Hub-Signature-256", signature).header("Content-Type", "application/json");
        assert_eq!(call.body(body).send().await.unwrap().status().as_u16(), 202);
        while !self.get("/metrics").await.contains(&format!("revision=\"main@sha1:{head}\",role=\"applied\"")) {
            assert!((now() - started) < PATIENCE, "the commit comes into force");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        now() - started
    }

    /// User and system time, of ended children too.
    fn cpu_seconds(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11..15].iter().map(|field| field.parse::<f64>().unwrap()).sum::<f64>() / TICKS
    }

    fn resident_mb(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        kilobytes.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }

    fn stop(mut self) {
        Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}
