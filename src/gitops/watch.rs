//! The file system's trigger and the poll timer.
//!
//! `notify` is a hint: its events wake the loop and are not read further; an overflow, which has no
//! path, wakes it too. What it misses (network file systems, a replaced repository) the poll finds,
//! and each poll also puts the watch back when the folder it was on is gone.

use std::{
    hash::{BuildHasher as _, RandomState},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio_util::sync::CancellationToken;

use super::{
    repository::GitFolders,
    source::Source,
    wake::{Trigger, Wake},
};

/// Wakes the loop on changed refs and every `poll` of the settings, until `shutdown`.
pub async fn run(source: Source, wake: Arc<Wake>, shutdown: CancellationToken) {
    let (poll, jitter) = (source.settings().poll, source.settings().jitter);
    // Other daemons must come to other choices; which ones does not matter.
    let seed = RandomState::new();
    let mut watch = Watch { source, wake: Arc::clone(&wake), established: None, told: None };
    wake.wake(Trigger::Start);
    watch.keep().await;
    for round in 0_u64.. {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(poll + part(jitter, seed.hash_one(round))) => {}
        }
        wake.wake(Trigger::Poll);
        watch.keep().await;
    }
}

/// The part of a duration that `chance` says, evenly.
fn part(most: Duration, chance: u64) -> Duration {
    most.mul_f64(f64::from(u32::try_from(chance >> 32).unwrap_or(0)) / f64::from(u32::MAX))
}

struct Watch {
    source: Source,
    wake: Arc<Wake>,
    established: Option<Established>,
    /// What was last said of a watch that could not be set up.
    told: Option<String>,
}

/// A watch in place; dropping it ends it.
struct Established {
    folders: Identity,
    _watcher: RecommendedWatcher,
}

/// Which folders exactly: a path and what was at it.
type Identity = Vec<(PathBuf, u64, u64)>;

impl Watch {
    /// Sets the watch up where it is missing or on folders that are no longer there.
    async fn keep(&mut self) {
        // The source tells of a repository that can't be opened; here that is no news.
        // A remote one can't be watched.
        let Ok(Some(folders)) = self.source.folders().await else {
            self.established = None;
            return;
        };
        let found = watched(&folders);
        if let (Ok(found), Some(established)) = (&found, &self.established)
            && *found == established.folders
        {
            return;
        }
        self.established = None;
        let watcher = found.map_err(notify::Error::io).and_then(|found| {
            let watcher = establish(&folders, Arc::clone(&self.wake))?;
            Ok(Established { folders: found, _watcher: watcher })
        });
        match watcher {
            Ok(established) => {
                self.established = Some(established);
                self.told = None;
                // What changed before the watch was in place would otherwise wait for the poll.
                self.wake.wake(Trigger::Watch);
            }
            Err(error) => {
                let text = error.to_string();
                if self.told.as_ref() != Some(&text) {
                    tracing::warn!(error = text, "the repository can't be watched; changes are found by polling");
                    self.told = Some(text);
                }
            }
        }
    }
}

/// The folders to watch, as they are now.
fn watched(folders: &GitFolders) -> io::Result<Identity> {
    let identity = |path: PathBuf| {
        let metadata = path.metadata()?;
        Ok((path, metadata.dev(), metadata.ino()))
    };
    [folders.own.clone(), folders.common.clone(), folders.common.join("refs")].into_iter().map(identity).collect()
}

fn establish(folders: &GitFolders, wake: Arc<Wake>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| match event {
        Ok(event) if !is_relevant(&event) => {}
        // An error means that events were lost; so does an overflow.
        Ok(_) | Err(_) => wake.wake(Trigger::Watch),
    })?;
    watcher.watch(&folders.common.join("refs"), RecursiveMode::Recursive)?;
    watcher.watch(&folders.common, RecursiveMode::NonRecursive)?;
    if folders.own != folders.common {
        watcher.watch(&folders.own, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}

/// Whether a branch may have changed. Our own reading and pinning make events, too, which must not
/// count.
fn is_relevant(event: &Event) -> bool {
    if event.need_rescan() {
        return true;
    }
    if matches!(event.kind, EventKind::Access(_)) {
        return false;
    }
    event.paths.iter().any(|path| is_ref(path))
}

fn is_ref(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    if path.extension().is_some_and(|extension| extension == "lock") {
        return false;
    }
    if name == "packed-refs" || name == "HEAD" {
        return true;
    }
    let parts: Vec<_> = path.iter().collect();
    let refs = parts.iter().rposition(|part| *part == "refs");
    refs.is_some_and(|refs| parts.get(refs + 1).is_none_or(|below| *below != "dialops"))
}

#[cfg(test)]
mod tests {
    use notify::event::{AccessKind, AccessMode, CreateKind, Flag, ModifyKind, RenameMode};

    use super::*;

    fn event(kind: EventKind, path: &str) -> Event {
        Event::new(kind).add_path(PathBuf::from(path))
    }

    #[test]
    fn a_look_is_put_off_by_a_part_at_most() {
        let most = Duration::from_secs(8);
        assert_eq!((part(most, 0), part(most, u64::MAX)), (Duration::ZERO, most));
        let half = part(most, u64::MAX / 2).as_secs_f64();
        assert!((half - 4.0).abs() < 0.001, "{half}");
    }

    #[test]
    fn only_refs_count_and_an_overflow_counts_without_a_path() {
        let renamed = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        let created = EventKind::Create(CreateKind::File);
        assert!(is_relevant(&event(renamed, "repo/.git/refs/heads/main")));
        assert!(is_relevant(&event(renamed, "repo/.git/packed-refs")));
        assert!(is_relevant(&event(EventKind::Create(CreateKind::Folder), "bare.git/refs/heads/team")));
        assert!(!is_relevant(&event(created, "repo/.git/refs/heads/main.lock")));
        assert!(!is_relevant(&event(created, "repo/.git/index")));
        assert!(is_relevant(&event(renamed, "refs/dialops/repo.git/refs/heads/main")));
        assert!(!is_relevant(&event(renamed, "repo/.git/refs/dialops/applied")), "nor our own pinning");
        let opened = EventKind::Access(AccessKind::Open(AccessMode::Any));
        assert!(!is_relevant(&event(opened, "repo/.git/refs/heads/main")), "our own reading must not wake us");
        assert!(is_relevant(&Event::new(EventKind::Other).set_flag(Flag::Rescan)));
    }
}
