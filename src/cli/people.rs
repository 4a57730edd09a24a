//! `dialops people`: accounts, and what lets people in.

use std::{
    io::{self, BufRead, IsTerminal},
    path::PathBuf,
};

use clap::{Subcommand, ValueEnum};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{
    client::Client,
    output::{Exit, Failure, Format, Out, note},
    target::Target,
    text::Table,
};
use crate::{
    domain::person,
    http::wire::people::{IssueToken, PeopleList, Token},
};

/// Arguments of `dialops people`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List who has an account
    List {
        /// How to write it
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Give somebody an account, or another role
    ///
    /// Agents need none: those of agents.toml in force are known. See `dialops agents password`.
    Set {
        /// The person's id
        person: String,
        /// What they may do
        #[arg(long, value_enum)]
        role: Role,
    },
    /// Give somebody a password
    ///
    /// It is asked for at the terminal, or read from --password-file or the first line of stdin.
    Password {
        /// The person's id
        person: String,
        #[command(flatten)]
        from: PasswordFrom,
    },
    /// Issue a token that lets somebody in, to stdout
    Token {
        /// The person's id
        person: String,
        /// How long it lasts, such as 8h or 30d
        #[arg(long, value_name = "TIME", default_value = "12h")]
        lasts: String,
    },
    /// End all sessions and tokens of somebody
    SignOut {
        /// The person's id
        person: String,
    },
    /// Take somebody's account away
    Remove {
        /// The person's id
        person: String,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Role {
    /// Sees how campaigns stand, and nobody's data
    Viewer,
    /// Sees contacts and agents, and decides for them
    Supervisor,
    /// May do everything
    Admin,
}

impl From<Role> for person::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Viewer => Self::Viewer,
            Role::Supervisor => Self::Supervisor,
            Role::Admin => Self::Admin,
        }
    }
}

/// Where a password comes from; never from the arguments, which others can see.
#[derive(Debug, clap::Args)]
pub(super) struct PasswordFrom {
    /// File whose first line is the password
    #[arg(long, value_name = "PATH")]
    password_file: Option<PathBuf>,
}

/// Lists or changes.
pub(super) async fn run(args: Args, target: &Target) -> Result<Exit, Failure> {
    let client = Client::new(target)?;
    match args.command {
        Command::List { format } => list(&client, format).await?,
        Command::Set { person, role } => {
            let role = person::Role::from(role);
            client.put_json(&["people", &person], &json!({ "role": role.as_str() })).await?;
            note(format_args!("{person} is {role}; `dialops people password {person}` lets them sign in"));
        }
        Command::Password { person, from } => set_password(&client, &person, &from).await?,
        Command::Token { person, lasts } => issue_token(&client, &person, lasts).await?,
        Command::SignOut { person } => {
            client.send_json(&["people", &person, "sign-out"], &json!({})).await?;
            note(format_args!("{person} is signed out everywhere"));
        }
        Command::Remove { person } => {
            client.delete(&["people", &person]).await?;
            note(format_args!("{person} has no account any more"));
        }
    }
    Ok(Exit::Ok)
}

/// Gives somebody a password.
pub(super) async fn set_password(client: &Client, person: &str, from: &PasswordFrom) -> Result<(), Failure> {
    let password = read_password(from)?;
    client.put_json(&["people", person, "password"], &json!({ "password": password.expose_secret() })).await?;
    note(format_args!("{person} can sign in with it, and has to anew wherever they were"));
    Ok(())
}

/// Issues a token, and prints it and nothing else.
pub(super) async fn issue_token(client: &Client, person: &str, lasts: String) -> Result<(), Failure> {
    let issued: Token = client.post_json(&["people", person, "tokens"], &IssueToken { lasts: Some(lasts) }).await?;
    let mut out = Out::stdout();
    out.line(&issued.token)?;
    out.finish()?;
    note(format_args!("it lets {person} in until {}, and is shown this once", issued.expires_at));
    Ok(())
}

fn read_password(from: &PasswordFrom) -> Result<SecretString, Failure> {
    let unreadable = |error: io::Error| Failure::bad_input(format!("no password was read: {error}"), "");
    if let Some(path) = &from.password_file {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let shown = path.display();
            Failure::bad_input(format!("password file {shown} can't be read: {error}"), "check --password-file")
        })?;
        return Ok(text.lines().next().unwrap_or_default().to_owned().into());
    }
    if !io::stdin().is_terminal() {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map_err(unreadable)?;
        return Ok(line.trim_end_matches(['\n', '\r']).to_owned().into());
    }
    let ask = |prompt: &str| {
        note(format_args!("{prompt}"));
        console::Term::stderr().read_secure_line().map(SecretString::from).map_err(unreadable)
    };
    let (first, second) = (ask("password, which is not shown:")?, ask("the same again:")?);
    if first.expose_secret() == second.expose_secret() {
        Ok(first)
    } else {
        Err(Failure::bad_input("the two are not the same", "try again; nothing was changed"))
    }
}

async fn list(client: &Client, format: Format) -> Result<(), Failure> {
    let take = |page: PeopleList| (page.people, page.next);
    let found = PeopleList { people: client.pages(&["people"], &[], take).await?, next: None };
    let mut out = Out::stdout();
    match format {
        Format::Json => out.json(&found)?,
        Format::Text if found.people.is_empty() => out.line("nobody has an account")?,
        Format::Text => {
            let mut table = Table::new(&["PERSON", "ROLE", "PASSWORD", "SINCE", "LET IN"]);
            let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
            for person in found.people {
                table.row([person.id, person.role, yes(person.has_password), person.since, yes(person.is_let_in)]);
            }
            table.lines("").into_iter().try_for_each(|line| out.line(line))?;
        }
    }
    out.finish()
}
