//! `dialops callbacks`: what others are told, and what they did not take.

use clap::{Subcommand, ValueEnum};

use super::{
    client::Client,
    output::{Exit, Failure, Format, Out, note},
    target::Target,
    text::{Table, Zone, clean, or_dash},
};
use crate::http::wire::deliveries::{DeliveryList, DeliveryView, Meant, Moved};

/// Deliveries asked for at once.
const PAGE_LENGTH: &str = "1000";

/// Arguments of `dialops callbacks`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List callbacks and text messages, those that are parked unless told otherwise
    List {
        /// Only those of this campaign
        campaign: Option<String>,
        /// Only callbacks, or only text messages
        #[arg(long, value_enum)]
        channel: Option<Channel>,
        /// Those of this state
        #[arg(long, value_enum, default_value_t)]
        state: State,
        /// How to write it; JSON is one delivery a line
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Have parked ones tried again, for a day
    Retry {
        #[command(flatten)]
        which: Which,
    },
    /// Give some up; they are never sent
    Drop {
        #[command(flatten)]
        which: Which,
        /// With --all or --campaign: those that are still tried too, not only what is parked
        #[arg(long)]
        pending: bool,
    },
}

/// By what way something goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Channel {
    /// To the address that a campaign's file names
    Callback,
    /// To the customer, through the gateway of the settings
    Sms,
}

impl Channel {
    fn as_str(self) -> &'static str {
        match self {
            Self::Callback => "callback",
            Self::Sms => "sms",
        }
    }
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum State {
    /// A person decides
    #[default]
    Parked,
    /// It is to be sent
    Pending,
    /// It was taken
    Sent,
    /// It is not sent any more
    Dropped,
    /// Any
    All,
}

impl State {
    fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Parked => Some("parked"),
            Self::Pending => Some("pending"),
            Self::Sent => Some("sent"),
            Self::Dropped => Some("dropped"),
            Self::All => None,
        }
    }
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// Its number, as `list` shows it
    id: Option<i64>,
    /// All of this campaign
    #[arg(long, value_name = "CAMPAIGN")]
    campaign: Option<String>,
    /// All there are
    #[arg(long)]
    all: bool,
}

/// Lists what is told, or moves it.
pub(super) async fn run(args: Args, target: &Target) -> Result<Exit, Failure> {
    let client = Client::new(target)?;
    match args.command {
        Command::List { campaign, channel, state, format } => {
            list(&client, campaign.as_deref(), (channel, state), format).await?;
        }
        Command::Retry { which } => {
            let Moved { moved } = client.post_json(&["deliveries", "retry"], &meant(which, false)).await?;
            note(format_args!("{moved} tried again, for a day"));
        }
        Command::Drop { which, pending } => {
            let Moved { moved } = client.post_json(&["deliveries", "drop"], &meant(which, pending)).await?;
            note(format_args!("{moved} dropped"));
        }
    }
    Ok(Exit::Ok)
}

fn meant(which: Which, pending: bool) -> Meant {
    Meant { channel: None, campaign: which.campaign, id: which.id, pending }
}

async fn list(
    client: &Client,
    campaign: Option<&str>,
    (channel, state): (Option<Channel>, State),
    format: Format,
) -> Result<(), Failure> {
    let (mut out, mut after, mut shown) = (Out::stdout(), None::<String>, 0);
    loop {
        let given = [
            ("campaign", campaign),
            ("channel", channel.map(Channel::as_str)),
            ("state", state.as_str()),
            ("cursor", after.as_deref()),
        ];
        let given = given.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let query: Vec<(&str, &str)> = [("limit", PAGE_LENGTH)].into_iter().chain(given).collect();
        let page: DeliveryList = client.get(&["deliveries"], &query).await?;
        match format {
            Format::Json => page.deliveries.iter().try_for_each(|one| out.json_line(one))?,
            Format::Text if page.deliveries.is_empty() && shown == 0 => out.line("none")?,
            Format::Text => table(&page.deliveries).into_iter().try_for_each(|line| out.line(line))?,
        }
        shown += page.deliveries.len();
        after = page.next;
        if after.is_none() {
            return out.finish();
        }
    }
}

fn table(deliveries: &[DeliveryView]) -> Vec<String> {
    let zone = Zone::named("UTC");
    let mut table = Table::new(&[
        "ID",
        "CHANNEL",
        "EVENT",
        "CAMPAIGN",
        "CUSTOMER",
        "ATTEMPT",
        "HAPPENED (UTC)",
        "STATE",
        "TRIES",
        "NEXT (UTC)",
        "WHY",
    ]);
    for one in deliveries {
        table.row([
            one.id.to_string(),
            one.channel.clone(),
            one.event.clone(),
            one.campaign.clone(),
            clean(&one.customer),
            or_dash(one.attempt.as_deref()),
            zone.show(&one.happened_at),
            one.state.clone(),
            one.tries.to_string(),
            or_dash(one.due_at.as_deref().map(|at| zone.show(at)).as_deref()),
            or_dash(one.last_error.as_deref().map(clean).as_deref()),
        ]);
    }
    table.lines("")
}

/// What was told of a contact, for `why`.
pub(super) fn told_lines(deliveries: &[DeliveryView], zone: &Zone) -> Vec<String> {
    let mut table = Table::new(&["TOLD", "OF", "HAPPENED", "STATE", "TRIES", "SENT OR NEXT", "WHY"]);
    for one in deliveries {
        let at = one.over_at.as_deref().or(one.due_at.as_deref());
        table.row([
            format!("{} {}", one.channel, one.event),
            or_dash(one.attempt.as_deref()),
            zone.show(&one.happened_at),
            one.state.clone(),
            one.tries.to_string(),
            or_dash(at.map(|at| zone.show(at)).as_deref()),
            or_dash(one.last_error.as_deref().map(clean).as_deref()),
        ]);
    }
    table.lines("  ")
}
