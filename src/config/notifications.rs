//! `[source.status]` and `[[notifications]]`: from their tables to settings.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, time::Duration};

use super::{
    code::Code,
    kinds::url::WebAddress,
    read::At,
    settings::Build,
    tables::notifications::{NotificationTable, StatusTable},
};
use crate::domain::{campaign::SecretRef, ids::NotificationId};

/// Where the state of commits is written beside them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusSettings {
    /// Whose API it is.
    pub provider: Provider,
    /// Its address, without a `/` at the end.
    pub api: String,
    /// The repository, as the provider names it.
    pub project: String,
    /// The token that may write statuses.
    pub token: SecretRef,
    /// Where a status links to.
    pub target_url: Option<String>,
    /// Longest that one request may take.
    pub timeout: Duration,
    /// Certificates in place of the system's.
    pub ca_file: Option<PathBuf>,
}

/// Whose API commit statuses are written by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// GitHub.
    GitHub,
    /// GitLab.
    GitLab,
    /// Gitea and Forgejo.
    Gitea,
}

impl Provider {
    /// The API of the provider's own service.
    fn usual_api(self) -> Option<&'static str> {
        match self {
            Self::GitHub => Some("https://api.github.com"),
            Self::GitLab => Some("https://gitlab.com/api/v4"),
            Self::Gitea => None,
        }
    }

    /// Whether a text names a repository.
    fn has_project(self, text: &str) -> bool {
        let plain = |part: &str| {
            !matches!(part, "" | "." | "..")
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        let parts = text.split('/').count();
        let fits = match self {
            Self::GitHub | Self::Gitea => parts == 2,
            Self::GitLab => parts > 1 || text.bytes().all(|byte| byte.is_ascii_digit()),
        };
        fits && text.split('/').all(plain)
    }
}

/// Who is told of what needs a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationSettings {
    /// Identity.
    pub id: NotificationId,
    /// What it is sent as.
    pub kind: NotificationKind,
    /// Where it goes, without a `/` at the end for Alertmanager.
    pub url: String,
    /// What signs it.
    pub secret: Option<SecretRef>,
    /// What is told.
    pub topics: Vec<Topic>,
    /// Longest that one request may take.
    pub timeout: Duration,
    /// Certificates in place of the system's.
    pub ca_file: Option<PathBuf>,
}

/// What a notification is sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotificationKind {
    /// JSON of our own, signed.
    Webhook,
    /// Alerts of Prometheus' Alertmanager.
    Alertmanager,
}

/// What people are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// The newest commit is not good, or could not be stored.
    CommitFailed,
    /// The newest commit is good and waits.
    CommitWaits,
    /// The repository can't be read.
    SourceUnreadable,
    /// Somebody decided against the files for a while.
    OverrideActive,
    /// The store, or the telephony side, differs from the commit in force.
    DriftDetected,
    /// A new commit is in force.
    CommitInForce,
}

impl Topic {
    /// What is told unless the settings say otherwise.
    pub const USUAL: [Self; 5] =
        [Self::CommitFailed, Self::CommitWaits, Self::SourceUnreadable, Self::OverrideActive, Self::DriftDetected];

    /// The name used in settings and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CommitFailed => "commit_failed",
            Self::CommitWaits => "commit_waits",
            Self::SourceUnreadable => "source_unreadable",
            Self::OverrideActive => "override_active",
            Self::DriftDetected => "drift_detected",
            Self::CommitInForce => "commit_in_force",
        }
    }
}

