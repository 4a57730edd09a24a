//! A commit with bad files, of which all else is put in force: the policy `isolate`.
//!
//! A bad file stays as it was when it was last good; one that never was is left out. Whom a problem is blamed on
//! follows from what the commit changes: a file that is as before can't be at fault. Where that leads nowhere, all
//! files that several campaigns may use stay as they were. If even that does not hold, neither does the commit.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    check::{Checked, Load, Rejected},
    conditions::refused,
};
use crate::{
    config,
    domain::{
        campaign::{DesiredState, KeptFile},
        ids::{CampaignId, Revision},
    },
    gitops::{CommitFile, CommitFiles},
    telemetry::status::Problem,
};

/// Times that files are looked at before the commit is given up: each takes as long as a whole check.
const ROUNDS_MAX: usize = 16;

/// A commit that is good but for some files.
#[derive(Debug)]
pub(super) struct Isolated {
    /// The files as they are to be in force.
    pub(super) files: CommitFiles,
    /// What they come to.
    pub(super) checked: Checked,
    /// What stays as it was; empty for a commit that is good.
    pub(super) kept: BTreeMap<String, KeptFile>,
    /// What is wrong with the commit.
    pub(super) problems: Vec<Problem>,
    /// Campaigns that would run on as they were, and are paused as the commit means to stop them.
    pub(super) stopped: Vec<CampaignId>,
}

/// Checks a commit beside what `others`, the other sources, have in force, and keeps what is bad of it as it was in
/// `last`, its files in force; nothing was in force before the first. Of the campaigns in force `paused` are.
pub(super) fn isolate(
    new: &CommitFiles,
    last: Option<&CommitFiles>,
    others: &[Arc<CommitFiles>],
    paused: &BTreeSet<CampaignId>,
    load: &Load,
) -> Result<Isolated, Rejected> {
    let mut isolation = Isolation::new(new, last);
    let mut problems: Vec<Problem> = new.refused.iter().map(refused).collect();
    for refusal in &new.refused {
        isolation.keep_refused(&refusal.path);
    }
    let mut first = true;
    for _ in 0..ROUNDS_MAX {
        let files = isolation.files();
        let rejected = match load(&files, others) {
            Ok(mut checked) => {
                let stopped = isolation.stop(&mut checked, paused);
                return Ok(Isolated { files, checked, kept: isolation.as_they_were(), problems, stopped });
            }
            Err(rejected) => rejected,
        };
        let kept_more = isolation.blame(&rejected) || isolation.keep_shared();
        // What later rounds find is the fault of the files that were put in the place of others.
        if std::mem::take(&mut first) {
            problems.extend(rejected.problems);
        }
        if !kept_more {
            break;
        }
    }
    Err(problems.into())
}

struct Isolation<'f> {
    new: &'f CommitFiles,
    by_path: BTreeMap<&'f str, &'f CommitFile>,
    last: BTreeMap<&'f str, &'f CommitFile>,
    last_revision: Option<&'f Revision>,
    kept: BTreeSet<&'f str>,
}

impl<'f> Isolation<'f> {
    fn new(new: &'f CommitFiles, last: Option<&'f CommitFiles>) -> Self {
        let by_path = |files: &'f CommitFiles| files.files.iter().map(|file| (file.path.as_str(), file)).collect();
        Self {
            new,
            by_path: by_path(new),
            last: last.map(by_path).unwrap_or_default(),
            last_revision: last.map(|last| &last.revision),
            kept: BTreeSet::new(),
        }
    }

    /// The commit's files, but for those that are kept.
    fn files(&self) -> CommitFiles {
        self.new.with_kept(&self.as_they_were())
    }

    fn as_they_were(&self) -> BTreeMap<String, KeptFile> {
        self.kept.iter().map(|path| ((*path).to_owned(), self.as_it_was(path))).collect()
    }

