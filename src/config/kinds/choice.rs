//! Choices: one of a few words.

use std::{fmt, marker::PhantomData};

use serde_json::{Value as Json, json};

use crate::{
    config::{
        code::Code,
        diagnostic::{Span, short},
        read::{Kind, Reader},
        suggest::{is_sure, listing, nearest},
        syntax::Node,
    },
    domain::{
        attribute::AttributeType,
        campaign::{DesiredState, Direction, Mode, Others, SortType},
        results::CallResult,
        tenant::AgentHold,
    },
};

/// One of a type's words.
pub(crate) struct Choice<T>(PhantomData<T>);

/// A type whose values are written as words.
pub(crate) trait Words: Copy + PartialEq + 'static {
    /// Each word and what it stands for.
    const WORDS: &'static [(&'static str, Self)];

    /// The word of a value.
    fn word(value: Self) -> &'static str {
        Self::WORDS.iter().find(|(_, known)| *known == value).map_or("", |(word, _)| word)
    }

    /// What the word means, where the key's own documentation does not say it.
    fn about(self) -> Option<&'static str> {
        None
    }
}

impl<T: Words> Kind for Choice<T> {
    type Value = T;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<T> {
        let words = || T::WORDS.iter().map(|(word, _)| *word);
        let expected = fmt::from_fn(|f| f.write_str(&listing(&words().collect::<Vec<_>>(), '"', "or")));
        let text = reader.text(node, &expected)?;
        if let Some((_, value)) = T::WORDS.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let span = Span::from(node.span());
        let what = format!("cannot be {:?}", short(text));
        let diagnostic = reader.fault(Code::UnknownWord, node, what).label(format!("expected {expected}"));
        if let Some(word) = nearest(text, words()) {
            diagnostic.fix_if(is_sure(text, words()), format!("did you mean {word:?}?"), span, format!("{word:?}"));
        }
        None
    }

    fn schema() -> Json {
        let words: Vec<&str> = T::WORDS.iter().map(|(word, _)| *word).collect();
        let meanings: Vec<Option<&str>> = T::WORDS.iter().map(|(_, value)| value.about()).collect();
        let mut schema = json!({ "type": "string", "enum": words });
        if meanings.iter().any(Option::is_some) {
            // Taplo shows these beside the words; other editors show what the description says.
            schema["x-taplo"] = json!({ "docs": { "enumValues": meanings } });
        }
        schema
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

impl Words for Others {
    const WORDS: &'static [(&'static str, Self)] = &[("last", Self::Last), ("never", Self::Never)];
}

impl Words for Direction {
    const WORDS: &'static [(&'static str, Self)] = &[("asc", Self::Ascending), ("desc", Self::Descending)];
}

impl Words for SortType {
    const WORDS: &'static [(&'static str, Self)] =
        &[("text", Self::Text), ("number", Self::Number), ("date", Self::Date)];
}

impl Words for AgentHold {
    const WORDS: &'static [(&'static str, Self)] = &[("per_call", Self::PerCall), ("off_hook", Self::OffHook)];
}

impl Words for CallResult {
    const WORDS: &'static [(&'static str, Self)] = &{
        let mut words = [("", Self::Answered); Self::ALL.len()];
        let mut index = 0;
        while index < words.len() {
            words[index] = (Self::ALL[index].as_str(), Self::ALL[index]);
            index += 1;
        }
        words
    };
}

impl Words for AttributeType {
    const WORDS: &'static [(&'static str, Self)] =
        &[("string", Self::String), ("number", Self::Number), ("date", Self::Date), ("encrypted", Self::Encrypted)];
}
