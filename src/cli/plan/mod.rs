//! `dialops plan`: what a change of files would do, and to how many contacts.
//!
//! The structure comes from the two sides' files alone and is there at once. Counts come from the
//! daemon, campaign by campaign; a plan without them is still a plan.

mod counts;
mod json;
mod markdown;
mod masked;
mod show;
mod side;
mod text;

use std::{path::PathBuf, time::Duration};

use clap::ValueEnum;

use super::{
    client::Client,
    output::{Exit, Failure, note},
    target::Target,
};
use crate::{
    clock::Clock,
    config::{
        compare::{Comparison, Known, compare},
        settings::outer_ceilings,
    },
    domain::{
        guards::{Removals, Verdict},
        ids::CampaignId,
        plan::Verb,
    },
    http::wire::{
        overrides::OverrideView,
        plan::{CampaignCounts, GuardsView, Live},
    },
};
use counts::Counts;
use side::{Place, Side};

/// Longest wait for what is in force; a daemon that answers does so at once.
const LIVE_WITHIN: Duration = Duration::from_secs(3);

/// Arguments of `dialops plan`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where the plan starts: a commit, or `live` for the one in force [default: live if a daemon answers, else HEAD]
    #[arg(long, value_name = "REV|live")]
    from: Option<String>,
    /// Where it goes: a commit, or `worktree` for the files as they are
    #[arg(long, value_name = "REV|worktree", default_value = "worktree")]
    to: String,
    /// Root of the configuration repository, or its folder of campaigns itself
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// How to write it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Settings whose ceilings hold for both sides; without them only what holds everywhere is checked
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// The source whose files these are, where the daemon follows several [default: the first of its settings]
    #[arg(long, value_name = "ID")]
    source: Option<String>,
    /// The folder of another source, which is one configuration with this one, in place of what the daemon has of it;
    /// may be repeated
    #[arg(long, value_name = "FOLDER")]
    with: Vec<PathBuf>,
    /// Longest wait for counts of contacts, in seconds; 0 asks for none
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    counts_within: u64,
}

/// How a plan is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// For a merge request
    Markdown,
    /// One JSON object
    Json,
}

/// A plan, as every format shows it.
struct Plan {
    from: Side,
    to: Side,
    /// What is in force, or why that is not known.
    live: Result<Live, String>,
    comparison: Comparison,
    /// What a guard says of it: nothing keeps it out, or what does; `None` if no guards are known.
    guard: Option<Option<Verdict>>,
}

impl Plan {
    /// The commit that it leads to, as commands take it.
    fn commit(&self) -> String {
        self.to.name.revision().map_or_else(|| "COMMIT".to_owned(), ToString::to_string)
    }

    /// Overrides in force.
    fn overrides(&self) -> &[OverrideView] {
        self.live.as_ref().map_or(&[], |live| &live.overrides)
    }
}

/// What became of the counts.
struct Counted {
    /// By campaign, in the order in which they came.
    campaigns: Vec<CampaignCounts>,
    /// Why some or all are missing.
    missing: Option<String>,
}

/// Exits with 2 when something changes, with 1 when there is no plan.
pub(super) async fn run(args: Args, target: &Target) -> Result<Exit, Failure> {
    planned(args, target).await.map_err(|failure| match failure.exit {
        // 2 says that there are changes.
        Exit::BadInput => Failure { exit: Exit::Failed, ..failure },
        Exit::Ok | Exit::Failed | Exit::Usage => failure,
    })
}

