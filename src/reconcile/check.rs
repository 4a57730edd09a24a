//! How a commit's files become definitions: what `dialops check` does, on what the source read.

use std::sync::Arc;

use super::{
    conditions::PROBLEMS_SHOWN_MAX,
    run::{Checked, Load},
};
use crate::{
    config::{Diagnostic, Loader, code::Code, diagnostic::Severity},
    telemetry::status::Problem,
};

/// The check under the ceilings of the settings. Warnings go to the log, limits that the ceilings lower
/// to the status too.
#[must_use]
pub fn check(loader: Arc<Loader>) -> Arc<Load> {
    Arc::new(move |files| {
        let inside: Vec<_> =
            files.files.iter().map(|file| (files.inside(&file.path), Arc::clone(&file.bytes))).collect();
        let (definitions, warnings) =
            loader.load(&files.prefix, &inside).map_err(|found| problems(&found, Severity::Error))?;
        for Problem { file, line, column, code, message, .. } in problems(&warnings, Severity::Warning) {
            tracing::warn!(revision = %files.revision, file, line, column, code, message, "warning of a commit");
        }
        let lowered = warnings.iter().filter(|warning| warning.code == Code::OverCeiling);
        Ok(Checked { definitions, lowered: lowered.take(PROBLEMS_SHOWN_MAX).map(problem).collect() })
    })
}

fn problems(found: &[Diagnostic], severity: Severity) -> Vec<Problem> {
    found.iter().filter(|diagnostic| diagnostic.severity == severity).map(problem).collect()
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
