//! The files in force, kept in the store so that whoever loses the repository still has them.

use std::{collections::BTreeMap, sync::Arc};

use super::{Looper, look::in_force};
use crate::{
    gitops::CommitFiles,
    reconcile::conditions::with_causes,
    store::{FileChanges, FilesOf, StoreError, file_digest},
};

/// Most bytes that are written at once: intents wait meanwhile.
const BYTES_AT_ONCE: usize = 512 * 1024;

/// Most files of these.
const FILES_AT_ONCE: usize = 200;

/// Digests by path of the files that the store keeps.
pub(super) type KeptDigests = BTreeMap<String, String>;

impl Looper {
    /// Has the store keep the files that are in force. It is a copy, so failing holds nothing up.
    pub(super) async fn keep_files(&mut self) {
        if let Err(error) = self.try_to_keep().await {
            // What is there now is found out next time.
            self.kept_digests = None;
            let error = with_causes(&error);
            tracing::warn!(
                error,
                "the files in force can't be kept in the store; `dialops import` has older ones or none"
            );
        }
    }

    async fn try_to_keep(&mut self) -> Result<(), StoreError> {
        let before = match self.kept_digests.take() {
            Some(digests) => digests,
            None => self.parts.store.file_digests().await?,
        };
        self.write_files(before).await
    }

    /// Writes those that differ from what the store has by these digests.
    pub(super) async fn write_files(&mut self, before: KeptDigests) -> Result<(), StoreError> {
        let of = in_force(&self.standing);
        let Ok((digests, changes)) = tokio::task::spawn_blocking(move || changes(&of, &before)).await else {
            return Ok(());
        };
        for piece in changes {
            self.parts.store.put_files(piece).await?;
        }
        self.kept_digests = Some(digests);
        Ok(())
    }
}

/// Digests of files, and what differs from those that are kept, piece by piece.
fn changes(commits: &[Arc<CommitFiles>], before: &KeptDigests) -> (KeptDigests, Vec<FileChanges>) {
    let mut digests = KeptDigests::new();
    let mut pieces = vec![FileChanges::default()];
    let mut bytes = 0;
    let mut add = |path: &str, text: Option<Arc<[u8]>>| {
        let length = text.as_ref().map_or(0, |text| text.len());
        let last = pieces.len() - 1;
        if !pieces[last].changed.is_empty()
            && (bytes + length > BYTES_AT_ONCE || pieces[last].changed.len() >= FILES_AT_ONCE)
        {
            pieces.push(FileChanges::default());
            bytes = 0;
        }
        bytes += length;
        let last = pieces.len() - 1;
        pieces[last].changed.push((path.to_owned(), text));
    };
    for file in commits.iter().flat_map(|commit| &commit.files) {
        let digest = file_digest(&file.bytes);
        if before.get(&file.path) != Some(&digest) {
            add(&file.path, Some(Arc::clone(&file.bytes)));
        }
        digests.insert(file.path.clone(), digest);
    }
    before.keys().filter(|path| !digests.contains_key(*path)).for_each(|path| add(path, None));
    let last = pieces.len() - 1;
    pieces[last].complete = commits.iter().map(|commit| of(commit)).collect();
    (digests, pieces)
}

pub(super) fn of(commit: &CommitFiles) -> FilesOf {
    let CommitFiles { source, revision, prefix, .. } = commit;
    FilesOf { source: source.clone(), revision: revision.clone(), folder: prefix.clone() }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        domain::ids::{Revision, SourceId},
        gitops::CommitFile,
    };

    type Files = BTreeMap<String, Vec<u8>>;

    fn commit(files: &Files) -> CommitFiles {
        let file = |(path, bytes): (&String, &Vec<u8>)| CommitFile {
            path: path.clone(),
            bytes: bytes.as_slice().into(),
            kept_from: None,
        };
        CommitFiles {
            source: SourceId::main(),
            revision: Revision::parse(&"a".repeat(40)).unwrap(),
            committed_at: Timestamp::UNIX_EPOCH,
            author: String::new(),
            subject: String::new(),
            prefix: "campaigns".to_owned(),
            files: files.iter().map(file).collect(),
            refused: Vec::new(),
        }
    }

    fn some_files() -> impl Strategy<Value = Files> {
        let bytes = prop_oneof![
            8 => proptest::collection::vec(any::<u8>(), 0..40),
            1 => (1_usize..300_000).prop_map(|length| vec![b'x'; length]),
        ];
        proptest::collection::btree_map("campaigns/[a-e]{1,3}\\.toml", bytes, 0..30)
    }

    proptest! {
        #[test]
        fn what_is_kept_is_what_is_in_force(commits in proptest::collection::vec(some_files(), 1..6)) {
            let (mut kept, mut digests) = (Files::new(), KeptDigests::new());
            for files in &commits {
                let (after, pieces) = changes(&[Arc::new(commit(files))], &digests);
                for (index, piece) in pieces.iter().enumerate() {
                    prop_assert_eq!(!piece.complete.is_empty(), index + 1 == pieces.len());
                    let bytes = piece.changed.iter().map(|(_, bytes)| bytes.as_ref().map_or(0, |bytes| bytes.len()));
                    prop_assert!(piece.changed.len() <= FILES_AT_ONCE);
                    prop_assert!(piece.changed.len() < 2 || bytes.sum::<usize>() <= BYTES_AT_ONCE);
                    for (path, bytes) in &piece.changed {
                        let before = match bytes {
                            Some(bytes) => kept.insert(path.clone(), bytes.to_vec()),
                            None => kept.remove(path),
                        };
                        prop_assert_ne!(before.as_deref(), bytes.as_deref(), "only what differs is written");
                    }
                }
                digests = after;
                prop_assert_eq!(&kept, files);
            }
        }
    }
}
