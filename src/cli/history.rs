//! `dialops history`: commits that came into force or were refused.

use super::{
    client::Client,
    output::{Exit, Failure, Format, Out},
    target::Target,
    text::{Table, Zone, clean, or_dash, short_revision},
};
use crate::http::wire::journal::{HandledCommitView, History};

/// Arguments of `dialops history`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How many commits
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// How to write it; JSON is one commit a line
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Prints them, newest first.
pub(super) async fn run(args: Args, target: &Target) -> Result<Exit, Failure> {
    let limit = args.limit.to_string();
    let found: History = Client::new(target)?.get(&["history"], &[("limit", &limit)]).await?;
    let mut out = Out::stdout();
    match args.format {
        Format::Json => found.commits.iter().try_for_each(|commit| out.json_line(commit))?,
        Format::Text => lines(&found.commits).into_iter().try_for_each(|line| out.line(line))?,
    }
    out.finish()?;
    Ok(Exit::Ok)
}

/// A table; behind a commit that is not in force the reason.
fn lines(commits: &[HandledCommitView]) -> Vec<String> {
    if commits.is_empty() {
        return vec!["no commits yet".to_owned()];
    }
    let zone = Zone::named("UTC");
    // Whose commits they are is worth a column only where there are several sources.
    let several = commits.iter().any(|commit| commit.source != commits[0].source);
    let mut table = Table::new(&[
        "HANDLED AT (UTC)",
        if several { "SOURCE COMMIT" } else { "COMMIT" },
        "RESULT",
        "TOOK",
        "CHANGED",
        "AUTHOR",
        "SUBJECT",
    ]);
    for commit in commits {
        let info = commit.commit.as_ref();
        table.row([
            zone.show(&commit.at),
            match several {
                true => format!("{} {}", commit.source, short_revision(&commit.revision)),
                false => short_revision(&commit.revision).to_owned(),
            },
            commit.result.replace('_', " "),
            took(commit.duration_seconds),
            commit.campaigns_changed.to_string(),
            or_dash(info.map(|info| info.author.as_str())),
            or_dash(info.map(|info| info.subject.as_str())),
        ]);
    }
    let mut rows = table.lines("").into_iter();
    let mut told: Vec<String> = rows.next().into_iter().collect();
    for (row, commit) in rows.zip(commits) {
        told.push(row);
        told.extend(commit.message.as_deref().map(|message| format!("    {}", clean(message))));
    }
    told
}

/// `12 ms`, or `1.4 s`.
fn took(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.0} ms", seconds * 1000.0) } else { format!("{seconds:.1} s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::status::CommitInfo;

    #[test]
    fn a_commit_that_is_not_in_force_says_why() {
        let good = HandledCommitView {
            at: "2031-03-01T02:00:00Z".to_owned(),
            source: "main".to_owned(),
            revision: "0123456789abcdef0123456789abcdef01234567".to_owned(),
            commit: Some(CommitInfo {
                author: "Ops".into(),
                time: String::new(),
                subject: "spring runs".into(),
                verified: None,
            }),
            result: "in_force".to_owned(),
            reason: None,
            message: None,
            duration_seconds: 0.0124,
            campaigns_changed: 3,
        };
        let bad = HandledCommitView {
            commit: None,
            result: "refused".to_owned(),
            message: Some("1 problem in 1 file\x1b".to_owned()),
            duration_seconds: 2.345,
            campaigns_changed: 0,
            ..good.clone()
        };
        assert_eq!(
            lines(&[bad, good]),
            [
                "HANDLED AT (UTC)     COMMIT        RESULT    TOOK   CHANGED  AUTHOR  SUBJECT",
                "2031-03-01 02:00:00  0123456789ab  refused   2.3 s  0        -       -",
                "    1 problem in 1 file\\u001b",
                "2031-03-01 02:00:00  0123456789ab  in force  12 ms  3        Ops     spring runs",
            ]
        );
        assert_eq!(lines(&[]), ["no commits yet"]);
    }
}
