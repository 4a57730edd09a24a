//! Random histories: whatever is committed and wherever the daemon dies, the last good commit is in force, exactly.
//!
//! A history is a line of commits, some of which are bad, some of which bring an earlier state back. The branch goes
//! along it by one to three commits, or back; the daemon looks, or dies between any two steps of its look. What must
//! be in force follows from the commits alone, by the few rules in [`InForce::after_look`]. Half of them are of two
//! sources, of which each goes its own way: the second has campaigns only and needs what the first has in `shared/`.
//!
//! `HISTORIES=1000` sets how many there are, `DIALOPS_SEED` runs one again.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use dialops::{
    clock::Clock,
    config::{
        Loader,
        settings::{SourceSettings, outer_ceilings},
    },
    domain::{
        campaign::{DesiredState, DialPermission, Generation},
        dice::Dice,
        guards::{BadFiles, Guards},
        ids::{CampaignId, Revision, SourceId},
    },
    gitops::Source,
    reconcile,
    store::{CommitResult, GateSettings, Opener, Store, StoreError, sqlite::SqliteStore},
};

use crate::{
    definitions::{AGENTS, QUEUES, TENANT},
    flaky::Flaky,
    reconcile::Daemon,
    repository::Repository,
};

/// Histories of one run of the tests; `tests/nightly` has a thousand.
const HISTORIES: u64 = 50;

/// What ids of the first source's campaigns begin with.
const FIRST: char = 'c';

const COMMITS: usize = 12;
const OPERATIONS: usize = 14;

/// More than the steps of any look at one source.
const STEPS_MAX: u64 = 40;

/// What a campaign's file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Said {
    running: bool,
    version: usize,
    fault: Option<Fault>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Syntax,
    State,
    Queue,
}

impl Said {
    fn text(&self, letter: char, file: u64) -> String {
        let state = match (self.fault, self.running) {
            (Some(Fault::State), _) => "runing",
            (_, true) => "running",
            (_, false) => "paused",
        };
        let queue = if self.fault == Some(Fault::Queue) { "nowhere" } else { "sales" };
        let end = if self.fault == Some(Fault::Syntax) { "windows = [" } else { "windows = [\"09:00-18:00\"]" };
        format!(
            "id = \"{letter}{file}\"\nname = \"{letter}{file} {}\"\nstate = \"{state}\"\nmode = \"preoccupied\"\n\
             caller_numbers = [\"+862160000001\"]\nstarts_at = 2031-01-01T00:00:00Z\nends_at = 2032-01-01T00:00:00Z\n\
             skill_queue = \"{queue}\"\n[calling_hours]\ntimezone = \"Asia/Shanghai\"\n{end}\n",
            self.version
        )
    }
}

/// What a commit has: campaigns by file, and a tenant or a broken one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Tree {
    files: BTreeMap<u64, Said>,
    tenant: bool,
}

impl Tree {
    fn is_good(&self) -> bool {
        self.tenant && self.files.values().all(|said| said.fault.is_none())
    }

    /// Another one, with up to three changes.
    fn changed(&self, dice: &mut Dice, version: usize) -> Self {
        let mut tree = self.clone();
        for _ in 0..=dice.below(2) {
            let file = dice.below(4);
            match dice.below(10) {
                0 | 1 => tree.tenant = !tree.tenant || dice.below(3) > 0,
                // The first is never gone, as an empty set is not followed.
                2 | 3 if file > 0 => drop(tree.files.remove(&file)),
                4..=6 => {
                    let fault = [Fault::Syntax, Fault::State, Fault::Queue][usize::try_from(dice.below(3)).unwrap()];
                    tree.files.insert(file, Said { running: dice.per_mille(500), version, fault: Some(fault) });
                }
                _ => drop(tree.files.insert(file, Said { running: dice.per_mille(500), version, fault: None })),
            }
        }
        if dice.per_mille(400) {
            // Somebody mends it all.
            tree.tenant = true;
            tree.files.values_mut().for_each(|said| said.fault = None);
        }
        tree
    }
}

/// Campaigns: whether each runs, and by which version of its file.
type Campaigns = BTreeMap<u64, (bool, usize)>;

/// What is in force: which commit, and what each campaign is like.
#[derive(Debug, Clone, PartialEq, Eq)]
struct InForce {
    commit: Option<usize>,
    campaigns: Campaigns,
}

