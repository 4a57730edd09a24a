//! How soon a commit is in force by file watch, and what a poll without news costs.
//!
//! `cargo bench --bench reconcile` (optionally `-- COMMITS`): a repository with 100 campaigns, one
//! of them changed by each commit; the clock runs from before `git commit` is started until the
//! dialling loop has the generation. Nothing else wakes the loop: the poll timer never fires. Then
//! polls alone, as fast as they go, and the CPU time of the whole process for each. In that the
//! daemon's own part ends at the store; the one here is in memory.
//!
//! Last, 10,000 campaigns on SQLite with the real server: `POST /api/v1/plan` with one campaign's file
//! changed, from the request to the line that tells what would change; and commits that change one
//! campaign, from the new commit seen to in force, by the daemon's own metric.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark that fails says where, and prints")]

use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::Duration};

use dialops::{
    clock::Clock,
    config::{
        Loader,
        settings::{SourceSettings, outer_ceilings},
    },
    control::QUEUE_LENGTH,
    domain::{
        campaign::{DialPermission, Generation},
        drift::Policy,
        guards::Guards,
        ids::Revision,
    },
    exports::{Jobs, Spool},
    gitops::{Source, Wake, watch as git_watch, webhook::Webhooks},
    http::{
        self, Instance, Listeners, ServerState,
        access::Access,
        wire::plan::{PlanEvent, PlanRequest},
    },
    reconcile::{self, FollowedSource, Reconcile},
    store::{GateSettings, Opener, Store, memory::MemoryStore, sqlite::SqliteStore},
    telemetry::{
        metrics::Metrics,
        status::{DialStatus, ReconcileStatus},
    },
};
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

#[path = "../tests/it/repository.rs"]
#[expect(dead_code, reason = "the integration tests use more of it")]
mod repository;

#[path = "common/many.rs"]
mod many;

use many::{campaign, repository_of};
use repository::Repository;

const CAMPAIGNS: usize = 100;
const COMMITS: usize = 200;
const MANY: usize = 10_000;
const PLANS: usize = 200;
const COMMITS_OF_MANY: usize = 50;
const NEVER: Duration = Duration::from_secs(24 * 3600);

/// Ticks per second of `/proc/self/stat`, which Linux has fixed.
const TICKS: f64 = 100.0;

fn main() {
    let commits = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(COMMITS);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let repository = repository_of(CAMPAIGNS);
        latency(&repository, commits).await;
        polls(&repository).await;
        one_of_many().await;
    });
}

async fn latency(repository: &Repository, commits: usize) {
    let mut daemon = Daemon::start(repository, NEVER, in_memory);
    daemon.in_force(&repository.head()).await;
    // The watch is in place a moment after the first look.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut took = Vec::with_capacity(commits);
    for n in 0..commits {
        let (path, text) = campaign(n % CAMPAIGNS, &format!("amended {n}"));
        repository.write(format!("campaigns/{path}"), text);
        repository.git(["add", "--all", "."]);
        let started = daemon.clock.now().mono;
        let head = repository.commit_index("amend one campaign");
        daemon.in_force(&head).await;
        took.push(daemon.clock.now().mono - started);
        // The next one meets a quiet loop, and no phase of anything.
        tokio::time::sleep(Duration::from_millis(100 + (n * 7 % 50) as u64)).await;
    }
    let at = percentiles(took);
    println!(
        "commit to applied by file watch, {CAMPAIGNS} campaigns, {commits} commits, `git commit` itself included:"
    );
    println!("  p50 {:.0} ms   p99 {:.0} ms   max {:.0} ms   (target: p99 1000 ms)", at(50), at(99), at(100));
}

async fn polls(repository: &Repository) {
    let mut daemon = Daemon::start(repository, Duration::from_millis(2), in_memory);
    daemon.in_force(&repository.head()).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (looks, cpu) = (daemon.metric(FETCHES_WITHOUT_NEWS), cpu_seconds());
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (looks, cpu) = (daemon.metric(FETCHES_WITHOUT_NEWS) - looks, cpu_seconds() - cpu);
    let each = cpu / looks * 1e3;
    println!("poll without news: {each:.3} ms of CPU each over {looks} polls   (target: 10 ms)");
}

