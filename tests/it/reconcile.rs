//! The loop against real repositories.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use dialops::{
    clock::Clock,
    config::{Loader, settings::outer_ceilings},
    control::{QUEUE_LENGTH, ReconcileCommand},
    domain::{
        campaign::{Campaign, Definitions, DesiredState, DialPermission, Generation},
        drift::Policy,
        guards::Guards,
        ids::{CampaignId, Revision, TenantId},
        tenant::Tenant,
    },
    gitops::{CommitFiles, Source, Trigger, Wake, watch as git_watch},
    reconcile::{self, Checked, FollowedSource, Load, Reconcile, Rejected},
    store::{CommitResult, Event, EventKind, GateSettings, Opener, Store, StoreError, memory::MemoryStore},
    telemetry::{
        metrics::Metrics,
        status::{DialStatus, Problem, ReconcileStatus, SourceStatus},
    },
};
use jiff::Timestamp;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{definitions, flaky::Flaky, repository::Repository};

const PATIENCE: Duration = Duration::from_secs(10);

fn problem(file: &str, message: &str) -> Problem {
    let (file, message) = (file.to_owned(), message.to_owned());
    Problem { file, line: 1, column: 1, code: "test".to_owned(), message, suggestion: None }
}

/// Stands in for `config`: a file has `id`, `name` and `state`.
fn load(files: &CommitFiles, _: &[Arc<CommitFiles>]) -> Result<Checked, Rejected> {
    let mut campaigns = BTreeMap::new();
    let mut problems = vec![];
    for file in &files.files {
        match campaign(&file.bytes) {
            Ok(campaign) => drop(campaigns.insert(campaign.id.clone(), Arc::new(campaign))),
            Err(message) => problems.push(problem(&file.path, message)),
        }
    }
    let tenant = Tenant::new(TenantId::parse("acme").unwrap(), "Acme", "UTC", "DE");
    if !problems.is_empty() {
        return Err(problems.into());
    }
    let definitions = Definitions { campaigns, ..Definitions::of(tenant) };
    let (kept, kept_elsewhere, sources) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    Ok(Checked { definitions, lowered: vec![], kept, kept_elsewhere, sources })
}

fn campaign(bytes: &[u8]) -> Result<Campaign, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8")?;
    let table: toml::Table = text.parse().map_err(|_| "not TOML")?;
    let key = |key: &str| table.get(key).and_then(toml::Value::as_str);
    let state = match key("state") {
        Some("running") => DesiredState::Running,
        Some("paused") => DesiredState::Paused,
        Some("panic") => panic!("a bug in the check"),
        _ => return Err("no such state"),
    };
    let id = key("id").and_then(|id| CampaignId::parse(id).ok()).ok_or("no id")?;
    Ok(Campaign { desired: state, ..definitions::campaign(id, key("name").unwrap_or("Unnamed")) })
}

fn memory() -> Arc<MemoryStore> {
    let opener = Opener {
        daemon_version: "0".to_owned(),
        tzdb_version: "0".to_owned(),
        settings_digest: String::new(),
        pid: 1,
        host: "here".to_owned(),
    };
    let settings = GateSettings { permission: DialPermission::None, caps: BTreeMap::new() };
    MemoryStore::open(opener, settings, Clock::system())
}

/// The loop on a repository, and what it publishes.
pub(crate) struct Daemon {
    commands: mpsc::Sender<ReconcileCommand>,
    generation: watch::Receiver<Option<Arc<Generation>>>,
    status: watch::Receiver<ReconcileStatus>,
    wake: Arc<Wake>,
    metrics: Arc<Metrics>,
    task: JoinHandle<Result<(), StoreError>>,
    shutdown: CancellationToken,
    _stop: DropGuard,
}

impl Daemon {
    fn start(repository: &Repository, store: Arc<dyn Store>) -> Self {
        // A file that is gone is all that some of these commits do.
        let guards = Guards { grace: Duration::ZERO, removals_percent: 100, ..Guards::default() };
        Self::start_with(vec![repository.source("main", "")], store, Arc::new(load), guards)
    }

