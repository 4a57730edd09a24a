//! How soon a commit is in force by file watch, and what a poll without news costs.
//!
//! `cargo bench --bench reconcile` (optionally `-- COMMITS`): a repository with 100 campaigns, one
//! of them changed by each commit; the clock runs from before `git commit` is started until the
//! dialling loop has the generation. Nothing else wakes the loop: the poll timer never fires. Then
//! polls alone, as fast as they go, and the CPU time of the whole process for each. In that the
//! daemon's own part ends at the store; the one here is in memory.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark that fails says where, and prints")]

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use dialops::{
    clock::Clock,
    config::{Loader, settings::outer_ceilings},
    domain::{
        campaign::{DialPermission, Generation},
        ids::Revision,
    },
    gitops::{Wake, watch as git_watch},
    reconcile::{self, Reconcile},
    store::{GateSettings, Opener, Store, memory::MemoryStore},
    telemetry::{
        metrics::Metrics,
        status::{DialStatus, SourceStatus},
    },
};
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

#[path = "../tests/it/repository.rs"]
#[expect(dead_code, reason = "the integration tests use more of it")]
mod repository;

use repository::Repository;

const CAMPAIGNS: usize = 100;
const COMMITS: usize = 200;
const NEVER: Duration = Duration::from_secs(24 * 3600);

/// Ticks per second of `/proc/self/stat`, which Linux has fixed.
const TICKS: f64 = 100.0;

fn main() {
    let commits = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(COMMITS);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let repository = hundred_campaigns();
        latency(&repository, commits).await;
        polls(&repository).await;
    });
}

async fn latency(repository: &Repository, commits: usize) {
    let mut daemon = Daemon::start(repository, NEVER);
    daemon.in_force(&repository.head()).await;
    // The watch is in place a moment after the first look.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut took = Vec::with_capacity(commits);
    for n in 0..commits {
        campaign(repository, n % CAMPAIGNS, &format!("amended {n}"));
        repository.git(["add", "--all", "."]);
        let started = daemon.clock.now().mono;
        let head = repository.commit_index("amend one campaign");
        daemon.in_force(&head).await;
        took.push(daemon.clock.now().mono - started);
        // The next one meets a quiet loop, and no phase of anything.
        tokio::time::sleep(Duration::from_millis(100 + (n * 7 % 50) as u64)).await;
    }
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() * percent / 100).min(took.len() - 1)].as_secs_f64() * 1e3;
    println!(
        "commit to applied by file watch, {CAMPAIGNS} campaigns, {commits} commits, `git commit` itself included:"
    );
    println!("  p50 {:.0} ms   p99 {:.0} ms   max {:.0} ms   (target: p99 1000 ms)", at(50), at(99), at(100));
}

async fn polls(repository: &Repository) {
    let mut daemon = Daemon::start(repository, Duration::from_millis(2));
    daemon.in_force(&repository.head()).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (looks, cpu) = (daemon.looks_without_news(), cpu_seconds());
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (looks, cpu) = (daemon.looks_without_news() - looks, cpu_seconds() - cpu);
    let each = cpu / looks * 1e3;
    println!("poll without news: {each:.3} ms of CPU each over {looks} polls   (target: 10 ms)");
}

/// The loop and its watch, on a store in memory.
struct Daemon {
    clock: Clock,
    generation: watch::Receiver<Option<Arc<Generation>>>,
    metrics: Arc<Metrics>,
    shutdown: CancellationToken,
}

impl Daemon {
    fn start(repository: &Repository, poll: Duration) -> Self {
        let (clock, metrics) = (Clock::system(), Arc::new(Metrics::new(Timestamp::UNIX_EPOCH)));
        let (generation, generations) = watch::channel(None);
        let (wake, shutdown) = (Arc::new(Wake::default()), CancellationToken::new());
        let parts = Reconcile {
            source: repository.source("main", "campaigns"),
            store: store(&clock),
            load: reconcile::check(Arc::new(Loader::new(outer_ceilings()))),
            wake: Arc::clone(&wake),
            commands: mpsc::channel(1).1,
            generation,
            status: watch::channel(SourceStatus::default()).0,
            metrics: Arc::clone(&metrics),
            clock: clock.clone(),
        };
        tokio::spawn(git_watch::run(parts.source.clone(), wake, poll, Arc::default(), shutdown.clone()));
        tokio::spawn(reconcile::run(parts, shutdown.clone()));
        Self { clock, generation: generations, metrics, shutdown }
    }

    async fn in_force(&mut self, revision: &Revision) {
        let there = self.generation.wait_for(|g| g.as_ref().is_some_and(|g| g.revision == *revision));
        tokio::time::timeout(Duration::from_secs(30), there).await.expect("the commit comes into force").unwrap();
    }

    fn looks_without_news(&self) -> f64 {
        let text = self.metrics.render(&SourceStatus::default(), &DialStatus::default()).unwrap();
        let text = String::from_utf8(text).unwrap();
        let series = "dialops_source_fetches_total{result=\"noop\",source=\"main\"} ";
        text.lines().find_map(|line| line.strip_prefix(series)).unwrap().parse().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn store(clock: &Clock) -> Arc<dyn Store> {
    let opener = Opener {
        daemon_version: "0".to_owned(),
        tzdb_version: "0".to_owned(),
        settings_digest: String::new(),
        pid: 1,
        host: "here".to_owned(),
    };
    let settings = GateSettings { permission: DialPermission::None, caps: BTreeMap::new() };
    MemoryStore::open(opener, settings, clock.clone())
}

/// The example's shared files, and its smaller campaign a hundred times.
fn hundred_campaigns() -> Repository {
    let repository = Repository::new();
    repository.write("campaigns/shared/tenant.toml", include_str!("../campaigns/shared/tenant.toml"));
    repository.write("campaigns/shared/queues.toml", include_str!("../campaigns/shared/queues.toml"));
    repository.write("campaigns/shared/agents.toml", include_str!("../campaigns/shared/agents.toml"));
    for n in 0..CAMPAIGNS {
        campaign(&repository, n, "new");
    }
    repository.commit("a hundred campaigns");
    repository
}

fn campaign(repository: &Repository, n: usize, description: &str) {
    let id = format!("id = \"campaign-{n}\"\ndescription = \"{description}\"");
    let text = include_str!("../campaigns/service-survey.toml")
        .replace("id = \"service-survey\"", &id)
        .replace("name = \"Service survey\"", &format!("name = \"Campaign {n}\""));
    repository.write(format!("campaigns/campaign-{n}.toml"), text);
}

fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = [fields[11], fields[12]].iter().map(|field| field.parse::<f64>().unwrap()).sum();
    ticks / TICKS
}
