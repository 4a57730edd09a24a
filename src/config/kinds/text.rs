//! Text: names, ids and paths.

use std::{marker::PhantomData, path::PathBuf};

use serde_json::{Value as Json, json};

use crate::{
    config::{
        code::Code,
        diagnostic::Span,
        read::{Kind, Reader},
        syntax::Node,
    },
    domain::ids::Id,
};

/// Free text of `MIN` to `MAX` characters, none of them a control character.
pub(crate) struct Text<const MIN: usize, const MAX: usize>;

impl<const MIN: usize, const MAX: usize> Kind for Text<MIN, MAX> {
    type Value = String;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<String> {
        let text = reader.text(node, "a string")?;
        let length = text.chars().count();
        if length < MIN || (MIN > 0 && text.trim().is_empty()) {
            reader.fault(Code::Text, node, "is empty").label(format!("expected {MIN} to {MAX} characters"));
            return None;
        }
        if length > MAX {
            let label = format!("{length} characters");
            reader.fault(Code::Text, node, format_args!("must have at most {MAX} characters")).label(label);
            return None;
        }
        if let Some(control) = text.chars().find(|c| c.is_control()) {
            let what = format!("must not hold the control character {control:?}");
            reader.fault(Code::Text, node, what).label("one line of plain text is expected");
            return None;
        }
        Some(text.to_owned())
    }

    fn schema() -> Json {
        json!({ "type": "string", "minLength": MIN, "maxLength": MAX })
    }

    fn show(value: &String) -> Json {
        json!(value)
    }
}

/// An id; its type says which form it has.
pub(crate) struct Slug<T>(PhantomData<T>);

impl<T: Id> Kind for Slug<T> {
    type Value = T;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<T> {
        let text = reader.text(node, "an id (a string)")?;
        match T::parse(text) {
            Ok(id) => Some(id),
            Err(error) => {
                let span = Span::from(node.span());
                let diagnostic = reader.fault(Code::Id, node, &error).label("not an id");
                if let Some(slug) = slugify(text, T::LENGTH_MAX) {
                    diagnostic.suggest(format!("for instance {slug:?}"), span, format!("{slug:?}"));
                }
                None
            }
        }
    }

    fn schema() -> Json {
        let characters = if T::UNDERSCORE { "a-z0-9_-" } else { "a-z0-9-" };
        json!({
            "title": format!("id of 1 to {} characters", T::LENGTH_MAX),
            "type": "string",
            "pattern": format!("^[{characters}]{{1,{}}}$", T::LENGTH_MAX),
        })
    }

    fn show(value: &T) -> Json {
        json!(value.as_str())
    }
}

/// The id that a text comes nearest to, if it is plain ASCII words.
fn slugify(text: &str, length_max: usize) -> Option<String> {
    let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let slug = words.join("-").to_ascii_lowercase();
    (text.is_ascii() && (1..=length_max).contains(&slug.len())).then_some(slug)
}

/// A path of a file or folder; a relative one is taken from the folder of the settings file.
pub(crate) struct FilePath;

impl Kind for FilePath {
    type Value = PathBuf;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<PathBuf> {
        let text = reader.text(node, "a path (a string)")?;
        if text.is_empty() || text.contains('\0') {
            reader.fault(Code::Text, node, "must be a path").label("not a path");
            return None;
        }
        Some(PathBuf::from(text))
    }

    fn schema() -> Json {
        json!({ "title": "path", "type": "string", "minLength": 1 })
    }

    fn show(value: &PathBuf) -> Json {
        json!(value.to_string_lossy())
    }
}

/// A folder inside the source repository, such as `campaigns` or `dialling/campaigns`.
pub(crate) struct RepositoryFolder;

impl Kind for RepositoryFolder {
    type Value = String;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<String> {
        let text = reader.text(node, "a folder of the repository (a string)")?;
        let plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', '\0']);
        if text.split('/').all(plain) {
            return Some(text.to_owned());
        }
        reader
            .fault(Code::Text, node, "must be a folder inside the repository")
            .label("for instance \"campaigns\", without `..` and without a `/` at either end");
        None
    }

    fn schema() -> Json {
        json!({ "title": "folder of the repository", "type": "string", "minLength": 1 })
    }

    fn show(value: &String) -> Json {
        json!(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_suggested_for_plain_words() {
        assert_eq!(slugify("Spring Offer_2031", 64).as_deref(), Some("spring-offer-2031"));
        assert_eq!(slugify("春季", 64), None);
        assert_eq!(slugify(" - ", 64), None);
    }
}
