//! Conditions on attributes, nested: `calling.filter`.

use jiff::civil;
use serde_json::{Value as Json, json};
use toml::de::DeValue;

use crate::{
    config::{
        code::Code,
        diagnostic::Span,
        kinds::{
            choice::{Choice, Words},
            list::List,
            text::Slug,
        },
        read::{At, Kind, Reader},
        syntax::Node,
        table::table,
    },
    domain::{
        attribute::{Number, TEXT_LENGTH_MAX},
        filter::FILTER_DEPTH_MAX,
        ids::AttributeId,
    },
};

/// Where the schema of a condition stands, as it holds itself.
pub(crate) const CONDITION_DEFINITION: &str = "condition";

/// A condition as written, its values not yet held against the attributes' types.
#[derive(Debug, Clone)]
pub(crate) enum Written {
    All(Vec<At<Self>>),
    Any(Vec<At<Self>>),
    Not(Box<At<Self>>),
    Test { attribute: At<AttributeId>, op: At<Operator>, value: Option<At<Operand>> },
}

/// What is asked of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
    Contains,
    StartsWith,
    IsSet,
    IsEmpty,
    Between,
}

impl Words for Operator {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("eq", Self::Eq),
        ("ne", Self::Ne),
        ("lt", Self::Lt),
        ("le", Self::Le),
        ("gt", Self::Gt),
        ("ge", Self::Ge),
        ("in", Self::In),
        ("not_in", Self::NotIn),
        ("contains", Self::Contains),
        ("starts_with", Self::StartsWith),
        ("is_set", Self::IsSet),
        ("is_empty", Self::IsEmpty),
        ("between", Self::Between),
    ];
}

/// What an attribute is compared with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    Text(String),
    Number(Number),
    Date(civil::Date),
    List(Vec<At<Self>>),
}

impl Operand {
    /// The operand, with its article, for messages.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Number(_) => "a number",
            Self::Date(_) => "a date",
            Self::List(_) => "a list",
        }
    }
}

table! {
    /// A condition: `attribute` with `op` and `value`, or one of `all`, `any` and `not`.
    pub(crate) struct ConditionTable "a condition" {
        /// Conditions that must all hold.
        optional all: List<Condition, 1> => [{ attribute = "tier", op = "eq", value = "gold" }],
        /// Conditions of which one must hold.
        optional any: List<Condition, 1> => [{ attribute = "tier", op = "eq", value = "gold" }],
        /// A condition that must not hold.
        optional not: Condition => { attribute = "score", op = "lt", value = 10 },
        /// Which attribute is looked at.
        optional attribute: Slug<AttributeId> => "tier",
        /// How it is compared; with a missing value every comparison is false.
        optional op: Choice<Operator> => "eq",
        /// With what: a string, a number or a date as the attribute's type is; a list for `in` and `not_in`, of two
        /// for `between`; nothing for `is_set` and `is_empty`.
        optional value: Compared => "gold",
    }
}

/// A condition, perhaps of conditions.
pub(crate) struct Condition;

impl Kind for Condition {
    type Value = Written;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Written> {
        if reader.depth >= FILTER_DEPTH_MAX {
            reader
                .fault(Code::FilterDepth, node, format_args!("is more than {FILTER_DEPTH_MAX} conditions deep"))
                .label("too deep");
            return None;
        }
        reader.depth += 1;
        let faults = reader.faults;
        let table = ConditionTable::read(node, reader);
        reader.depth -= 1;
        let table = table?;
        if table.unclear.has("value") {
            return None;
        }
        let whole = reader.faults == faults;
        let lacks = lacks(&table);
        let written = written(table);
        if written.is_none() && whole {
            report(lacks, Span::from(node.span()), reader);
        }
        written
    }

    fn schema() -> Json {
        json!({ "$ref": format!("#/$defs/{CONDITION_DEFINITION}") })
    }

    fn show(value: &Written) -> Json {
        let all =
            |conditions: &[At<Written>]| -> Json { conditions.iter().map(|one| Self::show(&one.value)).collect() };
        match value {
            Written::All(conditions) => json!({ "all": all(conditions) }),
            Written::Any(conditions) => json!({ "any": all(conditions) }),
            Written::Not(condition) => json!({ "not": Self::show(&condition.value) }),
            Written::Test { attribute, op, value } => {
                let mut test = json!({ "attribute": attribute.value.as_str(), "op": Choice::show(&op.value) });
                if let Some(value) = value {
                    test["value"] = Compared::show(&value.value);
                }
                test
            }
        }
    }
}

