//! `dialops agents`: who does what, and setting what one is available for.

use clap::{Subcommand, ValueEnum};

use super::{
    client::Client,
    output::{Exit, Failure, Format, Out, note},
    people::{self, PasswordFrom},
    target::Target,
    text::{Table, or_dash},
};
use crate::{
    domain::agent::Availability,
    http::wire::{AgentList, SetAgent},
};

/// Arguments of `dialops agents`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List agents with their states
    List {
        /// How to write it
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Set what an agent is available for
    Set {
        /// The agent's id
        agent: String,
        /// What for
        #[arg(value_enum)]
        state: State,
    },
    /// Give an agent a password for the agent page
    ///
    /// It is asked for at the terminal, or read from --password-file or the first line of stdin.
    Password {
        /// The agent's id
        agent: String,
        #[command(flatten)]
        from: PasswordFrom,
    },
    /// Issue a token that lets an agent in, to stdout
    Token {
        /// The agent's id
        agent: String,
        /// How long it lasts, such as 8h
        #[arg(long, value_name = "TIME", default_value = "12h")]
        lasts: String,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum State {
    /// Ready for calls
    Idle,
    /// Signed in, not to be called
    Busy,
    /// On a break
    Rest,
    /// Gone
    SignedOut,
}

impl From<State> for Availability {
    fn from(state: State) -> Self {
        match state {
            State::Idle => Self::Idle,
            State::Busy => Self::Busy,
            State::Rest => Self::Rest,
            State::SignedOut => Self::SignedOut,
        }
    }
}

/// Lists or sets.
pub(super) async fn run(args: Args, target: &Target) -> Result<Exit, Failure> {
    let client = Client::new(target)?;
    match args.command {
        Command::List { format } => list(&client, format).await?,
        Command::Set { agent, state } => {
            let wanted = SetAgent { state: Availability::from(state).as_str().to_owned(), after_call: false };
            let set: SetAgent = client.put(&["agents", &agent], &wanted).await?;
            note(format_args!("{agent} is {}", set.state));
        }
        Command::Password { agent, from } => people::set_password(&client, &agent, &from).await?,
        Command::Token { agent, lasts } => people::issue_token(&client, &agent, lasts).await?,
    }
    Ok(Exit::Ok)
}

async fn list(client: &Client, format: Format) -> Result<(), Failure> {
    let found: AgentList = client.get(&["agents"], &[]).await?;
    let mut out = Out::stdout();
    match format {
        Format::Json => out.json(&found)?,
        Format::Text if found.agents.is_empty() => out.line("no agents")?,
        Format::Text => {
            let mut table = Table::new(&["AGENT", "NAME", "STATE", "SINCE", "CAMPAIGN"]);
            for agent in found.agents {
                let campaign = or_dash(agent.campaign.as_deref());
                table.row([agent.id, agent.name, agent.state, agent.since, campaign]);
            }
            table.lines("").into_iter().try_for_each(|line| out.line(line))?;
        }
    }
    out.finish()
}
