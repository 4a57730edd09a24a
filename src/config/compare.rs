//! Two configurations compared: which campaigns and shared settings a change touches, and how.
//!
//! What is the same on both sides is never looked into: files are compared as bytes, campaigns as
//! definitions. Only what differs is read again, key by key.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

mod attributes;
mod touches;

use jiff::Timestamp;

use touches::SharedTable;

use super::{
    diagnostic::{Source, Span},
    difference::{Difference, Settled, differences},
    effective::{self, Setting},
    layout::{self, FileKind},
    load::{SourceFile, full_path},
    succession::{Stands, successions},
    template::Templates,
};
use crate::domain::{
    campaign::{Campaign, Definitions, DesiredState},
    ids::CampaignId,
    plan::{
        Verb,
        meaning::{holds, meaning},
        verb,
    },
    reason::Hold,
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
    /// The id whose place this one took, or for a retired campaign the one that took its place: what may still be
    /// one campaign to people is two.
    pub id_changed: Option<CampaignId>,
    /// What kept it from every call so far until its file said something else, beside `paused`.
    pub held_before: Vec<Hold>,
    /// What keeps it from every call from now on.
    pub held: Vec<Hold>,
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
    /// Campaigns of the newer side that it touches, and what state they ask for.
    pub touches: Vec<(CampaignId, DesiredState)>,
}

/// What a daemon knows of campaigns that no file says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// Campaigns that were there once: they return.
    pub retired: BTreeSet<CampaignId>,
    /// Campaigns that have expired by what was in force, which is final.
    pub expired: BTreeSet<CampaignId>,
}

/// Compares two configurations at `now`, by what is `known` of their campaigns beside.
#[must_use]
pub fn compare(from: &Side<'_>, to: &Side<'_>, known: &Known, now: Timestamp) -> Comparison {
    let pairs = Pairs::new(from, to, known, now);
    let (before, after) = (campaigns(from), campaigns(to));
    let mut found = Comparison::default();
    let (mut was, mut is) = (pairs.campaigns(&pairs.from), pairs.campaigns(&pairs.to));
    let changed_ids = changed_ids((before, &was), (after, &is));
    for (id, campaign) in after {
        let so_far = before.get(id).map(Arc::as_ref);
        match step(so_far, campaign, known.retired.contains(id)) {
            Some(verb) => {
                let (was, is) = (was.remove(id), is.remove(id));
                found.campaigns.push(changed(verb, so_far, campaign, was, is, &pairs));
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
            id_changed: None,
            held_before: holds(pairs.has_expired(Some(campaign), id), campaign, now),
            held: Vec::new(),
            differences: Vec::new(),
        });
    }
    for campaign in &mut found.campaigns {
        campaign.id_changed = changed_ids.get(&campaign.id).cloned();
    }
    found.campaigns.sort_by(|a, b| a.verb.cmp(&b.verb).then_with(|| a.id.cmp(&b.id)));
    found.shared = pairs.shared();
    found
}

fn campaigns<'a>(side: &Side<'a>) -> &'a BTreeMap<CampaignId, Arc<Campaign>> {
    static NONE: BTreeMap<CampaignId, Arc<Campaign>> = BTreeMap::new();
    side.definitions.map_or(&NONE, |definitions| &definitions.campaigns)
}

/// The ids that changed, each by the other one.
fn changed_ids(before: Defined<'_, '_>, after: Defined<'_, '_>) -> BTreeMap<CampaignId, CampaignId> {
    let (before, after) = (stands(before), stands(after));
    let id = |text: &str| CampaignId::parse(text).ok();
    let mut changed = BTreeMap::new();
    for (new, old) in successions(&before, &after) {
        let (Some(new), Some(was)) = (id(new), id(old.was.id)) else { continue };
        if old.is_gone {
            changed.insert(was.clone(), new.clone());
        }
        changed.insert(new, was);
    }
    changed
}