async fn one_of_many() {
    let repository = repository_of(MANY);
    repository.git(["gc", "--quiet"]);
    let folder = tempfile::tempdir().unwrap();
    let (clock, path) = (Clock::system(), folder.path().join("dialops.db"));
    let (opener, settings) = (opener(), gate_settings());
    let store: Arc<dyn Store> = SqliteStore::open(&path, opener, settings, clock.clone()).await.unwrap();
    let resident = resident_mb();
    let mut daemon = Daemon::start(&repository, NEVER, |_| store);
    daemon.in_force(&repository.head()).await;
    println!("{MANY} campaigns in force: {:.0} MB resident, {resident:.0} MB before", resident_mb());
    let socket = folder.path().join("dialops.sock");
    daemon.serve(&socket).await;
    let client = reqwest::Client::builder().unix_socket(socket.as_path()).build().unwrap();
    let mut took = Vec::with_capacity(PLANS);
    let base = repository.head().to_string();
    for n in 0..=PLANS {
        let (path, text) = campaign(n, &format!("planned {n}"));
        let request = PlanRequest { source: None, base: base.clone(), files: BTreeMap::from([(path, Some(text))]) };
        let started = daemon.clock.now().mono;
        let mut answer = client.post("http://dialops/api/v1/plan").json(&request).send().await.unwrap();
        let line = answer.chunk().await.unwrap().unwrap();
        // The first reads the commit that plans start from.
        if n > 0 {
            took.push(daemon.clock.now().mono - started);
        }
        let line = line.split(|byte| *byte == b'\n').next().unwrap();
        let PlanEvent::Structure(structure) = serde_json::from_slice(line).unwrap() else { panic!("{line:?}") };
        assert_eq!(structure.campaigns.len(), 1);
        while answer.chunk().await.unwrap().is_some() {}
    }
    let at = percentiles(took);
    println!("one file of {MANY} changed to planned, {PLANS} plans over the daemon's socket, SQLite:");
    println!("  p50 {:.1} ms   p99 {:.1} ms   max {:.1} ms   (target: 25 ms)", at(50), at(99), at(100));
    commits_of_many(&repository, &mut daemon).await;
    println!("{MANY} campaigns, all of it done: {:.0} MB resident", resident_mb());
}

async fn commits_of_many(repository: &Repository, daemon: &mut Daemon) {
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut took = Vec::with_capacity(COMMITS_OF_MANY);
    for n in 0..COMMITS_OF_MANY {
        let before = daemon.metric(RECONCILE_SECONDS);
        let (path, text) = campaign(n, &format!("amended {n}"));
        repository.write(format!("campaigns/{path}"), text);
        let head = repository.commit("amend one campaign");
        daemon.in_force(&head).await;
        // The metric is written a moment after.
        tokio::time::sleep(Duration::from_millis(50)).await;
        took.push(Duration::from_secs_f64(daemon.metric(RECONCILE_SECONDS) - before));
    }
    let at = percentiles(took);
    println!("one file of {MANY} changed by a commit to in force, {COMMITS_OF_MANY} commits, SQLite:");
    println!("  p50 {:.1} ms   p99 {:.1} ms   max {:.1} ms", at(50), at(99), at(100));
}

/// Milliseconds at a percentile.
fn percentiles(mut took: Vec<Duration>) -> impl Fn(usize) -> f64 {
    took.sort_unstable();
    move |percent| took[(took.len() * percent / 100).min(took.len() - 1)].as_secs_f64() * 1e3
}

fn resident_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    kilobytes.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

const FETCHES_WITHOUT_NEWS: &str = "dialops_source_fetches_total{result=\"noop\",source=\"main\"} ";
const RECONCILE_SECONDS: &str = "dialops_reconcile_duration_seconds_sum{result=\"success\",source=\"main\"} ";

/// The loop and its watch.
struct Daemon {
    source: Source,
    store: Arc<dyn Store>,
    loader: Arc<Loader>,
    clock: Clock,
    generation: watch::Receiver<Option<Arc<Generation>>>,
    metrics: Arc<Metrics>,
    shutdown: CancellationToken,
}

