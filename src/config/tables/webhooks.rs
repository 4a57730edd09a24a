//! `[[webhooks]]` of `dialops.toml`.

use crate::{
    config::{
        kinds::{
            choice::{Choice, Words},
            number::Whole,
            secret::Secret,
            text::Slug,
        },
        settings::HookKind,
        table::table,
    },
    domain::ids::{SourceId, WebhookId},
};

/// Ten pushes a minute are a busy branch.
const PER_MINUTE: u32 = 60;

table! {
    /// A server that tells of pushes, so that a commit need not wait for the next poll.
    pub(crate) struct WebhookTable "a webhook" {
        /// Identity: 1 to 64 of a-z, 0-9 and '-'. It is called at `/hooks/ID`.
        required id: Slug<WebhookId> => "forge",
        /// Whose form it has.
        required kind: Choice<HookKind> => "github",
        /// The secret that both sides know, read again for each call.
        required secret: Secret => { credential = "webhook-secret" },
        /// The source whose server it is, where there are several; all of them are looked at unless it is set.
        optional source: Slug<SourceId> => "sales",
        /// Calls with the right secret that are taken in a minute; more are told to come later.
        default(PER_MINUTE) per_minute: Whole<1, 6_000> => 60,
    }
}

impl Words for HookKind {
    const WORDS: &'static [(&'static str, Self)] =
        &[("github", Self::GitHub), ("gitlab", Self::GitLab), ("gitea", Self::Gitea), ("generic", Self::Generic)];

    fn about(self) -> Option<&'static str> {
        Some(match self {
            Self::GitHub => "signed with `X-Hub-Signature-256`",
            Self::GitLab => "`X-Gitlab-Token`, or signed if the secret begins with `whsec_`",
            Self::Gitea => "Gitea and Forgejo: signed with `X-Gitea-Signature`",
            Self::Generic => "anything else: signed with `X-Dialops-Signature`, see docs/operations.md",
        })
    }
}