async fn planned(args: Args, target: &Target) -> Result<Exit, Failure> {
    words(&args)?;
    let settings = side::settings(args.settings.as_ref().or(target.config.as_ref()))?;
    let name = settings.as_ref().map_or("campaigns", |settings| settings.folder_in(&args.dir));
    let mut place = Place::find(&args.dir, name, args.source.is_some() || !args.with.is_empty())?;
    let client = Client::new(target)?;
    let source: Vec<(&str, &str)> = args.source.iter().map(|source| ("source", source.as_str())).collect();
    let live = live(&client, &source).await;
    match &live {
        Ok(live) if args.with.is_empty() => place.beside_live(live, &client, &source).await,
        Ok(_) | Err(_) => place.beside(&args.with, name)?,
    }
    let live_from = args.from.as_deref().map_or(live.is_ok(), |from| from == "live");
    let from = match (&live, args.from.as_deref()) {
        (Ok(live), _) if live_from => Side::live(&place, live, &client, (args.from.is_some(), &source)).await?,
        (Err(failure), _) if live_from => return Err(failure.clone()),
        (_, Some(from)) => Side::commit(&place, from)?,
        (_, None) => {
            let why = live.as_ref().err().map(|failure| failure.message.as_str()).unwrap_or_default();
            note(format_args!("{why}: the plan starts from HEAD"));
            Side::commit(&place, "HEAD")?
        }
    };
    let to = if args.to == "worktree" { Side::worktree(&place)? } else { Side::commit(&place, &args.to)? };
    let now = Clock::system().now().wall;
    let guards = match &live {
        Ok(live) => live.guards.clone(),
        Err(_) => settings.as_ref().map(|settings| GuardsView::of(&settings.guards, now)),
    };
    let ceilings = settings.map_or_else(outer_ceilings, |settings| settings.ceilings);
    let (from, to) = (from.load(&ceilings)?, to.load(&ceilings)?);
    let known = live.as_ref().map(known).unwrap_or_default();
    let comparison = from.with(|from| to.with(|to| compare(from, to, &known, now)));
    let guard =
        guards.filter(|_| !comparison.is_empty()).map(|guards| guards.verdict(&removals(&from, &to, &comparison)));
    let plan = Plan { from, to, live: live.map_err(|failure| failure.message), comparison, guard };
    let mut counts =
        Counts::ask(&plan, &place, &client, (args.source.as_deref(), Duration::from_secs(args.counts_within)));
    match args.format {
        Format::Text => text::write(&plan, &mut counts).await?,
        Format::Markdown => markdown::write(&plan, &counts.all().await)?,
        Format::Json => json::write(&plan, &counts.all().await)?,
    }
    if let Some(refused) = counts.refused() {
        return Err(refused);
    }
    Ok(if plan.comparison.is_empty() { Exit::Ok } else { Exit::BadInput })
}

/// What a plan would take away.
fn removals(from: &Side, to: &Side, comparison: &Comparison) -> Removals {
    let gone = comparison.campaigns.iter().filter(|campaign| campaign.verb == Verb::Retire);
    Removals {
        gone: gone.map(|campaign| campaign.id.clone()).collect(),
        in_force: from.campaigns(),
        defined: to.campaigns(),
        elsewhere: to.elsewhere(),
    }
}

/// `live` is where a plan starts and `worktree` where it goes; a branch of such a name has a longer one.
fn words(args: &Args) -> Result<(), Failure> {
    let usage = |error: &str, hint: &str| Err(Failure { exit: Exit::Usage, ..Failure::failed(error, hint) });
    if args.to == "live" {
        let hint =
            "say what it leads away from with `--from live`, and what it leads to with `--to`: a commit or `worktree`";
        return usage("a plan can start at `live`, what is in force, and not lead to it", hint);
    }
    if args.from.as_deref() == Some("worktree") {
        let hint = "say what it leads to with `--to worktree`, and where it starts with `--from`: a commit or `live`";
        return usage("a plan can lead to `worktree`, the files as they are, and not start there", hint);
    }
    Ok(())
}

async fn live(client: &Client, source: &[(&str, &str)]) -> Result<Live, Failure> {
    match tokio::time::timeout(LIVE_WITHIN, client.get(&["generation"], source)).await {
        Ok(answer) => answer,
        Err(_elapsed) => Err(Failure::failed("the daemon does not answer in time", "see `dialops status`")),
    }
}

/// What the daemon knows of campaigns beside their files.
fn known(live: &Live) -> Known {
    let ids = |ids: &[String]| ids.iter().filter_map(|id| CampaignId::parse(id).ok()).collect();
    Known { retired: ids(&live.retired), expired: ids(&live.expired) }
}
