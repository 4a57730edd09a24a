//! What became of the newest commit, as kstatus conditions.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
};

use jiff::Timestamp;

use crate::{
    domain::{
        campaign::KeptFile,
        guards::Verdict,
        ids::{CampaignId, Revision},
    },
    gitops::{Refusal, SourceError, Unverified},
    store::StoreError,
    telemetry::{
        metrics::ReconcileFailure,
        status::{Condition, Problem, WaitingCommit},
    },
};

/// Most files that a message names.
const KEPT_TOLD_MAX: usize = 5;

/// The condition that says whether the newest commit is signed by somebody who may.
pub(super) const SOURCE_VERIFIED: &str = "SourceVerified";

/// Most problems shown in status and logs; the message has the full count.
pub(super) const PROBLEMS_SHOWN_MAX: usize = 200;

/// Why the branch's commit is not in force.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The repository or the commit can't be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The branch's history no longer has the commit in force.
    #[error(
        "commit {} does not follow commit {}, which is in force: the branch was rewritten; it is held until `dialops reconcile --allow-rewrite`, or until the branch has it again",
        .head.short(), .applied.short()
    )]
    Rewritten {
        /// The branch's commit.
        head: Revision,
        /// The commit in force.
        applied: Revision,
    },
    /// What another source has in force is not known, so that this commit can't stand beside it.
    #[error("nothing is put in force while it is not known what other sources had in force: {0}")]
    Beside(String),
    /// It is not signed by somebody who may, or brings a commit that is not.
    #[error(transparent)]
    Unverified(Box<Unverified>),
    /// The files have problems.
    #[error("{}", invalid(.0))]
    Invalid(Vec<Problem>),
    /// It is good, and waits.
    #[error("commit {} waits: {verdict}; {}{}", .head.short(), .verdict.hint(.head.as_str()), left_out(.problems))]
    Guarded {
        /// The branch's commit.
        head: Revision,
        /// What keeps it out.
        verdict: Verdict,
        /// What it would do, step by step.
        plan: Vec<String>,
        /// Campaigns that are paused already, as a freeze lets them be.
        pauses: BTreeSet<CampaignId>,
        /// What is wrong with files of it that would stay as they were.
        problems: Vec<Problem>,
    },
    /// It is in force but for some files.
    #[error("{message}")]
    InPart {
        /// What stays as it was.
        message: String,
        /// What is wrong with it.
        problems: Vec<Problem>,
    },
    /// The store failed; tried again after a while.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The check of the files itself failed: a bug.
    #[error("the check of the commit's files failed; look for the panic in the log and report it")]
    Crashed,
}

impl Failure {
    /// What a commit that is in force in part lacks: some files are as earlier ones have them.
    pub(super) fn in_part(
        revision: &Revision,
        files: &BTreeMap<String, KeptFile>,
        problems: Vec<Problem>,
        stopped: &[CampaignId],
    ) -> Self {
        let kept = |(path, file): (&String, &KeptFile)| match file {
            KeptFile::Of { revision, .. } => format!("{} as commit {} has it", path.escape_debug(), revision.short()),
            KeptFile::LeftOut => format!("without {}", path.escape_debug()),
        };
        let mut listed: Vec<String> = files.iter().take(KEPT_TOLD_MAX).map(kept).collect();
        if files.len() > KEPT_TOLD_MAX {
            listed.push(format!("and {} more", files.len() - KEPT_TOLD_MAX));
        }
        let revision = revision.short();
        let listed = if listed.is_empty() { String::new() } else { format!(", {}", listed.join(", ")) };
        let wrong = invalid(&problems);
        let stopped: Vec<&str> = stopped.iter().map(CampaignId::as_str).collect();
        let paused = match stopped.is_empty() {
            true => String::new(),
            false => format!("; paused, as it has their files gone or paused: {}", stopped.join(", ")),
        };
        let message = format!("{wrong}; the rest of commit {revision} is in force{listed}{paused}");
        Self::InPart { message, problems }
    }

