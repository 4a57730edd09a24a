//! Two configurations compared: which campaigns and shared settings a change touches, and how.
//!
//! What is the same on both sides is never looked into: files are compared as bytes, campaigns as
//! definitions. Only what differs is read again, key by key.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    diagnostic::{Source, Span},
    difference::{Difference, Settled, differences},
    effective::{self, Setting},
    layout::{self, FileKind},
    load::{SourceFile, full_path},
};
use crate::domain::{
    campaign::{Campaign, Definitions, DesiredState},
    ids::{AgentId, CampaignId},
    plan::{Verb, meaning::meaning, verb},
};

/// One side of a comparison: files that were read without an error.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// Where the folder of campaigns stands, for places: `campaigns`.
    pub folder: &'a str,
    /// All its files.
    pub files: &'a [SourceFile<'a>],
    /// What they define; `None` for a side that has no configuration at all.
    pub definitions: Option<&'a Definitions>,
}

/// What is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Comparison {
    /// Campaigns by step and id: what stops calls first.
    pub campaigns: Vec<ChangedCampaign>,
    /// What stands in `shared/`, by file, in its order.
    pub shared: Vec<SharedChange>,
    /// Campaigns that are the same.
    pub unchanged: usize,
}

impl Comparison {
    /// Whether both sides mean the same.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.campaigns.is_empty() && self.shared.is_empty()
    }
}

/// A campaign that is not the same.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangedCampaign {
    /// Identity.
    pub id: CampaignId,
    /// Shown to people; the newer name.
    pub name: String,
    /// What happens to it.
    pub verb: Verb,
    /// The state asked for afterwards; `None` once retired.
    pub state: Option<DesiredState>,
    /// Its file, on the older side if it is gone.
    pub file: Option<Arc<str>>,
    /// Its settings, key by key; none for one that comes or goes.
    pub differences: Vec<Difference>,
}

/// A shared setting, or a table of a shared list, that is not the same.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedChange {
    /// The file.
    pub file: Arc<str>,
    /// The table in it: `agents[a1]`; `None` for the file itself.
    pub entry: Option<String>,
    /// Settings, key by key.
    pub differences: Vec<Difference>,
    /// Running campaigns of the newer side that it touches.
    pub touches: Vec<CampaignId>,
}

/// Compares two configurations. `retired` are campaigns that were there once: they return.
#[must_use]
pub fn compare(from: &Side<'_>, to: &Side<'_>, retired: &[CampaignId]) -> Comparison {
    let pairs = Pairs::new(from, to);
    let (before, after) = (campaigns(from), campaigns(to));
    let mut found = Comparison::default();
    let (mut was, mut is) = (pairs.campaigns(&pairs.from), pairs.campaigns(&pairs.to));
    for (id, campaign) in after {
        let known = before.get(id);
        match step(known, campaign, retired.contains(id)) {
            Some(verb) => {
                let (was, is) = (was.remove(id), is.remove(id));
                found.campaigns.push(changed(verb, known, campaign, was, is, &pairs));
            }
            None => found.unchanged += 1,
        }
    }
    for (id, campaign) in before.iter().filter(|(id, _)| !after.contains_key(*id)) {
        found.campaigns.push(ChangedCampaign {
            id: id.clone(),
            name: campaign.name.clone(),
            verb: Verb::Retire,
            state: None,
            file: was.remove(id).map(|file| pairs.from.path(file.path)),
            differences: Vec::new(),
        });
    }
    found.campaigns.sort_by(|a, b| a.verb.cmp(&b.verb).then_with(|| a.id.cmp(&b.id)));
    found.shared = pairs.shared();
    found
}

fn campaigns<'a>(side: &Side<'a>) -> &'a BTreeMap<CampaignId, Campaign> {
    static NONE: BTreeMap<CampaignId, Campaign> = BTreeMap::new();
    side.definitions.map_or(&NONE, |definitions| &definitions.campaigns)
}

fn step(before: Option<&Campaign>, after: &Campaign, retired: bool) -> Option<Verb> {
    let amended =
        before.is_some_and(|before| before != after && Campaign { desired: after.desired, ..before.clone() } != *after);
    let state = match before {
        Some(before) => Some(Some(before.desired)),
        None => retired.then_some(None),
    };
    verb(state, after.desired, amended)
}

/// A campaign's file and what it settles.
struct CampaignFile<'a> {
    path: &'a str,
    text: &'a str,
    settings: Vec<Setting>,
}

fn changed(
    verb: Verb,
    before: Option<&Campaign>,
    after: &Campaign,
    was: Option<CampaignFile<'_>>,
    is: Option<CampaignFile<'_>>,
    pairs: &Pairs<'_>,
) -> ChangedCampaign {
    let file = is.as_ref().map(|file| pairs.to.path(file.path));
    let differences = match (before, was, is) {
        (Some(before), Some(was), Some(is)) => {
            let mut found = pairs.differences((was.path, was.text, was.settings), (is.path, is.text, is.settings));
            for difference in &mut found {
                difference.meaning = meaning(&difference.key, before, after);
            }
            found
        }
        _ => Vec::new(),
    };
    let (id, name, state) = (after.id.clone(), after.name.clone(), Some(after.desired));
    ChangedCampaign { id, name, verb, state, file, differences }
}

