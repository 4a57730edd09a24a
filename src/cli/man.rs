//! `dialops man`: a manual page of each command, from what `--help` says.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::{Command, CommandFactory as _};
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};
use jiff::Timestamp;

use super::{
    Cli,
    output::{Exit, Failure, note},
};
use crate::clock::Clock;

/// Write the manual pages into a folder
///
/// One page for each command, such as dialops.1 and dialops-check.1. Written into /usr/share/man/man1, or into man1 of
/// a folder that $MANPATH names, they are what `man dialops-check` shows.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder; it is made if it is not there
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Writes them.
pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let folder = &args.folder;
    let pages = write_all(folder).map_err(|error| {
        let shown = folder.display();
        Failure::failed(format!("manual pages can't be written into {shown}: {error}"), "name a folder of yours")
    })?;
    note(format_args!("wrote {pages} manual pages into {}", folder.display()));
    Ok(Exit::Ok)
}

fn write_all(folder: &Path) -> io::Result<usize> {
    fs::create_dir_all(folder)?;
    // The help subcommand would have a page of its own for each command.
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let date = date();
    let mut pages = 0;
    for command in commands(&root) {
        let man = Man::new(command.clone());
        fs::write(folder.join(man.get_filename()), page(man, command, &date)?)?;
        pages += 1;
    }
    Ok(pages)
}

fn page(man: Man, command: &Command, date: &str) -> io::Result<String> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let man = man.title(name.to_uppercase()).date(date).manual("dialops");
    let mut page = Vec::new();
    man.source(concat!("dialops ", env!("CARGO_PKG_VERSION"))).render(&mut page)?;
    let mut page = String::from_utf8_lossy(&page).into_owned();
    page.push_str(&end(name == "dialops"));
    // Formatters warn of a break beside an empty line, and of a blank at a line's end.
    Ok(page.replace(".br\n\n.br\n", ".sp\n").replace(" \n", "\n"))
}

/// The day that a page shows at its foot: today, or that of $SOURCE_DATE_EPOCH, so that packages can be built twice.
#[expect(clippy::disallowed_methods, reason = "the command line reads the environment")]
fn date() -> String {
    let built =
        std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| Timestamp::from_second(text.parse().ok()?).ok());
    built.unwrap_or_else(|| Clock::system().now().wall).strftime("%F").to_string()
}

/// A command and all below it that are shown.
fn commands(command: &Command) -> Vec<&Command> {
    let below = command.get_subcommands().filter(|command| !command.is_hide_set());
    std::iter::once(command).chain(below.flat_map(commands)).collect()
}

/// What `--help` does not say, and every manual page ends with.
fn end(is_root: bool) -> String {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    let codes = [
        ("0", "It worked."),
        ("1", "It failed."),
        ("2", "The input is wrong, or what was asked for is not as it should be."),
        ("64", "The command line is wrong."),
    ];
    for (code, meaning) in codes {
        roff.control("TP", []).text([bold(code)]).text([roman(meaning)]);
    }
    if is_root {
        roff.control("SH", ["FILES"]);
        let files = [
            ("/etc/dialops/dialops.toml", "The settings, unless --config names others."),
            ("/run/dialops/dialops.sock", "The daemon's socket, unless --socket or the settings name another."),
        ];
        for (file, meaning) in files {
            roff.control("TP", []).text([bold(file)]).text([roman(meaning)]);
        }
    } else {
        roff.control("SH", ["SEE ALSO"]).text([bold("dialops"), roman("(1)")]);
    }
    roff.to_roff()
}
