//! A hundred campaigns in a repository, a store in a file, and contacts in a file of CSV.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use dialops::{
    clock::Clock,
    config::{LoadedFile, Loader, settings::outer_ceilings},
    contacts::{ImportCounts, ImportEvent, ImportFormat, ImportRules, import},
    domain::{
        campaign::{Definitions, DialPermission, Generation},
        gate::Caps,
        ids::{BatchId, CampaignId, Revision, TrunkId},
    },
    store::{Against, CampaignChange, GateSettings, Opener, Store, sqlite::SqliteStore},
};

/// Campaigns; the first has nearly all contacts.
pub(crate) const CAMPAIGNS: u64 = 100;

/// What the large campaign's file says.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Definition {
    Plain,
    Filtered,
    Sorted,
    Zoned,
}

impl Definition {
    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Plain => "no filter, no sort",
            Self::Filtered => "a filter that keeps 1 %",
            Self::Sorted => "no filter, a sort by two attributes",
            Self::Zoned => "contacts' own zones, the first 1 % asleep",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Plain => PLAIN,
            Self::Filtered => {
                "[calling]\norder = \"sequence\"\n\
                 filter = { attribute = \"model\", op = \"eq\", value = \"m7\" }\n"
            }
            Self::Sorted | Self::Zoned => {
                "[calling]\norder = \"sequence\"\nsort = [{ attribute = \"score\", direction = \"desc\", \
                 as = \"number\" }, { attribute = \"lease_end\", direction = \"asc\", as = \"date\" }]\n"
            }
        }
    }

    fn hours(self) -> &'static str {
        match self {
            Self::Zoned => "timezone = \"contact\"\nfallback_timezone = \"Asia/Shanghai\"",
            Self::Plain | Self::Filtered | Self::Sorted => "timezone = \"Asia/Shanghai\"",
        }
    }
}

const PLAIN: &str = "[calling]\norder = \"sequence\"\n";

const ATTRIBUTES: [(&str, &str); 5] =
    [("tier", "string"), ("model", "string"), ("score", "number"), ("lease_end", "date"), ("city", "string")];

pub(crate) struct World {
    folder: PathBuf,
    pub(crate) contacts: u64,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Clock,
    generations: AtomicU32,
}

impl World {
    pub(crate) async fn new(folder: &Path, contacts: u64) -> Self {
        // Morning in Shanghai, night in New York.
        let clock = Clock::manual("2031-03-03T02:00:00Z".parse().unwrap());
        let hand = clock.clone();
        std::thread::spawn(move || {
            let mut last = Instant::now();
            loop {
                std::thread::sleep(Duration::from_micros(500));
                let now = Instant::now();
                hand.advance(now - last);
                last = now;
            }
        });
        let opener = Opener {
            daemon_version: "bench".to_owned(),
            tzdb_version: "bench".to_owned(),
            settings_digest: String::new(),
            pid: std::process::id(),
            host: "here".to_owned(),
        };
        let caps = Caps {
            tenant_calls: 10_000,
            tenant_calls_per_second: 100_000,
            trunk_calls: 10_000,
            trunk_calls_per_second: 100_000,
        };
        let settings = GateSettings { permission: DialPermission::All, caps: BTreeMap::from([(trunk(), caps)]) };
        let store = SqliteStore::open(&folder.join("dialops.db"), opener, settings, clock.clone()).await.unwrap();
        // The revisions of a store that was there go on to be counted.
        let last = store.applied().await.unwrap().map_or(0, |(last, _)| number(&last));
        let world = Self { folder: folder.to_owned(), contacts, store, clock, generations: AtomicU32::new(last) };
        world.apply(Definition::Plain).await;
        super::evaluate(&world.store).await;
        world
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.join("dialops.db")
    }

    pub(crate) fn repository(&self) -> PathBuf {
        self.folder.join("repo")
    }

    /// Contacts of each campaign but the first.
    fn few(&self) -> u64 {
        self.contacts / 1_000
    }

    pub(crate) fn all_contacts(&self) -> u64 {
        self.contacts + (CAMPAIGNS - 1) * self.few()
    }

    /// Puts the campaigns in force, the large one as `definition` has it.
    pub(crate) async fn apply(&self, definition: Definition) {
        let folder = self.repository().join("campaigns");
        fs::create_dir_all(folder.join("shared")).unwrap();
        files(definition).for_each(|(path, text)| fs::write(folder.join(path), text).unwrap());
        let definitions = definitions(definition);
        let n = self.generations.fetch_add(1, Ordering::Relaxed) + 1;
        let changes = definitions.campaigns.keys().take(if n == 1 { usize::MAX } else { 1 });
        let changes = changes.map(|id| CampaignChange::Put { id: id.clone(), digest: format!("{n}") }).collect();
        let revision = Revision::parse(&format!("{n:040x}")).unwrap();
        let generation = Generation::whole(revision, self.clock.now().wall, definitions);
        self.store.apply(Arc::new(generation), changes, Against::Whatever).await.unwrap();
    }

    /// All contacts of the large campaign, from a file.
    pub(crate) async fn import_all(&self) {
        let file = self.folder.join("contacts.csv");
        write_contacts(&file, 0, self.contacts);
        let counts = self.import_file(&campaign_id(0), &file).await;
        assert_eq!((counts.added, counts.rejected), (self.contacts, 0));
        fs::remove_file(file).unwrap();
    }

    pub(crate) async fn import_others(&self) {
        for n in 1..CAMPAIGNS {
            let file = self.folder.join("few.csv");
            write_contacts(&file, self.contacts + n * self.few(), self.few());
            assert_eq!(self.import_file(&campaign_id(n), &file).await.added, self.few());
        }
    }

