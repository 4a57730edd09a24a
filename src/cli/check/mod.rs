//! `dialops check`: the configuration in a folder, read as the daemon would read it from a commit.

mod base;
mod explain;
mod fix;
pub(super) mod folder;
mod format;

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use super::{output::Failure, text::path_line};
use crate::{
    config::{self, code::Code, diagnostic::Severity, settings::outer_ceilings},
    domain::campaign::Ceilings,
};
use base::Compared;
use fix::Fixed;
use folder::{Checked, campaigns_folder, counted, source_folder};
use format::{Colour, Format};

/// Exit code of a command line that is wrong.
const USAGE: u8 = 64;

/// Check campaigns and everything they refer to
///
/// In GitHub Actions problems are written as workflow commands, elsewhere as text. For a report in a
/// merge request of GitLab: `dialops check . --format gitlab --output gl-code-quality-report.json`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Root of the configuration repository, or its folder of campaigns itself; where you are if it is left out
    dir: Option<PathBuf>,

    /// Tell what a code means, such as E0104, with an example
    #[arg(long, value_name = "CODE", conflicts_with_all = ["dir", "format", "output", "settings"])]
    explain: Option<Code>,

    /// How problems are written: by default `github` in GitHub Actions, `text` elsewhere
    #[arg(long, value_enum)]
    format: Option<Format>,

    /// Write the report to a file, and the problems to the log besides
    #[arg(long, value_name = "FILE", requires = "format")]
    output: Option<PathBuf>,

    /// Settings whose ceilings hold; without them only what holds everywhere is checked
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,

    /// Write the edits that surely say what was meant, then check again
    #[arg(long)]
    fix: bool,

    /// Check the change since a commit too: new campaigns may not start in the past, ids may not change, what has
    /// expired does not come back
    #[arg(long, value_name = "REV")]
    base: Option<String>,

    /// The instant that counts as now: `now` or a time such as 2031-03-01T09:00:00+08:00. By default it is when
    /// the base was committed; without `--base` every campaign counts as new
    #[arg(long, value_name = "TIME", value_parser = base::instant)]
    at: Option<Timestamp>,

    /// Show only what has to do with files that changed since a commit, and what is new since then
    #[arg(long, value_name = "REV")]
    changed_since: Option<String>,

    /// The folder of another source, which is one configuration with this one (`[[sources]]`); may be repeated
    #[arg(long, value_name = "FOLDER")]
    with: Vec<PathBuf>,

    /// Whether text is coloured
    #[arg(long, value_enum, default_value_t = Colour::Auto)]
    color: Colour,
}

impl Args {
    /// Takes the global `--config` for `--settings`, which it is.
    #[must_use]
    pub fn or_settings(self, config: Option<PathBuf>) -> Self {
        Self { settings: self.settings.or(config), ..self }
    }
}

/// Checks; exit code 0 if nothing is wrong, 2 if something is, 64 if there is no telling what to check.
pub fn run(args: Args, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    if let Some(code) = args.explain {
        explain::write(code, out)?;
        return Ok(0);
    }
    let dir = args.dir.as_deref().unwrap_or(Path::new("."));
    let mut checked = Checked::default();
    let settings = args.settings.as_deref().and_then(|path| checked.settings(path));
    let name = settings.as_ref().map_or("campaigns", |settings| settings.folder_in(dir));
    let find = if args.with.is_empty() { campaigns_folder } else { source_folder };
    let Some(folder) = find(dir, name) else {
        if args.dir.is_none() {
            writeln!(err, "error: there is no folder {name} here; name the root of a configuration repository, DIR")?;
            return Ok(USAGE);
        }
        let dir = path_line(dir);
        writeln!(err, "error: {dir} has no folder {name}; name the root of a configuration repository")?;
        return Ok(2);
    };
    checked.read_folder(&folder);
    if let Err(Failure { message, hint, .. }) = checked.read_with(&args.with, name) {
        writeln!(err, "error: {message}; {hint}")?;
        return Ok(2);
    }
    let ceilings = settings.map_or_else(outer_ceilings, |settings| settings.ceilings);
    let compared = Compared::new(&folder, args.base.as_deref(), args.changed_since.as_deref(), args.at);
    let compared = match compared {
        Ok(compared) => compared,
        Err(error) => {
            writeln!(err, "error: {}", Failure::from_error(&error).message)?;
            return Ok(1);
        }
    };
    let from_reading = std::mem::take(&mut checked.diagnostics);
    let mut fixed = Fixed::default();
    for _ in 0..=fix::ROUNDS_MAX {
        checked.diagnostics.clone_from(&from_reading);
        check(&mut checked, &ceilings, &compared);
        if !args.fix || fixed.apply(&mut checked, &folder)? == 0 {
            break;
        }
    }
    if args.fix {
        let (edits, files) = fixed.counts();
        writeln!(err, "applied {} in {}", counted(edits, "edit"), counted(files, "file"))?;
    }
    write(&args, &checked, out, err)?;
    Ok(if checked.diagnostics.iter().any(|d| d.severity == Severity::Error) { 2 } else { 0 })
}

/// Adds what is wrong with the files as they stand.
fn check(checked: &mut Checked, ceilings: &Ceilings, compared: &Compared<'_>) {
    let found = match config::load(&checked.folder, &checked.sources(), ceilings) {
        Ok((_, warnings)) => warnings,
        Err(found) => found,
    };
    checked.diagnostics.extend(found);
    compared.review(checked);
    compared.narrow(checked, ceilings);
}

/// Writes the report where it was asked for; what goes to a file is told to people too.
fn write(args: &Args, checked: &Checked, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<()> {
    let by_itself = Format::by_environment(|name| std::env::var_os(name));
    let colour = args.color.is_on();
    let log = match &args.output {
        Some(path) => {
            let mut report = Vec::new();
            args.format.unwrap_or(by_itself).write(checked, false, &mut report)?;
            fs::write(path, report).map_err(|error| named(path, &error))?;
            by_itself
        }
        None => args.format.unwrap_or(by_itself),
    };
    log.write(checked, colour, out)?;
    out.flush()?;
    if matches!(log, Format::Text | Format::Github) {
        checked.write_summary(err)?;
    }
    Ok(())
}

/// An error of the system with the path that it is about.
fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path_line(path)))
}
