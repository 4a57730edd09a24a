//! In which form problems are written.

use std::{
    ffi::OsString,
    io::{self, IsTerminal, Write},
};

use clap::ValueEnum;

use super::folder::Checked;
use crate::config::render;

/// How problems are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// One JSON object
    Json,
    /// One JSON object for each problem, in a line of its own
    JsonLines,
    /// Workflow commands of GitHub Actions
    Github,
    /// Code Quality report of GitLab
    Gitlab,
    /// JUnit XML, a test case for each file
    Junit,
    /// SARIF 2.1.0
    Sarif,
}

impl Format {
    /// What suits the machine: GitHub Actions shows its commands beside the lines of a change; the log of
    /// any other CI is read by people.
    pub(super) fn by_environment(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        if variable("GITHUB_ACTIONS").is_some_and(|set| set == "true") { Self::Github } else { Self::Text }
    }

    /// Writes the whole report.
    pub(super) fn write(self, checked: &Checked, colour: bool, out: &mut dyn Write) -> io::Result<()> {
        let found = &checked.diagnostics;
        let source = |path: &str| checked.source(path);
        match self {
            Self::Text => {
                for diagnostic in found {
                    writeln!(out, "{}\n", render::text(diagnostic, source, colour))?;
                }
                Ok(())
            }
            Self::Json => writeln!(out, "{}", render::json(found, checked.files.len())?),
            Self::JsonLines => out.write_all(render::json_lines(found)?.as_bytes()),
            Self::Github => out.write_all(render::github(found).as_bytes()),
            Self::Gitlab => writeln!(out, "{}", render::gitlab(found)?),
            Self::Junit => {
                let files = checked.paths();
                out.write_all(render::junit(found, files.iter().map(String::as_str)).as_bytes())
            }
            Self::Sarif => writeln!(out, "{}", render::sarif(found, source)?),
        }
    }
}

/// Whether text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Colour {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Yes
    Always,
    /// No
    Never,
}

impl Colour {
    pub(super) fn is_on(self) -> bool {
        match self {
            Self::Auto => io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty()),
            Self::Always => true,
            Self::Never => false,
        }
    }
}
