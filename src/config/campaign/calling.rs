//! Who is called and in which order: rounds, filter and sort, held against the attributes' types.

use std::collections::BTreeMap;

use super::Campaigns;
use crate::{
    config::{
        code::Code,
        items::once,
        kinds::condition::{Operand, Operator, Written},
        kinds::round::{Round, WrittenRound},
        load::InFile,
        read::At,
        tables::campaign::{CallingTable, Order, SortTable},
        unclear::Unclear,
    },
    domain::{
        attribute::{Attribute, AttributeType},
        campaign::{NumberOrder, SortKey, SortType},
        filter::{FILTER_CONDITIONS_MAX, Filter},
        ids::AttributeId,
    },
};

/// The attributes that a campaign may use, with the place of the list; `None` for all.
pub(super) type Used = Option<At<Vec<AttributeId>>>;

/// What `calling` comes to.
pub(super) struct Calling {
    pub(super) order: Option<NumberOrder>,
    /// `None` if it could not be built; `Some(None)` if there is none.
    pub(super) filter: Option<Option<Filter>>,
    pub(super) sort: Option<Vec<SortKey>>,
}

impl Campaigns<'_, '_> {
    pub(super) fn calling(&mut self, file: usize, table: CallingTable, used: &Used) -> Calling {
        let CallingTable { order, rounds, others, filter, sort, unclear } = table;
        let filter = match filter {
            None => Some(None),
            Some(filter) => {
                self.filter_size(file, &filter);
                self.filter(file, filter, used).map(Some)
            }
        };
        let order = if unclear.has("order") { None } else { self.order(file, &order, rounds, &others, &unclear) };
        Calling { order, filter, sort: self.sort(file, sort.value, used) }
    }

    fn order(
        &mut self,
        file: usize,
        order: &At<Order>,
        rounds: Option<At<Vec<At<WrittenRound>>>>,
        others: &At<crate::domain::campaign::Others>,
        unclear: &Unclear,
    ) -> Option<NumberOrder> {
        if order.value == Order::Sequence {
            let extra = rounds.map(|rounds| ("rounds", rounds.span));
            let extra = extra.into_iter().chain(others.span.map(|span| ("others", Some(span))));
            let mut whole = true;
            for (key, span) in extra {
                whole = false;
                self.commit
                    .error(Code::Rounds, &InFile { file, value: span }, format!("`{key}` stands beside a `sequence`"))
                    .label("a sequence has no rounds")
                    .help("leave it out, or write `order = \"rounds_by_category\"` or `\"rounds_by_index\"`");
            }
            return whole.then_some(NumberOrder::Sequence);
        }
        let Some(rounds) = rounds else {
            if unclear.has("rounds") {
                return None;
            }
            let place = InFile { file, value: order.span };
            let rounds = if order.value == Order::RoundsByIndex { "[1, 2]" } else { "[\"mobile\", \"home\"]" };
            self.commit
                .error(Code::Rounds, &place, "rounds are missing")
                .label("needs `rounds`")
                .help(format!("add `rounds = {rounds}` to `calling`"));
            return None;
        };
        once::<Round>(file, &rounds.value, self.commit);
        let others = others.value;
        if order.value == Order::RoundsByIndex {
            let rounds = rounds.value.iter().map(|round| self.index(file, round)).collect::<Vec<_>>();
            let rounds = rounds.into_iter().collect::<Option<Vec<u8>>>()?;
            return Some(NumberOrder::RoundsByIndex { rounds, others });
        }
        let rounds = rounds.value.iter().map(|round| self.category_round(file, round)).collect::<Vec<_>>();
        let rounds = rounds.into_iter().collect::<Option<Vec<_>>>()?;
        Some(NumberOrder::RoundsByCategory { rounds, others })
    }

    fn index(&mut self, file: usize, round: &At<WrittenRound>) -> Option<u8> {
        match &round.value {
            WrittenRound::Index(index) => Some(*index),
            WrittenRound::Category(_) => {
                self.round_fault(file, round, "rounds by index have indexes such as 1");
                None
            }
        }
    }

    fn category_round(&mut self, file: usize, round: &At<WrittenRound>) -> Option<crate::domain::ids::CategoryId> {
        match &round.value {
            WrittenRound::Category(category) => {
                self.category(file, &At { value: category.clone(), span: round.span });
                Some(category.clone())
            }
            WrittenRound::Index(_) => {
                self.round_fault(file, round, "rounds by category have categories such as \"mobile\"");
                None
            }
        }
    }

    fn round_fault(&mut self, file: usize, round: &At<WrittenRound>, message: &str) {
        self.commit
            .error(Code::Rounds, &InFile { file, value: round.span }, message)
            .label("another kind of round than `order` has");
    }

