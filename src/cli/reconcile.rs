//! `dialops reconcile`: look at the branch now, and say what was found.

use super::{
    client::Client,
    output::{Exit, Failure, Format, Out},
    status::{problem_lines, source_lines},
    target::Target,
    text::Zone,
};
use crate::http::wire::{Reconciled, Source};

/// Arguments of `dialops reconcile`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How to write it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Wait until this very request has been handled; `--wait=false` only asks for a look
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value_t = true)]
    #[arg(default_missing_value = "true", action = clap::ArgAction::Set)]
    wait: bool,
    /// Take the newest commit even if it does not follow the one in force (rewritten history)
    #[arg(long)]
    allow_rewrite: bool,
    /// Look at this source only, where there are several
    #[arg(long, value_name = "ID")]
    source: Option<String>,
}

/// Exits with 2 when the newest commit did not come into force.
pub(super) async fn run(args: Args, target: &Target) -> Result<Exit, Failure> {
    let mut ask = vec![("allow_rewrite", args.allow_rewrite.to_string()), ("wait", args.wait.to_string())];
    ask.extend(args.source.map(|source| ("source", source)));
    let found: Reconciled = Client::new(target)?.post(&["reconcile"], &ask).await?;
    let exit = show(&found, args.format)?;
    // What was found is yet to come, so nothing is wrong.
    Ok(if args.wait { exit } else { Exit::Ok })
}

/// Prints what a look found; for `approve` too.
pub(super) fn show(found: &Reconciled, format: Format) -> Result<Exit, Failure> {
    let mut out = Out::stdout();
    match format {
        Format::Json => out.json(found)?,
        Format::Text => {
            let several = found.sources.len() > 1;
            let of = |source| source_lines(source, several, &Zone::named("UTC"));
            let mut lines: Vec<String> = found.sources.iter().flat_map(of).collect();
            lines.extend(problem_lines(&found.problems));
            lines.into_iter().try_for_each(|line| out.line(line))?;
        }
    }
    out.finish()?;
    let is_ready = |source: &Source| source.conditions.iter().any(|c| c.r#type == "Ready" && c.status == "True");
    let ready = found.sources.iter().all(is_ready);
    Ok(if ready { Exit::Ok } else { Exit::BadInput })
}
