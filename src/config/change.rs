//! What is wrong with a change, though the files themselves are good: campaigns beside those of a base.
//!
//! Only `id` and `starts_at` of the files that differ are read; a file that can't be read has been
//! reported already.

use std::{
    collections::{BTreeMap, BTreeSet},
    str,
};

use jiff::Timestamp;
use serde::Deserialize;
use toml::{Spanned, value::Datetime};

use super::{
    code::Code,
    diagnostic::{Diagnostic, Source, Span},
    kinds::time::timestamp,
    layout::{self, FileKind},
    load::{SourceFile, full_path},
};

/// What a folder of campaigns is compared with.
#[derive(Debug, Clone, Copy)]
pub struct Base<'a> {
    /// How people call it: `main`.
    pub name: &'a str,
    /// Its files.
    pub files: &'a [SourceFile<'a>],
}

/// What a campaign's file says first.
#[derive(Deserialize)]
struct Head {
    id: Spanned<String>,
    starts_at: Option<Spanned<Datetime>>,
}

/// Reports new campaigns that start before `now`, and ids that changed. Without a base all campaigns
/// are new.
#[must_use]
pub fn review(folder: &str, files: &[SourceFile<'_>], base: Option<Base<'_>>, now: Timestamp) -> Vec<Diagnostic> {
    let before: BTreeMap<&str, &[u8]> = base.iter().flat_map(|base| base.files).map(|f| (f.path, f.bytes)).collect();
    let same: BTreeSet<&str> = files.iter().filter(|f| before.get(f.path) == Some(&f.bytes)).map(|f| f.path).collect();
    let old = heads(base.map_or(&[], |base| base.files), &same);
    let new = heads(files, &same);
    let ids = |heads: &[(SourceFile<'_>, Option<Head>)]| -> BTreeSet<String> {
        heads.iter().filter_map(|(_, head)| Some(head.as_ref()?.id.get_ref().clone())).collect()
    };
    let (old_ids, new_ids) = (ids(&old), ids(&new));
    let mut found = Vec::new();
    for (file, head) in &new {
        let Some(head) = head.as_ref().filter(|head| !old_ids.contains(head.id.get_ref())) else { continue };
        let source = Source::new(full_path(folder, file.path), str::from_utf8(file.bytes).unwrap_or(""));
        let there = old.iter().find(|(old, _)| old.path == file.path).map(|(_, head)| head);
        match (there, base) {
            // What the base had here can't be read: it may well be this campaign.
            (Some(None), _) => {}
            (Some(Some(left)), Some(base)) if !new_ids.contains(left.id.get_ref()) => {
                found.push(id_changed(&source, head, left, base.name));
            }
            (Some(Some(_)) | None, _) => found.extend(new_in_past(&source, head, base.map(|base| base.name), now)),
        }
    }
    found
}

/// The campaigns' files but those that are the same on both sides.
fn heads<'a>(files: &[SourceFile<'a>], same: &BTreeSet<&str>) -> Vec<(SourceFile<'a>, Option<Head>)> {
    let changed = files.iter().filter(|f| layout::kind(f.path) == Some(FileKind::Campaign) && !same.contains(f.path));
    changed.map(|file| (*file, str::from_utf8(file.bytes).ok().and_then(|text| toml::from_str(text).ok()))).collect()
}

fn id_changed(source: &Source<'_>, head: &Head, left: &Head, base: &str) -> Diagnostic {
    let (new, old) = (head.id.get_ref(), left.id.get_ref());
    let message =
        format!("an id cannot change: this retires {old:?} and creates {new:?}, whose contacts start from nothing");
    let place = source.locate(Span::from(head.id.span()));
    let mut diagnostic = Diagnostic::warning(Code::IdChanged, place, message);
    diagnostic
        .label(format!("was {old:?} at {base}"))
        .help("put the old id back, or give the new campaign a file of its own");
    diagnostic
}

fn new_in_past(source: &Source<'_>, head: &Head, base: Option<&str>, now: Timestamp) -> Option<Diagnostic> {
    let starts_at = head.starts_at.as_ref()?;
    if timestamp(starts_at.get_ref())? >= now {
        return None;
    }
    let message = format!("`starts_at` of a new campaign must not be before {now}");
    let place = source.locate(Span::from(starts_at.span()));
    let mut diagnostic = Diagnostic::error(Code::NewInPast, place, message);
    diagnostic.label("in the past").help("set it to when the campaign shall begin, as the daemon would begin at once");
    if let Some(base) = base {
        let id = source.locate(Span::from(head.id.span()));
        diagnostic.relate(id, format!("new since {base}"));
    }
    Some(diagnostic)
}
