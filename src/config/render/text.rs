//! The form for people: as compilers show them, with the line, the fault underlined and an edit.

use annotate_snippets::{
    Annotation, AnnotationKind, Element, Group, Level, Origin, Patch, Renderer, Snippet, renderer::DecorStyle,
};

use crate::config::diagnostic::{Diagnostic, Location, Severity, Span};

/// One diagnostic, without a line end behind it. `source` gives a file's text, by its path; a file
/// without one is shown by place only.
pub fn text<'s>(diagnostic: &'s Diagnostic, source: impl Fn(&str) -> Option<&'s str>, colour: bool) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.as_str());
    let mut main = Group::with_title(title).elements(places(diagnostic, &source));
    if let Some(help) = &diagnostic.help {
        main = main.element(Level::HELP.message(help.as_str()));
    }
    if let Some(about) = diagnostic.about {
        main = main.element(Level::NOTE.message(about));
    }
    let mut groups = vec![main];
    if let Some(suggestion) = &diagnostic.suggestion {
        let title = Level::HELP.secondary_title(suggestion.message.as_str());
        let file = diagnostic.location.file.as_ref();
        groups.push(match source(file) {
            Some(text) if fits(text, suggestion.span) => {
                let patch = Patch::new(suggestion.span.range(), suggestion.text.as_str());
                title.element(Snippet::source(text).path(file).patch(patch))
            }
            _ => Group::with_title(title),
        });
    }
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    renderer.decor_style(DecorStyle::Ascii).render(&groups)
}

/// The fault's own place and the related ones, one snippet for each file.
fn places<'s>(diagnostic: &'s Diagnostic, source: &impl Fn(&str) -> Option<&'s str>) -> Vec<Element<'s>> {
    let mut snippets: Vec<(&str, Snippet<'s, Annotation<'s>>)> = Vec::new();
    let mut elements = Vec::new();
    let fault = (&diagnostic.location, diagnostic.label.as_str(), AnnotationKind::Primary);
    let related = diagnostic.related.iter().map(|r| (&r.location, r.label.as_str(), AnnotationKind::Context));
    for (location, label, kind) in std::iter::once(fault).chain(related) {
        let file = location.file.as_ref();
        let shown = location.span.and_then(|span| Some((source(file)?, span)));
        match shown.filter(|(text, span)| fits(text, *span) && *span != Span::default()) {
            None => elements.push(origin(location).into()),
            Some((text, span)) => {
                let annotation = kind.span(span.range());
                let annotation = if label.is_empty() { annotation } else { annotation.label(label) };
                match snippets.iter_mut().find(|(known, _)| *known == file) {
                    Some((_, snippet)) => *snippet = snippet.clone().annotation(annotation),
                    None => snippets.push((file, Snippet::source(text).path(file).annotation(annotation))),
                }
            }
        }
    }
    elements.extend(snippets.into_iter().map(|(_, snippet)| Element::from(snippet)));
    elements
}

fn origin(location: &Location) -> Origin<'_> {
    let origin = Origin::path(location.file.as_ref());
    match (location.line, location.column) {
        (0, _) => origin,
        (line, column) => origin.line(line).char_column(column),
    }
}

/// Whether a span can be shown in a text.
fn fits(text: &str, span: Span) -> bool {
    text.get(span.range()).is_some()
}
