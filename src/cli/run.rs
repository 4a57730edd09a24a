//! `dialops run`: the daemon.

use std::{
    fmt::Write as _,
    io::IsTerminal as _,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::output::{Exit, Failure};
use crate::{
    app,
    config::{Settings, settings::LogFormat},
    dialer::crash::CrashPoint,
    telemetry::log,
};

/// Where the settings are unless `--config` says otherwise.
pub(super) const DEFAULT_CONFIG: &str = "/etc/dialops/dialops.toml";

/// Arguments of `dialops run`; the settings file is the global `--config`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Die at this point of a call, for the kill tests; debug builds only
    #[arg(long, hide = true, value_name = "POINT")]
    crash_at: Option<String>,
}

/// Runs until it is told to stop.
pub(super) fn run(args: Args, config: Option<PathBuf>) -> Result<Exit, Failure> {
    let path = config.unwrap_or_else(|| PathBuf::from(DEFAULT_CONFIG));
    let (settings, settings_digest) = read_settings(&path)?;
    let format = match settings.log_format {
        LogFormat::Text => log::Format::Text,
        LogFormat::Json => log::Format::Json,
    };
    log::init(format, settings.log_level.as_str())
        .map_err(|error| Failure::failed(error.to_string(), "check `[log] level` in the settings"))?;
    let crash_at = args.crash_at.as_deref().map(crash_point).transpose()?;
    let options =
        app::Options { credentials: credentials(), settings_digest, drain_within: app::DRAIN_WITHIN, crash_at };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("no runtime: {error}"), "free some memory or descriptors"))?;
    match runtime.block_on(app::run(settings, options, CancellationToken::new())) {
        Ok(()) => Ok(Exit::Ok),
        Err(error) => Err(Failure::from_error(&error)),
    }
}

/// Reads and checks the settings before anything is opened.
pub(super) fn read_settings(path: &Path) -> Result<(Settings, String), Failure> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::bad_input(
            format!("settings {shown} can't be read: {error}"),
            "give the file with --config; dialops.example.toml shows one",
        )
    })?;
    let settings = Settings::parse(path, &text).map_err(|problems| {
        let color = std::io::stderr().is_terminal();
        let source = |_: &str| Some(text.as_str());
        let rendered: Vec<String> = problems.iter().map(|p| crate::config::render::text(p, source, color)).collect();
        let rendered = rendered.join("\n");
        Failure::bad_input(format!("settings {shown} are not valid\n{rendered}"), "mend what is named above")
    })?;
    let mut digest = String::new();
    for byte in &Sha256::digest(text.as_bytes())[..8] {
        // Writing to a String cannot fail.
        let _written = write!(digest, "{byte:02x}");
    }
    Ok((settings, digest))
}

fn crash_point(name: &str) -> Result<CrashPoint, Failure> {
    CrashPoint::parse(name).ok_or_else(|| {
        let known: Vec<&str> = CrashPoint::ALL.iter().map(|point| point.as_str()).collect();
        Failure::bad_input(
            format!("no crash point {name:?} in this build"),
            format!("debug builds know {}", known.join(", ")),
        )
    })
}

#[expect(clippy::disallowed_methods, reason = "the command line reads the environment")]
fn credentials() -> Option<PathBuf> {
    std::env::var("CREDENTIALS_DIRECTORY").ok().map(PathBuf::from)
}
