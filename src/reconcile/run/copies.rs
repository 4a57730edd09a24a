//! What the store keeps beside campaigns' rows, and anybody can edit there: copies of files, and overrides.

use std::{collections::BTreeMap, sync::Arc};

use super::{Followed, Looper, files::of, look::in_force};
use crate::{
    domain::{
        campaign::{Generation, KeptFile},
        drift::{
            Drift,
            files::{of_files, of_kept},
        },
        ids::Revision,
        overrides::OverrideId,
    },
    gitops::CommitFiles,
    store::StoreError,
};

impl Looper {
    /// Where that differs from what is in force.
    pub(super) async fn drifted_copies(&mut self, generation: &Generation) -> Result<Vec<Drift>, StoreError> {
        let mut found = self.parts.store.drifted_overrides().await?;
        let copies = self.parts.store.copies().await?;
        found.extend(of_kept(&generation.kept.files, &copies.kept));
        let commits = in_force(&self.standing);
        if commits.is_empty() {
            return Ok(found);
        }
        match &self.kept_digests {
            Some(digests) => {
                let of = commits.iter().map(|commit| of(commit).as_text()).collect();
                found.extend(of_files(&of, digests, &copies));
            }
            // They could not be written; that is no work of others.
            None => self.keep_files().await,
        }
        Ok(found)
    }

    /// Puts right what is to be; a file that was kept is right with its generation.
    pub(super) async fn mend_copies(&mut self, found: &[&Drift]) -> Result<(), StoreError> {
        let overrides = found.iter().filter_map(|drift| match drift {
            Drift::Override { id, .. } => Some(*id),
            _ => None,
        });
        let overrides: Vec<OverrideId> = overrides.collect();
        if !overrides.is_empty() {
            self.parts.store.mend_overrides(&overrides).await?;
        }
        if !found.iter().any(|drift| matches!(drift, Drift::File { .. })) {
            return Ok(());
        }
        let Some(mut before) = self.kept_digests.clone() else { return Ok(()) };
        let stored = self.parts.store.copies().await?.digests;
        for drift in found {
            let Drift::File { path: Some(path), .. } = drift else { continue };
            match stored.get(path) {
                Some(digest) => drop(before.insert(path.clone(), digest.clone())),
                None => drop(before.remove(path)),
            }
        }
        self.write_files(before).await
    }

    /// Files of a source that stay as earlier commits have them, as these have them where they can be read: what stands
    /// in the store anybody may have edited.
    pub(super) async fn kept_files(
        &self,
        one: &Followed,
        all: &BTreeMap<String, KeptFile>,
    ) -> BTreeMap<String, KeptFile> {
        let label = one.source.settings().label();
        let own = all.iter().filter(|(path, _)| path.starts_with(&label));
        let mut kept: BTreeMap<_, _> = own.map(|(path, file)| (path.clone(), file.clone())).collect();
        let mut commits: BTreeMap<Revision, Option<CommitFiles>> = BTreeMap::new();
        for (path, file) in &mut kept {
            let KeptFile::Of { revision, bytes } = file else { continue };
            if !commits.contains_key(revision) {
                commits.insert(revision.clone(), one.source.read_apart(revision).await.ok());
            }
            let files = commits.get(revision).into_iter().flatten().flat_map(|commit| &commit.files);
            let Some(committed) = files.into_iter().find(|file| file.path == *path) else { continue };
            if committed.bytes != *bytes {
                tracing::warn!(path, %revision, "the store's copy of a kept file was edited; the commit's is used");
                *bytes = Arc::clone(&committed.bytes);
            }
        }
        kept
    }
}
