//! `[[webhooks]]`: from their tables to settings.

use std::{collections::BTreeMap, num::NonZeroU32};

use super::{code::Code, read::At, settings::Build, tables::webhooks::WebhookTable};
use crate::domain::{campaign::SecretRef, ids::WebhookId};

/// A server that tells of pushes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Identity, and the end of its address.
    pub id: WebhookId,
    /// Whose form it has.
    pub kind: HookKind,
    /// What both sides know.
    pub secret: SecretRef,
    /// Calls with the right secret that are taken in a minute.
    pub per_minute: NonZeroU32,
}

/// Whose form a webhook has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookKind {
    /// GitHub.
    GitHub,
    /// GitLab, with its token or signed.
    GitLab,
    /// Gitea and Forgejo.
    Gitea,
    /// Our own: anything that can make an HMAC.
    Generic,
}

impl HookKind {
    /// Every kind, for metrics that start at 0.
    pub const ALL: [Self; 4] = [Self::GitHub, Self::GitLab, Self::Gitea, Self::Generic];

    /// The name used in settings, logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
            Self::Gitea => "gitea",
            Self::Generic => "generic",
        }
    }
}

impl Build<'_> {
    pub(super) fn webhooks(&mut self, tables: Vec<At<WebhookTable>>) -> Vec<WebhookSettings> {
        let mut seen = BTreeMap::new();
        for table in &tables {
            let Some(id) = &table.value.id else { continue };
            if let Some(first) = seen.insert(id.value.clone(), id.span) {
                self.same_id("webhooks", id.span, first);
            }
        }
        tables.into_iter().filter_map(|table| self.webhook(table.value)).collect()
    }

    fn webhook(&self, table: WebhookTable) -> Option<WebhookSettings> {
        Some(WebhookSettings {
            id: table.id?.value,
            kind: table.kind?.value,
            secret: self.secret(table.secret?),
            per_minute: NonZeroU32::new(table.per_minute.value)?,
        })
    }

    /// Two tables of a list have one id.
    pub(super) fn same_id(
        &mut self,
        what: &str,
        again: Option<super::diagnostic::Span>,
        first: Option<super::diagnostic::Span>,
    ) {
        let first = self.source.locate(first.unwrap_or_default());
        self.error(Code::DuplicateId, again, &format!("two {what} have the same `id`"))
            .label("used again")
            .relate(first, "first used here");
    }
}
