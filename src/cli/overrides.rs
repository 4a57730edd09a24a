//! `dialops override`: what people decide against the files for a while.

use clap::Subcommand;

use super::{
    client::Client,
    output::{Exit, Failure, Format, Out, note},
    target::Target,
    text::{Table, Zone, clean},
};
use crate::http::wire::overrides::{ListedOverride, NewOverride, OverrideList, OverrideMade, OverrideView};

/// Arguments of `dialops override`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Place no new calls of a campaign, or of all; live ones go on
    Pause {
        #[command(flatten)]
        of: Of,
        /// Cancel calls that ring; conversations go on
        #[arg(long)]
        cancel_ringing: bool,
        #[command(flatten)]
        how: How,
    },
    /// Dial a campaign, or all, although its file says `paused`
    Resume {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        how: How,
    },
    /// Follow an earlier commit of the branch, without touching Git
    Pin {
        /// The commit, or a tag
        revision: String,
        #[command(flatten)]
        how: How,
    },
    /// List those in force
    List {
        /// Past ones too
        #[arg(long)]
        all: bool,
        /// How to write it
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// End one before its time
    End {
        /// Its number, as `list` shows it
        id: u32,
    },
}

#[derive(Debug, clap::Args)]
struct Of {
    /// The campaign's id, or `all`
    campaign: String,
}

#[derive(Debug, clap::Args)]
struct How {
    /// Why, for whoever finds it
    #[arg(long)]
    reason: String,
    /// When it ends by itself: how long it holds, such as 30m or 2h, or a time such as 2031-03-01T09:00:00+08:00
    #[arg(long, value_name = "TIME-OR-DURATION")]
    until: String,
    /// How to write it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Makes, lists or ends overrides.
pub(super) async fn run(args: Args, target: &Target) -> Result<Exit, Failure> {
    let client = Client::new(target)?;
    match args.command {
        Command::Pause { of, cancel_ringing, how } => {
            let asked = asked("pause", Some(of.campaign), None, &how);
            make(&client, NewOverride { cancel_ringing, ..asked }, how.format).await?;
        }
        Command::Resume { of, how } => {
            make(&client, asked("resume", Some(of.campaign), None, &how), how.format).await?;
        }
        Command::Pin { revision, how } => {
            make(&client, asked("pin", None, Some(revision), &how), how.format).await?;
        }
        Command::List { all, format } => list(&client, all, format).await?,
        Command::End { id } => {
            let ended: OverrideView = client.delete_json(&["overrides", &id.to_string()]).await?;
            note(format_args!("override {id} is over; it did this: {}", clean(&ended.does)));
        }
    }
    Ok(Exit::Ok)
}

fn asked(action: &str, campaign: Option<String>, revision: Option<String>, how: &How) -> NewOverride {
    let (reason, until) = (how.reason.clone(), how.until.clone());
    NewOverride { action: action.to_owned(), campaign, revision, reason, until, cancel_ringing: false }
}

async fn make(client: &Client, asked: NewOverride, format: Format) -> Result<(), Failure> {
    let made: OverrideMade = client.post_json(&["overrides"], &asked).await?;
    let mut out = Out::stdout();
    match format {
        Format::Json => out.json(&made)?,
        Format::Text => {
            out.line(line(&made.r#override, &Zone::named("UTC")))?;
            out.line(format!("undone by itself then, or with `dialops override end {}`", made.r#override.id))?;
            if !made.revert.is_empty() {
                out.line("to make it last, in a clone of the configuration repository:")?;
            }
            made.revert.iter().try_for_each(|command| out.line(format!("  {}", clean(command))))?;
        }
    }
    out.finish()
}

async fn list(client: &Client, all: bool, format: Format) -> Result<(), Failure> {
    let query: &[(&str, &str)] = if all { &[("all", "true")] } else { &[] };
    let take = |page: OverrideList| (page.overrides, page.next);
    let found = OverrideList { overrides: client.pages(&["overrides"], query, take).await?, next: None };
    let mut out = Out::stdout();
    match format {
        Format::Json => out.json(&found)?,
        Format::Text => table(&found.overrides).into_iter().try_for_each(|line| out.line(line))?,
    }
    out.finish()
}

/// An override in one line; for `status` too.
pub(super) fn line(one: &OverrideView, zone: &Zone) -> String {
    let OverrideView { id, does, reason, by, until, .. } = one;
    let until = zone.show(until);
    clean(&format!("override {id} {does} until {until} {}, by {by}: {reason}", zone.name))
}

fn table(overrides: &[ListedOverride]) -> Vec<String> {
    if overrides.is_empty() {
        return vec!["no override is in force".to_owned()];
    }
    let zone = Zone::named("UTC");
    let mut table = Table::new(&["ID", "OVERRIDE", "SINCE (UTC)", "UNTIL (UTC)", "BY", "REASON", "STATE"]);
    for one in overrides {
        let OverrideView { id, does, reason, by, since, until, .. } = &one.r#override;
        let state = match (&one.ended_at, &one.ended_by, one.active) {
            (Some(at), Some(who), _) => format!("ended {} by {who}", zone.show(at)),
            (_, _, true) => "in force".to_owned(),
            (_, _, false) => "over".to_owned(),
        };
        let (since, until) = (zone.show(since), zone.show(until));
        table.row([id.to_string(), does.clone(), since, until, by.clone(), reason.clone(), state]);
    }
    table.lines("")
}