/// What a test lacks that says one thing otherwise, with an example.
fn lacks(table: &ConditionTable) -> Option<(&'static str, &'static str)> {
    match table {
        ConditionTable { all: None, any: None, not: None, attribute: Some(_), op: None, .. } => Some(("op", "\"eq\"")),
        ConditionTable { all: None, any: None, not: None, attribute: None, op: Some(_), .. } => {
            Some(("attribute", "\"tier\""))
        }
        _ => None,
    }
}

fn report(lacks: Option<(&str, &str)>, span: Span, reader: &mut Reader<'_>) {
    if let Some((key, example)) = lacks {
        let diagnostic = reader.error(Code::Condition, span, format!("the condition has no `{key}`"));
        diagnostic.label(format!("needs `{key}`")).help(format!("add `{key} = {example}`"));
    } else {
        reader
            .error(Code::Condition, span, "a condition says one thing")
            .label("expected `attribute` and `op`, or one of `all`, `any` and `not`");
    }
}

/// The condition of a table that says one thing.
fn written(table: ConditionTable) -> Option<Written> {
    match table {
        ConditionTable { all: Some(all), any: None, not: None, attribute: None, op: None, value: None, .. } => {
            Some(Written::All(all.value))
        }
        ConditionTable { all: None, any: Some(any), not: None, attribute: None, op: None, value: None, .. } => {
            Some(Written::Any(any.value))
        }
        ConditionTable { all: None, any: None, not: Some(not), attribute: None, op: None, value: None, .. } => {
            Some(Written::Not(Box::new(not)))
        }
        ConditionTable { all: None, any: None, not: None, attribute: Some(attribute), op: Some(op), value, .. } => {
            Some(Written::Test { attribute, op, value })
        }
        _ => None,
    }
}

/// What an attribute is compared with: one value, or a list of them.
pub(crate) struct Compared;

const COMPARED: &str = "a string, a number, a date or a list of them";

impl Kind for Compared {
    type Value = Operand;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Operand> {
        match node.get_ref() {
            DeValue::Array(items) => {
                let items: Vec<_> = items.iter().map(|item| reader.value::<Single>(item)).collect();
                items.into_iter().collect::<Option<_>>().map(Operand::List)
            }
            _ => Single::read(node, reader),
        }
    }

    fn schema() -> Json {
        let single = Single::schema();
        let forms = single["anyOf"].as_array().into_iter().flatten().cloned();
        let list = json!({ "type": "array", "items": single });
        json!({ "anyOf": forms.chain([list]).collect::<Vec<_>>() })
    }

    fn show(value: &Operand) -> Json {
        Single::show(value)
    }
}

/// One value.
struct Single;

impl Kind for Single {
    type Value = Operand;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Operand> {
        let operand = match node.get_ref() {
            DeValue::String(text) if text.chars().count() <= TEXT_LENGTH_MAX => Some(Operand::Text(text.to_string())),
            DeValue::String(_) => {
                reader
                    .fault(Code::Text, node, format_args!("must have at most {TEXT_LENGTH_MAX} characters"))
                    .label("too long");
                return None;
            }
            DeValue::Integer(_) | DeValue::Float(_) => number(node.get_ref()).map(Operand::Number),
            DeValue::Datetime(written) if written.time.is_none() => written.date.and_then(date).map(Operand::Date),
            DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Boolean(_) | DeValue::Table(_) => None,
        };
        if operand.is_none() {
            reader.wrong_type(node, COMPARED);
        }
        operand
    }

    fn schema() -> Json {
        // A TOML date is a string to some validators, and to others a string of that format only.
        json!({ "anyOf": [{ "type": "string" }, { "type": "string", "format": "date" }, { "type": "number" }] })
    }

    fn show(value: &Operand) -> Json {
        match value {
            Operand::Text(text) => json!(text),
            Operand::Number(number) => json!(number.get()),
            Operand::Date(date) => json!(date.to_string()),
            Operand::List(items) => items.iter().map(|item| Self::show(&item.value)).collect(),
        }
    }
}

fn number(value: &DeValue<'_>) -> Option<Number> {
    match value {
        DeValue::Integer(integer) => {
            let whole = i64::from_str_radix(integer.as_str(), integer.radix()).ok()?;
            Number::parse(&whole.to_string())
        }
        DeValue::Float(float) => float.as_str().parse().ok().and_then(Number::new),
        DeValue::String(_) | DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

fn date(written: toml::value::Date) -> Option<civil::Date> {
    let year = i16::try_from(written.year).ok()?;
    civil::Date::new(year, i8::try_from(written.month).ok()?, i8::try_from(written.day).ok()?).ok()
}
