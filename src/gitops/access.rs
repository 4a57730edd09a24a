//! What opens a remote repository: a token, or an SSH key and the keys that the server may have.
//!
//! Read again for each fetch, so that one that was rotated is used at once. No secret stands in an
//! argument, in the environment or in a file of ours: programs are told where to read it.

use std::{
    ffi::OsString,
    os::unix::ffi::OsStrExt as _,
    path::{Path, absolute},
};

use secrecy::{ExposeSecret as _, SecretString};

use super::{error::SourceError, program::Run};
use crate::{
    config::settings::{RemoteSettings, Transport},
    domain::campaign::SecretRef,
};

/// Answers Git's question for user and password; the name of who asks it is the first argument.
const HELPER: &str = concat!(
    r#"!f() { test "$1" = get || exit 0; "#,
    r#"printf 'username=%s\npassword=' "$DIALOPS_USERNAME"; tr -d '\r\n' < "$DIALOPS_TOKEN_FILE"; echo; }; f"#,
);

/// SSH with nothing of anybody's configuration, that asks nothing and trusts only what is pinned.
const SSH: &str = "ssh -F /dev/null -T -a -x -o BatchMode=yes -o StrictHostKeyChecking=yes \
     -o GlobalKnownHostsFile=/dev/null -o UpdateHostKeys=no -o VerifyHostKeyDNS=no -o CheckHostIP=no \
     -o IdentitiesOnly=yes -o IdentityAgent=none -o PreferredAuthentications=publickey -o ControlMaster=no \
     -o ControlPath=none -o PermitLocalCommand=no -o ConnectTimeout=20 -o ServerAliveInterval=15 -o LogLevel=ERROR";

/// What a run is given to get in; by default nothing.
#[derive(Default)]
pub(super) struct Access {
    environment: Vec<(&'static str, OsString)>,
    configuration: Vec<(String, String)>,
    /// What must never be shown.
    secret: Option<SecretString>,
}

impl Access {
    /// Finds what the settings name.
    pub(super) fn read(remote: &RemoteSettings, credentials: Option<&Path>) -> Result<Self, SourceError> {
        let mut access = Self::default();
        let scheme = match remote.url.transport {
            Transport::Https => "https",
            Transport::Http => "http",
            Transport::Ssh => "ssh",
            Transport::File => "file",
        };
        access.environment.push(("GIT_ALLOW_PROTOCOL", scheme.into()));
        let found = |key: &'static str, secret: &SecretRef| {
            let path = secret.path(credentials).map(|path| absolute(&path).unwrap_or(path));
            let read = path.and_then(|path| Ok((path, secret.resolve(credentials)?)));
            read.map_err(|source| SourceError::Credential { key, source })
        };
        if let Some(token) = &remote.token {
            let (path, secret) = found("token", token)?;
            access.secret = Some(secret);
            access.environment.push(("DIALOPS_USERNAME", remote.username.clone().into()));
            access.environment.push(("DIALOPS_TOKEN_FILE", path.into()));
            access.configuration.push((format!("credential.{}.helper", origin(&remote.url.text)), HELPER.to_owned()));
        }
        if let Some(file) = &remote.ca_file {
            access.environment.push(("GIT_SSL_CAINFO", absolute(file).unwrap_or_else(|_| file.clone()).into()));
        }
        if let Some(proxy) = &remote.proxy {
            access.configuration.push(("http.proxy".to_owned(), proxy.clone()));
        }
        if let (Some(key), Some(hosts)) = (&remote.ssh_key, &remote.known_hosts) {
            let ((key, _), (hosts, _)) = (found("ssh_key", key)?, found("known_hosts", hosts)?);
            let mut command = OsString::from(SSH);
            for (option, path) in [("IdentityFile", key), ("UserKnownHostsFile", hosts)] {
                command.push(" -o ");
                command.push(ssh_option(option, &path));
            }
            access.environment.push(("GIT_SSH_COMMAND", command));
            access.environment.push(("GIT_SSH_VARIANT", "ssh".into()));
        }
        Ok(access)
    }

    /// Gives it to a run.
    pub(super) fn give(&self, mut run: Run) -> Run {
        for (name, value) in &self.environment {
            run = run.env(name, value);
        }
        for (key, value) in &self.configuration {
            run = run.config(key, value);
        }
        run
    }

    /// A text without the secret: a server may send back what it was told.
    pub(super) fn masked(&self, text: &str) -> String {
        match &self.secret {
            Some(secret) => text.replace(secret.expose_secret(), "***"),
            None => text.to_owned(),
        }
    }
}

/// Scheme, host and port: a secret is for no other server.
fn origin(url: &str) -> &str {
    let path = url.match_indices('/').nth(2).map_or(url.len(), |(at, _)| at);
    &url[..path]
}

/// An option whose value is a path, quoted for SSH and then for the shell that Git runs it with.
fn ssh_option(option: &str, path: &Path) -> OsString {
    let mut quoted = format!("'{option}=\"").into_bytes();
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'\'' => quoted.extend(b"'\\''"),
            b'%' => quoted.extend(b"%%"),
            b'"' | b'\\' => quoted.extend([b'\\', byte]),
            _ => quoted.push(byte),
        }
    }
    quoted.extend(b"\"'");
    std::os::unix::ffi::OsStringExt::from_vec(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_for_one_server() {
        assert_eq!(origin("https://git.example.net:8443/acme/x.git"), "https://git.example.net:8443");
    }

    #[test]
    fn a_path_is_one_word() {
        assert_eq!(ssh_option("IdentityFile", Path::new("/a b/%h'\"")), r#"'IdentityFile="/a b/%%h'\''\""'"#);
    }
}
