//! The form for people: as compilers show them, with the line, the fault underlined and an edit.

use annotate_snippets::{
    Annotation, AnnotationKind, Element, Group, Level, Origin, Patch, Renderer, Snippet, renderer::DecorStyle,
};

use super::{visible, visible_line};
use crate::config::diagnostic::{Diagnostic, Location, Severity, Span, Suggestion};

/// Longest line that is shown whole, in bytes.
const LINE_BYTES_MAX: usize = 240;

/// Of a longer line so much is shown before a place, and twice as much from it on.
const AROUND_BYTES: usize = 50;

/// Most lines that one place or edit may take up to be shown.
const LINES_MAX: usize = 12;

/// One diagnostic, without a line end behind it. `source` gives a file's text, by its path; a file
/// without one is shown by place only.
pub fn text<'s>(diagnostic: &'s Diagnostic, source: impl Fn(&str) -> Option<&'s str>, colour: bool) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(visible_line(&diagnostic.message)).id(diagnostic.code.as_str());
    let mut main = Group::with_title(title).elements(places(diagnostic, &source));
    if let Some(help) = &diagnostic.help {
        main = main.element(Level::HELP.message(visible(help)));
    }
    if let Some(about) = diagnostic.about {
        main = main.element(Level::NOTE.message(about));
    }
    let mut groups = vec![main];
    if let Some(suggestion) = &diagnostic.suggestion {
        let title = Level::HELP.secondary_title(visible_line(&suggestion.message));
        let text = source(&diagnostic.location.file);
        groups.push(match text.and_then(|text| edit(text, &diagnostic.location, suggestion)) {
            Some(edit) => title.element(edit),
            None => Group::with_title(title),
        });
    }
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    without_c1_controls(without_bare_origins(renderer.decor_style(DecorStyle::Ascii).render(&groups)))
}

/// Of a source's lines the renderer shows control characters as signs, but not those behind U+007F, which some
/// terminals obey as they obey an escape. One stays one wide, so that what is underlined stays so.
fn without_c1_controls(shown: String) -> String {
    if shown.contains(is_c1) { shown.replace(is_c1, "\u{fffd}") } else { shown }
}

fn is_c1(c: char) -> bool {
    ('\u{80}'..='\u{9f}').contains(&c)
}

/// An excerpt has no path, as its columns are not the line's: the line that would show the path goes.
fn without_bare_origins(shown: String) -> String {
    if !shown.contains(":::") {
        return shown;
    }
    // Without colour codes, which go from an escape to an `m`.
    let plain = |line: &str| -> String {
        let mut pieces = line.split('\x1b');
        let first = pieces.next().unwrap_or_default();
        let rest = pieces.filter_map(|piece| piece.split_once('m')).map(|(_, text)| text);
        std::iter::once(first).chain(rest).collect()
    };
    shown.lines().filter(|line| plain(line).trim() != ":::").collect::<Vec<_>>().join("\n")
}

/// The fault's own place and the related ones, one snippet for each file.
fn places<'s>(diagnostic: &'s Diagnostic, source: &impl Fn(&str) -> Option<&'s str>) -> Vec<Element<'s>> {
    let fault = (&diagnostic.location, diagnostic.label.as_str(), AnnotationKind::Primary);
    let related = diagnostic.related.iter().map(|r| (&r.location, r.label.as_str(), AnnotationKind::Context));
    let (mut elements, mut files): (Vec<Element<'s>>, Vec<InFile<'s>>) = (Vec::new(), Vec::new());
    for place in std::iter::once(fault).chain(related) {
        let (location, label, kind) = place;
        let text = source(&location.file);
        match location.span.filter(|span| *span != Span::default()).zip(text) {
            Some((span, text)) if text.get(span.range()).is_some() => {
                match files.iter_mut().find(|known| known.path == location.file.as_ref()) {
                    Some(known) => known.places.push((location, span, label, kind)),
                    None => {
                        files.push(InFile { path: &location.file, text, places: vec![(location, span, label, kind)] });
                    }
                }
            }
            Some(_) | None => elements.push(origin(location).into()),
        }
    }
    elements.extend(files.into_iter().flat_map(InFile::elements));
    elements
}

/// Places in one file that are shown together.
struct InFile<'s> {
    path: &'s str,
    text: &'s str,
    places: Vec<(&'s Location, Span, &'s str, AnnotationKind)>,
}

