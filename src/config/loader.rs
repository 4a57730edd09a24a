//! Loads one folder of campaigns again and again, and reads only what has changed.
//!
//! What is remembered is of the newest load alone, so it is never more than that has. A campaign is
//! not read again while its file is the same, nor its template if it has one; it is not resolved
//! again while all other files are the same too.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    campaign::Over,
    diagnostic::Diagnostic,
    layout::{self, FileKind},
    load::{SourceFile, load_knowing},
    tables::campaign::CampaignFile,
};
use crate::domain::{
    campaign::{Campaign, Ceilings, Definitions},
    ids::CampaignId,
};

/// Loads commits under the ceilings of one machine; gives what [`load()`](super::load()) gives, sooner.
///
/// Only a limit over its ceiling is no error here: the ceiling holds, with a warning of
/// [`Code::OverCeiling`](super::code::Code::OverCeiling). So a daemon whose ceilings shrink goes on.
#[derive(Debug)]
pub struct Loader {
    ceilings: Ceilings,
    newest: Mutex<Newest>,
}

impl Loader {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(ceilings: Ceilings) -> Self {
        Self { ceilings, newest: Mutex::default() }
    }

    /// Reads all files of the folders of campaigns as one configuration; each is there once. Files that are missing
    /// should stand in `folder`. One load waits for another.
    pub fn load(
        &self,
        folder: &str,
        files: &[LoadedFile<'_>],
    ) -> Result<(Definitions, Vec<Diagnostic>), Vec<Diagnostic>> {
        let sources: Vec<_> = files.iter().map(LoadedFile::as_source).collect();
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken out: should the load panic, nothing half done is believed later.
        let (names, mut memory) = mem::take(&mut *newest).recall(files);
        let loaded = load_knowing(folder, &sources, (&self.ceilings, Over::Lowered), &mut memory);
        *newest = Newest::new(names, files, memory);
        loaded
    }
}

impl Loader {
    /// The campaign that a file of the newest load defines; the path is inside the folder.
    pub fn campaign_in(&self, folder: &str, path: &str) -> Option<CampaignId> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, known) = newest.0.get(folder)?.get(path)?;
        known.resolved.as_ref().map(|resolved| resolved.campaign.id.clone())
    }
}

/// A file that is loaded; see [`SourceFile`].
#[derive(Debug, Clone)]
pub struct LoadedFile<'a> {
    /// Where its folder stands.
    pub folder: &'a str,
    /// Path inside the folder.
    pub path: &'a str,
    /// What it holds.
    pub bytes: Arc<[u8]>,
}

impl LoadedFile<'_> {
    fn as_source(&self) -> SourceFile<'_> {
        SourceFile { folder: self.folder, path: self.path, bytes: &self.bytes }
    }
}

/// The files of one folder by path, and what came of them.
type Folder = HashMap<Arc<str>, (Arc<[u8]>, Known)>;

/// The files of the newest load by folder, and what came of them.
#[derive(Debug, Default)]
struct Newest(HashMap<Arc<str>, Folder>);

/// A file's folder and path.
type Name = (Arc<str>, Arc<str>);

impl Newest {
    fn new(names: Vec<Name>, files: &[LoadedFile<'_>], memory: Memory) -> Self {
        let mut folders: HashMap<Arc<str>, Folder> = HashMap::new();
        for (((folder, path), file), known) in names.into_iter().zip(files).zip(memory.0.into_iter().flatten()) {
            folders.entry(folder).or_default().insert(path, (Arc::clone(&file.bytes), known));
        }
        Self(folders)
    }

    /// What still holds of each of these files, and their names.
    fn recall(mut self, files: &[LoadedFile<'_>]) -> (Vec<Name>, Memory) {
        let mut unchanged = Unchanged { templates: true, others: true };
        let mut names: Vec<Name> = Vec::with_capacity(files.len());
        let mut known = Vec::with_capacity(files.len());
        for file in files {
            let before = self.0.get_mut(file.folder).and_then(|folder| folder.remove_entry(file.path));
            let (path, known_here) = match before {
                Some((path, (old, known))) if Arc::ptr_eq(&old, &file.bytes) || old == file.bytes => {
                    (path, Some(known))
                }
                Some((path, _)) => (path, None),
                None => (Arc::from(file.path), None),
            };
            if known_here.is_none() {
                unchanged.without(&path);
            }
            let folder = names.last().map(|(folder, _)| folder).filter(|folder| ***folder == *file.folder);
            let folder = folder.map_or_else(|| Arc::from(file.folder), Arc::clone);
            names.push((folder, path));
            known.push(known_here.unwrap_or_default());
        }
        self.0.values().flat_map(HashMap::keys).for_each(|gone| unchanged.without(gone));
        known.iter_mut().for_each(|known| known.forget(unchanged));
        (names, Memory(Some(known)))
    }
}

/// Which files that campaigns refer to are as they were.
#[derive(Debug, Clone, Copy)]
struct Unchanged {
    /// Those of `templates/`.
    templates: bool,
    /// All that are no campaigns, templates too.
    others: bool,
}

impl Unchanged {
    /// A file has changed, is new or gone.
    fn without(&mut self, path: &str) {
        let kind = layout::kind(path);
        self.templates &= kind != Some(FileKind::Template);
        self.others &= kind == Some(FileKind::Campaign);
    }
}

/// What was made of one file; nothing but for campaigns.
#[derive(Debug, Clone, Default)]
struct Known {
    read: Option<ReadCampaign>,
    resolved: Option<Resolved>,
}

impl Known {
    fn forget(&mut self, unchanged: Unchanged) {
        if !unchanged.others {
            self.resolved = None;
        }
        if !unchanged.templates {
            self.read.take_if(|read| read.extends);
        }
    }
}

/// A campaign's file once it was read.
#[derive(Debug, Clone)]
pub(crate) struct ReadCampaign {
    /// What it says; `None` if it could not be parsed.
    pub(crate) campaign: Option<Arc<CampaignFile>>,
    /// What is wrong with it.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Whether it names a template, be that there or not.
    pub(crate) extends: bool,
}

/// A campaign that could be built, and what was said of it alone.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    pub(crate) campaign: Arc<Campaign>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// What is known of the files of a load, by their index. Without a memory nothing is kept.
#[derive(Debug, Default)]
pub(crate) struct Memory(Option<Vec<Known>>);

impl Memory {
    /// What was read of a file.
    pub(crate) fn read(&self, file: usize) -> Option<ReadCampaign> {
        self.known(file)?.read.clone()
    }

    /// What a file was resolved to.
    pub(crate) fn resolved(&self, file: usize) -> Option<&Resolved> {
        self.known(file)?.resolved.as_ref()
    }

    /// Keeps what was read of a file.
    pub(crate) fn keep_read(&mut self, file: usize, read: &ReadCampaign) {
        if let Some(known) = self.known_mut(file) {
            known.read = Some(read.clone());
        }
    }

    /// Keeps what a file was resolved to.
    pub(crate) fn keep_resolved(&mut self, file: usize, resolved: impl FnOnce() -> Resolved) {
        if let Some(known) = self.known_mut(file) {
            known.resolved = Some(resolved());
        }
    }

    fn known(&self, file: usize) -> Option<&Known> {
        self.0.as_ref()?.get(file)
    }

    fn known_mut(&mut self, file: usize) -> Option<&mut Known> {
        self.0.as_mut()?.get_mut(file)
    }
}
