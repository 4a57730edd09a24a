//! Telephone numbers, always in E.164.

use serde_json::{Value as Json, json};
use toml::de::DeValue;

use crate::{
    config::{
        code::Code,
        diagnostic::Span,
        kinds::number::Rank,
        read::{At, Kind, Reader},
        syntax::Node,
        table::table,
    },
    domain::{
        campaign::{self, Priority},
        phone::E164,
    },
};

/// A number in E.164 form.
pub(crate) struct Phone;

impl Kind for Phone {
    type Value = E164;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<E164> {
        let text = reader.text(node, "a telephone number such as \"+862160001000\"")?;
        match E164::parse(text) {
            Ok(number) => Some(number),
            Err(error) => {
                let span = Span::from(node.span());
                let diagnostic = reader.fault(Code::PhoneNumber, node, error).label("not in E.164 form");
                let bare: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '.' | '/')).collect();
                if E164::parse(&bare).is_ok() {
                    diagnostic.fix("write it without separators", span, format!("{bare:?}"));
                }
                None
            }
        }
    }

    fn schema() -> Json {
        json!({ "title": "telephone number in E.164", "type": "string", "pattern": r"^\+[1-9][0-9]{3,14}$" })
    }

    /// In full: it is what the file says.
    fn show(value: &E164) -> Json {
        json!(value.expose())
    }
}

table! {
    /// A number that customers see.
    pub(crate) struct CallerNumberTable "a caller number" {
        /// The number, in E.164 form.
        required number: Phone => "+862160001000",
        /// 1 to 5, 1 first; among equals the least used.
        default(Priority::DEFAULT) priority: Rank => 1,
    }
}

/// A caller number: a bare string, or a table with a priority.
pub(crate) struct CallerNumber;

impl Kind for CallerNumber {
    type Value = campaign::CallerNumber;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<campaign::CallerNumber> {
        if let DeValue::Table(_) = node.get_ref() {
            let table = CallerNumberTable::read(node, reader)?;
            let At { value: number, .. } = table.number?;
            return Some(campaign::CallerNumber { number, priority: table.priority.value });
        }
        let number = Phone::read(node, reader)?;
        Some(campaign::CallerNumber { number, priority: Priority::DEFAULT })
    }

    fn schema() -> Json {
        json!({ "oneOf": [Phone::schema(), CallerNumberTable::schema()] })
    }

    fn show(value: &campaign::CallerNumber) -> Json {
        let number = Phone::show(&value.number);
        if value.priority == Priority::DEFAULT {
            return number;
        }
        json!({ "number": number, "priority": Rank::show(&value.priority) })
    }
}
