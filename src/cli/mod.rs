//! The command line: one file per subcommand, each with its `Args` and `run`.
//!
//! Data goes to stdout, everything else to stderr. Exit codes: 0 it worked, 1 it failed, 2 the
//! input is wrong, 64 usage (SPEC §7).

mod agents;
mod approve;
mod audit;
mod batches;
mod callbacks;
pub mod check;
mod client;
mod completions;
mod contacts;
mod customer;
mod demo;
mod do_not_call;
mod events;
mod export;
mod exports;
mod from_store;
mod history;
mod import;
mod listing;
mod man;
pub mod output;
mod overrides;
mod people;
mod plan;
mod questionnaire;
mod reconcile;
mod results;
mod run;
pub mod schema;
mod show_contact;
mod simulate;
mod statistics;
mod status;
mod target;
mod template;
mod text;
mod why;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand, error::ErrorKind};

use output::{Exit, Failure};
use target::Target;

/// Outbound call campaigns as code.
#[derive(Debug, Parser)]
#[command(name = "dialops", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the whole thing on this machine, with made-up customers and agents
    Demo(demo::Args),
    /// Run the daemon
    Run(run::Args),
    Check(check::Args),
    /// Show what a change of files would do, and to how many contacts
    Plan(plan::Args),
    Simulate(simulate::Args),
    Schema(schema::Args),
    /// Write the files in force out of the store, for whoever has lost the repository
    ///
    /// The files are as they were committed, with their comments; neither Git nor the daemon is needed. `plan` of them
    /// changes nothing.
    Import(from_store::Args),
    /// Write a campaign as a template for others
    Template(template::Args),
    /// Show the commit in force, its problems, campaigns and agents
    Status(status::Args),
    /// Print the attempts of a campaign, a contact with all of its, or mark one
    Results(Box<results::Args>),
    /// Print what agents have answered in questionnaires, count it, or complete one
    Questionnaire(questionnaire::Args),
    /// Count contacts and attempts of a campaign, or of all: by result, day, hour, agent and batch
    Statistics(statistics::Args),
    /// Tell what happened to a campaign or a customer, and what will
    Why(why::Args),
    /// Import contacts, edit one or take one away
    Contacts(contacts::Args),
    /// List batches of contacts, or pause one
    Batches(batches::Args),
    /// Import, show and remove numbers that may not be called
    DoNotCall(do_not_call::Args),
    /// Write a campaign's contacts or attempts into a file: CSV, JSON Lines or a workbook
    ///
    /// The daemon makes it as a job, keeps it for a while, and writes down who asked for it, why, and each download.
    Export(export::Args),
    /// List exports, download one again or take it away
    Exports(exports::Args),
    /// Pause or resume campaigns, or go back to a commit, for a while and whatever the files say
    Override(overrides::Args),
    /// List callbacks and text messages that were not taken, try them again or give them up
    Callbacks(callbacks::Args),
    /// List agents, set what one is available for, or let one sign in
    Agents(agents::Args),
    /// Give people accounts, with a password or a token
    People(people::Args),
    /// Show who changed what, or check that nobody has tampered with that
    Audit(audit::Args),
    /// Let a commit in that waits since it takes away campaigns
    Approve(approve::Args),
    /// Make the daemon look at its branch now, and say what it found
    Reconcile(reconcile::Args),
    /// List the commits that came into force or were refused
    History(history::Args),
    /// Tell what has happened: commits, changed campaigns, who asked for what
    Events(events::Args),
    Man(man::Args),
    Completions(completions::Args),
}

/// Parses the arguments, runs the subcommand, tells what failed.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match dispatch(cli) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.print();
            failure.exit.into()
        }
    }
}

fn usage(error: &clap::Error) -> ExitCode {
    // Nothing can be done when the terminal is gone.
    let _unwritten = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Ok.into(),
        _ => Exit::Usage.into(),
    }
}

fn dispatch(cli: Cli) -> Result<Exit, Failure> {
    let target = cli.target;
    match cli.command {
        Command::Demo(args) => demo::run(args),
        Command::Run(args) => run::run(args, target.config),
        Command::Check(args) => {
            let args = args.or_settings(target.config);
            to_stdout(|out, err| check::run(args, out, err))
        }
        Command::Plan(args) => client_runtime()?.block_on(plan::run(args, &target)),
        Command::Import(args) => from_store::run(&args, target.config),
        Command::Template(args) => template::run(args),
        Command::Simulate(args) => simulate::run(args),
        Command::Schema(args) => to_stdout(|out, err| schema::run(args, out, err)),
        Command::Status(args) => client_runtime()?.block_on(status::run(args, &target)),
        Command::Results(args) => client_runtime()?.block_on(results::run(*args, &target)),
        Command::Questionnaire(args) => client_runtime()?.block_on(questionnaire::run(args, &target)),
        Command::Statistics(args) => client_runtime()?.block_on(statistics::run(args, &target)),
        Command::Why(args) => client_runtime()?.block_on(why::run(args, &target)),
        Command::Contacts(args) => client_runtime()?.block_on(contacts::run(args, &target)),
        Command::Batches(args) => client_runtime()?.block_on(batches::run(args, &target)),
        Command::DoNotCall(args) => client_runtime()?.block_on(do_not_call::run(args, &target)),
        Command::Export(args) => client_runtime()?.block_on(export::run(args, &target)),
        Command::Exports(args) => client_runtime()?.block_on(exports::run(args, &target)),
        Command::Override(args) => client_runtime()?.block_on(overrides::run(args, &target)),
        Command::Callbacks(args) => client_runtime()?.block_on(callbacks::run(args, &target)),
        Command::Agents(args) => client_runtime()?.block_on(agents::run(args, &target)),
        Command::People(args) => client_runtime()?.block_on(people::run(args, &target)),
        Command::Audit(args) => client_runtime()?.block_on(audit::run(args, &target)),
        Command::Approve(args) => client_runtime()?.block_on(approve::run(args, &target)),
        Command::Reconcile(args) => client_runtime()?.block_on(reconcile::run(args, &target)),
        Command::History(args) => client_runtime()?.block_on(history::run(args, &target)),
        Command::Events(args) => client_runtime()?.block_on(events::run(args, &target)),
        Command::Man(args) => man::run(&args),
        Command::Completions(args) => completions::run(&args),
    }
}

/// Runs a command that only reads and writes files; it says itself how it ended.
fn to_stdout(run: impl FnOnce(&mut dyn Write, &mut dyn Write) -> io::Result<u8>) -> Result<Exit, Failure> {
    let mut out = io::BufWriter::new(io::stdout());
    let code =
        run(&mut out, &mut io::stderr()).and_then(|code| out.flush().map(|()| code)).map_err(output::unwritten)?;
    Ok(match code {
        0 => Exit::Ok,
        2 => Exit::BadInput,
        64 => Exit::Usage,
        _ => Exit::Failed,
    })
}

/// One thread is enough to ask a daemon.
fn client_runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("no runtime: {error}"), "free some memory or descriptors"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn the_target_may_stand_behind_the_subcommand() {
        let cli = Cli::try_parse_from(["dialops", "status", "--socket", "x.sock", "--format", "json"]).unwrap();
        assert_eq!(cli.target.socket.as_deref(), Some(std::path::Path::new("x.sock")));
        assert!(Cli::try_parse_from(["dialops", "status", "--socket", "x", "--url", "http://y"]).is_err());
    }
}
