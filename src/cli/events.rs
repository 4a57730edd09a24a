//! `dialops events`: what has happened, and what happens.

use std::time::Duration;

use super::{
    client::Client,
    output::{Exit, Failure, Format, Out},
    target::Target,
    text::{Zone, clean_line},
};
use crate::http::wire::journal::{EventView, Events};

/// How often new ones are asked for.
const FOLLOW_EVERY: Duration = Duration::from_secs(1);

/// New ones asked for at once.
const PAGE_LENGTH: &str = "1000";

/// Arguments of `dialops events`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only those of this campaign
    #[arg(long, value_name = "ID")]
    campaign: Option<String>,
    /// How many of the newest
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Go on with those that come, until interrupted
    #[arg(long)]
    follow: bool,
    /// How to write it; JSON is one event a line
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Prints them, oldest first.
pub(super) async fn run(args: Args, target: &Target) -> Result<Exit, Failure> {
    let client = Client::new(target)?;
    let mut out = Out::stdout();
    let newest = args.limit.to_string();
    let found = ask(&client, &args, &[("limit", &newest)]).await?;
    print(&mut out, &found.events, args.format)?;
    if args.follow {
        return follow(&client, &args, out, found.follow).await;
    }
    if found.events.is_empty() && args.format == Format::Text {
        out.line("no events yet")?;
    }
    out.finish()?;
    Ok(Exit::Ok)
}

/// Prints those that come later, until interrupted.
async fn follow(client: &Client, args: &Args, mut out: Out, mut cursor: String) -> Result<Exit, Failure> {
    loop {
        out.flush()?;
        tokio::time::sleep(FOLLOW_EVERY).await;
        let found = ask(client, args, &[("cursor", &cursor), ("limit", PAGE_LENGTH)]).await?;
        print(&mut out, &found.events, args.format)?;
        cursor = found.follow;
    }
}

async fn ask(client: &Client, args: &Args, query: &[(&str, &str)]) -> Result<Events, Failure> {
    let mut query = query.to_vec();
    query.extend(args.campaign.as_deref().map(|campaign| ("campaign", campaign)));
    client.get(&["events"], &query).await
}

fn print(out: &mut Out, events: &[EventView], format: Format) -> Result<(), Failure> {
    events.iter().try_for_each(|event| match format {
        Format::Json => out.json_line(event),
        Format::Text => out.line(line(event)),
    })
}

fn line(event: &EventView) -> String {
    let at = Zone::named("UTC").show(&event.at);
    format!("{at}  {:<16}  {}", event.kind.replace('_', " "), clean_line(&event.message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line() {
        let event = EventView {
            id: 7,
            at: "2031-03-01T02:00:00Z".to_owned(),
            kind: "campaign_changed".to_owned(),
            revision: None,
            campaign: Some("spring".to_owned()),
            by: None,
            before: Some("running".to_owned()),
            after: Some("paused".to_owned()),
            message: "pause spring:\nno new calls".to_owned(),
        };
        assert_eq!(line(&event), "2031-03-01 02:00:00  campaign changed  pause spring:\\u000ano new calls");
    }
}
