//! How a commit's files become definitions: what `dialops check` does, on what the source read.

use std::{collections::BTreeMap, sync::Arc};

use super::conditions::PROBLEMS_SHOWN_MAX;
use crate::{
    config::{Diagnostic, Loader, code::Code, diagnostic::Severity},
    domain::{
        campaign::Definitions,
        ids::{CampaignId, Revision},
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
    /// Campaigns whose files are kept from an earlier commit: the path, and that commit.
    pub kept: BTreeMap<CampaignId, (String, Revision)>,
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

/// Turns a commit's files into definitions, or says every problem. Runs on a blocking thread.
pub type Load = dyn Fn(&CommitFiles) -> Result<Checked, Rejected> + Send + Sync;

/// The check under the ceilings of the settings. Warnings go to the log, limits that the ceilings lower
/// to the status too.
#[must_use]
pub fn check(loader: Arc<Loader>) -> Arc<Load> {
    Arc::new(move |files| {
        let inside: Vec<_> =
            files.files.iter().map(|file| (files.inside(&file.path), Arc::clone(&file.bytes))).collect();
        let (definitions, warnings) = loader.load(&files.prefix, &inside).map_err(|found| rejected(&found))?;
        for Problem { file, line, column, code, message, .. } in of(&warnings, Severity::Warning).map(problem) {
            tracing::warn!(revision = %files.revision, file, line, column, code, message, "warning of a commit");
        }
        let lowered = warnings.iter().filter(|warning| warning.code == Code::OverCeiling);
        let lowered = lowered.take(PROBLEMS_SHOWN_MAX).map(problem).collect();
        let kept = files.files.iter().filter_map(|file| {
            let revision = file.kept_from.clone()?;
            Some((loader.campaign_in(files.inside(&file.path))?, (file.path.clone(), revision)))
        });
        Ok(Checked { definitions, lowered, kept: kept.collect() })
    })
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

fn problem(diagnostic: &Diagnostic) -> Problem {
    Problem {
        file: diagnostic.location.file.to_string(),
        line: diagnostic.location.line,
        column: diagnostic.location.column,
        code: diagnostic.code.to_string(),
        message: diagnostic.message.clone(),
        suggestion: diagnostic.suggestion.as_ref().map(|suggestion| suggestion.message.clone()),
    }
}
