//! Syntax that TOML 1.1 brought: it is read, and a warning says that many an editor reads 1.0 only.

use toml::de::{DeTable, DeValue};
use toml_parser::lexer::{Token, TokenKind};

use super::{
    code::Code,
    diagnostic::{Diagnostic, Source, Span},
    syntax::Node,
};

/// A place with syntax of TOML 1.1, and how 1.0 writes it where that is one edit.
#[derive(Debug, PartialEq, Eq)]
struct Newer {
    what: &'static str,
    span: Span,
    edit: Option<(&'static str, Span, String)>,
}

/// Warns of every key and value that TOML 1.0 does not know, one warning each.
pub(crate) fn warnings(root: &DeTable<'_>, source: &Source<'_>) -> Vec<Diagnostic> {
    let mut found = Found { text: source.text, escapes: source.text.contains('\\'), newer: Vec::new() };
    found.in_table(root);
    found.newer.into_iter().map(|newer| warning(newer, source)).collect()
}

fn warning(newer: Newer, source: &Source<'_>) -> Diagnostic {
    let message = format!("{} is known to TOML 1.1 only", newer.what);
    let mut warning = Diagnostic::warning(Code::NewerSyntax, source.locate(newer.span), message);
    warning.label("editors and tools that read TOML 1.0 take it for an error");
    match newer.edit {
        Some((message, span, text)) => warning.fix(message, span, text),
        None => warning.help("write the table in one line, or as a [table] of its own"),
    };
    warning
}

/// What a text has of it so far.
struct Found<'t> {
    text: &'t str,
    /// Whether there is an escape at all: most files have none.
    escapes: bool,
    newer: Vec<Newer>,
}

impl Found<'_> {
    fn in_table(&mut self, table: &DeTable<'_>) {
        for (key, node) in table {
            self.in_string(Span::from(key.span()));
            self.in_value(node);
        }
    }

    fn in_value(&mut self, node: &Node<'_>) {
        let (span, text) = (Span::from(node.span()), self.text);
        match node.get_ref() {
            DeValue::String(_) => self.in_string(span),
            DeValue::Datetime(time) if time.time.is_some_and(|time| time.second.is_none()) => {
                self.newer.extend(without_seconds(span, text));
            }
            DeValue::Array(items) => items.iter().for_each(|item| self.in_value(item)),
            DeValue::Table(table) => {
                // The outermost inline table speaks for those within.
                let inline = text.get(span.range()).is_some_and(|slice| slice.starts_with('{'));
                match inline.then(|| inline_table(span, text)).flatten() {
                    Some(newer) => self.newer.push(newer),
                    None => self.in_table(table),
                }
            }
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {}
        }
    }

    /// The first escape of 1.1 in a quoted text: `\e` or `\xHH`.
    fn in_string(&mut self, span: Span) {
        if self.escapes {
            self.newer.extend(escape(span, self.text));
        }
    }
}

fn escape(span: Span, text: &str) -> Option<Newer> {
    let slice = text.get(span.range()).filter(|slice| slice.starts_with('"'))?;
    let mut rest = slice;
    while let Some(at) = rest.find('\\') {
        let escape = rest.get(at + 1..).unwrap_or("");
        let length = match escape.chars().next()? {
            'e' => 2,
            'x' if escape.as_bytes().get(1..3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) => 4,
            c => {
                rest = &escape[c.len_utf8()..];
                continue;
            }
        };
        let code = if length == 2 { "1b".to_owned() } else { escape[1..3].to_ascii_lowercase() };
        let start = span.range().start + slice.len() - rest.len() + at;
        let place = Span::from(start..start + length);
        let edit = ("write it with four digits", place, format!("\\u00{code}"));
        return Some(Newer { what: "this escape", span: place, edit: Some(edit) });
    }
    None
}

/// `09:00` where 1.0 wants `09:00:00`.
fn without_seconds(span: Span, text: &str) -> Option<Newer> {
    let slice = text.get(span.range())?;
    let minutes = span.range().start + slice.find(':')? + ":00".len();
    let edit = ("add the seconds", Span::from(minutes..minutes), ":00".to_owned());
    Some(Newer { what: "a time without seconds", span, edit: Some(edit) })
}

