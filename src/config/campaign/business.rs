//! Business results: rules that fit together and refer to what is defined.

use std::collections::BTreeMap;

use super::Campaigns;
use crate::{
    config::{
        code::Code,
        load::InFile,
        read::At,
        shared::defined::Known,
        tables::campaign::{Action, BusinessResultsTable, BusinessRuleTable},
    },
    domain::{
        business::{Again, BusinessAction, BusinessRule, SameAgent},
        business_result::BusinessResult,
        ids::SubResultId,
    },
};

impl Campaigns<'_, '_> {
    /// The rules in force; none while they are not enabled, though they are checked.
    pub(super) fn business_results(&mut self, file: usize, table: BusinessResultsTable) -> Option<Vec<BusinessRule>> {
        let BusinessResultsTable { enabled, rules, unclear } = table;
        let disabled = !enabled.value && !unclear.has("enabled");
        if let (true, Some(span)) = (disabled && !rules.value.is_empty(), rules.span) {
            self.no_effect(&InFile { file, value: Some(span) }, "business_results.rules", "`enabled` is not true");
        }
        let mut seen = BTreeMap::new();
        let mut built = Vec::new();
        let mut whole = true;
        for rule in rules.value {
            if let Some(result) = &rule.value.result {
                let sub_result = rule.value.sub_result.as_ref().map(|sub| sub.value.as_str());
                let key = format!("{} {}", result.value, sub_result.unwrap_or_default());
                let place = InFile { file, value: rule.value.sub_result.as_ref().map_or(result.span, |sub| sub.span) };
                let message = || match sub_result {
                    Some(sub) => format!("business result \"{}\" with \"{sub}\" has two rules", result.value),
                    None => format!("business result \"{}\" has two rules", result.value),
                };
                self.commit.unique(Code::RepeatedResult, &mut seen, &key, place, message);
            }
            match self.rule(file, rule) {
                Some(rule) => built.push(rule),
                None => whole = false,
            }
        }
        whole.then(|| if enabled.value { built } else { Vec::new() })
    }

    fn rule(&mut self, file: usize, rule: At<BusinessRuleTable>) -> Option<BusinessRule> {
        let At { value: rule, span } = rule;
        if let Some(result) = &rule.result
            && let Some(known) = self.references.business_results
            && let Some(found) = known.refer(result, file, self.commit)
            && let Some(sub_result) = &rule.sub_result
        {
            self.sub_result(file, found, sub_result);
        }
        let action = self.action(file, &rule, span)?;
        Some(BusinessRule {
            result: rule.result?.value,
            sub_result: rule.sub_result.map(|sub_result| sub_result.value),
            action,
        })
    }

    fn action(
        &mut self,
        file: usize,
        rule: &BusinessRuleTable,
        span: Option<crate::config::diagnostic::Span>,
    ) -> Option<BusinessAction> {
        let action = rule.action.as_ref()?.value;
        let calls = [
            ("interval", rule.interval.as_ref().and_then(|at| at.span)),
            ("max_times", rule.max_times.span),
            ("same_agent", rule.same_agent.span),
            ("same_agent_wait", rule.same_agent_wait.as_ref().and_then(|at| at.span)),
        ];
        if action == Action::Stop {
            if let Some((key, span)) = calls.into_iter().find(|(_, span)| span.is_some()) {
                self.commit
                    .error(Code::RuleKeys, &InFile { file, value: span }, format!("`{key}` stands beside `stop`"))
                    .label("after `stop` there is no call")
                    .help("leave it out");
                return None;
            }
            return Some(BusinessAction::Stop);
        }
        let any_agent = !rule.same_agent.value && !rule.unclear.has("same_agent");
        if let (Some(wait), true) = (&rule.same_agent_wait, any_agent) {
            let place = InFile { file, value: wait.span };
            self.no_effect(&place, "same_agent_wait", "`same_agent` is not true");
        }
        let Some(interval) = &rule.interval else {
            if rule.unclear.has("interval") {
                return None;
            }
            self.commit
                .error(Code::RuleKeys, &InFile { file, value: span }, "a rule that calls needs an `interval`")
                .label("calls when?")
                .help("add `interval = \"10m\"`, 1s to 3600s");
            return None;
        };
        let wait = rule.same_agent_wait.as_ref().map(|wait| wait.value);
        let again = Again {
            interval: interval.value,
            max_times: rule.max_times.value,
            same_agent: rule.same_agent.value.then_some(SameAgent { wait }),
        };
        Some(if action == Action::CallNextNumber {
            BusinessAction::CallNextNumber(again)
        } else {
            BusinessAction::CallSameNumber(again)
        })
    }

    fn sub_result(&mut self, file: usize, result: &BusinessResult, sub_result: &At<SubResultId>) {
        if result.sub_results.contains_key(&sub_result.value) {
            return;
        }
        let known: Vec<&str> = result.sub_results.keys().map(|known| known.as_str()).collect();
        let message = format!("business result \"{}\" has no sub-result \"{}\"", result.id, sub_result.value);
        let place = InFile { file, value: sub_result.span };
        let known = Known {
            code: Code::UnknownSubResult,
            label: "not one of the result's".to_owned(),
            what: "sub-results",
            words: known,
            none: "the business result has no sub-results; leave `sub_result` out".to_owned(),
        };
        known.report_missing(sub_result.value.as_str(), &place, message, self.commit);
    }
}
