//! Tables with a key for each number category, and `default`.

use std::marker::PhantomData;

use serde_json::{Map, Value as Json, json};
use toml::de::DeValue;

use crate::{
    config::{
        code::Code,
        diagnostic::Span,
        read::{At, Kind, Reader},
        syntax::Node,
    },
    domain::ids::{CategoryId, Id},
};

/// The key for all categories that have none of their own.
pub(crate) const DEFAULT: &str = "default";

/// A table of `K` by category.
pub(crate) struct PerCategory<K>(PhantomData<K>);

/// What stands for each category.
#[derive(Debug, Clone)]
pub(crate) struct ByCategory<T> {
    pub(crate) default: Option<At<T>>,
    pub(crate) categories: Vec<(At<CategoryId>, At<T>)>,
}

impl<K: Kind> Kind for PerCategory<K> {
    type Value = ByCategory<K::Value>;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self::Value> {
        let DeValue::Table(entries) = node.get_ref() else {
            reader.wrong_type(node, "a table with a key for each category, and `default`");
            return None;
        };
        let mut read = ByCategory { default: None, categories: Vec::new() };
        for (key, value) in entries {
            let span = Span::from(key.span());
            if key.get_ref() == DEFAULT {
                read.default = reader.value::<K>(value);
                continue;
            }
            match CategoryId::parse(key.get_ref()) {
                Ok(category) => {
                    let value = reader.value::<K>(value);
                    read.categories.extend(value.map(|value| (At { value: category, span: Some(span) }, value)));
                }
                Err(error) => {
                    let message = format!("a category {error}");
                    reader.error(Code::Id, span, message).label("not a category");
                }
            }
        }
        Some(read)
    }

    fn schema() -> Json {
        let one = K::schema();
        let category = format!("^[a-z0-9-]{{1,{}}}$", CategoryId::LENGTH_MAX);
        json!({
            "type": "object",
            "properties": { DEFAULT: one },
            "patternProperties": { category: one },
            "additionalProperties": false,
        })
    }

    fn show(value: &Self::Value) -> Json {
        let categories = value.categories.iter().map(|(category, one)| (category.value.to_string(), &one.value));
        let default = value.default.iter().map(|one| (DEFAULT.to_owned(), &one.value));
        Json::Object(default.chain(categories).map(|(key, one)| (key, K::show(one))).collect::<Map<_, _>>())
    }
}