/// A line end, or a comma behind the last item, directly in an inline table or one within it.
fn inline_table(span: Span, text: &str) -> Option<Newer> {
    let slice = text.get(span.range())?;
    let ends_with_comma = || slice.split(',').skip(1).any(|rest| rest.trim_start().starts_with('}'));
    if !slice.contains('\n') && !ends_with_comma() {
        return None;
    }
    let tokens = toml_parser::Source::new(slice).lex().into_vec();
    let mut open = Vec::new();
    let mut comma: Option<Token> = None;
    for token in tokens {
        let at = |token: Token| {
            Span::from(span.range().start + token.span().start()..span.range().start + token.span().end())
        };
        match token.kind() {
            kind @ (TokenKind::LeftCurlyBracket | TokenKind::LeftSquareBracket) => open.push(kind),
            TokenKind::RightCurlyBracket | TokenKind::RightSquareBracket => {
                let closed = open.pop();
                if let Some(comma) = comma.filter(|_| closed == Some(TokenKind::LeftCurlyBracket)) {
                    let edit = ("take it away", at(comma), String::new());
                    return Some(Newer { what: "a comma before `}`", span: at(comma), edit: Some(edit) });
                }
            }
            TokenKind::Newline if open.last() == Some(&TokenKind::LeftCurlyBracket) => {
                return Some(Newer { what: "an inline table of several lines", span, edit: None });
            }
            TokenKind::Whitespace | TokenKind::Newline | TokenKind::Comment => continue,
            TokenKind::Comma => {
                comma = Some(token);
                continue;
            }
            TokenKind::Dot
            | TokenKind::Equals
            | TokenKind::LiteralString
            | TokenKind::BasicString
            | TokenKind::MlLiteralString
            | TokenKind::MlBasicString
            | TokenKind::Atom
            | TokenKind::Eof => {}
        }
        comma = None;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each warning as `line:column message`, and the text with all edits written.
    fn newer(text: &str) -> (Vec<String>, String) {
        let source = Source::new("x.toml".into(), text);
        let root = DeTable::parse(text).unwrap();
        let warnings = warnings(root.get_ref(), &source);
        let mut mended = text.to_owned();
        for warning in warnings.iter().rev() {
            if let Some(edit) = &warning.suggestion {
                mended.replace_range(edit.span.range(), &edit.text);
            }
        }
        (warnings.iter().map(|w| format!("{}:{} {}", w.location.line, w.location.column, w.message)).collect(), mended)
    }

    #[test]
    fn what_1_0_does_not_know_is_found_where_it_stands() {
        for (text, expected, mended) in [
            ("a = 2031-03-01T09:00+08:00\n", "1:5 a time without seconds", "a = 2031-03-01T09:00:00+08:00\n"),
            ("a = [2031-03-01 09:00Z]\n", "1:6 a time without seconds", "a = [2031-03-01 09:00:00Z]\n"),
            ("a = 09:00\n", "1:5 a time without seconds", "a = 09:00:00\n"),
            ("é = 1\n".replace('é', "\"é\\\\\\x41\"").as_str(), "1:5 this escape", "\"é\\\\\\u0041\" = 1\n"),
            ("[t]\na = \"\"\"\n  \\e[0m\"\"\"\n", "3:3 this escape", "[t]\na = \"\"\"\n  \\u001b[0m\"\"\"\n"),
            ("a = { b = 1, }\n", "1:12 a comma before `}`", "a = { b = 1 }\n"),
            ("a = [{ b = [1,], c = {d = 1,} }]\n", "1:28 a comma before `}`", "a = [{ b = [1,], c = {d = 1} }]\n"),
            ("a = {\n  b = 1,\n}\n", "1:5 an inline table of several lines", "a = {\n  b = 1,\n}\n"),
        ] {
            assert_eq!(
                newer(text),
                (vec![format!("{expected} is known to TOML 1.1 only")], mended.to_owned()),
                "{text:?}"
            );
        }
    }

    #[test]
    fn what_1_0_knows_is_left_alone() {
        for text in [
            "a = 'C:\\x41\\e'\nb = \"\\\\e \\\\x41 \\u0041\"\n",
            "a = [\n  { b = 1 }, # one\n  { b = [\n1,\n], c = \"\"\"\n,\n\"\"\" },\n]\n",
            "[a]\nb = 1\n[[c]]\nd = { e = \", }\", f = 09:00:00 }\n",
            "a = 2031-03-01\n",
        ] {
            assert_eq!(newer(text), (Vec::new(), text.to_owned()));
        }
    }
}