    /// One CamelCase word.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Source(error) => error.reason(),
            Self::Rewritten { .. } => "HistoryRewritten",
            Self::Beside(_) => "SourceUnread",
            Self::Unverified(unverified) => unverified.reason(),
            Self::Invalid(_) => "ValidationFailed",
            Self::Guarded { verdict, .. } => verdict.reason(),
            Self::InPart { .. } => "FilesKept",
            Self::Store(_) => "StoreFailed",
            Self::Crashed => "CheckFailed",
        }
    }

    pub(super) fn metric(&self) -> ReconcileFailure {
        match self {
            Self::Source(error) if !error.is_of_commit() => ReconcileFailure::Source,
            Self::Beside(_) => ReconcileFailure::Source,
            Self::Guarded { .. } => ReconcileFailure::Guarded,
            Self::Unverified(_) => ReconcileFailure::Unverified,
            Self::Source(_) | Self::Rewritten { .. } | Self::Invalid(_) | Self::InPart { .. } | Self::Crashed => {
                ReconcileFailure::Rejected
            }
            Self::Store(_) => ReconcileFailure::Store,
        }
    }

    /// Whether it says something of the newest commit; else what was known of that stands.
    pub(super) fn tells_of_commit(&self) -> bool {
        self.is_of_commit() || matches!(self, Self::Guarded { .. })
    }

    /// Whether looking at the same commit again would find the same.
    pub(super) fn is_of_commit(&self) -> bool {
        match self {
            Self::Source(error) => error.is_of_commit(),
            Self::Rewritten { .. } | Self::Unverified(_) | Self::Invalid(_) | Self::InPart { .. } | Self::Crashed => {
                true
            }
            // The end of a freeze is only a matter of time.
            Self::Guarded { verdict, .. } => verdict.is_of_removals(),
            Self::Store(_) | Self::Beside(_) => false,
        }
    }

    /// Whether another look may find something else since the keys that may sign are not the commit's.
    pub(super) fn is_of_keys(&self) -> bool {
        matches!(self, Self::Unverified(_))
    }

    /// Whether it stays so until a person does something.
    fn is_stalled(&self) -> bool {
        match self {
            Self::Source(error) => !error.is_passing(),
            Self::Rewritten { .. } | Self::Unverified(_) | Self::Invalid(_) | Self::InPart { .. } | Self::Crashed => {
                true
            }
            Self::Guarded { verdict, .. } => verdict.is_of_removals(),
            Self::Store(_) | Self::Beside(_) => false,
        }
    }

    /// Whether the commit waits for a person because of what it takes away.
    fn blocks_removals(&self) -> bool {
        matches!(self, Self::Guarded { verdict, .. } if verdict.is_of_removals())
    }

    /// The commit that waits, and what for.
    pub(super) fn waiting(&self) -> Option<WaitingCommit> {
        let Self::Guarded { head, verdict, plan, .. } = self else { return None };
        Some(WaitingCommit {
            revision: head.to_string(),
            plan: plan.clone(),
            reason: verdict.reason().to_owned(),
            message: verdict.to_string(),
            approvable: verdict.is_approvable(),
            hint: verdict.hint(head.as_str()),
        })
    }

    /// Every problem of the commit, if that is what failed.
    pub(super) fn problems(&self) -> Vec<Problem> {
        match self {
            Self::Invalid(problems) | Self::InPart { problems, .. } | Self::Guarded { problems, .. } => {
                problems.iter().take(PROBLEMS_SHOWN_MAX).cloned().collect()
            }
            Self::Source(SourceError::Refused { refusals, .. }) => refusals.iter().map(refused).collect(),
            _ => vec![],
        }
    }
}

/// What a commit that waits would leave out.
fn left_out(problems: &[Problem]) -> String {
    if problems.is_empty() {
        String::new()
    } else {
        format!("; it would come into force but for {}", invalid(problems))
    }
}

fn invalid(problems: &[Problem]) -> String {
    let mut files: Vec<&str> = problems.iter().map(|problem| problem.file.as_str()).collect();
    files.sort_unstable();
    files.dedup();
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    format!("{} in {}", count(problems.len(), "problem"), count(files.len(), "file"))
}

pub(super) fn refused(refusal: &Refusal) -> Problem {
    Problem {
        file: refusal.path.escape_debug().to_string(),
        line: 0,
        column: 0,
        code: refusal.reason.code().to_owned(),
        message: refusal.reason.to_string(),
        suggestion: None,
    }
}

