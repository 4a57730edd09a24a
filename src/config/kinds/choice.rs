//! Choices: one of a few words.

use std::marker::PhantomData;

use serde_json::{Value as Json, json};

use crate::{
    config::{
        code::Code,
        diagnostic::{Span, short},
        read::{Kind, Reader},
        suggest::{is_sure, listing, nearest},
        syntax::Node,
    },
    domain::campaign::{DesiredState, Mode, NumberOrder},
};

/// One of a type's words.
pub(crate) struct Choice<T>(PhantomData<T>);

/// A type whose values are written as words.
pub(crate) trait Words: Copy + PartialEq + 'static {
    /// Each word and what it stands for.
    const WORDS: &'static [(&'static str, Self)];
}

impl<T: Words> Kind for Choice<T> {
    type Value = T;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<T> {
        let words: Vec<&str> = T::WORDS.iter().map(|(word, _)| *word).collect();
        let expected = listing(&words, '"', "or");
        let text = reader.text(node, &expected)?;
        if let Some((_, value)) = T::WORDS.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let span = Span::from(node.span());
        let what = format!("cannot be {:?}", short(text));
        let diagnostic = reader.fault(Code::UnknownWord, node, what).label(format!("expected {expected}"));
        if let Some(word) = nearest(text, words.iter().copied()) {
            diagnostic.fix_if(is_sure(text, words), format!("did you mean {word:?}?"), span, format!("{word:?}"));
        }
        None
    }

    fn schema() -> Json {
        let words: Vec<&str> = T::WORDS.iter().map(|(word, _)| *word).collect();
        json!({ "type": "string", "enum": words })
    }

    fn show(value: &T) -> Json {
        T::WORDS.iter().find(|(_, known)| known == value).map_or(Json::Null, |(word, _)| json!(word))
    }
}

impl Words for DesiredState {
    const WORDS: &'static [(&'static str, Self)] = &[("running", Self::Running), ("paused", Self::Paused)];
}

impl Words for Mode {
    const WORDS: &'static [(&'static str, Self)] = &[("preoccupied", Self::Preoccupied)];
}

impl Words for NumberOrder {
    const WORDS: &'static [(&'static str, Self)] = &[("sequence", Self::Sequence)];
}
