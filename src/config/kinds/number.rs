//! Whole numbers.

use std::num::NonZeroU32;

use serde_json::{Value as Json, json};
use toml::de::DeValue;

use crate::{
    config::{
        code::Code,
        diagnostic::Span,
        read::{Kind, Reader},
        syntax::Node,
    },
    domain::campaign::Priority,
};

/// A whole number from `MIN` to `MAX`.
pub(crate) struct Whole<const MIN: u32, const MAX: u32>;

impl<const MIN: u32, const MAX: u32> Kind for Whole<MIN, MAX> {
    type Value = u32;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<u32> {
        let DeValue::Integer(integer) = node.get_ref() else {
            let span = Span::from(node.span());
            let quoted = node.get_ref().as_str().and_then(|text| text.trim().parse::<u32>().ok());
            let diagnostic = reader.wrong_type(node, format_args!("a whole number from {MIN} to {MAX}"));
            if let Some(number) = quoted.filter(|number| (MIN..=MAX).contains(number)) {
                diagnostic.fix("write it without quotes", span, number.to_string());
            }
            return None;
        };
        let number = i128::from_str_radix(integer.as_str(), integer.radix()).ok();
        let number = number.and_then(|number| u32::try_from(number).ok()).filter(|n| (MIN..=MAX).contains(n));
        if number.is_none() {
            reader.fault(Code::NumberRange, node, format_args!("must be {MIN} to {MAX}")).label("out of range");
        }
        number
    }

    fn schema() -> Json {
        json!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }

    fn show(value: &u32) -> Json {
        json!(value)
    }
}

/// A whole number from 1 to `MAX`.
pub(crate) struct Count<const MAX: u32>;

impl<const MAX: u32> Kind for Count<MAX> {
    type Value = NonZeroU32;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<NonZeroU32> {
        Whole::<1, MAX>::read(node, reader).and_then(NonZeroU32::new)
    }

    fn schema() -> Json {
        Whole::<1, MAX>::schema()
    }

    fn show(value: &NonZeroU32) -> Json {
        json!(value.get())
    }
}

/// A priority: 1 to 5, 1 first.
pub(crate) struct Rank;

impl Kind for Rank {
    type Value = Priority;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Priority> {
        let number = Whole::<1, 5>::read(node, reader)?;
        u8::try_from(number).ok().and_then(Priority::new)
    }

    fn schema() -> Json {
        Whole::<1, 5>::schema()
    }

    fn show(value: &Priority) -> Json {
        json!(value.get())
    }
}