/// A side's campaigns, and the files that those stand in which differ.
type Defined<'d, 'f> = (&'d BTreeMap<CampaignId, Arc<Campaign>>, &'d BTreeMap<CampaignId, Written<'f>>);

fn stands<'d>((campaigns, files): Defined<'d, '_>) -> Vec<Stands<'d>> {
    let stands = |(id, file): (&'d CampaignId, &'d Written<'_>)| {
        let name = campaigns.get(id).map(|campaign| campaign.name.as_str());
        Stands { id: id.as_str(), name, path: file.path }
    };
    files.iter().map(stands).collect()
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

/// A file and what it settles, a campaign's together with its template.
struct Written<'a> {
    path: &'a str,
    text: &'a str,
    settings: Vec<Setting>,
    template: Option<Source<'a>>,
}

fn changed(
    verb: Verb,
    before: Option<&Campaign>,
    after: &Campaign,
    was: Option<Written<'_>>,
    is: Option<Written<'_>>,
    pairs: &Pairs<'_>,
) -> ChangedCampaign {
    let file = is.as_ref().map(|file| pairs.to.path(file.path));
    let has_expired = pairs.has_expired(before, &after.id);
    let differences = match (before, was, is) {
        (Some(before), Some(was), Some(is)) => {
            let mut found = pairs.differences(was, is);
            for difference in &mut found {
                difference.meaning = meaning(&difference.key, before, after, has_expired, pairs.now);
            }
            found
        }
        _ => Vec::new(),
    };
    ChangedCampaign {
        id: after.id.clone(),
        name: after.name.clone(),
        verb,
        state: Some(after.desired),
        file,
        id_changed: None,
        // One that returns is held by what it was before.
        held_before: match before {
            Some(before) => holds(has_expired, before, pairs.now),
            None => has_expired.then_some(Hold::Expired).into_iter().collect(),
        },
        held: holds(has_expired, after, pairs.now),
        differences,
    }
}

/// The files that are not the same on both sides.
struct Pairs<'a> {
    from: Differing<'a>,
    to: Differing<'a>,
    is: Option<&'a Definitions>,
    was: Option<&'a Definitions>,
    known: &'a Known,
    now: Timestamp,
}

/// One side's files that the other does not have, or not like this.
struct Differing<'a> {
    folder: &'a str,
    files: BTreeMap<&'a str, &'a [u8]>,
    /// All its files, those that are the same on both sides too.
    all: &'a [SourceFile<'a>],
    templates: Templates<'a>,
}

impl<'a> Differing<'a> {
    fn new(side: &Side<'a>, files: BTreeMap<&'a str, &'a [u8]>) -> Self {
        let mut templates = Templates::default();
        for (index, file) in side.files.iter().enumerate() {
            if let (Some(FileKind::Template), Ok(text)) = (layout::kind(file.path), std::str::from_utf8(file.bytes)) {
                // Both sides were read without an error.
                templates.add(index, &full_path(side.folder, file.path), text);
            }
        }
        Self { folder: side.folder, files, all: side.files, templates }
    }

    fn has_template(&self) -> bool {
        self.files.keys().any(|path| layout::kind(path) == Some(FileKind::Template))
    }

    fn path(&self, inside: &str) -> Arc<str> {
        full_path(self.folder, inside)
    }

    fn source<'t>(&self, path: &str, text: &'t str) -> Source<'t> {
        Source::new(self.path(path), text)
    }
}