    fn as_it_was(&self, path: &str) -> KeptFile {
        let file = self.last.get(path);
        let of = file.and_then(|file| Some((file.kept_from.as_ref().or(self.last_revision)?, file)));
        match of {
            Some((revision, file)) => KeptFile::Of { revision: revision.clone(), bytes: file.bytes.clone() },
            None => KeptFile::LeftOut,
        }
    }

    /// Pauses campaigns that stay as they were although the commit has their file gone or paused: whom a commit
    /// stops, no fault in it keeps running. Nor does one that is paused resume by a file that is not the newest.
    fn stop(&self, checked: &mut Checked, paused: &BTreeSet<CampaignId>) -> Vec<CampaignId> {
        let means_to_stop = |path: &str| self.by_path.get(path).is_none_or(|file| says_paused(&file.bytes));
        let refused = |path: &str| self.new.refused.iter().any(|refusal| is_in(path, &refusal.path));
        let stops = |id: &CampaignId, path: &str| paused.contains(id) || (means_to_stop(path) && !refused(path));
        let kept = checked.kept.iter().filter(|(id, (path, _))| stops(id, path)).map(|(id, _)| id.clone());
        let by_template = self.stopped_by_template(|path| means_to_stop(path) && !refused(path));
        let meant: BTreeSet<CampaignId> = kept.chain(by_template).collect();
        let campaigns = &mut checked.definitions.campaigns;
        let is_running = |id: &CampaignId| campaigns.get(id).is_some_and(|it| it.desired == DesiredState::Running);
        let stopped: Vec<CampaignId> = meant.into_iter().filter(is_running).collect();
        for id in &stopped {
            if let Some(campaign) = campaigns.get_mut(id) {
                Arc::make_mut(campaign).desired = DesiredState::Paused;
            }
        }
        stopped
    }

    /// Campaigns that have their state from a template which stays as it was although the commit has it gone or paused.
    fn stopped_by_template(&self, means_to_stop: impl Fn(&str) -> bool) -> Vec<CampaignId> {
        let kept = self.kept.iter().filter(|path| config::is_template(self.new.inside(path)) && means_to_stop(path));
        let templates: BTreeSet<String> = kept.filter_map(|path| said(&self.last.get(path)?.bytes, "id")).collect();
        if templates.is_empty() {
            return Vec::new();
        }
        let files = self.files();
        let campaigns = files.files.iter().filter(|file| self.is_campaign(&file.path)).filter_map(|file| {
            let extends = said(&file.bytes, "extends").filter(|template| templates.contains(template))?;
            let own = said(&file.bytes, "state");
            (!extends.is_empty() && own.is_none()).then(|| said(&file.bytes, "id"))?
        });
        campaigns.filter_map(|id| CampaignId::parse(&id).ok()).collect()
    }

    fn is_changed(&self, path: &str) -> bool {
        self.by_path.get(path).map(|file| &file.bytes) != self.last.get(path).map(|file| &file.bytes)
    }

    fn is_campaign(&self, path: &str) -> bool {
        config::is_campaign(self.new.inside(path))
    }

    /// Keeps the files that problems stand in, or else those that have to do with them; whether there was any. What
    /// a shared file breaks is no fault of campaigns, so these are not blamed together with it.
    fn blame(&mut self, rejected: &Rejected) -> bool {
        let may_be_blamed = |path: &&String| self.is_changed(path) && !self.kept.contains(path.as_str());
        let blamed = rejected.involved.iter().filter_map(|involved| involved.iter().find(may_be_blamed));
        let (campaigns, shared): (Vec<_>, Vec<_>) = blamed.partition(|path| self.is_campaign(path));
        let blamed = if shared.is_empty() { campaigns } else { shared };
        blamed.iter().for_each(|path| self.keep(path));
        !blamed.is_empty()
    }

