//! Text messages with gaps.

use serde_json::{Value as Json, json};

use crate::{
    config::{
        code::Code,
        diagnostic::Span,
        read::{At, Kind, Reader},
        suggest::{listing, nearest},
        syntax::Node,
    },
    domain::sms::{ATTRIBUTE_PREFIX, Gap, Part, Piece, SmsError, pieces},
};

const LENGTH_MAX: usize = 1_000;

/// The text of a message: 1 to 1000 characters, with gaps such as `{customer_id}`; it may have line ends.
pub(crate) struct Message;

impl Kind for Message {
    type Value = Vec<At<Part>>;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self::Value> {
        let text = reader.text(node, "a string")?;
        let length = text.chars().count();
        if text.trim().is_empty() {
            reader.fault(Code::Text, node, "is empty").label(format!("expected 1 to {LENGTH_MAX} characters"));
            return None;
        }
        if length > LENGTH_MAX {
            let label = format!("{length} characters");
            reader.fault(Code::Text, node, format_args!("must have at most {LENGTH_MAX} characters")).label(label);
            return None;
        }
        if let Some(control) = text.chars().find(|c| c.is_control() && *c != '\n') {
            let what = format!("must not hold the control character {control:?}");
            reader.fault(Code::Text, node, what).label("plain text is expected");
            return None;
        }
        let node_span = Span::from(node.span());
        let mut parts = Vec::new();
        let mut whole = true;
        for Piece { range, part } in pieces(text) {
            let span = within(text, range.clone(), reader.source.slice(node_span), node_span);
            match part {
                Ok(part) => parts.push(At { value: part, span: Some(span) }),
                Err(error) => {
                    report(&error, span, reader);
                    whole = false;
                }
            }
        }
        whole.then_some(parts)
    }

    fn schema() -> Json {
        json!({ "type": "string", "minLength": 1, "maxLength": LENGTH_MAX })
    }

    fn show(value: &Self::Value) -> Json {
        json!(value.iter().map(|part| part.value.to_string()).collect::<String>())
    }
}

/// Where a piece that starts with a brace stands in the file; the whole value if an escape hides it.
fn within(text: &str, range: std::ops::Range<usize>, raw: &str, whole: Span) -> Span {
    let Some(brace) = text[range.start..].chars().next().filter(|c| matches!(c, '{' | '}')) else { return whole };
    if raw.matches(brace).count() != text.matches(brace).count() {
        return whole;
    }
    let nth = text[..range.start].matches(brace).count();
    let Some((at, _)) = raw.match_indices(brace).nth(nth) else { return whole };
    let length = if raw[at..].starts_with(&text[range.clone()]) { range.len() } else { 1 };
    let start = whole.start as usize + at;
    Span::from(start..start + length)
}

/// Reports a piece; an edit is offered only where the file has the piece as it is.
fn report(error: &SmsError, span: Span, reader: &mut Reader<'_>) {
    let written = reader.source.slice(span).to_owned();
    let message = format!("`text` is no message: {error}");
    match error {
        SmsError::Unclosed | SmsError::Stray => {
            let label = if *error == SmsError::Unclosed { "opens a gap" } else { "nothing is open" };
            let diagnostic = reader.error(Code::Brace, span, message).label(label);
            if matches!(written.as_str(), "{" | "}") {
                diagnostic.suggest("for a brace itself, write it twice", span, written.repeat(2));
            } else {
                diagnostic.help("for a brace itself, write it twice");
            }
        }
        SmsError::UnknownGap(name) => {
            let known: Vec<&str> = Gap::NAMED.iter().map(|(known, _)| *known).collect();
            let diagnostic = reader.error(Code::UnknownGap, span, message).label("unknown");
            match nearest(name, known.iter().copied()) {
                Some(meant) if written == format!("{{{name}}}") => {
                    diagnostic.suggest(format!("did you mean {{{meant}}}?"), span, format!("{{{meant}}}"));
                }
                Some(_) | None => {
                    let braced: Vec<String> = known.iter().map(|known| format!("{{{known}}}")).collect();
                    let braced: Vec<&str> = braced.iter().map(String::as_str).collect();
                    let known = listing(&braced, '`', "and");
                    diagnostic.help(format!("gaps: {known}, and `{{{ATTRIBUTE_PREFIX}<id>}}` for attributes"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_found_in_the_file() {
        let whole = |raw: &str| Span::from(100..100 + raw.len());
        let at = |text: &str, raw: &str| within(text, text.find("{b}").unwrap()..text.len(), raw, whole(raw));
        assert_eq!(at("{a}\t{b}", "\"{a}\\t{b}\""), Span::from(106..109));
        assert_eq!(at("{a}\n{b}", "\"\"\"\r\n{a}\r\n{b}\"\"\""), Span::from(110..113));
        assert_eq!(at("{{b}", "\"\\u007b{b}\""), whole("\"\\u007b{b}\""));
    }
}
