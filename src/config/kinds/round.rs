//! Rounds of calling: a category of numbers, or an index.

use serde_json::{Value as Json, json};
use toml::de::DeValue;

use crate::{
    config::{
        kinds::{number::Whole, text::Slug},
        read::{Kind, Reader},
        syntax::Node,
    },
    domain::{contact::NUMBERS_PER_CONTACT_MAX, ids::CategoryId},
};

#[expect(clippy::cast_possible_truncation, reason = "16 numbers a contact")]
const INDEX_MAX: u32 = NUMBERS_PER_CONTACT_MAX as u32;

/// A category or an index; which of them is wanted depends on the order.
pub(crate) struct Round;

/// A round as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WrittenRound {
    Category(CategoryId),
    /// From 1.
    Index(u8),
}

impl Kind for Round {
    type Value = WrittenRound;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<WrittenRound> {
        match node.get_ref() {
            DeValue::Integer(_) => {
                let index = Whole::<1, INDEX_MAX>::read(node, reader)?;
                u8::try_from(index).ok().map(WrittenRound::Index)
            }
            DeValue::String(_) => Slug::<CategoryId>::read(node, reader).map(WrittenRound::Category),
            DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
                reader.wrong_type(node, "categories such as \"mobile\", or indexes such as 1");
                None
            }
        }
    }

    fn schema() -> Json {
        json!({ "anyOf": [Slug::<CategoryId>::schema(), Whole::<1, INDEX_MAX>::schema()] })
    }

    fn show(value: &WrittenRound) -> Json {
        match value {
            WrittenRound::Category(category) => json!(category.as_str()),
            WrittenRound::Index(index) => json!(index),
        }
    }
}