    pub(crate) fn start_with(sources: Vec<Source>, store: Arc<dyn Store>, load: Arc<Load>, guards: Guards) -> Self {
        let (commands, served) = mpsc::channel(QUEUE_LENGTH);
        let (generation, generations) = watch::channel(None);
        let (status, statuses) = watch::channel(ReconcileStatus::default());
        let (wake, metrics) = (Arc::new(Wake::default()), Arc::new(Metrics::new(Timestamp::UNIX_EPOCH)));
        let shutdown = CancellationToken::new();
        let followed = |source| FollowedSource { source, wake: Arc::clone(&wake), outbox: Arc::default() };
        let parts = Reconcile {
            sources: sources.into_iter().map(followed).collect(),
            store,
            load,
            guards,
            drift: Policy::Mend,
            dialer: mpsc::channel(1).0,
            commands: served,
            generation,
            status,
            metrics: Arc::clone(&metrics),
            clock: Clock::system(),
        };
        let task = tokio::spawn(reconcile::run(parts, shutdown.clone()));
        let stop = shutdown.clone().drop_guard();
        Self { commands, generation: generations, status: statuses, wake, metrics, task, shutdown, _stop: stop }
    }

    /// Asks for a look and waits until it is over.
    pub(crate) async fn look(&self, allow_rewrite: bool) -> SourceStatus {
        let (done, over) = oneshot::channel();
        self.commands
            .send(ReconcileCommand {
                token: "t1".to_owned(),
                by: "uid 7".to_owned(),
                source: None,
                allow_rewrite,
                done,
            })
            .await
            .unwrap();
        timeout(PATIENCE, over).await.expect("the look ends").unwrap();
        self.status.borrow().sources[0].clone()
    }

    pub(crate) fn generation(&self) -> Option<Arc<Generation>> {
        self.generation.borrow().clone()
    }

    /// Ends it wherever it is.
    pub(crate) async fn abort(self) {
        self.task.abort();
        // That it was aborted is no news.
        let _ = self.task.await;
    }

    fn in_force(&self) -> Option<Revision> {
        self.generation.borrow().as_ref().map(|generation| generation.revision.clone())
    }

    async fn stop(self) {
        self.shutdown.cancel();
        timeout(PATIENCE, self.task).await.unwrap().unwrap().unwrap();
    }

    fn counted(&self, series: &str) -> bool {
        let text = self.metrics.render(&ReconcileStatus::default(), &DialStatus::default()).unwrap();
        String::from_utf8(text).unwrap().lines().any(|line| line == series)
    }
}

fn condition<'a>(status: &'a SourceStatus, kind: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let condition = status.conditions.iter().find(|c| c.r#type == kind)?;
    Some((&condition.status, &condition.reason, &condition.message))
}

fn ready(status: &SourceStatus) -> bool {
    condition(status, "Ready").is_some_and(|(status, ..)| status == "True")
}

/// Why the newest commit is not in force; it must not be.
fn stalled(status: &SourceStatus) -> (&str, &str) {
    let (_, reason, message) = condition(status, "Stalled").expect("stalled");
    assert_eq!(condition(status, "Ready"), Some(("False", reason, message)));
    (reason, message)
}

async fn states(store: &dyn Store) -> Vec<(String, &'static str, bool)> {
    let rows = store.campaigns().await.unwrap();
    rows.iter().map(|row| (row.id.to_string(), row.desired.as_str(), row.retired)).collect()
}

fn file(state: &str) -> String {
    format!("id = \"spring\"\nname = \"Spring\"\nstate = \"{state}\"\n")
}

fn at(revision: &Revision) -> Option<String> {
    Some(format!("main@sha1:{revision}"))
}