impl Daemon {
    fn start(repository: &Repository, poll: Duration, store: impl FnOnce(&Clock) -> Arc<dyn Store>) -> Self {
        let (clock, metrics) = (Clock::system(), Arc::new(Metrics::new(Timestamp::UNIX_EPOCH)));
        let (generation, generations) = watch::channel(None);
        let (wake, shutdown) = (Arc::new(Wake::default()), CancellationToken::new());
        let (store, loader) = (store(&clock), Arc::new(Loader::new(outer_ceilings())));
        let settings = repository.source("main", "campaigns").settings().clone();
        let source = Source::new(SourceSettings { poll, ..settings }, None);
        let parts = Reconcile {
            sources: vec![FollowedSource { source: source.clone(), wake: Arc::clone(&wake), outbox: Arc::default() }],
            store: Arc::clone(&store),
            load: reconcile::check(Arc::clone(&loader)),
            guards: Guards::default(),
            drift: Policy::Mend,
            dialer: mpsc::channel(1).0,
            commands: mpsc::channel(1).1,
            generation,
            status: watch::channel(ReconcileStatus::default()).0,
            metrics: Arc::clone(&metrics),
            clock: clock.clone(),
        };
        tokio::spawn(git_watch::run(source.clone(), wake, shutdown.clone()));
        tokio::spawn(reconcile::run(parts, shutdown.clone()));
        Self { source, store, loader, clock, generation: generations, metrics, shutdown }
    }

    /// Serves what is in force on a Unix socket.
    async fn serve(&self, socket: &Path) {
        let unix = http::listen::unix(socket).await.unwrap();
        let state = ServerState {
            instance: Instance { name: "bench".into(), version: "0".into(), started_at: Timestamp::UNIX_EPOCH },
            sources: vec![self.source.clone()],
            loader: Arc::clone(&self.loader),
            reconcile: watch::channel(ReconcileStatus::default()).1,
            dial: watch::channel(DialStatus::default()).1,
            generation: self.generation.clone(),
            store: Arc::clone(&self.store),
            dialer: mpsc::channel(QUEUE_LENGTH).0,
            reconciler: mpsc::channel(QUEUE_LENGTH).0,
            wakes: vec![Arc::default()],
            webhooks: Arc::new(Webhooks::new(vec![], vec![], None)),
            metrics: Arc::clone(&self.metrics),
            clock: self.clock.clone(),
            longest_override: Duration::from_secs(86_400),
            guards: Guards::default(),
            // Nothing is told anybody.
            dispatches: MemoryStore::open(opener(), gate_settings(), self.clock.clone()),
            today: Default::default(),
            outbox: watch::channel(dialops::store::AllDispatchCounts::default()).1,
            // Nobody asks for any.
            exports: Arc::new(Jobs::new(Spool::new("exports".into(), &[]), Duration::from_secs(1), 1)),
            keyring: None,
            access: Access { token: None, allowed_uids: vec![] },
            sign_ins: http::SignIns::default(),
            sessions: http::Sessions::new(Duration::from_secs(1_800)),
        };
        let listeners = Listeners { tcp: None, unix: Some(unix) };
        tokio::spawn(http::serve(Arc::new(state), listeners, self.shutdown.clone()));
    }

    async fn in_force(&mut self, revision: &Revision) {
        let there = self.generation.wait_for(|g| g.as_ref().is_some_and(|g| g.revision == *revision));
        tokio::time::timeout(Duration::from_secs(30), there).await.expect("the commit comes into force").unwrap();
    }

    fn metric(&self, series: &str) -> f64 {
        let text = self.metrics.render(&ReconcileStatus::default(), &DialStatus::default()).unwrap();
        let text = String::from_utf8(text).unwrap();
        text.lines().find_map(|line| line.strip_prefix(series)).unwrap().parse().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn in_memory(clock: &Clock) -> Arc<dyn Store> {
    MemoryStore::open(opener(), gate_settings(), clock.clone())
}

fn gate_settings() -> GateSettings {
    GateSettings { permission: DialPermission::None, caps: BTreeMap::new() }
}

fn opener() -> Opener {
    Opener {
        daemon_version: "0".to_owned(),
        tzdb_version: "0".to_owned(),
        settings_digest: String::new(),
        pid: 1,
        host: "here".to_owned(),
    }
}

fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = [fields[11], fields[12]].iter().map(|field| field.parse::<f64>().unwrap()).sum();
    ticks / TICKS
}
