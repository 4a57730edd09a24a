//! Attributes as they stand in a table's column.

use serde::{Deserialize, Serialize};

use super::{StoreError, row::damaged};
use crate::domain::{
    attribute::{AttributeValue, Attributes, Number, Sealed},
    ids::AttributeId,
};

/// One value: a string, a number, `{"date": "2031-03-04"}`, or `{"sealed": "…", "key": "…"}`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Value {
    Text(String),
    Number(f64),
    Date { date: String },
    Sealed { sealed: String, key: String },
}

/// Attributes as a column has them; `None` if there are none.
pub(super) fn text(attributes: &Attributes) -> Option<String> {
    let value = |value: &AttributeValue| match value {
        AttributeValue::Text(text) => Value::Text(text.clone()),
        AttributeValue::Number(number) => Value::Number(number.get()),
        AttributeValue::Date(date) => Value::Date { date: date.to_string() },
        AttributeValue::Sealed(sealed) => Value::Sealed { sealed: sealed.text.clone(), key: sealed.key.clone() },
    };
    let values: Vec<(&str, Value)> = attributes.iter().map(|(id, known)| (id.as_str(), value(known))).collect();
    (!values.is_empty()).then(|| object(values))
}

fn object(values: Vec<(&str, Value)>) -> String {
    let object: std::collections::BTreeMap<&str, Value> = values.into_iter().collect();
    serde_json::to_string(&object).expect("texts and finite numbers always become JSON")
}

/// The attributes of a column.
pub(super) fn read(text: Option<&str>) -> Result<Attributes, StoreError> {
    let Some(text) = text else { return Ok(Attributes::new()) };
    let object: std::collections::BTreeMap<String, Value> = serde_json::from_str(text).map_err(|_| bad())?;
    object.into_iter().map(|(id, value)| Ok((AttributeId::parse(&id).map_err(|_| bad())?, known(value)?))).collect()
}

fn known(value: Value) -> Result<AttributeValue, StoreError> {
    match value {
        Value::Text(text) => Ok(AttributeValue::Text(text)),
        Value::Number(number) => Number::new(number).map(AttributeValue::Number).ok_or_else(bad),
        Value::Sealed { sealed, key } => Ok(AttributeValue::Sealed(Sealed { key, text: sealed })),
        Value::Date { date } => date.parse().map(AttributeValue::Date).map_err(|_| bad()),
    }
}

fn bad() -> StoreError {
    damaged("personal.attributes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> AttributeId {
        AttributeId::parse(text).unwrap()
    }

    #[test]
    fn attributes_round_trip_to_the_last_bit() {
        assert_eq!(text(&Attributes::new()), None);
        assert_eq!(read(None).unwrap(), Attributes::new());
        let number = |text| AttributeValue::Number(Number::parse(text).unwrap());
        let attributes = Attributes::from([
            (id("tier"), AttributeValue::Text("gold \"1\"\u{0}\n".to_owned())),
            (id("looks_like_a_number"), AttributeValue::Text("12.5".to_owned())),
            (id("whole"), number("12")),
            (id("odd"), number("-5.0030003000300030003")),
            (id("large"), number("123456789012345678901234567890")),
            (id("due"), AttributeValue::Date("2031-03-04".parse().unwrap())),
            (id("iban"), AttributeValue::Sealed(Sealed { key: "k1".to_owned(), text: "00ff".to_owned() })),
        ]);
        assert_eq!(read(text(&attributes).as_deref()).unwrap(), attributes);
    }

    #[test]
    fn damage_is_told() {
        for bad in ["", "[]", "{\"Tier\":\"x\"}", "{\"x\":null}", "{\"x\":{\"date\":\"soon\"}}", "{\"x\":[1]}"] {
            assert!(matches!(read(Some(bad)), Err(StoreError::Damaged(_))), "{bad}");
        }
    }
}