#[tokio::test]
async fn commits_come_into_force_one_after_the_other() {
    let repository = Repository::new();
    let store = memory();
    repository.write("spring.toml", file("running"));
    let first = repository.commit("spring runs");
    let daemon = Daemon::start(&repository, store.clone());
    let status = daemon.look(false).await;
    assert!(ready(&status));
    assert_eq!(condition(&status, "Stalled"), None);
    for revision in [&status.observed_revision, &status.last_attempted_revision, &status.last_applied_revision] {
        assert_eq!(*revision, at(&first));
    }
    assert_eq!(status.last_handled_reconcile.as_deref(), Some("t1"));
    assert_eq!(status.applied_commit.as_ref().unwrap().subject, "spring runs");
    assert_eq!((status.files, status.reference.as_str()), (1, "refs/heads/main"));
    assert_eq!(daemon.in_force(), Some(first.clone()));
    assert_eq!(states(&*store).await, [("spring".to_owned(), "running", false)]);

    repository.write("spring.toml", file("paused"));
    repository.write("summer.toml", file("running").replace("spring", "summer"));
    let second = repository.commit("spring pauses, summer runs");
    daemon.look(false).await;
    assert_eq!(daemon.in_force(), Some(second));
    assert_eq!(
        states(&*store).await,
        [("spring".to_owned(), "paused", false), ("summer".to_owned(), "running", false)]
    );

    std::fs::remove_file(repository.path().join("spring.toml")).unwrap();
    repository.write("summer.toml", file("running").replace("spring", "summer") + "# a comment changes nothing\n");
    let third = repository.commit("spring is over");
    daemon.look(false).await;
    let rows = store.campaigns().await.unwrap();
    assert!(rows[0].retired && !rows[1].retired);
    assert_ne!(rows[1].revision, third, "the commit didn't change summer");
    assert!(daemon.counted("dialops_reconcile_total{result=\"success\",source=\"main\"} 3"));
    assert!(daemon.counted("dialops_commit_to_applied_seconds_count{source=\"main\",trigger=\"manual\"} 3"));
    daemon.stop().await;
}

#[tokio::test]
async fn a_bad_commit_leaves_the_last_good_one_in_force() {
    let repository = Repository::new();
    let store = memory();
    repository.write("spring.toml", file("running"));
    let good = repository.commit("good");
    let daemon = Daemon::start(&repository, store.clone());
    daemon.look(false).await;

    repository.write("spring.toml", file("runing"));
    repository.write("latin.toml", b"name = \"Gr\xfc\xdfe\"");
    let bad = repository.commit("bad");
    let status = daemon.look(false).await;
    let (reason, message) = stalled(&status);
    assert_eq!(reason, "ValidationFailed");
    assert_eq!(message, format!("2 problems in 2 files; commit {} stays in force", good.short()));
    assert_eq!(status.problems, [problem("latin.toml", "not UTF-8"), problem("spring.toml", "no such state")]);
    assert_eq!((status.last_attempted_revision.clone(), status.last_applied_revision.clone()), (at(&bad), at(&good)));
    assert_eq!((status.files, daemon.in_force()), (2, Some(good.clone())));
    assert!(daemon.counted("dialops_reconcile_errors_total{reason=\"rejected\",source=\"main\"} 1"));

    let link = repository.blob(b"spring.toml");
    repository.stage("120000", &link, "link.toml");
    repository.commit_index("worse");
    let status = daemon.look(false).await;
    assert_eq!(stalled(&status).0, "CommitRefused");
    assert_eq!((status.problems[0].file.as_str(), status.problems[0].code.as_str()), ("link.toml", "source-symlink"));

    repository.git(["rm", "--quiet", "--cached", "link.toml", "latin.toml"]);
    std::fs::remove_file(repository.path().join("latin.toml")).unwrap();
    repository.write("spring.toml", file("panic"));
    repository.commit("the check crashes");
    assert_eq!(stalled(&daemon.look(false).await).0, "CheckFailed");

    repository.write("spring.toml", file("paused"));
    let mended = repository.commit("mended");
    let status = daemon.look(false).await;
    assert!(ready(&status) && status.problems.is_empty() && condition(&status, "Stalled").is_none());
    assert_eq!(daemon.in_force(), Some(mended.clone()));

    repository.write("spring.toml", file("bad again"));
    repository.commit("bad again");
    assert!(!ready(&daemon.look(false).await));
    repository.git(["reset", "--quiet", "--hard", mended.as_str()]);
    assert!(ready(&daemon.look(false).await), "the branch is back at the commit in force");
}

#[tokio::test]
async fn a_poll_without_news_does_nothing() {
    let repository = Repository::new();
    repository.write("spring.toml", file("bad"));
    repository.commit("bad");
    let mut daemon = Daemon::start(&repository, memory());
    daemon.look(false).await;
    daemon.status.mark_unchanged();
    daemon.wake.wake(Trigger::Poll);
    assert!(timeout(Duration::from_millis(300), daemon.status.changed()).await.is_err());
    assert!(daemon.counted("dialops_source_fetches_total{result=\"noop\",source=\"main\"} 1"));
    assert!(daemon.counted("dialops_reconcile_total{result=\"error\",source=\"main\"} 1"), "it was not checked again");
    daemon.look(false).await;
    assert!(daemon.counted("dialops_reconcile_total{result=\"error\",source=\"main\"} 2"), "a person asked again");
}