    async fn import_file(&self, campaign: &CampaignId, file: &Path) -> ImportCounts {
        let rules = ImportRules::of(&definitions(Definition::Plain), None);
        let (events, mut told) = tokio::sync::mpsc::channel(16);
        let source = tokio::fs::File::open(file).await.unwrap();
        let batch = BatchId::parse("all").unwrap();
        let import = import(self.store.as_ref(), campaign, &batch, &rules, ImportFormat::Csv, source, &events);
        let reject = async {
            while let Some(event) = told.recv().await {
                match event {
                    ImportEvent::Rejected { line, reason, .. } => panic!("line {line}: {reason}"),
                    ImportEvent::Progress(_) => {}
                    ImportEvent::Done(_) => break,
                }
            }
        };
        let (counts, ()) = tokio::join!(import, reject);
        counts.unwrap()
    }
}

/// A revision's number; one that is a commit's gets a large one.
fn number(revision: &Revision) -> u32 {
    u32::from_str_radix(&revision.as_str()[33..], 16).unwrap()
}

pub(crate) fn trunk() -> TrunkId {
    TrunkId::parse("carrier").unwrap()
}

pub(crate) fn campaign_id(n: u64) -> CampaignId {
    CampaignId::parse(&format!("campaign-{n:02}")).unwrap()
}

const TENANT: &str = "id = \"t\"\nname = \"T\"\ntimezone = \"Asia/Shanghai\"\nregion = \"CN\"\n\
                      per_number = { attempts = 7, days = 7, after_conversation_days = 1 }\n";

fn attribute(id: &str, kind: &str) -> String {
    format!("[[attributes]]\nid = \"{id}\"\nname = \"{id}\"\ntype = \"{kind}\"\n")
}

fn shared() -> Vec<(String, String)> {
    let agent = "[[agents]]\nid = \"a\"\nname = \"A\"\nsip = \"sip:a@127.0.0.1:5080\"\nqueues = [\"q\"]\n";
    let queue = "[[queues]]\nid = \"q\"\nname = \"Q\"\n";
    let attributes = ATTRIBUTES.map(|(id, kind)| attribute(id, kind)).join("");
    let files = [("tenant", TENANT), ("queues", queue), ("agents", agent), ("attributes", &attributes)];
    files.map(|(name, text)| (format!("shared/{name}.toml"), text.to_owned())).into()
}

/// All files of the repository, by their path in its folder.
fn files(definition: Definition) -> impl Iterator<Item = (String, String)> {
    shared().into_iter().chain((0..CAMPAIGNS).map(move |n| campaign(n, definition)))
}

fn definitions(definition: Definition) -> Definitions {
    let files: Vec<(String, Arc<[u8]>)> =
        files(definition).map(|(path, text)| (path, text.into_bytes().into())).collect();
    let files: Vec<_> =
        files.iter().map(|(path, bytes)| LoadedFile { folder: "campaigns", path, bytes: Arc::clone(bytes) }).collect();
    let loaded = Loader::new(outer_ceilings()).load("campaigns", &files);
    loaded.unwrap_or_else(|problems| panic!("{problems:#?}")).0
}

/// A campaign's path in its folder and its text.
fn campaign(n: u64, large: Definition) -> (String, String) {
    let definition = if n == 0 { large } else { Definition::Plain };
    let (id, hours, calling) = (campaign_id(n), definition.hours(), definition.text());
    let text = format!(
        "id = \"{id}\"\nname = \"Campaign {n}\"\nstate = \"running\"\nmode = \"preoccupied\"\n\
         caller_numbers = [\"+862880000001\"]\nstarts_at = 2026-01-01T00:00:00Z\nends_at = 2099-01-01T00:00:00Z\n\
         skill_queue = \"q\"\n[calling_hours]\n{hours}\nwindows = [\"08:00-20:00\"]\n{calling}\
         [results.global]\nmax_days = 3\nmax_attempts_per_day = 2\nretry_interval = \"30m\"\n"
    );
    (format!("{id}.toml"), text)
}

/// Contacts in no order of their ids, with three numbers and five attributes each; the first of a hundred are at
/// home in New York.
fn write_contacts(file: &Path, first: u64, count: u64) {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(file).unwrap());
    let header = "customer_id,number.mobile,number.home,number.office,attr.tier,attr.model,attr.score,attr.lease_end,\
                  attr.city,timezone";
    writeln!(out, "{header}").unwrap();
    let mut line = String::new();
    for n in first..first + count {
        line.clear();
        // An odd factor, so no two are the same.
        let mixed = n.wrapping_mul(2_654_435_761) % (1 << 32);
        let tier = ["gold", "silver", "bronze"][(mixed / 7 % 3) as usize];
        let (model, score, city) = (mixed / 64 % 100, mixed / 128 % 10_000, mixed / 256 % 50);
        let (month, day) = (mixed / 512 % 12 + 1, mixed / 1024 % 28 + 1);
        let zone = if n < count / 100 { "America/New_York" } else { "" };
        let line_number = n % 10_000_000;
        write!(line, "c{mixed:010},138{n:08},+86106{line_number:07},021 6{line_number:07},{tier},m{model},").unwrap();
        write!(line, "{}.{},", score / 10, score % 10).unwrap();
        writeln!(line, "2032-{month:02}-{day:02},city-{city},{zone}").unwrap();
        out.write_all(line.as_bytes()).unwrap();
    }
    out.flush().unwrap();
}
