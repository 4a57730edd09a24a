//! What is wrong with a change, though the files themselves are good: campaigns beside those of a base.
//!
//! Only `id`, `name`, `starts_at` and `ends_at` of the files that differ are read; a file that can't be read has been
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
    succession::{Predecessor, Stands, successions},
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
    name: Option<String>,
    starts_at: Option<Spanned<Datetime>>,
    ends_at: Option<Spanned<Datetime>>,
}

impl Head {
    /// The campaign, and when it ends.
    fn end(&self) -> Option<(&str, &Datetime)> {
        Some((self.id.get_ref(), self.ends_at.as_ref()?.get_ref()))
    }
}

/// A file that differs, and what it says first; `None` if it can't be read.
type Headed<'a> = (SourceFile<'a>, Option<Head>);

/// Reports new campaigns that start before `now`, ids that changed, and campaigns that shall go on although they
/// have expired. Without a base all campaigns are new.
#[must_use]
pub fn review(files: &[SourceFile<'_>], base: Option<Base<'_>>, now: Timestamp) -> Vec<Diagnostic> {
    let before: BTreeMap<&str, &[u8]> = base.iter().flat_map(|base| base.files).map(|f| (f.path, f.bytes)).collect();
    let same: BTreeSet<&str> = files.iter().filter(|f| before.get(f.path) == Some(&f.bytes)).map(|f| f.path).collect();
    let old = heads(base.map_or(&[], |base| base.files), &same);
    let new = heads(files, &same);
    let (before, after) = (stands(&old), stands(&new));
    let known: BTreeSet<&str> = before.iter().map(|campaign| campaign.id).collect();
    let changed = successions(&before, &after);
    let ends: BTreeMap<&str, &Datetime> = old.iter().filter_map(|(_, head)| head.as_ref()?.end()).collect();
    let unread: BTreeSet<&str> = old.iter().filter(|(_, head)| head.is_none()).map(|(file, _)| file.path).collect();
    let mut found = Vec::new();
    for (file, head) in &new {
        let Some(head) = head else { continue };
        let source = || Source::new(file.full_path(), str::from_utf8(file.bytes).unwrap_or(""));
        let id = head.id.get_ref().as_str();
        match (changed.get(id), base) {
            (Some(left), Some(base)) => {
                found.push(id_changed(&source(), head, left, &full_path(file.folder, left.was.path), base));
            }
            // What the base had here can't be read: it may well be this campaign.
            (None, Some(base)) if known.contains(id) => {
                found.extend(ends.get(id).and_then(|was| stays_expired(&source(), head, was, base.name, now)));
            }
            (Some(_) | None, _) if unread.contains(file.path) => {}
            (Some(_) | None, _) => found.extend(new_in_past(&source(), head, base.map(|base| base.name), now)),
        }
    }
    found
}

fn stands<'a>(heads: &'a [Headed<'_>]) -> Vec<Stands<'a>> {
    let stands = |file: &SourceFile<'a>, head: &'a Head| Stands {
        id: head.id.get_ref(),
        name: head.name.as_deref(),
        path: file.path,
    };
    heads.iter().filter_map(|(file, head)| Some(stands(file, head.as_ref()?))).collect()
}

/// The campaigns' files but those that are the same on both sides.
fn heads<'a>(files: &[SourceFile<'a>], same: &BTreeSet<&str>) -> Vec<Headed<'a>> {
    let changed = files.iter().filter(|f| layout::kind(f.path) == Some(FileKind::Campaign) && !same.contains(f.path));
    changed.map(|file| (*file, str::from_utf8(file.bytes).ok().and_then(|text| toml::from_str(text).ok()))).collect()
}

fn id_changed(source: &Source<'_>, head: &Head, left: &Predecessor<'_>, path: &str, base: Base<'_>) -> Diagnostic {
    let (old, base) = (left.was.id, base.name);
    let fate = if left.is_gone { "is retired" } else { "is another campaign now" };
    let message =
        format!("an id cannot change: {old:?} {fate}, and its contacts, results and history stay behind with it");
    let span = Span::from(head.id.span());
    let mut diagnostic = Diagnostic::error(Code::IdChanged, source.locate(span), message);
    let moved = if *path == *source.path { String::new() } else { format!(" in {path}") };
    diagnostic
        .label(format!("was {old:?}{moved} at {base}"))
        .help("to retire one campaign and begin another, give the new one a file and a name of its own")
        .suggest(format!("to go on with {old:?}, put its id back"), span, format!("{old:?}"));
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

/// A campaign that ended at `was` shall end later, which is too late.
fn stays_expired(source: &Source<'_>, head: &Head, was: &Datetime, base: &str, now: Timestamp) -> Option<Diagnostic> {
    let ends_at = head.ends_at.as_ref()?;
    let ended_at = timestamp(was).filter(|ended_at| *ended_at <= now)?;
    if timestamp(ends_at.get_ref())? <= ended_at {
        return None;
    }
    let message = "this `ends_at` has no effect: the campaign has expired, which is final, so it does not dial again";
    let place = source.locate(Span::from(ends_at.span()));
    let mut diagnostic = Diagnostic::warning(Code::StaysExpired, place, message);
    diagnostic
        .label(format!("was {was} at {base}"))
        .help("to dial again, begin another campaign: a file, an `id` and a `name` of its own, and contacts imported");
    Some(diagnostic)
}