#[tokio::test]
async fn a_start_on_a_bad_commit_brings_the_last_good_one_back() {
    let repository = Repository::new();
    let store = memory();
    repository.write("spring.toml", file("running"));
    let good = repository.commit("good");
    let daemon = Daemon::start(&repository, store.clone());
    let since = daemon.look(false).await.applied_at;
    daemon.stop().await;

    let store = store.next_life();
    let daemon = Daemon::start(&repository, store.clone());
    let status = daemon.look(false).await;
    assert_eq!((daemon.in_force(), &status.applied_at), (Some(good.clone()), &since));
    assert!(daemon.counted("dialops_commit_to_applied_seconds_count{source=\"main\",trigger=\"manual\"} 0"));
    daemon.stop().await;

    repository.write("spring.toml", file("bad"));
    let bad = repository.commit("bad");
    let daemon = Daemon::start(&repository, store.next_life());
    let status = daemon.look(false).await;
    assert_eq!(daemon.in_force(), Some(good.clone()));
    assert_eq!(stalled(&status).0, "ValidationFailed");
    assert_eq!((status.last_attempted_revision, status.last_applied_revision), (at(&bad), at(&good)));
    assert_eq!(status.applied_at, since);
    daemon.stop().await;

    repository.git(["branch", "--move", "main", "trunk"]);
    let daemon = Daemon::start(&repository, store.next_life());
    let status = daemon.look(false).await;
    assert_eq!(stalled(&status).0, "BranchMissing");
    assert_eq!(daemon.in_force(), Some(good), "also when the branch is gone");
}

#[tokio::test]
async fn rewritten_history_is_held_until_it_is_allowed() {
    let repository = Repository::new();
    let store = memory();
    repository.write("spring.toml", file("running"));
    let applied = repository.commit("good");
    let daemon = Daemon::start(&repository, store.clone());
    daemon.look(false).await;

    repository.write("spring.toml", file("paused"));
    repository.git(["add", "."]);
    repository.git(["commit", "--quiet", "--amend", "--message", "rewritten"]);
    repository.git(["reflog", "expire", "--expire=now", "--all"]);
    repository.git(["gc", "--quiet", "--prune=now"]);
    let rewritten = repository.head();
    let status = daemon.look(false).await;
    let (reason, message) = stalled(&status);
    assert_eq!(reason, "HistoryRewritten");
    assert!(message.contains("--allow-rewrite"), "{message}");
    assert_eq!((status.observed_revision.clone(), daemon.in_force()), (at(&rewritten), Some(applied.clone())));
    daemon.stop().await;

    let store = store.next_life();
    let daemon = Daemon::start(&repository, store.clone());
    let status = daemon.look(false).await;
    assert_eq!(stalled(&status).0, "HistoryRewritten");
    assert_eq!(daemon.in_force(), Some(applied), "pinned, so it outlived gc and the restart");

    assert!(ready(&daemon.look(true).await));
    assert_eq!(daemon.in_force(), Some(rewritten));
    assert_eq!(states(&*store).await, [("spring".to_owned(), "paused", false)]);
}

/// The store once refused a commit it had seen before, so a rewind could never be released.
#[tokio::test]
async fn a_rewind_is_held_and_can_be_released() {
    let repository = Repository::new();
    repository.write("spring.toml", file("running"));
    let first = repository.commit("first");
    let daemon = Daemon::start(&repository, memory());
    daemon.look(false).await;
    repository.write("spring.toml", file("paused"));
    let second = repository.commit("second");
    assert!(ready(&daemon.look(false).await));
    repository.git(["reset", "--quiet", "--hard", first.as_str()]);
    assert_eq!(stalled(&daemon.look(false).await).0, "HistoryRewritten");
    assert_eq!(daemon.in_force(), Some(second));
    assert!(ready(&daemon.look(true).await));
    assert_eq!(daemon.in_force(), Some(first));
}

#[tokio::test]
async fn a_repository_without_commits_is_waited_for() {
    let repository = Repository::new();
    let daemon = Daemon::start(&repository, memory());
    let status = daemon.look(false).await;
    let (reason, message) = stalled(&status);
    assert_eq!(reason, "BranchMissing");
    assert!(message.ends_with("commit something first; no commit is in force"), "{message}");
    assert!(daemon.counted("dialops_source_fetches_total{result=\"error\",source=\"main\"} 1"));
    repository.write("spring.toml", file("running"));
    let first = repository.commit("first");
    assert!(ready(&daemon.look(false).await));
    assert_eq!(daemon.in_force(), Some(first));
}