impl InForce {
    /// What must be in force after a look at a commit.
    fn after_look(&self, trees: &[Tree], head: usize, policy: BadFiles) -> Self {
        let tree = &trees[head];
        let unchanged = self.clone();
        // What lies before the commit in force is history that was rewritten.
        if self.commit.is_some_and(|commit| head <= commit) {
            return unchanged;
        }
        let good = tree.files.iter().filter(|(_, said)| said.fault.is_none());
        let mut campaigns: BTreeMap<_, _> = good.map(|(file, said)| (*file, (said.running, said.version))).collect();
        if !tree.is_good() {
            if policy == BadFiles::Strict || (!tree.tenant && self.commit.is_none()) {
                return unchanged;
            }
            let bad = |file: &u64| tree.files.get(file).is_some_and(|said| said.fault.is_some());
            let a_new_one_is_bad = tree.files.keys().any(|file| bad(file) && !self.campaigns.contains_key(file));
            for (file, (ran, version)) in &self.campaigns {
                // Whom a commit means to stop does not run on, whatever else is wrong with it.
                let runs =
                    *ran && tree.files.get(file).is_some_and(|said| said.running || said.fault == Some(Fault::State));
                if bad(file) || (a_new_one_is_bad && !tree.files.contains_key(file)) {
                    campaigns.insert(*file, (runs, *version));
                }
            }
        }
        Self { commit: Some(head), campaigns }
    }
}

/// A line of commits, made by one `git fast-import`.
struct History {
    /// What ids of its campaigns begin with.
    letter: char,
    trees: Vec<Tree>,
    revisions: Vec<Revision>,
    repository: Repository,
}

impl History {
    fn new(letter: char, dice: &mut Dice) -> Self {
        let first = Said { running: true, version: 0, fault: None };
        let mut trees = vec![Tree { files: BTreeMap::from([(0, first), (1, first)]), tenant: true }];
        if dice.per_mille(200) {
            trees[0] = trees[0].changed(dice, 0);
        }
        for version in 1..COMMITS {
            // One in five brings an earlier state back.
            let from =
                if dice.per_mille(200) { usize::try_from(dice.below(version as u64)).unwrap() } else { version - 1 };
            let tree = if from + 1 < version { trees[from].clone() } else { trees[from].changed(dice, version) };
            trees.push(tree);
        }
        if letter != FIRST {
            trees.iter_mut().for_each(|tree| tree.tenant = true);
        }
        let repository = Repository::new();
        repository.git_reading(["fast-import", "--quiet", "--export-marks=marks"], stream(letter, &trees).as_bytes());
        let marks = std::fs::read_to_string(repository.path().join("marks")).unwrap();
        let mut revisions: Vec<(usize, Revision)> = marks
            .lines()
            .map(|line| {
                let (mark, id) = line.split_once(' ').unwrap();
                (mark[1..].parse().unwrap(), Revision::parse(id).unwrap())
            })
            .collect();
        revisions.sort_by_key(|(mark, _)| *mark);
        let revisions = revisions.into_iter().map(|(_, revision)| revision).collect();
        Self { letter, trees, revisions, repository }
    }

    fn move_branch(&self, commit: usize) {
        let (refs, text) = (self.repository.path().join(".git/refs/heads"), format!("{}\n", self.revisions[commit]));
        std::fs::create_dir_all(&refs).unwrap();
        std::fs::write(refs.join("next.lock"), text).unwrap();
        std::fs::rename(refs.join("next.lock"), refs.join("main")).unwrap();
    }

    fn source(&self, is_one_of_several: bool) -> Source {
        let settings = self.repository.source("main", "").settings().clone();
        Source::new(SourceSettings { id: self.id(), is_one_of_several, ..settings }, None)
    }

    fn id(&self) -> SourceId {
        if self.letter == FIRST { SourceId::main() } else { SourceId::parse("sales").unwrap() }
    }

    /// Its campaigns among all.
    fn own<'a>(&self, all: impl Iterator<Item = (&'a CampaignId, &'a str, DesiredState)>) -> Campaigns {
        let own = all.filter(|(id, ..)| id.as_str().starts_with(self.letter));
        own.map(|(id, name, desired)| campaign(id, name, desired)).collect()
    }

    fn index(&self, revision: &Revision) -> usize {
        self.revisions.iter().position(|known| known == revision).unwrap()
    }
}

