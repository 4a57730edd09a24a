//! Effective settings: what a file settles, key by key, defaults filled in.
//!
//! Two files with the same settings mean the same, whatever their comments, order and spelling: a
//! default that is written out shows as one that is not, and an instant as itself in UTC.

use std::sync::Arc;

use serde_json::Value as Json;

use super::{
    diagnostic::Span,
    layout::FileKind,
    read::{At, Kind, Reader, Table},
    tables::{
        agents::AgentsFile, attributes::AttributesFile, business_results::BusinessResultsFile,
        calendars::CalendarsFile, campaign::CampaignFile, categories::CategoriesFile, do_not_call::DoNotCallFile,
        queues::QueuesFile, results::ResultsFile, sms::SmsFile, surveys::SurveyFile, tenant::TenantFile,
    },
    template::Templates,
};

/// One setting of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Its keys from the top of the file: `calling_hours.windows`, `agents[a1].sip`.
    pub key: String,
    /// The table of a list that it belongs to, told apart by its id: `agents[a1]`.
    pub entry: Option<String>,
    /// What it is.
    pub value: Json,
    /// Where it is written; nowhere if it is a default.
    pub span: Option<Span>,
    /// Where each item is written, if it is a list.
    pub items: Vec<Option<Span>>,
}

impl Setting {
    /// A setting of a file itself.
    pub(crate) fn new(key: &str, value: Json, span: Option<Span>) -> Self {
        Self { key: key.to_owned(), entry: None, value, span, items: Vec::new() }
    }

    /// The setting as one of the table `id` in the list `list`.
    pub(crate) fn of_entry(self, list: &str, id: &str) -> Self {
        let entry = format!("{list}[{id}]");
        Self { key: below(&entry, &self.key), entry: Some(entry), ..self }
    }
}

/// A key below another; `outer` is empty at the top of a file.
pub(crate) fn below(outer: &str, key: &str) -> String {
    if outer.is_empty() { key.to_owned() } else { format!("{outer}.{key}") }
}

/// The `id` among a table's own settings.
pub(crate) fn id_of(settings: &[Setting]) -> Option<String> {
    settings.iter().find(|setting| setting.key == "id")?.value.as_str().map(str::to_owned)
}

/// What a file of this kind settles, in the order of its documentation; nothing if it can't be read.
pub(crate) fn settings(kind: FileKind, text: &str) -> Vec<Setting> {
    match kind {
        FileKind::Tenant => of::<TenantFile>(text),
        FileKind::Queues => of::<QueuesFile>(text),
        FileKind::Agents => of::<AgentsFile>(text),
        FileKind::Attributes => of::<AttributesFile>(text),
        FileKind::Categories => of::<CategoriesFile>(text),
        FileKind::BusinessResults => of::<BusinessResultsFile>(text),
        FileKind::Calendars => of::<CalendarsFile>(text),
        FileKind::Results => of::<ResultsFile>(text),
        FileKind::Sms => of::<SmsFile>(text),
        FileKind::Survey => of::<SurveyFile>(text),
        FileKind::DoNotCall => of::<DoNotCallFile>(text),
        // [`campaign`] reads them together: what a template gives is settled by the campaigns that extend it.
        FileKind::Campaign | FileKind::Template => Vec::new(),
    }
}

/// What a campaign settles together with its template; spans may lie in that.
pub(crate) fn campaign<'a>(templates: &Templates<'a>, path: &Arc<str>, text: &'a str) -> Vec<Setting> {
    let mut settings = Vec::new();
    if let Some(campaign) = templates.campaign(path, text).campaign {
        let value = Arc::unwrap_or_clone(campaign);
        CampaignFile::settings("", &At { value, span: None }, &mut settings);
    }
    without_the_other_policy(&mut settings);
    settings
}

/// The keys of a policy by days; each has a default, which holds only where that policy does.
const BY_DAYS: [&str; 3] = ["max_days", "max_attempts_per_day", "retry_interval"];

/// Takes out the defaults of a policy by days where the file chose another.
fn without_the_other_policy(settings: &mut Vec<Setting>) {
    let by_category = settings.iter().any(|s| s.key == "results.policy" && s.value == "by_category");
    let by_result = settings.iter().any(|s| s.key == "results.global.by_result");
    let is_of_days = |key: &str| key.strip_prefix("results.global.").is_some_and(|key| BY_DAYS.contains(&key));
    settings.retain(|s| !((by_category || by_result) && s.span.is_none() && is_of_days(&s.key)));
    let categories = settings.iter_mut().filter(|s| s.key == "results.by_category");
    for policy in categories.filter_map(|s| s.value.as_object_mut()).flat_map(|table| table.values_mut()) {
        if let Some(policy) = policy.as_object_mut().filter(|policy| policy.contains_key("by_result")) {
            policy.retain(|key, _| !BY_DAYS.contains(&key.as_str()));
        }
    }
}

