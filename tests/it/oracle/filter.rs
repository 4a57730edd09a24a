//! Conditions on a contact's attributes, and the order that attributes give.

use std::{cmp::Ordering, collections::BTreeMap};

use jiff::civil::Date;
use toml::Table;

use super::reading;

/// Attributes of a contact, as the import's text. One without a value is not in it.
pub(crate) type Attributes = BTreeMap<String, String>;

/// The type of each attribute: `string`, `number` or `date`.
pub(crate) type Types = BTreeMap<String, String>;

/// A value by its type.
#[derive(PartialEq, PartialOrd)]
enum Typed {
    Text(String),
    Number(f64),
    Date(Date),
}

/// `calling.filter`.
pub(crate) enum Condition {
    /// All must hold.
    All(Vec<Self>),
    /// One must hold.
    Any(Vec<Self>),
    /// It must not hold.
    Not(Box<Self>),
    /// An attribute is compared with values, of the type that the attribute has.
    Compare { attribute: String, kind: String, op: String, values: Vec<String> },
}

/// One entry of `calling.sort`.
pub(crate) struct SortKey {
    attribute: String,
    descending: bool,
    kind: String,
}

impl Typed {
    /// `text` as a value of `kind`; nothing if it is none.
    fn read(kind: &str, text: &str) -> Option<Self> {
        match kind {
            "string" | "text" => Some(Self::Text(text.to_owned())),
            "number" => text.parse().ok().map(Self::Number),
            "date" => text.parse().ok().map(Self::Date),
            other => panic!("no type of values: {other}"),
        }
    }
}

impl Condition {
    /// Reads a condition.
    pub(crate) fn read(table: &Table, types: &Types) -> Self {
        let nested = |key: &str| reading::tables(table, key).iter().map(|inner| Self::read(inner, types)).collect();
        if table.contains_key("all") {
            return Self::All(nested("all"));
        }
        if table.contains_key("any") {
            return Self::Any(nested("any"));
        }
        if let Some(inner) = table.get("not") {
            return Self::Not(Box::new(Self::read(reading::as_table(inner), types)));
        }
        let attribute = reading::required(table, "attribute");
        let values = match table.get("value") {
            None => Vec::new(),
            Some(toml::Value::Array(values)) => values.iter().map(reading::plain).collect(),
            Some(value) => vec![reading::plain(value)],
        };
        Self::Compare { kind: types[&attribute].clone(), attribute, op: reading::required(table, "op"), values }
    }

    /// SPEC §1.2: "dialled only while it holds; a comparison with a missing value is false".
    pub(crate) fn holds(&self, attributes: &Attributes) -> bool {
        match self {
            Self::All(inner) => inner.iter().all(|condition| condition.holds(attributes)),
            Self::Any(inner) => inner.iter().any(|condition| condition.holds(attributes)),
            // READING: `not` turns the truth of what it holds, so `not` of a comparison with a missing value is
            // true, while `ne` and `not_in` of a missing value are comparisons and false.
            Self::Not(inner) => !inner.holds(attributes),
            Self::Compare { attribute, kind, op, values } => {
                let value = attributes.get(attribute);
                match op.as_str() {
                    "is_set" => value.is_some(),
                    "is_empty" => value.is_none(),
                    _ => value.is_some_and(|value| compare(kind, op, value, values)),
                }
            }
        }
    }
}

/// Whether `value` compares with `values` as `op` says.
fn compare(kind: &str, op: &str, value: &str, values: &[String]) -> bool {
    let value_of = |text: &str| Typed::read(kind, text).unwrap_or_else(|| panic!("no {kind}: {text}"));
    let left = value_of(value);
    let is = |wanted: &[Ordering], right: &str| {
        left.partial_cmp(&value_of(right)).is_some_and(|order| wanted.contains(&order))
    };
    match op {
        "eq" => is(&[Ordering::Equal], &values[0]),
        "ne" => !is(&[Ordering::Equal], &values[0]),
        "lt" => is(&[Ordering::Less], &values[0]),
        "le" => is(&[Ordering::Less, Ordering::Equal], &values[0]),
        "gt" => is(&[Ordering::Greater], &values[0]),
        "ge" => is(&[Ordering::Greater, Ordering::Equal], &values[0]),
        "in" => values.iter().any(|right| is(&[Ordering::Equal], right)),
        "not_in" => !values.iter().any(|right| is(&[Ordering::Equal], right)),
        // READING: text is compared by bytes, so upper and lower case differ here too.
        "contains" => value.contains(&values[0]),
        "starts_with" => value.starts_with(&values[0]),
        // READING: both ends of `between` belong to it.
        "between" => {
            is(&[Ordering::Greater, Ordering::Equal], &values[0]) && is(&[Ordering::Less, Ordering::Equal], &values[1])
        }
        other => panic!("no operator: {other}"),
    }
}

impl SortKey {
    /// Reads one entry of `calling.sort`.
    pub(crate) fn read(table: &Table, types: &Types) -> Self {
        let attribute = reading::required(table, "attribute");
        // READING: without `as`, values are compared as the attribute's type is.
        let kind = reading::text(table, "as").unwrap_or_else(|| types[&attribute].clone());
        Self { attribute, kind, descending: reading::text(table, "direction").as_deref() == Some("desc") }
    }

    /// SPEC §1.2: "text by bytes; missing values last in both directions".
    pub(crate) fn compare(&self, left: &Attributes, right: &Attributes) -> Ordering {
        // READING: a value that can't be read as `as` says counts as missing.
        let value = |of: &Attributes| of.get(&self.attribute).and_then(|text| Typed::read(&self.kind, text));
        match (value(left), value(right)) {
            (None, None) => Ordering::Equal,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(left), Some(right)) => {
                let order = left.partial_cmp(&right).expect("values of one type");
                if self.descending { order.reverse() } else { order }
            }
        }
    }
}