impl Build<'_> {
    pub(super) fn status(&mut self, table: At<StatusTable>) -> Option<StatusSettings> {
        let At { value: table, span } = table;
        let provider = table.provider?.value;
        let project = table.project?;
        if !provider.has_project(&project.value) {
            let form = match provider {
                Provider::GitHub | Provider::Gitea => "expected `owner/name`",
                Provider::GitLab => "expected `group/name`, all of its path, or the project's number",
            };
            self.error(Code::StatusKeys, project.span, "`project` must name a repository").label(form);
        }
        if let Some(api) = &table.api
            && !is_private(&api.value)
        {
            self.error(Code::Address, api.span, "`api` must be `https://`: the token travels with each request")
                .label("anybody on the way could read it")
                .help("`http://` is for this machine only");
        }
        let usual = provider.usual_api().map(ToOwned::to_owned);
        let api = table.api.map(|api| api.value.text.trim_end_matches('/').to_owned()).or(usual);
        if api.is_none() && !table.unclear.has("api") {
            self.error(Code::StatusKeys, span, "`source.status` needs `api` for this provider")
                .label("says no server")
                .help("for instance `api = \"https://git.example.net/api/v1\"`");
        }
        Some(StatusSettings {
            provider,
            api: api?,
            project: project.value,
            token: self.secret(table.token?),
            target_url: table.target_url.map(|url| url.value.text),
            timeout: table.timeout.value,
            ca_file: table.ca_file.map(|file| self.folder.join(file.value)),
        })
    }

    pub(super) fn notifications(&mut self, tables: Vec<At<NotificationTable>>) -> Vec<NotificationSettings> {
        let mut seen = BTreeMap::new();
        for table in &tables {
            let Some(id) = &table.value.id else { continue };
            if let Some(first) = seen.insert(id.value.clone(), id.span) {
                self.same_id("notifications", id.span, first);
            }
        }
        tables.into_iter().filter_map(|table| self.notification(table.value)).collect()
    }

    fn notification(&mut self, table: NotificationTable) -> Option<NotificationSettings> {
        let (id, kind, url) = (table.id?.value, table.kind?.value, table.url?.value.text);
        if kind == NotificationKind::Alertmanager {
            self.check_alertmanager(table.secret.as_ref(), &table.events.value);
        }
        Some(NotificationSettings {
            id,
            kind,
            url: match kind {
                NotificationKind::Webhook => url,
                NotificationKind::Alertmanager => url.trim_end_matches('/').to_owned(),
            },
            secret: table.secret.map(|secret| self.secret(secret)),
            topics: table.events.value.into_iter().map(|event| event.value).collect(),
            timeout: table.timeout.value,
            ca_file: table.ca_file.map(|file| self.folder.join(file.value)),
        })
    }

    fn check_alertmanager(&mut self, secret: Option<&At<SecretRef>>, events: &[At<Topic>]) {
        if let Some(secret) = secret {
            self.error(Code::NotificationKeys, secret.span, "`secret` goes with `kind = \"webhook\"` only")
                .label("would not be used")
                .help("remove it: Alertmanager takes no signature");
        }
        if let Some(event) = events.iter().find(|event| event.value == Topic::CommitInForce) {
            self.error(Code::NotificationKeys, event.span, "`commit_in_force` goes with `kind = \"webhook\"` only")
                .label("never ends, so it is no alert")
                .help("remove it, or send it to a webhook");
        }
    }
}

/// Whether nobody on the way can read what is sent there.
fn is_private(address: &WebAddress) -> bool {
    let host = address.host.trim_matches(['[', ']']);
    address.text.starts_with("https://")
        || host == "localhost"
        || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Settings;

    fn read(tables: &str) -> Result<Settings, Vec<String>> {
        let text = format!("[source]\nrepository = \"x\"\n{tables}\n");
        let settings = Settings::parse(Path::new("/etc/dialops/dialops.toml"), &text);
        settings.map_err(|faults| faults.into_iter().map(|fault| format!("{} {}", fault.code, fault.message)).collect())
    }

    #[test]
    fn a_status_says_which_server_and_which_project() {
        let status = |keys: &str| read(&format!("[source.status]\ntoken = {{ file = \"t\" }}\n{keys}"));
        let of = |keys: &str| status(keys).map(|settings| settings.sources[0].commit_status.clone().unwrap());
        let gitlab = of("provider = \"gitlab\"\nproject = \"acme/teams/dialling\"").unwrap();
        assert_eq!(
            (&*gitlab.api, gitlab.token),
            ("https://gitlab.com/api/v4", SecretRef::File("/etc/dialops/t".into()))
        );
        let gitea = of("provider = \"gitea\"\nproject = \"acme/x\"\napi = \"http://127.0.0.1:3000/api/v1/\"").unwrap();
        assert_eq!(gitea.api, "http://127.0.0.1:3000/api/v1");
        for (keys, told) in [
            ("provider = \"gitea\"\nproject = \"acme/x\"", "E0320"),
            ("provider = \"github\"\nproject = \"acme\"", "E0320"),
            ("provider = \"github\"\nproject = \"../x\"", "E0320"),
            ("provider = \"gitlab\"\nproject = \"acme/a b\"", "E0320"),
            ("provider = \"gitea\"\nproject = \"acme/x\"\napi = \"http://git.example.net/api/v1\"", "E0116"),
        ] {
            let faults = status(keys).unwrap_err();
            assert!(faults.len() == 1 && faults[0].starts_with(told), "{keys}: {faults:?}");
        }
    }

    #[test]
    fn alertmanager_takes_neither_signatures_nor_what_never_ends() {
        let table = "[[notifications]]\nid = \"a\"\nkind = \"alertmanager\"\nurl = \"http://127.0.0.1:9093/\"\n";
        let settings = read(table).unwrap();
        assert_eq!(settings.notifications[0].url, "http://127.0.0.1:9093");
        assert_eq!(settings.notifications[0].topics, Topic::USUAL);
        let faults = read(&format!("{table}secret = {{ file = \"s\" }}\nevents = [\"commit_in_force\"]")).unwrap_err();
        assert!(faults.len() == 2 && faults.iter().all(|fault| fault.starts_with("E0321")), "{faults:?}");
        let twice = read(&format!("{table}{table}")).unwrap_err();
        assert!(twice.len() == 1 && twice[0].starts_with("E0201"), "{twice:?}");
    }
}