    fn keep(&mut self, path: &str) {
        let known = self.by_path.get_key_value(path).or_else(|| self.last.get_key_value(path));
        let Some((&path, _)) = known else { return };
        self.kept.insert(path);
        if !self.last.contains_key(path) && self.is_campaign(path) {
            self.keep_gone();
        }
    }

    /// Keeps campaigns' files that are gone: a new one that is bad may be one of them under another name, and nobody
    /// meant to end that campaign.
    fn keep_gone(&mut self) {
        let gone = self.last.keys().filter(|path| !self.by_path.contains_key(*path) && self.is_campaign(path));
        let gone: Vec<&str> = gone.copied().collect();
        self.kept.extend(gone);
    }

    /// Keeps what the commit has as something that may not be read: a file, or all in a folder.
    fn keep_refused(&mut self, path: &'f str) {
        let were: Vec<&str> = self.last.keys().copied().filter(|file| is_in(file, path)).collect();
        if were.is_empty() {
            self.keep_gone();
            // It never was, so it is left out, and that is told.
            self.kept.insert(path);
        }
        self.kept.extend(were);
    }

    /// Keeps every file that more than one campaign may use; whether there was any.
    fn keep_shared(&mut self) -> bool {
        let before = self.kept.len();
        let all: BTreeSet<&str> = self.by_path.keys().chain(self.last.keys()).copied().collect();
        let shared = all.into_iter().filter(|path| !self.is_campaign(path) && self.is_changed(path));
        let shared: Vec<&str> = shared.collect();
        self.kept.extend(shared);
        self.kept.len() > before
    }
}

/// Whether a path is another one or lies below it.
fn is_in(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What a file says of a key that stands before its first table, as far as can be told of one that has faults.
fn said(bytes: &[u8], key: &str) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let top = text.lines().take_while(|line| !line.trim_start().starts_with('['));
    let mut found = top.filter_map(|line| line.split_once('=')).filter(|(name, _)| name.trim() == key);
    let (_, value) = found.next()?;
    Some(value.split('#').next().unwrap_or_default().trim().trim_matches(['"', '\'']).to_owned())
}