/// The files that are not the same on both sides.
struct Pairs<'a> {
    from: Differing<'a>,
    to: Differing<'a>,
    running: Option<&'a Definitions>,
    were: Option<&'a Definitions>,
}

/// One side's files that the other does not have, or not like this.
struct Differing<'a> {
    folder: &'a str,
    files: BTreeMap<&'a str, &'a [u8]>,
}

impl Differing<'_> {
    fn path(&self, inside: &str) -> Arc<str> {
        full_path(self.folder, inside)
    }

    fn source<'t>(&self, path: &str, text: &'t str) -> Source<'t> {
        Source::new(self.path(path), text)
    }
}

impl<'a> Pairs<'a> {
    fn new(from: &Side<'a>, to: &Side<'a>) -> Self {
        let by_path = |side: &Side<'a>| side.files.iter().map(|f| (f.path, f.bytes)).collect::<BTreeMap<_, _>>();
        let (mut was, mut is) = (by_path(from), by_path(to));
        is.retain(|path, bytes| {
            let same = was.get(path) == Some(bytes);
            if same {
                was.remove(path);
            }
            !same
        });
        Self {
            from: Differing { folder: from.folder, files: was },
            to: Differing { folder: to.folder, files: is },
            running: to.definitions,
            were: from.definitions,
        }
    }

    /// The campaigns that a side's differing files define.
    fn campaigns(&self, side: &Differing<'a>) -> BTreeMap<CampaignId, CampaignFile<'a>> {
        let campaign = |(path, bytes): (&&'a str, &&'a [u8])| {
            let text = std::str::from_utf8(bytes).ok().filter(|_| layout::kind(path) == Some(FileKind::Campaign))?;
            let settings = effective::settings(FileKind::Campaign, text);
            let id = CampaignId::parse(&effective::id_of(&settings)?).ok()?;
            Some((id, CampaignFile { path, text, settings }))
        };
        side.files.iter().filter_map(campaign).collect()
    }

    fn differences(&self, from: (&str, &str, Vec<Setting>), to: (&str, &str, Vec<Setting>)) -> Vec<Difference> {
        let (was, is) = (self.from.source(from.0, from.1), self.to.source(to.0, to.1));
        let from = Settled { settings: from.2, locate: &|span: Span| was.locate(span) };
        let to = Settled { settings: to.2, locate: &|span: Span| is.locate(span) };
        differences(&from, &to)
    }

    /// What is not the same in `shared/`, by file and table.
    fn shared(&self) -> Vec<SharedChange> {
        let paths: BTreeSet<&str> = self.from.files.keys().chain(self.to.files.keys()).copied().collect();
        let kinds = paths.into_iter().filter_map(|path| Some((path, layout::kind(path)?)));
        kinds
            .filter(|(_, kind)| *kind != FileKind::Campaign)
            .flat_map(|(path, kind)| self.shared_file(path, kind))
            .collect()
    }

    fn shared_file(&self, path: &str, kind: FileKind) -> Vec<SharedChange> {
        // A file that is not there settles nothing, not even its defaults.
        let side = |side: &Differing<'a>| {
            let text = side.files.get(path).and_then(|bytes| std::str::from_utf8(bytes).ok());
            text.map_or_else(|| (path, "", Vec::new()), |text| (path, text, effective::settings(kind, text)))
        };
        let mut changes: Vec<SharedChange> = Vec::new();
        let mut known: BTreeMap<Option<String>, usize> = BTreeMap::new();
        for difference in self.differences(side(&self.from), side(&self.to)) {
            let entry = difference.key.find(']').map(|end| difference.key[..=end].to_owned());
            let index = *known.entry(entry.clone()).or_insert_with(|| {
                let (file, touches) = (self.to.path(path), self.touched(kind, entry.as_deref()));
                changes.push(SharedChange { file, entry, differences: Vec::new(), touches });
                changes.len() - 1
            });
            changes[index].differences.push(difference);
        }
        changes
    }

    /// The running campaigns that a table of a shared file has to do with.
    fn touched(&self, kind: FileKind, entry: Option<&str>) -> Vec<CampaignId> {
        let Some(now) = self.running else { return Vec::new() };
        let id = entry.and_then(|entry| entry.strip_suffix(']')?.split_once('[')).map(|(_, id)| id);
        let serves = |campaign: &Campaign| {
            [self.were, self.running].into_iter().flatten().any(|definitions| {
                let agent = id.and_then(|id| definitions.agents.get(&AgentId::parse(id).ok()?));
                agent.is_some_and(|agent| agent.queues.contains(&campaign.skill_queue))
            })
        };
        let touches = |campaign: &Campaign| match kind {
            FileKind::Tenant => true,
            FileKind::Queues => Some(campaign.skill_queue.as_str()) == id,
            FileKind::Agents => serves(campaign),
            FileKind::Campaign => false,
        };
        let running = now.campaigns.values().filter(|campaign| campaign.desired == DesiredState::Running);
        running.filter(|campaign| touches(campaign)).map(|campaign| campaign.id.clone()).collect()
    }
}
