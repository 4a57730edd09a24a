//! Attributes as they stand in a table's column.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{StoreError, row::damaged};
use crate::domain::{
    attribute::{AttributeValue, Attributes, Number, Sealed},
    ids::AttributeId,
};

/// Attributes as a column has them; `None` if there are none.
pub(super) fn text(attributes: &Attributes) -> Option<String> {
    let object = || serde_json::to_string(&Object(attributes)).expect("texts and finite numbers always become JSON");
    (!attributes.is_empty()).then(object)
}

/// The attributes of a column.
pub(super) fn read(text: Option<&str>) -> Result<Attributes, StoreError> {
    let Some(text) = text else { return Ok(Attributes::new()) };
    serde_json::from_str(text).map(|Column(attributes)| attributes).map_err(|_| bad())
}

struct Object<'a>(&'a Attributes);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(id, known)| (id.as_str(), Value::of(known))))
    }
}

/// One value: a string, a number, `{"date": "2031-03-04"}`, or `{"sealed": "…", "key": "…"}`.
#[derive(Serialize)]
#[serde(untagged)]
enum Value<'a> {
    Text(&'a str),
    Number(f64),
    Date { date: String },
    Sealed { sealed: &'a str, key: &'a str },
}

impl<'a> Value<'a> {
    fn of(known: &'a AttributeValue) -> Self {
        match known {
            AttributeValue::Text(text) => Self::Text(text),
            AttributeValue::Number(number) => Self::Number(number.get()),
            AttributeValue::Date(date) => Self::Date { date: date.to_string() },
            AttributeValue::Sealed(sealed) => Self::Sealed { sealed: &sealed.text, key: &sealed.key },
        }
    }
}

/// Reads what [`Object`] writes, by hand: millions of contacts are read for one changed filter, and a derived
/// choice between the forms would keep a copy of each value first.
struct Column(Attributes);

impl<'de> Deserialize<'de> for Column {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Column;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("attributes by their ids")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Column, A::Error> {
                // An id has no character that JSON would escape.
                let mut attributes = Attributes::new();
                while let Some((id, Known(value))) = map.next_entry::<&str, _>()? {
                    attributes.insert(AttributeId::parse(id).map_err(A::Error::custom)?, value);
                }
                Ok(Column(attributes))
            }
        }
        deserializer.deserialize_map(All)
    }
}

struct Known(AttributeValue);

impl<'de> Deserialize<'de> for Known {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct One;
        impl<'de> Visitor<'de> for One {
            type Value = Known;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a number, a date or what is sealed")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Known, E> {
                Ok(Known(AttributeValue::Text(text.to_owned())))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Known, E> {
                let number = Number::new(number).ok_or_else(|| E::custom("not finite"))?;
                Ok(Known(AttributeValue::Number(number)))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Known, A::Error> {
                let value = match Marked::deserialize(MapAccessDeserializer::new(map))? {
                    Marked { date: Some(date), sealed: None, key: None } => {
                        AttributeValue::Date(date.parse().map_err(A::Error::custom)?)
                    }
                    Marked { date: None, sealed: Some(text), key: Some(key) } => {
                        AttributeValue::Sealed(Sealed { key, text })
                    }
                    Marked { .. } => return Err(A::Error::custom("neither a date nor sealed")),
                };
                Ok(Known(value))
            }
        }
        deserializer.deserialize_any(One)
    }
}

/// A value that is an object.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Marked {
    date: Option<String>,
    sealed: Option<String>,
    key: Option<String>,
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
