//! Filters: which contacts a campaign may call, by their attributes (SPEC §1.2, `calling.filter`).

use std::fmt;

use jiff::civil::Date;

use super::{
    attribute::{AttributeValue, Attributes, Number},
    ids::AttributeId,
};

/// Deepest nesting of a filter.
pub const FILTER_DEPTH_MAX: usize = 8;

/// Most conditions of a filter.
pub const FILTER_CONDITIONS_MAX: usize = 100;

/// A condition on a contact, nested as its file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// All of these hold.
    All(Vec<Self>),
    /// One of these holds.
    Any(Vec<Self>),
    /// This does not hold.
    Not(Box<Self>),
    /// A test of one attribute.
    Test {
        /// Which attribute.
        attribute: AttributeId,
        /// What is asked of its value.
        test: Test,
    },
}

/// What is asked of one value. A value of another type than the test's counts as missing; that
/// happens only after the attribute's type has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// There is a value.
    IsSet,
    /// There is none.
    IsEmpty,
    /// A text stands so to others, by bytes.
    Text(Comparison<String>),
    /// A number stands so to others.
    Number(Comparison<Number>),
    /// A date stands so to others.
    Date(Comparison<Date>),
    /// A text has this in it.
    Contains(String),
    /// A text starts with this.
    StartsWith(String),
}

/// How a value stands to others of its type; with a missing value all of them are false.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison<T> {
    /// It is the same.
    Eq(T),
    /// It is not the same.
    Ne(T),
    /// It is less.
    Lt(T),
    /// It is less or the same.
    Le(T),
    /// It is greater.
    Gt(T),
    /// It is greater or the same.
    Ge(T),
    /// It is one of these.
    In(Vec<T>),
    /// It is none of these.
    NotIn(Vec<T>),
    /// It is at least the first and at most the second.
    Between(T, T),
}

impl<T: Ord> Comparison<T> {
    fn holds(&self, value: &T) -> bool {
        match self {
            Self::Eq(other) => value == other,
            Self::Ne(other) => value != other,
            Self::Lt(other) => value < other,
            Self::Le(other) => value <= other,
            Self::Gt(other) => value > other,
            Self::Ge(other) => value >= other,
            Self::In(others) => others.contains(value),
            Self::NotIn(others) => !others.contains(value),
            Self::Between(least, most) => least <= value && value <= most,
        }
    }
}

impl Filter {
    /// Every attribute that is tested, as often as it is.
    #[must_use]
    pub fn attributes(&self) -> Vec<&AttributeId> {
        match self {
            Self::All(filters) | Self::Any(filters) => filters.iter().flat_map(Self::attributes).collect(),
            Self::Not(filter) => filter.attributes(),
            Self::Test { attribute, .. } => vec![attribute],
        }
    }

    /// Whether the filter holds for a contact with these attributes.
    #[must_use]
    pub fn holds(&self, attributes: &Attributes) -> bool {
        match self {
            Self::All(filters) => filters.iter().all(|filter| filter.holds(attributes)),
            Self::Any(filters) => filters.iter().any(|filter| filter.holds(attributes)),
            Self::Not(filter) => !filter.holds(attributes),
            Self::Test { attribute, test } => test.holds(attributes.get(attribute)),
        }
    }
}

impl Test {
    fn holds(&self, value: Option<&AttributeValue>) -> bool {
        match (self, value) {
            (Self::IsSet, value) => value.is_some(),
            (Self::IsEmpty, value) => value.is_none(),
            (Self::Text(comparison), Some(AttributeValue::Text(text))) => comparison.holds(text),
            (Self::Number(comparison), Some(AttributeValue::Number(number))) => comparison.holds(number),
            (Self::Date(comparison), Some(AttributeValue::Date(date))) => comparison.holds(date),
            (Self::Contains(part), Some(AttributeValue::Text(text))) => text.contains(part.as_str()),
            (Self::StartsWith(part), Some(AttributeValue::Text(text))) => text.starts_with(part.as_str()),
            (
                Self::Text(_) | Self::Number(_) | Self::Date(_) | Self::Contains(_) | Self::StartsWith(_),
                None
                | Some(
                    AttributeValue::Text(_)
                    | AttributeValue::Number(_)
                    | AttributeValue::Date(_)
                    | AttributeValue::Sealed(_),
                ),
            ) => false,
        }
    }
}

/// Both the digest of a campaign and the store know a filter by this text.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, word: &str, filters: &[Self]| {
            write!(f, "{word}(")?;
            for (index, filter) in filters.iter().enumerate() {
                write!(f, "{}{filter}", if index > 0 { ", " } else { "" })?;
            }
            f.write_str(")")
        };
        match self {
            Self::All(filters) => list(f, "all", filters),
            Self::Any(filters) => list(f, "any", filters),
            Self::Not(filter) => write!(f, "not({filter})"),
            Self::Test { attribute, test } => write!(f, "{attribute} {test}"),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IsSet => f.write_str("is_set"),
            Self::IsEmpty => f.write_str("is_empty"),
            Self::Text(comparison) => comparison.write(f, |text| format!("{text:?}")),
            Self::Number(comparison) => comparison.write(f, ToString::to_string),
            Self::Date(comparison) => comparison.write(f, ToString::to_string),
            Self::Contains(part) => write!(f, "contains {part:?}"),
            Self::StartsWith(part) => write!(f, "starts_with {part:?}"),
        }
    }
}

