//! A test of a filter, held against the type of its attribute.

use jiff::civil::Date;

use super::{
    Campaigns,
    calling::{Takes, items},
};
use crate::{
    config::{
        code::Code,
        kinds::{
            choice::Words,
            condition::{Operand, Operator},
        },
        load::InFile,
        read::At,
    },
    domain::{
        attribute::{AttributeType, Number},
        filter::{Comparison, Test},
        ids::AttributeId,
    },
};

/// The test of `attribute op value`; `None` once it has been reported.
pub(super) fn test(
    campaigns: &mut Campaigns<'_, '_>,
    file: usize,
    attribute: &At<AttributeId>,
    kind: AttributeType,
    op: &At<Operator>,
    value: Option<At<Operand>>,
) -> Option<Test> {
    let mut checked = Checked { campaigns, file, attribute, op };
    match (op.value, value) {
        (Operator::IsSet, None) => Some(Test::IsSet),
        (Operator::IsEmpty, None) => Some(Test::IsEmpty),
        (Operator::IsSet | Operator::IsEmpty, Some(value)) => {
            checked.fault(&value, "takes no `value`", "leave it out");
            None
        }
        (_, None) => {
            let place = At { value: (), span: op.span };
            checked.fault(&place, "needs a `value`", "with what is it compared?");
            None
        }
        (Operator::Contains | Operator::StartsWith, Some(value)) => checked.part(kind, value),
        (_, Some(value)) => {
            let values = checked.values(value)?;
            match kind {
                AttributeType::String => checked.compared(values, text, kind).map(Test::Text),
                AttributeType::Number => checked.compared(values, number, kind).map(Test::Number),
                AttributeType::Date => checked.compared(values, date, kind).map(Test::Date),
                AttributeType::Encrypted => None,
            }
        }
    }
}

/// A typed operand, or the same in another spelling that was meant.
type Typed<T> = Result<T, Option<String>>;

fn text(operand: Operand) -> Typed<String> {
    match operand {
        Operand::Text(text) => Ok(text),
        Operand::Number(number) => Err(Some(format!("\"{number}\""))),
        Operand::Date(date) => Err(Some(format!("\"{date}\""))),
        Operand::List(_) => Err(None),
    }
}

fn number(operand: Operand) -> Typed<Number> {
    match operand {
        Operand::Number(number) => Ok(number),
        Operand::Text(text) => Err(Number::parse(text.trim()).map(|number| number.to_string())),
        Operand::Date(_) | Operand::List(_) => Err(None),
    }
}

/// A date may also stand in quotes, as JSON has it.
fn date(operand: Operand) -> Typed<Date> {
    match operand {
        Operand::Date(date) => Ok(date),
        Operand::Text(text) => text.parse().ok().filter(|_| text.len() == 10).ok_or(None),
        Operand::Number(_) | Operand::List(_) => Err(None),
    }
}

struct Checked<'a, 'b, 'c> {
    campaigns: &'a mut Campaigns<'b, 'c>,
    file: usize,
    attribute: &'a At<AttributeId>,
    op: &'a At<Operator>,
}

impl Checked<'_, '_, '_> {
    fn fault<T>(&mut self, at: &At<T>, what: &str, label: &str) {
        let word = Operator::word(self.op.value);
        let place = InFile { file: self.file, value: at.span };
        self.campaigns.commit.error(Code::Operand, &place, format!("`{word}` {what}")).label(label);
    }

    /// As many values as the operator takes.
    fn values(&mut self, value: At<Operand>) -> Option<Vec<At<Operand>>> {
        let is_list = matches!(value.value, Operand::List(_));
        let place = At { value: (), span: value.span };
        let values = items(value);
        match self.op.value.takes() {
            Takes::One if is_list => self.fault(&place, "takes one value, not a list", "a list; `in` takes one"),
            Takes::Several | Takes::Two if !is_list => self.fault(&place, "takes a list", "write it in [ ]"),
            Takes::Several if values.is_empty() => self.fault(&place, "takes at least one value", "an empty list"),
            Takes::Two if values.len() != 2 => {
                self.fault(&place, "takes a list of two values, the least and the greatest", "not two values");
            }
            Takes::Nothing | Takes::One | Takes::Several | Takes::Two => return Some(values),
        }
        None
    }

    fn part(&mut self, kind: AttributeType, value: At<Operand>) -> Option<Test> {
        if kind != AttributeType::String {
            let op = At { value: (), span: self.op.span };
            let label = format!("{:?} is a {}", self.attribute.value.as_str(), kind.as_str());
            self.fault(&op, "looks into strings only", &label);
            return None;
        }
        let values = self.values(value)?;
        let part = self.typed(values, text, kind)?.pop()?;
        Some(if self.op.value == Operator::Contains { Test::Contains(part) } else { Test::StartsWith(part) })
    }

    fn compared<T: Ord>(
        &mut self,
        values: Vec<At<Operand>>,
        typed: fn(Operand) -> Typed<T>,
        kind: AttributeType,
    ) -> Option<Comparison<T>> {
        let spans: Vec<_> = values.iter().map(|value| value.span).collect();
        let mut values = self.typed(values, typed, kind)?;
        if self.op.value == Operator::Between {
            let most = values.pop()?;
            let least = values.pop()?;
            if least > most {
                let place = At { value: (), span: spans.first().copied().flatten() };
                self.fault(&place, "takes the least value first", "greater than the other, so nothing is between");
                return None;
            }
            return Some(Comparison::Between(least, most));
        }
        Some(match self.op.value {
            Operator::Eq => Comparison::Eq(values.pop()?),
            Operator::Ne => Comparison::Ne(values.pop()?),
            Operator::Lt => Comparison::Lt(values.pop()?),
            Operator::Le => Comparison::Le(values.pop()?),
            Operator::Gt => Comparison::Gt(values.pop()?),
            Operator::Ge => Comparison::Ge(values.pop()?),
            Operator::In => Comparison::In(values),
            Operator::NotIn => Comparison::NotIn(values),
            Operator::Between | Operator::Contains | Operator::StartsWith | Operator::IsSet | Operator::IsEmpty => {
                return None;
            }
        })
    }

    fn typed<T>(
        &mut self,
        values: Vec<At<Operand>>,
        typed: fn(Operand) -> Typed<T>,
        kind: AttributeType,
    ) -> Option<Vec<T>> {
        let mut read = Vec::with_capacity(values.len());
        let mut whole = true;
        for At { value, span } in values {
            let found = value.name();
            match typed(value) {
                Ok(value) => read.push(value),
                Err(meant) => {
                    whole = false;
                    self.wrong_type(kind, found, span, meant);
                }
            }
        }
        whole.then_some(read)
    }

    fn wrong_type(
        &mut self,
        kind: AttributeType,
        found: &str,
        span: Option<crate::config::diagnostic::Span>,
        meant: Option<String>,
    ) {
        let message = format!(
            "attribute {:?} is a {}, and can't be compared with {found}",
            self.attribute.value.as_str(),
            kind.as_str()
        );
        let place = InFile { file: self.file, value: span };
        let diagnostic = self.campaigns.commit.error(Code::OperandType, &place, message);
        diagnostic.label(match kind {
            AttributeType::Number => "expected a number such as 12.5",
            AttributeType::Date => "expected a date such as 2031-03-04",
            AttributeType::String | AttributeType::Encrypted => "expected a string such as \"gold\"",
        });
        if let (Some(meant), Some(span)) = (meant, span) {
            diagnostic.fix(format!("did you mean {meant}?"), span, meant);
        }
    }
}
