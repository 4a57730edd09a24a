//! Whether commits are signed as the settings want it.

use super::{Followed, Looper, Reconcile, tell};
use crate::{
    domain::ids::Revision,
    gitops::{Since, VerifyError},
    reconcile::conditions::{self, Failure, SOURCE_VERIFIED, with_causes},
    telemetry::status::Verification,
};

/// What speaks for a commit, in one word.
const GOOD: &str = "SignatureGood";

impl Looper {
    /// Sees to it that a commit may come into force by its signature, and says so in status; who signed it, if that is
    /// asked for.
    pub(super) async fn verify(
        &self,
        one: &mut Followed,
        head: &Revision,
        before: Option<&Revision>,
        pinned: bool,
    ) -> Result<Option<Verification>, Failure> {
        let found = self.judge(one, head, before, pinned).await;
        match &found {
            Ok(None) | Err(Failure::Store(_)) => {}
            Ok(Some(by)) => one.show_verified(head, by, &self.parts),
            Err(failure) => one.show("False", failure.reason(), &with_causes(failure), &self.parts),
        }
        if let Err(Failure::Unverified(unverified)) = &found {
            one.journal.known(&unverified.head, unverified.head_info.clone());
        }
        found
    }

    /// The same for the commit that the store has in force, of which status tells only if there is nothing newer.
    pub(super) async fn verify_restored(
        &self,
        one: &Followed,
        revision: &Revision,
    ) -> Result<Option<Verification>, Failure> {
        let found = self.judge(one, revision, Some(revision), false).await?;
        let is_told = self
            .parts
            .status
            .borrow()
            .sources
            .get(one.at)
            .is_some_and(|status| status.conditions.iter().any(|condition| condition.r#type == SOURCE_VERIFIED));
        if let (Some(by), false) = (&found, is_told) {
            one.show_verified(revision, by, &self.parts);
        }
        Ok(found)
    }

    /// The commit in force (`before`) was judged when it came into force, and is not judged again: a key that expires
    /// or is taken away later takes nothing out of force, and no restart does.
    async fn judge(
        &self,
        one: &Followed,
        head: &Revision,
        before: Option<&Revision>,
        pinned: bool,
    ) -> Result<Option<Verification>, Failure> {
        if !one.source.verifies() {
            return Ok(None);
        }
        let kept = match before {
            Some(before) => self.parts.store.verified(before).await?,
            None => None,
        };
        let since = match before.filter(|_| kept.is_some()) {
            Some(before) if before == head => return Ok(kept),
            Some(before) if !pinned => Since::Commit(before),
            Some(_) | None => Since::Head,
        };
        let found = one.source.verify(head, since, self.parts.clock.now().wall).await?;
        if let Some(by) = &found {
            self.parts.store.set_verified(head, by).await?;
            tracing::info!(revision = %head, %by, "the commit's signature is good");
        }
        Ok(found)
    }
}

impl Followed {
    /// Says in status that a commit is signed by one who may.
    pub(super) fn show_verified(&self, revision: &Revision, by: &Verification, parts: &Reconcile) {
        self.show("True", GOOD, &format!("commit {} is signed by {by}", revision.short()), parts);
    }

    fn show(&self, status: &str, reason: &str, message: &str, parts: &Reconcile) {
        let now = parts.clock.now().wall;
        tell(&parts.status, self.at, |shown| {
            let verified = conditions::verified(&shown.conditions, status, reason, message, now);
            let others = shown.conditions.iter().filter(|condition| condition.r#type != SOURCE_VERIFIED).cloned();
            let conditions: Vec<_> = others.chain([verified]).collect();
            let changed = conditions != shown.conditions;
            shown.conditions = conditions;
            changed
        });
    }
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Unverified(unverified) => Self::Unverified(unverified),
            VerifyError::Source(error) => Self::Source(error),
        }
    }
}