fn stream(letter: char, trees: &[Tree]) -> String {
    let mut text = String::new();
    let file = |text: &mut String, path: &str, bytes: &str| {
        write!(text, "M 100644 inline {path}\ndata {}\n{bytes}\n", bytes.len()).unwrap();
    };
    for (number, tree) in trees.iter().enumerate() {
        let message = format!("commit {number}");
        write!(
            text,
            "commit refs/heads/all\nmark :{}\ncommitter A <a@example.org> {} +0000\ndata {}\n{message}\ndeleteall\n",
            number + 1,
            1_900_000_000 + number,
            message.len()
        )
        .unwrap();
        if letter == FIRST {
            file(&mut text, "shared/tenant.toml", if tree.tenant { TENANT } else { "id = 7\n" });
            file(&mut text, "shared/queues.toml", QUEUES);
            file(&mut text, "shared/agents.toml", AGENTS);
        }
        for (name, said) in &tree.files {
            file(&mut text, &format!("{letter}{name}.toml"), &said.text(letter, *name));
        }
    }
    text
}

/// A daemon's loop over a real store, and its lives.
struct World {
    /// Of each source.
    histories: Vec<History>,
    policy: BadFiles,
    path: PathBuf,
    /// `None` between two lives.
    store: Option<Arc<Flaky>>,
    daemon: Option<Daemon>,
    /// What may be in force of each source: one thing, or after a death two.
    allowed: Vec<Vec<InForce>>,
}

