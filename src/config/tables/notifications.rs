//! `[source.status]` and `[[notifications]]` of `dialops.toml`.

use std::time::Duration;

use crate::{
    config::{
        kinds::{
            choice::{Choice, Words},
            duration::Lasting,
            list::List,
            secret::Secret,
            text::{FilePath, Slug, Text},
            url::Url,
        },
        read::At,
        settings::{NotificationKind, Provider, Topic},
        table::table,
    },
    domain::ids::NotificationId,
};

const TIMEOUT: Duration = Duration::from_secs(10);

table! {
    /// Where the state of commits is written beside them.
    pub(crate) struct StatusTable "`source.status`" {
        /// Whose API it is.
        required provider: Choice<Provider> => "gitea",
        /// Address of its API; needed but for github.com and gitlab.com.
        optional api: Url => "https://git.example.net/api/v1",
        /// The repository: `owner/name`, at GitLab the whole path or the number.
        required project: Text<1, 255> => "acme/dialling",
        /// The token that may write statuses, read again for each.
        required token: Secret => { credential = "status-token" },
        /// Where a status links to.
        optional target_url: Url => "https://dialops.example.net/",
        /// Longest that one request may take.
        default(TIMEOUT) timeout: Lasting<1, 300> => "10s",
        /// Certificates that the server is judged by (PEM), in place of the system's.
        optional ca_file: FilePath => "/etc/dialops/ca.pem",
    }
}

impl Words for Provider {
    const WORDS: &'static [(&'static str, Self)] =
        &[("github", Self::GitHub), ("gitlab", Self::GitLab), ("gitea", Self::Gitea)];

    fn about(self) -> Option<&'static str> {
        Some(match self {
            Self::GitHub => "GitHub, also on a server of one's own",
            Self::GitLab => "GitLab, also on a server of one's own",
            Self::Gitea => "Gitea and Forgejo",
        })
    }
}

table! {
    /// Who is told of what needs a person.
    pub(crate) struct NotificationTable "a notification" {
        /// Identity: 1 to 64 of a-z, 0-9 and '-'.
        required id: Slug<NotificationId> => "on-call",
        /// What it is sent as.
        required kind: Choice<NotificationKind> => "webhook",
        /// Where it goes: the address of a webhook, or where Alertmanager is.
        required url: Url => "https://alerts.example.net/dialops",
        /// The secret that signs a webhook, read again for each; without one it is not signed.
        optional secret: Secret => { credential = "notification-secret" },
        /// What is told; all but `commit_in_force` unless it is set.
        default(Topic::USUAL.map(At::default).to_vec()) events: List<Choice<Topic>, 1> => ["commit_failed", "override_active"],
        /// Longest that one request may take.
        default(TIMEOUT) timeout: Lasting<1, 300> => "10s",
        /// Certificates that the server is judged by (PEM), in place of the system's.
        optional ca_file: FilePath => "/etc/dialops/ca.pem",
    }
}

impl Words for NotificationKind {
    const WORDS: &'static [(&'static str, Self)] = &[("webhook", Self::Webhook), ("alertmanager", Self::Alertmanager)];

    fn about(self) -> Option<&'static str> {
        Some(match self {
            Self::Webhook => "JSON, signed as docs/operations.md says",
            Self::Alertmanager => "an alert of Prometheus' Alertmanager, which it ends by itself",
        })
    }
}

impl Words for Topic {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("commit_failed", Self::CommitFailed),
        ("commit_waits", Self::CommitWaits),
        ("source_unreadable", Self::SourceUnreadable),
        ("override_active", Self::OverrideActive),
        ("commit_in_force", Self::CommitInForce),
    ];

    fn about(self) -> Option<&'static str> {
        Some(match self {
            Self::CommitFailed => "the newest commit is not good or could not be stored; and that it recovered",
            Self::CommitWaits => "it waits for approval or the end of a freeze; and that it waits no more",
            Self::SourceUnreadable => "the repository can't be read; and that it can again",
            Self::OverrideActive => "an override began; and that it ended",
            Self::CommitInForce => "a new commit is in force; not for Alertmanager",
        })
    }
}