impl<'a> Pairs<'a> {
    fn new(from: &Side<'a>, to: &Side<'a>, known: &'a Known, now: Timestamp) -> Self {
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
            from: Differing::new(from, was),
            to: Differing::new(to, is),
            is: to.definitions,
            was: from.definitions,
            known,
            now,
        }
    }

    /// Whether a campaign has expired already, by the older side or by what the daemon knows.
    fn has_expired(&self, before: Option<&Campaign>, id: &CampaignId) -> bool {
        self.known.expired.contains(id) || before.is_some_and(|before| before.ends_at <= self.now)
    }

    /// The campaigns that a side's differing files define; if a template differs, also those whose files
    /// are the same and may extend it.
    fn campaigns(&self, side: &Differing<'a>) -> BTreeMap<CampaignId, Written<'a>> {
        let templates_differ = self.from.has_template() || self.to.has_template();
        let campaign = |file: &SourceFile<'a>| {
            let differs = side.files.contains_key(file.path);
            if !(differs || templates_differ) || layout::kind(file.path) != Some(FileKind::Campaign) {
                return None;
            }
            let text = std::str::from_utf8(file.bytes).ok().filter(|text| differs || text.contains("extends"))?;
            let settings = effective::campaign(&side.templates, &side.path(file.path), text);
            let id = CampaignId::parse(&effective::id_of(&settings)?).ok()?;
            let extends = settings.iter().find(|setting| setting.key == "extends");
            let template = extends.and_then(|extends| side.templates.source(extends.value.as_str()?)).cloned();
            Some((id, Written { path: file.path, text, settings, template }))
        };
        side.all.iter().filter_map(campaign).collect()
    }

    fn differences(&self, from: Written<'_>, to: Written<'_>) -> Vec<Difference> {
        let (was, is) = (self.from.source(from.path, from.text), self.to.source(to.path, to.text));
        let locate = |own: &Source<'_>, template: &Option<Source<'_>>, span: Span| match template {
            Some(template) if span.in_template() => template.locate(span.plain()),
            Some(_) | None => own.locate(span),
        };
        let from = Settled { settings: from.settings, locate: &|span| locate(&was, &from.template, span) };
        let to = Settled { settings: to.settings, locate: &|span| locate(&is, &to.template, span) };
        differences(&from, &to)
    }

    /// What is not the same in `shared/`, by file and table.
    fn shared(&self) -> Vec<SharedChange> {
        let paths: BTreeSet<&str> = self.from.files.keys().chain(self.to.files.keys()).copied().collect();
        let kinds = paths.into_iter().filter_map(|path| Some((path, layout::kind(path)?)));
        kinds
            .filter(|(_, kind)| !matches!(kind, FileKind::Campaign | FileKind::Template))
            .flat_map(|(path, kind)| self.shared_file(path, kind))
            .collect()
    }

    fn shared_file(&self, path: &str, kind: FileKind) -> Vec<SharedChange> {
        // A file that is not there settles nothing, not even its defaults.
        let side = |side: &Differing<'a>| {
            let text = side.files.get(path).and_then(|bytes| std::str::from_utf8(bytes).ok());
            let settings = text.map(|text| effective::settings(kind, text)).unwrap_or_default();
            Written { path, text: text.unwrap_or_default(), settings, template: None }
        };
        let mut changes: Vec<SharedChange> = Vec::new();
        let mut known: BTreeMap<Option<String>, usize> = BTreeMap::new();
        let (was, is) = (side(&self.from), side(&self.to));
        let of_file = effective::id_of(&is.settings).or_else(|| effective::id_of(&was.settings));
        for mut difference in self.differences(was, is) {
            if let (FileKind::Attributes, Some(now)) = (kind, self.is) {
                difference.meaning = attributes::meaning(&difference, now);
            }
            let entry = difference.key.find(']').map(|end| difference.key[..=end].to_owned());
            let index = *known.entry(entry.clone()).or_insert_with(|| {
                let of_entry = entry.as_deref().and_then(|entry| entry.strip_suffix(']')?.split_once('['));
                let id = of_entry.map(|(_, id)| id).or(of_file.as_deref());
                let (file, touches) = (self.to.path(path), self.touched(kind, id));
                changes.push(SharedChange { file, entry, differences: Vec::new(), touches });
                changes.len() - 1
            });
            changes[index].differences.push(difference);
        }
        changes
    }

    /// The campaigns that a table of a shared file has to do with.
    fn touched(&self, kind: FileKind, id: Option<&str>) -> Vec<(CampaignId, DesiredState)> {
        let Some(now) = self.is else { return Vec::new() };
        let table = SharedTable { kind, id, sides: [self.was, self.is] };
        let touched = now.campaigns.values().filter(|campaign| table.touches(campaign));
        touched.map(|campaign| (campaign.id.clone(), campaign.desired)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{difference::Shown, load, sample::TENANT, settings::outer_ceilings};

    const QUEUES: &str = "[[queues]]\nid = \"sales\"\nname = \"Sales\"\n[[queues]]\nid = \"care\"\nname = \"Care\"\n";
    const AGENTS: &str = "[[agents]]\nid = \"a1\"\nname = \"Li Na\"\nsip = \"sip:a1@10.0.0.5\"\nqueues = [\"sales\"]\n\
                          [[agents]]\nid = \"a2\"\nname = \"Bo\"\nsip = \"sip:a2@10.0.0.5\"\nqueues = [\"care\"]\n";

    fn campaign(id: &str, state: &str, rest: &str) -> String {
        format!(
            "id = \"{id}\"\nname = \"{id}\"\nstate = \"{state}\"\nmode = \"preoccupied\"\n\
             caller_numbers = [\"+862160001000\"]\nstarts_at = 2031-03-01T09:00:00+08:00\n\
             ends_at = 2031-05-31T18:00:00+08:00\nskill_queue = \"sales\"\n\
             calling_hours = {{ timezone = \"Asia/Shanghai\", windows = [\"09:00-11:30\", \"14:00-20:00\"] }}\n{rest}"
        )
    }

    type Folder = BTreeMap<String, String>;

    fn folder(campaigns: &[(&str, String)]) -> Folder {
        let shared = [("shared/tenant.toml", TENANT), ("shared/queues.toml", QUEUES), ("shared/agents.toml", AGENTS)];
        let shared = shared.map(|(path, text)| (path.to_owned(), text.to_owned()));
        shared.into_iter().chain(campaigns.iter().map(|(path, text)| ((*path).to_owned(), text.clone()))).collect()
    }

    fn compared(from: &Folder, to: &Folder, retired: &[&str]) -> Comparison {
        let (was, is) = (sources(from), sources(to));
        let (before, _) = load("campaigns", &was, &outer_ceilings()).unwrap();
        let (after, _) = load("campaigns", &is, &outer_ceilings()).unwrap();
        let retired = retired.iter().map(|id| CampaignId::parse(id).unwrap()).collect();
        let known = Known { retired, expired: BTreeSet::new() };
        let from = Side { folder: "campaigns", files: &was, definitions: Some(&before) };
        let to = Side { folder: "campaigns", files: &is, definitions: Some(&after) };
        compare(&from, &to, &known, "2031-03-02T00:00:00Z".parse().unwrap())
    }

    fn sources(folder: &Folder) -> Vec<SourceFile<'_>> {
        folder.iter().map(|(path, text)| SourceFile { folder: "campaigns", path, bytes: text.as_bytes() }).collect()
    }

    fn lines(comparison: &Comparison) -> Vec<String> {
        let shown = |shown: &Option<Shown>| match shown {
            None => "-".to_owned(),
            Some(shown) => {
                let at = shown.at.as_ref().map(|at| format!("@{}:{}:{}", at.file, at.line, at.column));
                format!("{}{}", shown.value, at.unwrap_or_default())
            }
        };
        let difference = |d: &Difference| format!("  {} {} → {}", d.key, shown(&d.from), shown(&d.to));
        let mut lines = Vec::new();
        for campaign in &comparison.campaigns {
            lines.push(format!("{} {}", campaign.verb.as_str(), campaign.id));
            lines.extend(campaign.differences.iter().map(difference));
        }
        for change in &comparison.shared {
            let touches = change.touches.iter().map(|(id, state)| format!("{id} {}", state.as_str()));
            lines.push(format!("{} {:?} {:?}", change.file, change.entry, touches.collect::<Vec<_>>()));
            lines.extend(change.differences.iter().map(difference));
        }
        lines
    }

    #[test]
    fn every_step_and_key_is_told_where_it_stands() {
        let from = folder(&[
            ("a.toml", campaign("a", "running", "")),
            ("b.toml", campaign("b", "running", "strategy = { max_ring = \"20s\" }\n")),
            ("c.toml", campaign("c", "paused", "")),
            ("same.toml", campaign("same", "running", "")),
            ("gone.toml", campaign("gone", "running", "")),
        ]);
        let to = folder(&[
            ("a.toml", campaign("a", "paused", "")),
            ("b.toml", campaign("b", "running", "priority = 1\nlimits = { max_calls_per_second = 5 }\n")),
            ("c.toml", campaign("c", "running", "")),
            ("renamed.toml", campaign("same", "running", "# only moved\npriority = 3\n")),
            ("new.toml", campaign("new", "running", "")),
            ("back.toml", campaign("back", "paused", "")),
        ]);
        let found = compared(&from, &to, &["back"]);
        assert_eq!(
            lines(&found),
            [
                "retire gone",
                "pause a",
                "  state \"running\"@campaigns/a.toml:3:9 → \"paused\"@campaigns/a.toml:3:9",
                "amend b",
                "  priority 3 → 1@campaigns/b.toml:10:12",
                "  strategy.max_ring \"20s\"@campaigns/b.toml:10:25 → \"30s\"",
                "  limits.max_calls_per_second - → 5@campaigns/b.toml:11:35",
                "create new",
                "return back",
                "resume c",
                "  state \"paused\"@campaigns/c.toml:3:9 → \"running\"@campaigns/c.toml:3:9",
            ]
        );
        assert_eq!(found.unchanged, 1, "a file that only moved changes nothing");
        assert!(compared(&from, &from, &[]).is_empty());
    }

    #[test]
    fn lists_tell_their_items_and_what_that_means() {
        let from = folder(&[("a.toml", campaign("a", "running", ""))]);
        let changed = campaign("a", "running", "").replace("[\"09:00-11:30\", ", "[\"08:00-09:00\", ");
        let found = compared(&from, &folder(&[("a.toml", changed)]), &[]);
        let [difference] = found.campaigns[0].differences.as_slice() else { panic!("{found:#?}") };
        let items = |items: &[Shown]| {
            items.iter().map(|item| (item.value.to_string(), item.at.as_ref().unwrap().column)).collect::<Vec<_>>()
        };
        assert_eq!(items(&difference.removed), [("\"09:00-11:30\"".to_owned(), 58)]);
        assert_eq!(items(&difference.added), [("\"08:00-09:00\"".to_owned(), 58)]);
        let meaning = "dials 08:00-09:00 and 14:00-20:00 Asia/Shanghai instead of 09:00-11:30 and 14:00-20:00";
        assert_eq!(difference.meaning.as_deref(), Some(meaning));
    }

    #[test]
    fn gaps_between_windows_are_told() {
        let windows = |windows: &str| campaign("a", "running", "").replace("\"09:00-11:30\", \"14:00-20:00\"", windows);
        let meaning = |was: &str, is: &str| {
            let folder = |text: &str| folder(&[("a.toml", windows(text))]);
            let found = compared(&folder(was), &folder(is), &[]);
            found.campaigns[0].differences[0].meaning.clone()
        };
        let (whole, gap) = ("\"09:00-20:00\"", "\"14:00-20:00\", \"09:00-12:00\"");
        let said = meaning(whole, gap).unwrap();
        assert_eq!(said, "dials 09:00-12:00 and 14:00-20:00 Asia/Shanghai instead of 09:00-20:00");
        let said = meaning(gap, "\"08:00-09:00\", \"10:00-12:00\", \"22:00-02:00\"").unwrap();
        let three = "dials 08:00-09:00, 10:00-12:00 and 22:00-02:00 Asia/Shanghai instead of";
        assert_eq!(said, format!("{three} 09:00-12:00 and 14:00-20:00"));
        // Windows that adjoin leave no gap.
        assert_eq!(meaning(whole, "\"09:00-12:00\", \"12:00-20:00\""), None);
        assert_eq!(meaning(whole, "\"09:00-18:00\"").unwrap(), "dials until 18:00 Asia/Shanghai instead of 20:00");
    }

    #[test]
    fn shared_tables_are_told_by_id_with_the_campaigns_that_they_touch() {
        let campaigns = [("a.toml", campaign("a", "running", "")), ("b.toml", campaign("b", "paused", ""))];
        let from = folder(&campaigns);
        let mut to = from.clone();
        // Another order; one agent changes, one goes, one comes.
        let agents = "[[agents]]\nid = \"a3\"\nname = \"Eva\"\nsip = \"sip:a3@10.0.0.5\"\nqueues = [\"care\"]\n\
                      [[agents]]\nid = \"a1\"\nname = \"Li Na\"\nsip = \"sip:a1@10.0.0.9\"\nqueues = [\"sales\"]\n";
        to.insert("shared/agents.toml".to_owned(), agents.to_owned());
        to.insert("shared/tenant.toml".to_owned(), format!("{TENANT}agents = {{ ring = \"15s\" }}\n"));
        let found = compared(&from, &to, &[]);
        assert_eq!(
            lines(&found),
            [
                "campaigns/shared/agents.toml Some(\"agents[a3]\") []",
                "  agents[a3] - → {\"id\":\"a3\",\"name\":\"Eva\",\"sip\":\"sip:a3@10.0.0.5\",\"queues\":[\"care\"]}\
                 @campaigns/shared/agents.toml:2:6",
                "campaigns/shared/agents.toml Some(\"agents[a1]\") [\"a running\", \"b paused\"]",
                "  agents[a1].sip \"sip:a1@10.0.0.5\"@campaigns/shared/agents.toml:4:7 → \
                 \"sip:a1@10.0.0.9\"@campaigns/shared/agents.toml:9:7",
                "campaigns/shared/agents.toml Some(\"agents[a2]\") []",
                "  agents[a2] {\"id\":\"a2\",\"name\":\"Bo\",\"sip\":\"sip:a2@10.0.0.5\",\"queues\":[\"care\"]}\
                 @campaigns/shared/agents.toml:7:6 → -",
            ]
        );
        assert!(found.campaigns.is_empty());
    }
}