#[tokio::test]
async fn a_failing_store_is_tried_again_and_one_taken_over_ends_the_loop() {
    let repository = Repository::new();
    repository.write("spring.toml", file("running"));
    let first = repository.commit("first");
    let memory = memory();
    let store = Arc::new(Flaky::new(memory.clone()));
    store.failing.store(true, Ordering::Release);
    let mut daemon = Daemon::start(&repository, store.clone());
    let status = daemon.look(false).await;
    let (ready_is, reason, message) = condition(&status, "Ready").unwrap();
    assert_eq!((ready_is, reason), ("False", "StoreFailed"));
    assert_eq!(message, "the database failed while applying: disk I/O error; no commit is in force");
    assert_eq!(condition(&status, "Stalled"), None, "nobody has to do anything");
    assert_eq!(daemon.in_force(), None);

    store.failing.store(false, Ordering::Release);
    timeout(PATIENCE, daemon.status.wait_for(|status| status.sources.first().is_some_and(ready)))
        .await
        .expect("tried again by itself")
        .unwrap();
    assert_eq!(daemon.in_force(), Some(first.clone()));
    daemon.look(false).await;
    let handled = memory.handled_commits(9).await.unwrap();
    let told: Vec<_> = handled.iter().map(|commit| (commit.result, commit.changed, commit.reason.as_deref())).collect();
    assert_eq!(told, [(CommitResult::InForce, 1, None), (CommitResult::Failed, 0, Some("StoreFailed"))]);

    // The last good commit is brought back with the same patience.
    repository.write("spring.toml", file("bad"));
    repository.commit("bad");
    store.failing.store(true, Ordering::Release);
    daemon.stop().await;
    let mut daemon = Daemon::start(&repository, store.clone());
    let status = daemon.look(false).await;
    assert_eq!(stalled(&status).0, "ValidationFailed");
    assert!(
        stalled(&status).1.ends_with("can't be put in force again: the database failed while applying: disk I/O error")
    );
    assert_eq!(daemon.in_force(), None);
    store.failing.store(false, Ordering::Release);
    let restored = daemon.generation.wait_for(Option::is_some);
    timeout(PATIENCE, restored).await.expect("tried again by itself").unwrap();
    assert_eq!(daemon.in_force(), Some(first));

    let _other = memory.next_life();
    repository.write("spring.toml", file("running"));
    repository.commit("second");
    daemon.wake.wake(Trigger::Poll);
    let ended = timeout(PATIENCE, daemon.task).await.unwrap().unwrap();
    assert!(matches!(ended, Err(StoreError::Fenced(_))), "{ended:?}");
}

#[tokio::test]
async fn a_commit_that_changes_very_many_campaigns_fills_no_journal() {
    let repository = Repository::new();
    for serial in 0..502 {
        repository.write(format!("{serial}.toml"), file("running").replace("spring", &format!("c{serial}")));
    }
    repository.commit("many");
    let store = memory();
    let daemon = Daemon::start(&repository, store.clone());
    daemon.look(true).await;
    let events = store.events(None, None, 1_000).await.unwrap();
    let of_kind = |kind| events.iter().map(|(_, event)| event).filter(move |event| event.kind == kind);
    let changed: Vec<&Event> = of_kind(EventKind::CampaignChanged).collect();
    assert_eq!((changed.len(), changed[500].message.as_str()), (501, "and 2 more campaigns"));
    assert_eq!((changed[0].before.as_deref(), changed[0].after.as_deref()), (None, Some("running")));
    assert_eq!(store.handled_commits(9).await.unwrap()[0].changed, 502);
    let asked: Vec<&Event> = of_kind(EventKind::ReconcileAsked).collect();
    assert_eq!(asked[0].message, "uid 7 asked for a look at the branch, and allowed rewritten history");
    daemon.stop().await;
}