/// `Ready`, and `Stalled` and `PruneBlocked` while they hold; each keeps its time while its status stays the same. What
/// says of drift stays as it is.
pub(super) fn conditions(
    before: &[Condition],
    ready: Result<String, (&Failure, String)>,
    now: Timestamp,
) -> Vec<Condition> {
    let condition =
        |kind: &str, status: &str, reason: &str, message: &str| condition(before, (kind, status), reason, message, now);
    let drift = before.iter().filter(|condition| condition.r#type == DRIFT_DETECTED).cloned();
    let mut conditions = match ready {
        Ok(message) => vec![condition("Ready", "True", "ReconciliationSucceeded", &message)],
        Err((failure, message)) => {
            let mut conditions = vec![condition("Ready", "False", failure.reason(), &message)];
            if failure.is_stalled() {
                conditions.push(condition("Stalled", "True", failure.reason(), &message));
            }
            if failure.blocks_removals() {
                conditions.push(condition("PruneBlocked", "True", failure.reason(), &message));
            }
            conditions
        }
    };
    // What is said of signatures stands until it is said anew.
    conditions.extend(before.iter().filter(|condition| condition.r#type == SOURCE_VERIFIED).cloned());
    conditions.extend(drift);
    conditions
}

/// What is known of the newest commit's signature.
pub(super) fn verified(before: &[Condition], status: &str, reason: &str, message: &str, now: Timestamp) -> Condition {
    condition(before, (SOURCE_VERIFIED, status), reason, message, now)
}

/// A condition that keeps its time while its status stays the same.
fn condition(
    before: &[Condition],
    (kind, status): (&str, &str),
    reason: &str,
    message: &str,
    now: Timestamp,
) -> Condition {
    let same = before.iter().find(|c| c.r#type == kind && c.status == status);
    Condition {
        r#type: kind.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        last_transition_time: same.map_or_else(|| now.to_string(), |c| c.last_transition_time.clone()),
    }
}

/// What says that the store or the telephony side differs from the commit in force.
const DRIFT_DETECTED: &str = "DriftDetected";

/// The conditions with what says of drift: a reason and a message, or nothing while all is in order. It keeps its time
/// while it is there.
pub(super) fn with_drift(before: &[Condition], told: Option<(&str, String)>, now: Timestamp) -> Vec<Condition> {
    let is_drift = |condition: &&Condition| condition.r#type == DRIFT_DETECTED;
    let since = before.iter().find(is_drift).map(|condition| condition.last_transition_time.clone());
    let drift = told.map(|(reason, message)| Condition {
        r#type: DRIFT_DETECTED.to_owned(),
        status: "True".to_owned(),
        reason: reason.to_owned(),
        message,
        last_transition_time: since.unwrap_or_else(|| now.to_string()),
    });
    before.iter().filter(|condition| !is_drift(condition)).cloned().chain(drift).collect()
}

/// Before the first look.
pub(super) fn unknown(now: Timestamp) -> Vec<Condition> {
    vec![Condition {
        r#type: "Ready".to_owned(),
        status: "Unknown".to_owned(),
        reason: "Progressing".to_owned(),
        message: "the branch has not been looked at yet".to_owned(),
        last_transition_time: now.to_string(),
    }]
}

/// An error with its causes, in one line.
pub(super) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_time_is_that_of_the_last_change_of_status() {
        let failure = Failure::Invalid(vec![]);
        let first = conditions(&[], Err((&failure, "one".to_owned())), at("2031-03-01T10:00:00Z"));
        let second = conditions(&first, Err((&failure, "two".to_owned())), at("2031-03-01T11:00:00Z"));
        assert_eq!(second.len(), 2);
        assert!(second.iter().all(|c| c.last_transition_time == "2031-03-01T10:00:00Z" && c.message == "two"));
        let third = conditions(&second, Ok("fine".to_owned()), at("2031-03-01T12:00:00Z"));
        assert_eq!(third.len(), 1, "Stalled is there only while it holds");
        assert_eq!(third[0].last_transition_time, "2031-03-01T12:00:00Z");
    }

    #[test]
    fn drift_is_told_beside_the_commit_and_only_while_it_is_there() {
        let first = with_drift(&[], Some(("Mended", "one".to_owned())), at("2031-03-01T10:00:00Z"));
        let second = with_drift(&first, Some(("Fight", "two".to_owned())), at("2031-03-01T11:00:00Z"));
        let third = conditions(&second, Ok("fine".to_owned()), at("2031-03-01T12:00:00Z"));
        let told: Vec<&str> = third.iter().map(|condition| condition.r#type.as_str()).collect();
        assert_eq!(told, ["Ready", "DriftDetected"]);
        assert_eq!((third[1].reason.as_str(), third[1].message.as_str()), ("Fight", "two"));
        assert_eq!(third[1].last_transition_time, "2031-03-01T10:00:00Z");
        assert_eq!(with_drift(&third, None, at("2031-03-01T13:00:00Z")).len(), 1);
    }

    #[test]
    fn what_may_pass_by_itself_is_not_stalled() {
        let of = |error: SourceError| {
            let conditions = conditions(&[], Err((&error.into(), String::new())), Timestamp::UNIX_EPOCH);
            conditions.iter().map(|condition| condition.r#type.clone()).collect::<Vec<_>>()
        };
        let url = || "https://git.example.net/x.git".to_owned();
        assert_eq!(of(SourceError::TimedOut { url: url(), seconds: 60 }), ["Ready"]);
        assert_eq!(of(SourceError::HostKey { url: url() }), ["Ready", "Stalled"]);
    }

    #[test]
    fn problems_are_counted_by_file() {
        let problem = |file: &str| Problem {
            file: file.to_owned(),
            line: 1,
            column: 1,
            code: String::new(),
            message: String::new(),
            suggestion: None,
        };
        let failure = Failure::Invalid(vec![problem("a"), problem("b"), problem("a")]);
        assert_eq!(failure.to_string(), "3 problems in 2 files");
    }
}
