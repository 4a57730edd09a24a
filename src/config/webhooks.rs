//! `[[webhooks]]`: from their tables to settings.

use std::{collections::BTreeMap, num::NonZeroU32};

use super::{
    code::Code,
    read::At,
    settings::{Build, SourceSettings},
    suggest::listing,
    tables::webhooks::WebhookTable,
};
use crate::domain::{
    campaign::SecretRef,
    ids::{SourceId, WebhookId},
};

/// A server that tells of pushes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Identity, and the end of its address.
    pub id: WebhookId,
    /// Whose form it has.
    pub kind: HookKind,
    /// What both sides know.
    pub secret: SecretRef,
    /// The source whose server it is; all of them if none is named.
    pub source: Option<SourceId>,
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
    /// `sources` are those that there are, unless some could not be read.
    pub(super) fn webhooks(
        &mut self,
        tables: Vec<At<WebhookTable>>,
        sources: Option<&[SourceSettings]>,
    ) -> Vec<WebhookSettings> {
        let mut seen = BTreeMap::new();
        for table in &tables {
            if let (Some(sources), Some(source)) = (sources, &table.value.source)
                && sources.iter().all(|known| known.id != source.value)
            {
                let known = listing(&sources.iter().map(|known| known.id.as_str()).collect::<Vec<_>>(), '"', "or");
                self.error(Code::UnknownSource, source.span, "no source has this `id`")
                    .label("is none")
                    .help(format!("write {known}, or leave it out"));
            }
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
            source: table.source.map(|source| source.value),
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
