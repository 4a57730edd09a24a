//! Yes or no.

use serde_json::{Value as Json, json};
use toml::de::DeValue;

use crate::config::{
    diagnostic::Span,
    read::{Kind, Reader},
    syntax::Node,
};

/// `true` or `false`.
pub(crate) struct Flag;

impl Kind for Flag {
    type Value = bool;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<bool> {
        if let DeValue::Boolean(yes) = node.get_ref() {
            return Some(*yes);
        }
        let meant = match node.get_ref().as_str().map(str::to_ascii_lowercase).as_deref() {
            Some("true" | "yes" | "on") => Some("true"),
            Some("false" | "no" | "off") => Some("false"),
            _ => None,
        };
        let span = Span::from(node.span());
        let diagnostic = reader.wrong_type(node, "true or false");
        if let Some(meant) = meant {
            diagnostic.suggest(format!("did you mean {meant}?"), span, meant);
        }
        None
    }

    fn schema() -> Json {
        json!({ "type": "boolean" })
    }

    fn show(value: &bool) -> Json {
        json!(value)
    }
}