/// Whether a file asks for `paused`, as far as can be told of one that has faults.
fn says_paused(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    text.lines().filter_map(|line| line.split_once('=')).any(|(key, value)| {
        let value = value.split('#').next().unwrap_or_default();
        key.trim() == "state" && value.trim().trim_matches(['"', '\'']) == DesiredState::Paused.as_str()
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        config::{Loader, settings::outer_ceilings},
        domain::ids::SourceId,
        gitops::{Refusal, RefusalReason},
        reconcile::check,
    };

    const AGENTS: &str =
        "[[agents]]\nid = \"ann\"\nname = \"Ann\"\nsip = \"sip:ann@192.0.2.1\"\nqueues = [\"desk\", \"sales\"]\n";
    const QUEUES: &str = "[[queues]]\nid = \"desk\"\nname = \"Desk\"\n[[queues]]\nid = \"sales\"\nname = \"Sales\"\n";

    fn campaign(id: &str, queue: &str) -> String {
        format!(
            "id = \"{id}\"\nname = \"{id}\"\nstate = \"running\"\nmode = \"preoccupied\"\n\
             caller_numbers = [\"+862160001000\"]\nstarts_at = 2031-03-01T00:00:00Z\nends_at = 2031-04-01T00:00:00Z\n\
             skill_queue = \"{queue}\"\ncalling_hours = {{ timezone = \"UTC\", windows = [\"09:00-18:00\"] }}\n\
             strategy = {{ max_ring = \"30s\", do_not_call = [] }}\n\
             results = {{ policy = \"global\", global = {{ max_days = 3, max_attempts_per_day = 2, \
             retry_interval = \"1h\" }} }}\n"
        )
    }

    /// Files by path inside the folder; those of `shared/` are added.
    fn commit(digit: char, files: &[(&str, &str)]) -> CommitFiles {
        let mut all = BTreeMap::from([
            ("shared/tenant.toml", "id = \"acme\"\nname = \"Acme\"\ntimezone = \"UTC\"\nregion = \"CN\"\n"),
            ("shared/queues.toml", QUEUES),
            ("shared/agents.toml", AGENTS),
        ]);
        all.extend(files.iter().copied());
        let file = |(path, text): (&str, &str)| CommitFile {
            path: format!("campaigns/{path}"),
            bytes: text.as_bytes().into(),
            kept_from: None,
        };
        CommitFiles {
            source: SourceId::main(),
            revision: Revision::parse(&digit.to_string().repeat(40)).unwrap(),
            committed_at: Timestamp::UNIX_EPOCH,
            author: String::new(),
            subject: String::new(),
            prefix: "campaigns".to_owned(),
            files: all.into_iter().map(file).collect(),
            refused: Vec::new(),
        }
    }

    fn isolated(new: &CommitFiles, last: &CommitFiles) -> Result<Isolated, Rejected> {
        isolate(new, Some(last), &[], &BTreeSet::new(), &*check(Arc::new(Loader::new(outer_ceilings()))))
    }

    /// What stays, `path@commit` or `-path`; campaigns in force; files with a problem.
    fn told(new: &CommitFiles, last: &CommitFiles) -> [Vec<String>; 3] {
        let Isolated { checked, kept, problems, .. } = isolated(new, last).unwrap();
        let kept = kept.iter().map(|(path, file)| match file {
            KeptFile::Of { revision, .. } => format!("{path}@{}", &revision.as_str()[..1]),
            KeptFile::LeftOut => format!("-{path}"),
        });
        let campaigns = checked.definitions.campaigns.keys().map(ToString::to_string).collect();
        let mut files: Vec<String> = problems.into_iter().map(|problem| problem.file).collect();
        files.dedup();
        [kept.collect(), campaigns, files]
    }

    #[test]
    fn a_bad_file_stays_as_it_was_and_a_new_one_is_left_out() {
        let (a, b) = (campaign("a", "sales"), campaign("b", "sales"));
        let last = commit('1', &[("a.toml", &a), ("b.toml", &b)]);
        let renamed = b.replace("name = \"b\"", "name = \"B\"");
        let new = commit('2', &[("a.toml", "id = 7"), ("b.toml", &renamed), ("c.toml", "[")]);
        let files = ["campaigns/a.toml".to_owned(), "campaigns/c.toml".to_owned()];
        let kept = ["campaigns/a.toml@1".to_owned(), "-campaigns/c.toml".to_owned()];
        assert_eq!(told(&new, &last), [kept.to_vec(), vec!["a".into(), "b".into()], files.to_vec()]);

        let Isolated { files: in_force, checked, .. } = isolated(&new, &last).unwrap();
        assert_eq!(checked.definitions.campaigns.values().last().unwrap().name, "B");
        assert_eq!(checked.kept.keys().map(ToString::to_string).collect::<Vec<_>>(), ["a"]);
        // It stays what commit 1 has, however many commits later.
        let next = commit('3', &[("a.toml", "id = 8"), ("b.toml", &b)]);
        assert_eq!(told(&next, &in_force)[0], ["campaigns/a.toml@1"]);
        let mended = commit('4', &[("a.toml", &a), ("b.toml", &b)]);
        let [kept, campaigns, files] = told(&mended, &in_force);
        assert_eq!((kept.len(), campaigns.len(), files.len()), (0, 2, 0));
    }

    #[test]
    fn a_rename_with_a_fault_ends_no_campaign() {
        let (a, b) = (campaign("a", "sales"), campaign("b", "sales"));
        let last = commit('1', &[("a.toml", &a), ("b.toml", &b)]);
        let new = commit('2', &[("a.toml", &a), ("bee.toml", &b.replace("running", "runing"))]);
        let kept = ["campaigns/b.toml@1".to_owned(), "-campaigns/bee.toml".to_owned()];
        assert_eq!(told(&new, &last)[..2], [kept.to_vec(), vec!["a".into(), "b".into()]]);
    }

    /// Campaigns that run, and those that were stopped.
    fn running(new: &CommitFiles, last: &CommitFiles) -> [Vec<String>; 2] {
        let Isolated { checked, stopped, .. } = isolated(new, last).unwrap();
        let campaigns = checked.definitions.campaigns.values();
        let running = campaigns.filter(|campaign| campaign.desired == DesiredState::Running);
        [running.map(|it| it.id.to_string()).collect(), stopped.iter().map(ToString::to_string).collect()]
    }

    #[test]
    fn whom_the_commit_means_to_stop_does_not_run_on() {
        let (a, b) = (campaign("a", "sales"), campaign("b", "sales"));
        let last = commit('1', &[("a.toml", &a), ("b.toml", &b)]);
        let stops_a = [vec!["b".to_owned()], vec!["a".to_owned()]];
        let paused = a.replace("state = \"running\"", "state = \"paused\" # for tonight");
        // A fault in the same file, of any kind.
        for fault in ["zz = 1\n", "zz = [\n"] {
            let new = commit('2', &[("a.toml", &format!("{paused}{fault}")), ("b.toml", &b)]);
            assert_eq!(running(&new, &last), stops_a);
        }
        // Somebody's copy, which has the same id.
        let new = commit('3', &[("a.toml", &paused), ("b.toml", &b), ("copy.toml", &a)]);
        assert_eq!(running(&new, &last)[0], ["b"]);
        // A broken shared file that it uses.
        let queues = QUEUES.replace("\"sales\"", "\"salez\"");
        let new = commit('4', &[("a.toml", &paused), ("b.toml", &b), ("shared/queues.toml", &queues)]);
        assert_eq!(running(&new, &last)[0], ["b"]);
        // Its file is gone, and a new one is bad.
        let new = commit('5', &[("b.toml", &b), ("c.toml", "id = ")]);
        assert_eq!(running(&new, &last), stops_a);
        // A fault alone stops nobody.
        let new = commit('6', &[("a.toml", &format!("{a}zz = 1\n")), ("b.toml", &b)]);
        assert_eq!(running(&new, &last), [vec!["a".to_owned(), "b".to_owned()], vec![]]);
    }

    #[test]
    fn whom_a_template_means_to_stop_does_not_run_on_by_the_one_before() {
        let lines = campaign("a", "sales");
        let own = |line: &&str| ["id", "name", "state", "starts_at", "ends_at"].iter().any(|key| line.starts_with(key));
        let shared: String = lines.lines().filter(|line| !own(line)).map(|line| format!("{line}\n")).collect();
        let template = format!("id = \"t\"\nstate = \"running\"\n{shared}");
        let a: String = lines
            .lines()
            .filter(|line| own(line) && !line.starts_with("state"))
            .map(|line| format!("{line}\n"))
            .chain(["extends = \"t\"\n".to_owned()])
            .collect();
        let last = commit('1', &[("a.toml", &a), ("templates/t.toml", &template)]);
        assert_eq!(running(&last, &last)[0], ["a"]);
        let paused = template.replace("state = \"running\"", "state = \"paused\"");
        for fault in ["zz = 1\n", "zz = [\n"] {
            let new = commit('2', &[("a.toml", &a), ("templates/t.toml", &format!("{paused}{fault}"))]);
            assert_eq!(running(&new, &last), [vec![], vec!["a".to_owned()]]);
        }
        // One that has a state of its own goes by that.
        let b = format!("state = \"running\"\n{a}");
        let last = commit('3', &[("a.toml", &b), ("templates/t.toml", &template)]);
        let new = commit('4', &[("a.toml", &b), ("templates/t.toml", &format!("{paused}zz = 1\n"))]);
        assert_eq!(running(&new, &last)[0], ["a"]);
    }

    #[test]
    fn an_id_that_stands_twice_is_the_fault_of_the_new_file() {
        let (a, z) = (campaign("a", "sales"), campaign("z", "sales"));
        let last = commit('1', &[("m.toml", &a)]);
        for path in ["b.toml", "y.toml"] {
            let new = commit('2', &[("m.toml", &a), (path, &a), ("z.toml", &z)]);
            let [kept, campaigns, _] = told(&new, &last);
            assert_eq!((kept, campaigns), (vec![format!("-campaigns/{path}")], vec!["a".into(), "z".into()]));
        }
    }

    #[test]
    fn a_shared_file_that_breaks_others_stays_as_it_was() {
        let (a, b) = (campaign("a", "sales"), campaign("b", "support"));
        let last = commit('1', &[("a.toml", &a)]);
        // The queue of a campaign that is as before is gone; another campaign is new and good without it.
        let queues = QUEUES.replace("sales", "support").replace("Sales", "Support");
        let agents = AGENTS.replace("sales", "support");
        let shared = [("shared/agents.toml", &*agents), ("shared/queues.toml", &*queues)];
        let kept = ["campaigns/shared/agents.toml@1".to_owned(), "campaigns/shared/queues.toml@1".to_owned()];
        let new = commit('2', &[&[("a.toml", &*a)][..], &shared].concat());
        assert_eq!(told(&new, &last)[..2], [kept.to_vec(), vec!["a".into()]]);
        // What needs the new queue can't be in force with the old ones.
        let new = commit('3', &[&[("a.toml", &*a), ("b.toml", &*b)][..], &shared].concat());
        let kept = [&["-campaigns/b.toml".to_owned()][..], &kept].concat();
        assert_eq!(told(&new, &last)[..2], [kept, vec!["a".into()]]);
        let new = commit('4', &[("a.toml", &a), ("shared/queues.toml", "[[queue")]);
        assert_eq!(told(&new, &last)[0], ["campaigns/shared/queues.toml@1"]);
    }

    #[test]
    fn what_may_not_be_read_stays_as_it_was() {
        let (a, b) = (campaign("a", "sales"), campaign("b", "sales"));
        let last = commit('1', &[("a.toml", &a), ("b.toml", &b)]);
        let refused = |new: CommitFiles, path: &str| {
            let refused = vec![Refusal { path: path.to_owned(), reason: RefusalReason::Symlink }];
            CommitFiles { refused, ..new }
        };
        let new = refused(commit('2', &[("b.toml", &b)]), "campaigns/a.toml");
        let kept = vec!["campaigns/a.toml@1".to_owned()];
        let told_of = vec!["campaigns/a.toml".to_owned()];
        assert_eq!(told(&new, &last), [kept.clone(), vec!["a".into(), "b".into()], told_of]);
        // One that may be the other under a new name.
        let new = refused(commit('3', &[("b.toml", &b)]), "campaigns/link.toml");
        let kept = [kept[0].clone(), "-campaigns/link.toml".to_owned()];
        assert_eq!(told(&new, &last)[0], kept);
    }

    #[test]
    fn with_nothing_to_fall_back_on_the_commit_stays_out() {
        let a = campaign("a", "sales");
        let last = commit('1', &[("a.toml", &a)]);
        let mut new = commit('2', &[("a.toml", &a)]);
        new.files.retain(|file| !file.path.ends_with("tenant.toml"));
        let kept = told(&new, &last)[0].clone();
        assert_eq!(kept, ["campaigns/shared/tenant.toml@1"]);
        let rejected =
            isolate(&new, None, &[], &BTreeSet::new(), &*check(Arc::new(Loader::new(outer_ceilings())))).unwrap_err();
        assert!(rejected.problems.iter().any(|problem| problem.file.ends_with("tenant.toml")), "{rejected:?}");
    }
}
