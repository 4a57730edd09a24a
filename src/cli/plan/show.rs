//! Words that all formats share: values, settings, steps, counts.

use serde_json::Value as Json;

use super::Plan;
use crate::{
    config::{compare::ChangedCampaign, difference::Shown},
    domain::{phone::E164, plan::Verb},
    http::wire::plan::CampaignCounts,
};

/// How telephone numbers in values are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// As they stand in the file.
    InFull,
    /// With their middle digits hidden.
    Masked,
}

/// A value as TOML writes it in one line.
pub(super) fn value(value: &Json, numbers: Numbers) -> String {
    match value {
        Json::String(text) => match (numbers, E164::parse(text)) {
            (Numbers::Masked, Ok(number)) => Json::from(number.masked()).to_string(),
            _ => value.to_string(),
        },
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| self::value(item, numbers)).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(table) => {
            let pairs = table.iter().map(|(key, item)| format!("{key} = {}", self::value(item, numbers)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => value.to_string(),
    }
}

/// One side of a setting: its value, or that it is not set or a default.
pub(super) fn side(shown: Option<&Shown>, numbers: Numbers) -> String {
    match shown {
        None => "not set".to_owned(),
        Some(Shown { value, at: None }) => format!("{} (default)", self::value(value, numbers)),
        Some(Shown { value, at: Some(_) }) => self::value(value, numbers),
    }
}

/// Where it is written: `campaigns/spring.toml:4:9`.
pub(super) fn place(shown: &Shown) -> Option<String> {
    shown.at.as_ref().map(|at| format!("{}:{}:{}", at.file, at.line, at.column))
}

/// What a step does, in words.
pub(super) fn step(campaign: &ChangedCampaign) -> String {
    let state = campaign.state.map_or("retired", |state| state.as_str());
    let step = match (campaign.verb, &campaign.id_changed) {
        (Verb::Retire, Some(new)) => {
            return format!(
                "its id is {new} now, which is another campaign; no new calls, contacts and results stay here"
            );
        }
        (Verb::Retire, None) => "its file is gone; no new calls, results stay".to_owned(),
        (Verb::Pause, _) => "places no new calls; live ones finish".to_owned(),
        (Verb::Amend, _) if campaign.differences.is_empty() => format!("changes by what it refers to ({state})"),
        (Verb::Amend, _) => format!("its settings change ({state})"),
        (Verb::Create, _) => format!("is new ({state})"),
        (Verb::Return, _) => format!("its file is back, its history goes on ({state})"),
        (Verb::Resume, _) => "may dial again".to_owned(),
    };
    match &campaign.id_changed {
        Some(old) => format!("the id changed from {old}, whose contacts and results stay there; {step}"),
        None => step,
    }
}

/// `2 to change, 1 to pause; 7 stay as they are`
pub(super) fn summary(plan: &Plan) -> String {
    const VERBS: [Verb; 6] = [Verb::Create, Verb::Amend, Verb::Pause, Verb::Resume, Verb::Return, Verb::Retire];
    let campaigns = &plan.comparison.campaigns;
    let count = |verb| campaigns.iter().filter(|campaign| campaign.verb == verb).count();
    let steps = VERBS.into_iter().map(|verb| (count(verb), verb)).filter(|(count, _)| *count > 0);
    let mut steps: Vec<String> = steps.map(|(count, verb)| format!("{count} to {}", verb.as_str())).collect();
    let shared = plan.comparison.shared.len();
    if shared > 0 {
        steps.push(format!("{shared} shared {}", if shared == 1 { "change" } else { "changes" }));
    }
    let unchanged = plan.comparison.unchanged;
    match (steps.is_empty(), unchanged) {
        (true, 1) => "nothing changes: 1 campaign stays as it is".to_owned(),
        (true, _) => format!("nothing changes: {unchanged} campaigns stay as they are"),
        (false, _) => format!("campaigns: {}; {unchanged} unchanged", steps.join(", ")),
    }
}

/// A campaign's counts in a sentence.
pub(super) fn counts(verb: Verb, counts: &CampaignCounts) -> String {
    let CampaignCounts { contacts, open, live_calls, .. } = counts;
    let mut said = match verb {
        Verb::Create => format!("{contacts} contacts"),
        Verb::Retire => format!("{open} of {contacts} contacts are left uncalled"),
        Verb::Pause | Verb::Amend | Verb::Return | Verb::Resume => {
            format!("{contacts} contacts, {open} open: {}", effects(verb, counts))
        }
    };
    if *live_calls > 0 {
        said.push_str(&format!("; {live_calls} live calls finish"));
    }
    said
}

fn effects(verb: Verb, counts: &CampaignCounts) -> String {
    let never = if verb == Verb::Pause { "wait until it runs again" } else { "can no longer be called" };
    let effects = [
        (counts.ended_by_budget, "end by the smaller budget or cap"),
        (counts.leaves_filter, "leave the filter"),
        (counts.enters_filter, "enter the filter"),
        (counts.due_earlier, "come due earlier"),
        (counts.due_later, "come due later"),
        (counts.due_never, never),
        (counts.due_again, "can be called that could not"),
    ];
    let effects = effects.into_iter().filter(|(count, _)| *count > 0);
    let effects: Vec<String> = effects.map(|(count, effect)| format!("{count} {effect}")).collect();
    if effects.is_empty() { "when they come due stays".to_owned() } else { effects.join(", ") }
}