impl<'s> InFile<'s> {
    /// The lines from the first place to the last; each place by itself if a line is too long.
    fn elements(self) -> Vec<Element<'s>> {
        let lines = self.places.iter().map(|(_, span, ..)| lines(self.text, *span));
        let whole = lines.reduce(|a, b| Lines { start: a.start.min(b.start), end: a.end.max(b.end) });
        let first = self.places.iter().map(|(location, ..)| location.line).min();
        let (Some(whole), Some(first)) = (whole, first) else { return Vec::new() };
        let shown = &self.text[whole.start..whole.end];
        let tall = self.places.iter().any(|(location, ..)| location.end_line - location.line >= LINES_MAX);
        if tall || shown.lines().any(|line| line.len() > LINE_BYTES_MAX) {
            return self.places.iter().flat_map(|place| self.excerpt(place)).collect();
        }
        let annotations = self.places.iter().map(|(_, span, label, kind)| {
            let range = span.range();
            annotation(*kind, range.start - whole.start..range.end - whole.start, label)
        });
        vec![Snippet::source(shown).path(visible_line(self.path)).line_start(first).annotations(annotations).into()]
    }

    /// What is around one place in its first line.
    fn excerpt(&self, place: &(&'s Location, Span, &'s str, AnnotationKind)) -> [Element<'s>; 2] {
        let (location, span, label, kind) = place;
        let line = lines(self.text, Span { start: span.start, end: span.start });
        let at = span.range().start;
        let start = self.text.floor_char_boundary(at.saturating_sub(AROUND_BYTES)).max(line.start);
        let end = self.text.floor_char_boundary(at + 2 * AROUND_BYTES).min(line.end);
        let before = if start > line.start { "…" } else { "" };
        let after = if end < line.end { "…" } else { "" };
        let shown = format!("{before}{}{after}", &self.text[start..end]);
        let shift = |byte: usize| byte - start + before.len();
        let range = shift(at)..shift(span.range().end.min(end));
        let snippet = Snippet::source(shown).line_start(location.line).annotation(annotation(*kind, range, label));
        [origin(location).into(), snippet.into()]
    }
}

fn annotation<'s>(kind: AnnotationKind, range: std::ops::Range<usize>, label: &'s str) -> Annotation<'s> {
    let annotation = kind.span(range);
    if label.is_empty() { annotation } else { annotation.label(visible_line(label)) }
}

/// The lines with an edit in them; `None` if it can't be shown shortly.
fn edit<'s>(text: &'s str, fault: &'s Location, edit: &'s Suggestion) -> Option<Snippet<'s, Patch<'s>>> {
    text.get(edit.span.range())?;
    let Lines { start, end } = lines(text, edit.span);
    let shown = &text[start..end];
    if edit.text.len() > LINE_BYTES_MAX || shown.len() > LINE_BYTES_MAX * 2 {
        return None;
    }
    let range = edit.span.range();
    let patch = Patch::new(range.start - start..range.end - start, edit.text.as_str());
    Some(
        Snippet::source(shown)
            .path(visible_line(&fault.file))
            .line_start(line_of(text, fault, range.start))
            .patch(patch),
    )
}

/// The line of a byte, counted from the fault's own place, which is near.
fn line_of(text: &str, fault: &Location, byte: usize) -> usize {
    let newlines = |from: usize, to: usize| text.as_bytes()[from..to].iter().filter(|&&b| b == b'\n').count();
    match fault.span.map(|span| span.range().start).filter(|&start| start <= text.len()) {
        Some(start) if start <= byte => fault.line + newlines(start, byte),
        Some(start) => fault.line - newlines(byte, start),
        None => 1 + newlines(0, byte),
    }
}

/// Whole lines, from the start of the first to the end of the last, in bytes.
#[derive(Clone, Copy)]
struct Lines {
    start: usize,
    end: usize,
}

fn lines(text: &str, span: Span) -> Lines {
    let range = span.range();
    let start = text[..range.start].rfind('\n').map_or(0, |newline| newline + 1);
    // A byte-order mark is no part of the first line.
    let start = if text[start..].starts_with('\u{feff}') { (start + 3).min(range.start) } else { start };
    let end = text[range.end..].find('\n').map_or(text.len(), |newline| range.end + newline);
    // A carriage return before the line end belongs to it.
    let end = if text[..end].ends_with('\r') { (end - 1).max(range.end) } else { end };
    Lines { start, end }
}

fn origin(location: &Location) -> Origin<'_> {
    let origin = Origin::path(visible_line(&location.file));
    match (location.line, location.column) {
        (0, _) => origin,
        (line, column) => origin.line(line).char_column(column),
    }
}