fn of<T: Table>(text: &str) -> Vec<Setting> {
    let mut settings = Vec::new();
    if let (Some(value), _) = Reader::file::<T>(&"".into(), text) {
        <T as Kind>::settings("", &At { value, span: None }, &mut settings);
    }
    settings
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::config::sample::CAMPAIGN;

    fn alone(text: &str) -> Vec<Setting> {
        campaign(&Templates::default(), &"".into(), text)
    }

    fn values(text: &str) -> Vec<(String, Json)> {
        alone(text).into_iter().map(|setting| (setting.key, setting.value)).collect()
    }

    #[test]
    fn defaults_are_filled_in_and_stand_nowhere() {
        let all = alone(CAMPAIGN);
        let of = |key: &str| all.iter().find(|setting| setting.key == key).unwrap_or_else(|| panic!("{key}"));
        assert_eq!((&of("strategy.max_ring").value, of("strategy.max_ring").span), (&json!("30s"), None));
        assert_eq!(of("results.global.max_days").value, json!(3));
        let windows = of("calling_hours.windows");
        assert_eq!(&CAMPAIGN[windows.span.unwrap().range()], "[\"09:00-18:00\"]");
        assert_eq!(&CAMPAIGN[windows.items[0].unwrap().range()], "\"09:00-18:00\"");
        assert!(all.iter().all(|setting| !setting.key.starts_with("limits")), "{all:#?}");
    }

    #[test]
    fn the_same_meaning_is_the_same_settings() {
        let other = r#"
            # Another order, comments, defaults written out, other offsets and spellings.
            state = "running"
            name = "Spring" # shown
            mode = "preoccupied"
            id = "spring"
            priority = 3
            description = ""
            caller_numbers = [{ number = "+862160001000", priority = 3 }]
            starts_at = 2031-03-01T01:00:00Z
            ends_at = 2031-05-31 12:00:00+02:00
            skill_queue = "sales"
            strategy = { max_ring = "30s" }
            limits = {}
            results.global = { retry_interval = "1800s" }
            [calling_hours]
            windows = ["09:00-18:00"]
            timezone = "Asia/Shanghai"
        "#;
        assert_eq!(values(other), values(CAMPAIGN));
    }

    #[test]
    fn a_default_of_a_policy_that_does_not_hold_is_no_setting() {
        let rules = "[{ result = \"busy\", retries = 2, interval = \"10m\" }]";
        let of = |results: &str| {
            let all = values(&format!("{CAMPAIGN}[results]\n{results}\n"));
            all.into_iter().filter(|(key, _)| key.starts_with("results.")).collect::<BTreeMap<String, Json>>()
        };
        let days = ["results.global.max_attempts_per_day", "results.global.max_days", "results.global.retry_interval"];
        let keys = |results: &str| of(results).into_keys().collect::<Vec<_>>();
        assert_eq!(keys("")[..3], days);
        assert_eq!(
            keys(&format!("global = {{ by_result = {rules} }}")),
            ["results.global.by_result", "results.policy"]
        );
        let by_category = format!("policy = \"by_category\"\nby_category = {{ default = {{ by_result = {rules} }} }}");
        assert_eq!(keys(&by_category), ["results.by_category", "results.policy"]);
        let expected = json!({ "default": { "by_result": [{ "result": "busy", "retries": 2, "interval": "10m" }] } });
        assert_eq!(of(&by_category)["results.by_category"], expected);
    }

    #[test]
    fn tables_with_ids_are_told_apart_by_them() {
        let text = "[[queues]]\nid = \"sales\"\nname = \"Sales\"\n[[queues]]\nid = \"care\"\nname = \"Care\"\n";
        let keys: Vec<_> = settings(FileKind::Queues, text).into_iter().map(|s| (s.key, s.entry.unwrap())).collect();
        let of = |key: &str, entry: &str| (key.to_owned(), entry.to_owned());
        assert_eq!(
            keys,
            [
                of("queues[sales].id", "queues[sales]"),
                of("queues[sales].name", "queues[sales]"),
                of("queues[care].id", "queues[care]"),
                of("queues[care].name", "queues[care]"),
            ]
        );
    }
}
