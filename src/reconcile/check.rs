//! How files become definitions: what `dialops check` does, on what the sources read.

use std::{collections::BTreeMap, sync::Arc};

use super::conditions::PROBLEMS_SHOWN_MAX;
use crate::{
    config::{Diagnostic, Loader, code::Code, diagnostic::Severity},
    domain::{
        campaign::Definitions,
        ids::{CampaignId, Revision, SourceId},
    },
    gitops::CommitFiles,
    telemetry::status::Problem,
};

/// What good files come to.
#[derive(Debug)]
pub struct Checked {
    /// What they define.
    pub definitions: Definitions,
    /// Limits of theirs that the settings' ceilings lower, at most as many as status shows.
    pub lowered: Vec<Problem>,
    /// Campaigns of the commit at hand whose files are kept from an earlier one: the path, and that commit.
    pub kept: BTreeMap<CampaignId, (String, Revision)>,
    /// The same of other sources: that commit.
    pub kept_elsewhere: BTreeMap<CampaignId, Revision>,
    /// The source of each campaign; empty where there is one.
    pub sources: BTreeMap<CampaignId, SourceId>,
}

/// Why files come to nothing.
#[derive(Debug)]
pub struct Rejected {
    /// Every problem.
    pub problems: Vec<Problem>,
    /// For each of them the files that have to do with it, first the one that it stands in.
    pub involved: Vec<Vec<String>>,
}

impl From<Vec<Problem>> for Rejected {
    fn from(problems: Vec<Problem>) -> Self {
        let involved = problems.iter().map(|problem| vec![problem.file.clone()]).collect();
        Self { problems, involved }
    }
}

/// Turns a commit's files, beside those that other sources have in force, into definitions, or says every problem. Runs
/// on a blocking thread.
pub type Load = dyn Fn(&CommitFiles, &[Arc<CommitFiles>]) -> Result<Checked, Rejected> + Send + Sync;

/// The check under the ceilings of the settings. Warnings go to the log, limits that the ceilings lower
/// to the status too.
#[must_use]
pub fn check(loader: Arc<Loader>) -> Arc<Load> {
    Arc::new(move |commit, others| {
        let all: Vec<&CommitFiles> = [commit].into_iter().chain(others.iter().map(|files| &**files)).collect();
        let loaded: Vec<_> = all.iter().flat_map(|files| files.loaded()).collect();
        let (definitions, warnings) = loader.load(&commit.prefix, &loaded).map_err(|found| rejected(&found))?;
        for Problem { file, line, column, code, message, .. } in of(&warnings, Severity::Warning).map(problem) {
            tracing::warn!(revision = %commit.revision, file, line, column, code, message, "warning of a commit");
        }
        let lowered = warnings.iter().filter(|warning| warning.code == Code::OverCeiling);
        let lowered = lowered.take(PROBLEMS_SHOWN_MAX).map(problem).collect();
        let kept = |files: &&CommitFiles| kept(files, &loader);
        let kept_elsewhere = all[1..].iter().flat_map(kept).map(|(campaign, (_, revision))| (campaign, revision));
        let of_source = |files: &&CommitFiles| campaigns(files, &loader);
        let sources = if others.is_empty() { BTreeMap::new() } else { all.iter().flat_map(of_source).collect() };
        Ok(Checked { kept: kept(&commit), kept_elsewhere: kept_elsewhere.collect(), definitions, lowered, sources })
    })
}

/// Campaigns whose files an earlier commit has so.
fn kept(commit: &CommitFiles, loader: &Loader) -> BTreeMap<CampaignId, (String, Revision)> {
    let kept = commit.files.iter().filter_map(|file| {
        let revision = file.kept_from.clone()?;
        let campaign = loader.campaign_in(&commit.prefix, commit.inside(&file.path))?;
        Some((campaign, (file.path.clone(), revision)))
    });
    kept.collect()
}

/// The campaigns that a commit's files define.
fn campaigns(commit: &CommitFiles, loader: &Loader) -> Vec<(CampaignId, SourceId)> {
    let defined = commit.files.iter().filter_map(|file| loader.campaign_in(&commit.prefix, commit.inside(&file.path)));
    defined.map(|campaign| (campaign, commit.source.clone())).collect()
}

fn of(found: &[Diagnostic], severity: Severity) -> impl Iterator<Item = &Diagnostic> {
    found.iter().filter(move |diagnostic| diagnostic.severity == severity)
}

fn rejected(found: &[Diagnostic]) -> Rejected {
    let involved = |diagnostic: &Diagnostic| {
        let related = diagnostic.related.iter().map(|related| &related.location);
        [&diagnostic.location].into_iter().chain(related).map(|location| location.file.to_string()).collect()
    };
    Rejected {
        problems: of(found, Severity::Error).map(problem).collect(),
        involved: of(found, Severity::Error).map(involved).collect(),
    }
}

/// A problem as status has it: a place, and in the message another file that it has to do with.
fn problem(diagnostic: &Diagnostic) -> Problem {
    let elsewhere = diagnostic.related.iter().find(|related| related.location.file != diagnostic.location.file);
    let message = match elsewhere {
        Some(related) => {
            let at = &related.location;
            let place = if at.line > 0 { format!(":{}:{}", at.line, at.column) } else { String::new() };
            format!("{}; {}: {}{place}", diagnostic.message, related.label, at.file)
        }
        None => diagnostic.message.clone(),
    };
    Problem {
        file: diagnostic.location.file.to_string(),
        line: diagnostic.location.line,
        column: diagnostic.location.column,
        code: diagnostic.code.to_string(),
        message,
        suggestion: diagnostic.suggestion.as_ref().map(|suggestion| suggestion.message.clone()),
    }
}