    fn filter_size(&mut self, file: usize, filter: &At<Written>) {
        if tests(&filter.value) > FILTER_CONDITIONS_MAX {
            let message = format!("`filter` has more than {FILTER_CONDITIONS_MAX} conditions");
            self.commit
                .error(Code::FilterDepth, &InFile { file, value: filter.span }, message)
                .label("too many")
                .help("give contacts an attribute that says it, and test that one");
        }
    }

    /// The filter of what is written; `None` once something in it has been reported.
    fn filter(&mut self, file: usize, written: At<Written>, used: &Used) -> Option<Filter> {
        match written.value {
            Written::All(list) => Some(Filter::All(self.filters(file, list, used)?)),
            Written::Any(list) => Some(Filter::Any(self.filters(file, list, used)?)),
            Written::Not(one) => Some(Filter::Not(Box::new(self.filter(file, *one, used)?))),
            Written::Test { attribute, op, value } => {
                let kind = self.comparable(file, &attribute, used)?.kind;
                let test = super::test::test(self, file, &attribute, kind, &op, value)?;
                Some(Filter::Test { attribute: attribute.value, test })
            }
        }
    }

    fn filters(&mut self, file: usize, list: Vec<At<Written>>, used: &Used) -> Option<Vec<Filter>> {
        let filters: Vec<Option<Filter>> = list.into_iter().map(|one| self.filter(file, one, used)).collect();
        filters.into_iter().collect()
    }

    fn sort(&mut self, file: usize, list: Vec<At<SortTable>>, used: &Used) -> Option<Vec<SortKey>> {
        let mut seen = BTreeMap::new();
        let mut keys = Vec::new();
        let mut whole = true;
        for key in list {
            let SortTable { attribute, direction, r#as, .. } = key.value;
            let Some(attribute) = attribute else {
                whole = false;
                continue;
            };
            let place = InFile { file, value: attribute.span };
            let message = || format!("attribute {:?} is sorted by twice", attribute.value.as_str());
            self.commit.unique(Code::Repeated, &mut seen, attribute.value.as_str(), place, message);
            let Some(found) = self.comparable(file, &attribute, used) else {
                whole = false;
                continue;
            };
            let natural = match found.kind {
                AttributeType::String | AttributeType::Encrypted => SortType::Text,
                AttributeType::Number => SortType::Number,
                AttributeType::Date => SortType::Date,
            };
            let compare = r#as.as_ref().map_or(natural, |compare| compare.value);
            if found.kind != AttributeType::String && compare != natural {
                let message = format!(
                    "attribute {:?} is a {}, and can't be sorted as another type",
                    attribute.value.as_str(),
                    found.kind.as_str()
                );
                let place = InFile { file, value: r#as.and_then(|compare| compare.span) };
                self.commit.error(Code::OperandType, &place, message).label("leave `as` out");
                whole = false;
                continue;
            }
            keys.push(SortKey { attribute: attribute.value, direction: direction.value, compare });
        }
        whole.then_some(keys)
    }

    /// The attribute, if it is defined, used by the campaign and not encrypted.
    pub(super) fn comparable(&mut self, file: usize, id: &At<AttributeId>, used: &Used) -> Option<Attribute> {
        let found = self.attribute(file, id)?;
        if let Some(fault) = self.not_in_use(file, id, used) {
            fault.help("add it to `strategy.attributes`");
            return None;
        }
        let place = InFile { file, value: id.span };
        if found.kind == AttributeType::Encrypted {
            let message = format!("attribute {:?} is encrypted, so nothing can be compared with it", id.value.as_str());
            self.commit.error(Code::AttributeEncrypted, &place, message).label("encrypted");
            return None;
        }
        Some(found)
    }
}

/// How many tests a filter has.
fn tests(written: &Written) -> usize {
    match written {
        Written::All(list) | Written::Any(list) => list.iter().map(|one| tests(&one.value)).sum(),
        Written::Not(one) => tests(&one.value),
        Written::Test { .. } => 1,
    }
}

/// Whether an operator takes no value, one, several, or exactly two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    One,
    Several,
    Two,
}

impl Operator {
    pub(super) fn takes(self) -> Takes {
        match self {
            Self::IsSet | Self::IsEmpty => Takes::Nothing,
            Self::Eq | Self::Ne | Self::Lt | Self::Le | Self::Gt | Self::Ge | Self::Contains | Self::StartsWith => {
                Takes::One
            }
            Self::In | Self::NotIn => Takes::Several,
            Self::Between => Takes::Two,
        }
    }
}

/// The items of a list operand.
pub(super) fn items(operand: At<Operand>) -> Vec<At<Operand>> {
    let At { value, span } = operand;
    match value {
        Operand::List(items) => items,
        one @ (Operand::Text(_) | Operand::Number(_) | Operand::Date(_)) => vec![At { value: one, span }],
    }
}
