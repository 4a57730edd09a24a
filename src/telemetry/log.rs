//! Logging: to stderr for people or for machines, or to a file.
//!
//! Messages are constant, data stands in fields, and numbers mask themselves.

use std::{
    fs::File,
    io::{self, IsTerminal},
    sync::Arc,
};

use tracing_subscriber::{
    EnvFilter,
    filter::ParseError,
    util::{SubscriberInitExt as _, TryInitError},
};

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// One readable line an event.
    #[default]
    Text,
    /// One JSON object an event.
    Json,
}

/// Why logging was not set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level is none.
    #[error("log level {level:?} is none; use error, warn, info, debug or trace, or `dialops=debug,info`")]
    Level {
        /// What was given.
        level: String,
        /// What is wrong with it.
        #[source]
        source: ParseError,
    },
    /// It had been set up before.
    #[error("logging was set up twice")]
    Twice(#[source] TryInitError),
}

/// Sets logging to stderr up for the whole process; once.
pub fn init(format: Format, level: &str) -> Result<(), LogError> {
    let filter = filter(level)?;
    let lines =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    match format {
        Format::Text => lines.finish().try_init(),
        Format::Json => lines.json().flatten_event(true).finish().try_init(),
    }
    .map_err(LogError::Twice)
}

/// Sets logging into a file up for the whole process, for people; once.
pub fn init_file(file: File, level: &str) -> Result<(), LogError> {
    let lines = tracing_subscriber::fmt().with_env_filter(filter(level)?).with_writer(Arc::new(file)).with_ansi(false);
    lines.finish().try_init().map_err(LogError::Twice)
}

fn filter(level: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::builder().parse(level).map_err(|source| LogError::Level { level: level.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_level_is_named() {
        let error = init(Format::Text, "=loud=").unwrap_err();
        assert!(error.to_string().contains("\"=loud=\""), "{error}");
    }
}
