//! Which daemon a command talks to.

use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::output::Failure;
use crate::config::Settings;

/// Where the daemon listens unless told otherwise; systemd makes the directory.
pub(super) const DEFAULT_SOCKET: &str = "/run/dialops/dialops.sock";

/// Global options that name a daemon.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Target {
    /// The daemon's Unix socket [env: DIALOPS_SOCKET] [default: the settings', else /run/dialops/dialops.sock]
    #[arg(long, global = true, value_name = "PATH", help_heading = "Daemon")]
    pub(super) socket: Option<PathBuf>,
    /// The daemon's HTTP address, instead of the socket
    #[arg(long, global = true, value_name = "URL", conflicts_with = "socket", help_heading = "Daemon")]
    pub(super) url: Option<String>,
    /// File that holds the token for --url [env: DIALOPS_TOKEN, the token itself]
    #[arg(long, global = true, value_name = "PATH", help_heading = "Daemon")]
    pub(super) token_file: Option<PathBuf>,
    /// The settings file
    #[arg(long, global = true, value_name = "PATH", help_heading = "Daemon")]
    pub(super) config: Option<PathBuf>,
}

/// A daemon's address.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Socket(PathBuf),
    Url(reqwest::Url),
}

impl Target {
    /// The address that these options, the environment or the settings name.
    pub(super) fn place(&self) -> Result<Place, Failure> {
        if let Some(url) = &self.url {
            return parse_url(url).map(Place::Url);
        }
        if let Some(socket) = self.socket.clone().or_else(|| environment("DIALOPS_SOCKET").map(PathBuf::from)) {
            return Ok(Place::Socket(socket));
        }
        let socket = self.config.as_deref().map(socket_of).transpose()?;
        Ok(Place::Socket(socket.unwrap_or_else(|| PathBuf::from(DEFAULT_SOCKET))))
    }

    /// The token for TCP, if there is one.
    pub(super) fn token(&self) -> Result<Option<SecretString>, Failure> {
        let Some(path) = &self.token_file else { return Ok(environment("DIALOPS_TOKEN").map(SecretString::from)) };
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::bad_input(format!("token file {} can't be read: {error}", path.display()), "check --token-file")
        })?;
        Ok(Some(text.trim().to_owned().into()))
    }
}

/// `[http] socket` of a settings file.
fn socket_of(config: &Path) -> Result<PathBuf, Failure> {
    let shown = config.display();
    let text = std::fs::read_to_string(config)
        .map_err(|error| Failure::bad_input(format!("{shown} can't be read: {error}"), "check --config"))?;
    let settings = Settings::parse(config, &text).map_err(|problems| {
        let first = problems.first().map(|problem| problem.message.as_str()).unwrap_or_default();
        Failure::bad_input(
            format!("{shown} has {} problem(s), first: {first}", problems.len()),
            "give --socket instead",
        )
    })?;
    Ok(settings.http.socket)
}

fn parse_url(text: &str) -> Result<reqwest::Url, Failure> {
    let wrong = |why: String| Failure::bad_input(format!("--url {text:?}: {why}"), "write it as http://HOST:PORT");
    let url = reqwest::Url::parse(text).map_err(|error| wrong(error.to_string()))?;
    match (url.scheme(), url.has_host()) {
        ("http", true) => Ok(url),
        ("https", _) => Err(wrong("this version speaks plain HTTP; go through a tunnel or a local proxy".to_owned())),
        _ => Err(wrong("not an HTTP address".to_owned())),
    }
}

#[expect(clippy::disallowed_methods, reason = "the command line reads the environment")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_is_taken() {
        assert!(parse_url("http://127.0.0.1:8080").is_ok());
        for (url, why) in [("https://x", "plain HTTP"), ("ftp://x", "not an HTTP"), ("127.0.0.1:80", "")] {
            let failure = parse_url(url).unwrap_err();
            assert!(failure.message.contains(why), "{failure:?}");
        }
    }
}
