//! `dialops simulate`: the daemon's own engine in a made-up world, in virtual time.

mod case;
mod made;
mod picture;

use std::path::PathBuf;

use clap::ValueEnum;
use jiff::Timestamp;

use super::{
    client_runtime,
    output::{Exit, Failure, Format},
    text::instant,
};

/// Dial in a made-up world, in virtual time, with the daemon's own engine
///
/// Customers, how their calls go and agents are as `sim.toml` in the folder of campaigns says; what it
/// expects and does not come gives exit code 2. A case (`--case`) is a folder with a campaign, contacts,
/// a script of what becomes of each call, and the calls that are expected.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Root of the configuration repository, or its folder of campaigns itself
    #[arg(required_unless_present = "case")]
    dir: Option<PathBuf>,

    /// Ids of the campaigns that are dialled, whatever state their files ask for
    #[arg(value_name = "CAMPAIGN", required_unless_present = "case")]
    campaigns: Vec<String>,

    /// The made-up world, in place of `sim.toml` in the folder of campaigns
    #[arg(long, value_name = "FILE")]
    world: Option<PathBuf>,

    /// Contacts (.csv or .jsonl) in place of made-up ones; of several campaigns each as CAMPAIGN=FILE
    #[arg(long, value_name = "FILE")]
    contacts: Vec<String>,

    /// When the world begins, such as 2031-03-01T09:00:00+08:00; by default when the first of the campaigns starts
    #[arg(long, value_name = "TIME", value_parser = instant)]
    from: Option<Timestamp>,

    /// After how many days it ends, if not all contacts have ended before
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=3660))]
    days: u16,

    /// What chance follows from: the same seed gives the same calls
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Play the case in this folder
    #[arg(long, value_name = "FOLDER", requires = "shared", conflicts_with_all = ["dir", "campaigns", "world"])]
    case: Option<PathBuf>,

    /// The files of `campaigns/shared` that the case uses
    #[arg(long, value_name = "DIR", requires = "case")]
    shared: Option<PathBuf>,

    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    format: Form,
}

/// How a simulation is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Form {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
    /// A picture of the calls, hour by hour.
    Svg,
}

/// Simulates; exit code 2 if it did not go as expected.
pub(super) fn run(args: Args) -> Result<Exit, Failure> {
    let runtime = client_runtime()?;
    let (Some(case), Some(shared)) = (&args.case, &args.shared) else { return runtime.block_on(made::run(&args)) };
    let format = match args.format {
        Form::Text => Format::Text,
        Form::Json => Format::Json,
        Form::Svg => return Err(Failure::bad_input("a case has no picture", "use --format text or json")),
    };
    runtime.block_on(case::run(case, shared, format))
}