async fn open(path: &Path) -> Arc<SqliteStore> {
    let opener = || Opener {
        daemon_version: "0".to_owned(),
        tzdb_version: "0".to_owned(),
        settings_digest: String::new(),
        pid: 1,
        host: "here".to_owned(),
    };
    let settings = || GateSettings { permission: DialPermission::None, caps: BTreeMap::new() };
    for _ in 0..5_000 {
        match SqliteStore::open(path, opener(), settings(), Clock::system()).await {
            Ok(store) => return store,
            // The life before gives it up when its last task is gone.
            Err(StoreError::Held { .. }) => tokio::time::sleep(Duration::from_millis(1)).await,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the life before holds the store for good")
}

impl World {
    async fn new(histories: Vec<History>, policy: BadFiles, folder: &Path) -> Self {
        let path = folder.join("dialops.db");
        let store = Some(Arc::new(Flaky::new(open(&path).await)));
        let nothing = InForce { commit: None, campaigns: BTreeMap::new() };
        let allowed = vec![vec![nothing]; histories.len()];
        let mut world = Self { histories, policy, path, store, daemon: None, allowed };
        world.start();
        world
    }

    fn store(&self) -> &Arc<Flaky> {
        self.store.as_ref().unwrap()
    }

    fn start(&mut self) {
        let load = reconcile::check(Arc::new(Loader::new(outer_ceilings())));
        let guards = Guards {
            grace: Duration::ZERO,
            removals: 100,
            removals_percent: 100,
            bad_files: self.policy,
            ..Guards::default()
        };
        let sources = self.histories.iter().map(|history| history.source(self.histories.len() > 1)).collect();
        self.daemon = Some(Daemon::start_with(sources, self.store().clone(), load, guards));
    }

    /// What may be in force after a look at these commits.
    fn after_look(&self, heads: &[usize]) -> Vec<Vec<InForce>> {
        let mut after: Vec<Vec<InForce>> = Vec::new();
        for ((history, allowed), head) in self.histories.iter().zip(&self.allowed).zip(heads) {
            // Without what the first has the others can't be.
            let alone = after.first().is_some_and(|first| first.iter().all(|one| one.commit.is_none()));
            let one = |one: &InForce| match alone {
                true => one.clone(),
                false => one.after_look(&history.trees, *head, self.policy),
            };
            after.push(allowed.iter().map(one).collect());
        }
        after
    }

    /// A look at a commit of each source that may end in the daemon's death; whether it did.
    async fn look(&mut self, heads: &[usize], steps: Option<u64>) -> bool {
        self.histories.iter().zip(heads).for_each(|(history, head)| history.move_branch(*head));
        let store = Arc::clone(self.store());
        let steps_left = steps.map_or(-1, |steps| i64::try_from(steps).unwrap());
        self.store().steps_left.store(steps_left, Ordering::Release);
        let daemon = self.daemon.as_ref().unwrap();
        let after = self.after_look(heads);
        let looks = async {
            // The first look may find one source before that which it needs; the second finds it there.
            for _ in &self.histories {
                daemon.look(false).await;
            }
        };
        tokio::select! {
            biased;
            () = store.stopped.notified() => {
                self.allowed.iter_mut().zip(after).for_each(|(allowed, after)| allowed.extend(after));
                drop(store);
                self.die().await;
                true
            }
            () = looks => {
                self.store().steps_left.store(-1, Ordering::Release);
                self.allowed = after;
                let generation = daemon.generation();
                self.check(generation).await;
                false
            }
        }
    }

    async fn die(&mut self) {
        self.daemon.take().unwrap().abort().await;
        self.store = None;
        self.store = Some(Arc::new(Flaky::new(open(&self.path).await)));
        self.check(None).await;
        self.start();
    }

    /// What the store has in force of each source, and what was published of it, must be one of what may be.
    async fn check(&mut self, generation: Option<Arc<Generation>>) {
        let applied = self.store().applied_commits().await.unwrap();
        let rows = self.store().campaigns().await.unwrap();
        for (history, allowed) in self.histories.iter().zip(&mut self.allowed) {
            let commit = applied.get(&history.id()).map(|(revision, _)| history.index(revision));
            let rows = rows.iter().filter(|row| !row.retired && row.removed_at.is_none());
            let campaigns = history.own(rows.map(|row| (&row.id, row.name.as_str(), row.desired)));
            let in_force = InForce { commit, campaigns };
            assert!(allowed.contains(&in_force), "{in_force:?} is in force, allowed were {allowed:?}");
            if let Some(generation) = &generation {
                let defined = generation.definitions.campaigns.values();
                let campaigns = history.own(defined.map(|one| (&one.id, one.name.as_str(), one.desired)));
                let commit = generation.sources.commits.get(&history.id()).map(|revision| history.index(revision));
                let published = InForce { commit, campaigns };
                assert_eq!(published, in_force, "what dialling goes by is what the store has");
            }
            *allowed = vec![in_force];
        }
        for id in generation.iter().flat_map(|generation| generation.definitions.campaigns.keys()) {
            let generation = generation.as_ref().unwrap();
            let history = self.histories.iter().find(|history| id.as_str().starts_with(history.letter)).unwrap();
            assert_eq!(generation.source_of(id), Some(&history.id()));
            // It is one of its own source's, or this panics.
            history.index(generation.revision_of(id));
        }
    }

    async fn check_journal(&self) {
        for commit in self.store().handled_commits(1000).await.unwrap() {
            let history = self.histories.iter().find(|history| history.id() == commit.source).unwrap();
            let good = history.trees[history.index(&commit.revision)].is_good();
            match commit.result {
                CommitResult::InForce => assert!(good, "{commit:?}"),
                CommitResult::InPart => assert!(!good && self.policy == BadFiles::Isolate, "{commit:?}"),
                // Good ones, too, when history is rewritten.
                CommitResult::Refused => {}
                CommitResult::Failed | CommitResult::Waits => panic!("{commit:?}"),
            }
        }
    }
}

fn campaign(id: &CampaignId, name: &str, desired: DesiredState) -> (u64, (bool, usize)) {
    let version = name.split_once(' ').unwrap().1.parse().unwrap();
    (id.as_str()[1..].parse().unwrap(), (desired == DesiredState::Running, version))
}

/// Runs one; how often the daemon died.
async fn run(seed: u64) -> usize {
    let mut dice = Dice::new(seed);
    let policy = if dice.per_mille(500) { BadFiles::Strict } else { BadFiles::Isolate };
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let letters = if seed.is_multiple_of(2) { &[FIRST][..] } else { &[FIRST, 'd'] };
    let histories: Vec<History> = letters.iter().map(|letter| History::new(*letter, &mut dice)).collect();
    let steps_max = STEPS_MAX * histories.len() as u64;
    let mut heads = vec![0_usize; histories.len()];
    let mut world = World::new(histories, policy, folder.path()).await;
    let mut deaths = 0;
    for _ in 0..OPERATIONS {
        for head in &mut heads {
            let by = usize::try_from(dice.below(3)).unwrap();
            *head = if dice.per_mille(150) { head.saturating_sub(by) } else { (*head + by).min(COMMITS - 1) };
        }
        let steps = dice.per_mille(400).then(|| dice.below(steps_max));
        deaths += usize::from(world.look(&heads, steps).await);
    }
    // Without a death, all that could be is in force.
    heads.fill(COMMITS - 1);
    world.look(&heads, None).await;
    world.check_journal().await;
    deaths
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a seed and a count come from the environment")]
fn the_last_good_commit_is_in_force_exactly() {
    let set = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = match set("DIALOPS_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..set("HISTORIES").unwrap_or(HISTORIES),
    };
    let many = seeds.end - seeds.start >= HISTORIES;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut deaths = 0;
    for seed in seeds {
        let died = runtime.block_on(async { tokio::spawn(run(seed)).await });
        deaths += died.unwrap_or_else(|_| panic!("seed {seed}: DIALOPS_SEED={seed} runs it again"));
    }
    assert!(!many || deaths > 20, "it died {deaths} times: the histories say little of that");
}