impl<T> Comparison<T> {
    fn write(&self, f: &mut fmt::Formatter<'_>, text: impl Fn(&T) -> String) -> fmt::Result {
        let list = |values: &[T]| values.iter().map(&text).collect::<Vec<_>>().join(", ");
        match self {
            Self::Eq(value) => write!(f, "eq {}", text(value)),
            Self::Ne(value) => write!(f, "ne {}", text(value)),
            Self::Lt(value) => write!(f, "lt {}", text(value)),
            Self::Le(value) => write!(f, "le {}", text(value)),
            Self::Gt(value) => write!(f, "gt {}", text(value)),
            Self::Ge(value) => write!(f, "ge {}", text(value)),
            Self::In(values) => write!(f, "in [{}]", list(values)),
            Self::NotIn(values) => write!(f, "not_in [{}]", list(values)),
            Self::Between(least, most) => write!(f, "between {} and {}", text(least), text(most)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes() -> Attributes {
        let id = |text| AttributeId::parse(text).unwrap();
        Attributes::from([
            (id("tier"), AttributeValue::Text("gold".to_owned())),
            (id("score"), AttributeValue::Number(Number::parse("12.5").unwrap())),
            (id("due"), AttributeValue::Date("2031-03-04".parse().unwrap())),
        ])
    }

    fn holds(attribute: &str, test: Test) -> bool {
        let attribute = AttributeId::parse(attribute).unwrap();
        Filter::Test { attribute, test }.holds(&attributes())
    }

    fn text(text: &str) -> String {
        text.to_owned()
    }

    #[test]
    fn each_operator() {
        use Comparison::{Between, Eq, Ge, Gt, In, Le, Lt, Ne, NotIn};
        let number = |text| Number::parse(text).unwrap();
        for (attribute, test, expected) in [
            ("tier", Test::Text(Eq(text("gold"))), true),
            ("tier", Test::Text(Ne(text("gold"))), false),
            ("tier", Test::Text(Lt(text("h"))), true),
            ("tier", Test::Contains(text("ol")), true),
            ("tier", Test::StartsWith(text("ol")), false),
            ("score", Test::Number(Le(number("12.50"))), true),
            ("score", Test::Number(Gt(number("12.5"))), false),
            ("score", Test::Number(In(vec![number("1"), number("12.5")])), true),
            ("score", Test::Number(NotIn(vec![number("1"), number("12.5")])), false),
            ("due", Test::Date(Ge("2031-03-04".parse().unwrap())), true),
            ("due", Test::Date(Between("2031-01-01".parse().unwrap(), "2031-03-03".parse().unwrap())), false),
            ("due", Test::IsSet, true),
            ("due", Test::IsEmpty, false),
        ] {
            assert_eq!(holds(attribute, test.clone()), expected, "{attribute} {test:?}");
        }
    }

    #[test]
    fn a_missing_value_and_one_of_another_type_make_every_comparison_false() {
        use Comparison::{Eq, Ne, NotIn};
        for attribute in ["missing", "score"] {
            for test in [
                Test::Text(Eq(text("x"))),
                Test::Text(Ne(text("x"))),
                Test::Text(NotIn(vec![text("x")])),
                Test::Contains(text("x")),
                Test::StartsWith(text("")),
            ] {
                assert!(!holds(attribute, test.clone()), "{attribute} {test:?}");
            }
        }
        assert!(holds("missing", Test::IsEmpty));
    }

    #[test]
    fn a_filter_has_a_text_of_its_own() {
        let test = |attribute, test| Filter::Test { attribute: AttributeId::parse(attribute).unwrap(), test };
        let number = |text| Number::parse(text).unwrap();
        let filter = Filter::All(vec![
            test("tier", Test::Text(Comparison::In(vec![text("a\", b"), text("c")]))),
            Filter::Not(Box::new(test("score", Test::Number(Comparison::Between(number("-1.50"), number("2")))))),
            Filter::Any(vec![
                test("due", Test::Date(Comparison::Lt("2031-03-04".parse().unwrap()))),
                test("due", Test::IsEmpty),
            ]),
        ]);
        let expected =
            r#"all(tier in ["a\", b", "c"], not(score between -1.5 and 2), any(due lt 2031-03-04, due is_empty))"#;
        assert_eq!(filter.to_string(), expected);
        assert_ne!(test("x", Test::Text(Comparison::Eq(text("1")))).to_string(), "x eq 1");
    }

    #[test]
    fn nesting() {
        let is = |attribute, test| Filter::Test { attribute: AttributeId::parse(attribute).unwrap(), test };
        let (yes, no) = (is("tier", Test::IsSet), is("missing", Test::IsSet));
        assert!(!Filter::All(vec![yes.clone(), no.clone()]).holds(&attributes()));
        assert!(Filter::Any(vec![no.clone(), yes.clone()]).holds(&attributes()));
        assert!(Filter::All(vec![]).holds(&attributes()));
        assert!(!Filter::Any(vec![]).holds(&attributes()));
        assert!(Filter::Not(Box::new(no)).holds(&attributes()));
    }
}
