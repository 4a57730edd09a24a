//! Result policies: which form is meant, and what goes with which policy.

use std::collections::BTreeMap;

use super::Campaigns;
use crate::{
    config::{
        code::Code,
        items::{once, values},
        kinds::{choice::Choice, per_category::ByCategory},
        load::{InFile, Place},
        read::At,
        tables::campaign::{ByResultTable, Policy, PolicyTable, ResultsTable},
    },
    domain::{
        policy::{DaysPolicy, NumberPolicy, ResultPolicy, Retries},
        results::CallResult,
    },
};

impl Campaigns<'_, '_> {
    pub(super) fn results(&mut self, file: usize, table: ResultsTable) -> Option<ResultPolicy> {
        let ResultsTable { policy, global, no_retry, by_category, unclear } = table;
        once::<Choice<CallResult>>(file, &no_retry.value, self.commit);
        let global_place = InFile { file, value: global.span };
        let global_written = global.span.is_some();
        match policy.value {
            Policy::Global => {
                if let Some(by_category) = by_category {
                    let place = InFile { file, value: by_category.span };
                    if !unclear.has("policy") {
                        self.no_effect(&place, "results.by_category", "`policy` is \"global\"");
                    }
                    self.by_category(file, by_category.value);
                }
                let policy = self.number_policy(file, global, &no_retry.value)?;
                Some(ResultPolicy::Global { policy, no_retry: values(no_retry.value).into_iter().collect() })
            }
            Policy::ByCategory => {
                if global_written {
                    self.no_effect(&global_place, "results.global", "`policy` is \"by_category\"");
                    self.number_policy(file, global, &[]);
                }
                if let Some(span) = no_retry.span {
                    self.commit
                        .error(
                            Code::NoRetryByCategory,
                            &InFile { file, value: Some(span) },
                            "`no_retry` goes with `policy = \"global\"` only",
                        )
                        .label("`policy` is \"by_category\"")
                        .help("by category, a result ends one number: give that category `by_result` and leave the result out");
                }
                match by_category {
                    Some(by_category) => self.by_category(file, by_category.value),
                    None => Some(ResultPolicy::ByCategory {
                        default: days(&PolicyTable::absent()),
                        categories: BTreeMap::new(),
                    }),
                }
            }
        }
    }

    fn by_category(&mut self, file: usize, table: ByCategory<PolicyTable>) -> Option<ResultPolicy> {
        let default = match table.default {
            Some(policy) => self.number_policy(file, policy, &[]),
            None => Some(days(&PolicyTable::absent())),
        };
        let mut categories = BTreeMap::new();
        let mut whole = true;
        for (category, policy) in table.categories {
            self.category(file, &category);
            match self.number_policy(file, policy, &[]) {
                Some(policy) => drop(categories.insert(category.value, policy)),
                None => whole = false,
            }
        }
        let default = default?;
        whole.then_some(ResultPolicy::ByCategory { default, categories })
    }

    /// One policy; `no_retry` are the results that end the contact whatever it says.
    fn number_policy(
        &mut self,
        file: usize,
        policy: At<PolicyTable>,
        no_retry: &[At<CallResult>],
    ) -> Option<NumberPolicy> {
        let mut table = policy.value;
        let Some(rules) = table.by_result.take() else { return Some(days(&table)) };
        let written = [
            ("max_days", table.max_days.span),
            ("max_attempts_per_day", table.max_attempts_per_day.span),
            ("retry_interval", table.retry_interval.span),
        ];
        if let Some((key, span)) = written.into_iter().find(|(_, span)| span.is_some()) {
            let first = self.commit.locate(&InFile { file, value: rules.span });
            let message = format!("`{key}` stands beside `by_result`, and a policy has one form");
            self.commit
                .error(Code::OneOf, &InFile { file, value: span }, message)
                .label("of the form by days and attempts")
                .relate(first, "of the form by result")
                .help("leave one form out");
            return None;
        }
        self.by_result(file, rules.value, no_retry)
    }

    fn by_result(
        &mut self,
        file: usize,
        rules: Vec<At<ByResultTable>>,
        no_retry: &[At<CallResult>],
    ) -> Option<NumberPolicy> {
        let mut seen = BTreeMap::new();
        let mut by_result = BTreeMap::new();
        let mut whole = true;
        for rule in rules {
            let ByResultTable { result, retries, interval, .. } = rule.value;
            let (Some(result), Some(retries), Some(interval)) = (result, retries, interval) else {
                whole = false;
                continue;
            };
            let place = InFile { file, value: result.span };
            let name = result.value.as_str();
            let message = || format!("result \"{name}\" is listed twice");
            self.commit.unique(Code::RepeatedResult, &mut seen, name, place.clone(), message);
            let ends = no_retry.iter().find(|ends| ends.value == result.value && retries.value > 0);
            match ends {
                Some(ends) => self.ended(&place, &InFile { file, value: ends.span }, result.value),
                None => self.countable(&place, result.value),
            }
            by_result.insert(result.value, Retries { retries: retries.value, interval: interval.value });
        }
        whole.then_some(NumberPolicy::ByResult(by_result))
    }

    /// Warns of retries after a result that ends the contact.
    fn ended(&mut self, place: &Place, ends: &Place, result: CallResult) {
        let ends = self.commit.locate(ends);
        let message = format!("`no_retry` ends the contact after \"{}\", so this rule has no effect", result.as_str());
        self.commit
            .warning(Code::NoEffect, place, message)
            .label("never looked at")
            .relate(ends, "ends the contact")
            .help("take the result out of one of the two");
    }

    /// Warns of a rule that never matches.
    fn countable(&mut self, place: &Place, result: CallResult) {
        let why = match result {
            CallResult::Answered => "completes the contact",
            CallResult::Unknown => "is treated as \"no_answer\"",
            CallResult::AgentLost | CallResult::NetworkFailure | CallResult::CarrierCongestion => {
                "is not the customer's fault, and is tried again after 10 to 160 seconds"
            }
            CallResult::Vacant
            | CallResult::Busy
            | CallResult::NoAnswer
            | CallResult::Rejected
            | CallResult::PoweredOff
            | CallResult::Suspended
            | CallResult::Unreachable
            | CallResult::NumberChanged
            | CallResult::FaxOrModem
            | CallResult::AnsweringMachine
            | CallResult::CustomerHungUp
            | CallResult::Abandoned
            | CallResult::InvalidNumber => return,
        };
        self.commit
            .warning(Code::NoEffect, place, format!("result \"{}\" {why}, so this rule has no effect", result.as_str()))
            .label("never looked at");
    }
}

fn days(table: &PolicyTable) -> NumberPolicy {
    NumberPolicy::Days(DaysPolicy {
        max_days: table.max_days.value,
        max_attempts_per_day: table.max_attempts_per_day.value,
        retry_interval: table.retry_interval.value,
    })
}