#[tokio::test]
async fn a_commit_is_in_force_within_a_second_by_watch_alone() {
    let repository = Repository::new();
    repository.write("spring.toml", file("running"));
    repository.commit("first");
    let mut daemon = Daemon::start(&repository, memory());
    let source = repository.source("main", "");
    let watched = git_watch::run(source, Arc::clone(&daemon.wake), daemon.shutdown.clone());
    tokio::spawn(watched);
    timeout(PATIENCE, daemon.status.wait_for(|status| status.sources.first().is_some_and(ready)))
        .await
        .unwrap()
        .unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    for n in 0..5 {
        repository.write("spring.toml", file("running") + &format!("# {n}\n"));
        let head = repository.commit("next");
        let applied = daemon.generation.wait_for(|g| g.as_ref().is_some_and(|g| g.revision == head));
        timeout(Duration::from_secs(1), applied).await.expect("within a second").unwrap();
    }
    daemon.look(false).await;
    assert!(daemon.counted("dialops_commit_to_applied_seconds_count{source=\"main\",trigger=\"watch\"} 5"));
}

#[tokio::test]
async fn the_example_is_checked_as_the_command_does() {
    let repository = Repository::new();
    let example = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("campaigns");
    repository.git([std::ffi::OsStr::new("--work-tree"), example.as_os_str(), "add".as_ref(), ".".as_ref()]);
    // The work tree of the example is its folder of campaigns: here that is the root.
    let revision = repository.commit_index("the example");
    let files = repository.source("main", "").read(&revision).await.unwrap();
    let check = reconcile::check(Arc::new(Loader::new(outer_ceilings())));
    let definitions = check(&files, &[]).unwrap().definitions;
    assert!(definitions.campaigns.contains_key(&CampaignId::parse("spring-offer").unwrap()));

    repository.git(["checkout", "--quiet", "--force", "main"]);
    std::fs::create_dir(repository.path().join("campaigns")).unwrap();
    for path in ["shared", "templates", "spring-offer.toml", "service-survey.toml", "workshop-survey.toml"] {
        std::fs::rename(repository.path().join(path), repository.path().join("campaigns").join(path)).unwrap();
    }
    let moved = repository.commit("in a folder of their own");
    let source = repository.source("main", "campaigns");
    assert_eq!(check(&source.read(&moved).await.unwrap(), &[]).unwrap().definitions, definitions);

    let path = "campaigns/spring-offer.toml";
    let text = std::fs::read_to_string(repository.path().join(path)).unwrap();
    repository.write(path, text.replace("state = \"running\"", "state = \"runing\""));
    let bad = repository.commit("a typing error");
    let problems = check(&source.read(&bad).await.unwrap(), &[]).unwrap_err().problems;
    assert_eq!((problems.len(), problems[0].file.as_str()), (1, path));
    assert!(problems[0].line > 1 && problems[0].suggestion.as_deref().unwrap().contains("running"));
}

#[tokio::test]
async fn what_was_planned_against_another_commit_is_refused_and_planned_anew() {
    let repository = Repository::new();
    repository.write("spring.toml", file("running"));
    repository.commit("first");
    let memory = memory();
    let store = Arc::new(Flaky::new(memory.clone()));
    let mut daemon = Daemon::start(&repository, store.clone());
    daemon.look(false).await;
    let first = daemon.generation.borrow().clone().unwrap();
    repository.write("summer.toml", "id = \"summer\"\nname = \"Summer\"\nstate = \"paused\"\n");
    let second = repository.commit("second");
    repository.write("spring.toml", file("paused"));
    let third = repository.commit("third");

    // Somebody else puts the second in force in the very moment in which the third was planned.
    let other = Generation { revision: second.clone(), ..(*first).clone() };
    *store.intervenes.lock().unwrap() = Some(Arc::new(other));
    let status = daemon.look(false).await;
    let (ready, reason, message) = condition(&status, "Ready").unwrap();
    assert_eq!((ready, reason), ("False", "StoreFailed"));
    let told =
        format!("the store has commit {} in force, and what was to be applied was planned while", second.short());
    assert!(message.starts_with(&told), "{message}");
    let in_force = |memory: &Arc<MemoryStore>| {
        let memory = Arc::clone(memory);
        async move { memory.applied().await.unwrap().unwrap().0 }
    };
    assert_eq!(in_force(&memory).await, second, "nothing of the third is there");
    timeout(PATIENCE, daemon.status.wait_for(|status| self::ready(&status.sources[0])))
        .await
        .expect("planned anew by itself")
        .unwrap();
    assert_eq!((in_force(&memory).await, daemon.in_force()), (third.clone(), Some(third)));
}
