//! Words that all formats share: values, settings, steps, counts.

use serde_json::Value as Json;

use super::{Plan, masked::masked};
use crate::{
    cli::{check::folder::counted, text::clean_line},
    config::{
        compare::{ChangedCampaign, SharedChange},
        difference::Shown,
    },
    domain::{campaign::DesiredState, ids::CampaignId, plan::Verb, reason::Hold},
    http::wire::{overrides::OverrideView, plan::CampaignCounts},
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
        Json::String(text) if numbers == Numbers::Masked => Json::from(masked(text)).to_string(),
        Json::String(_) => value.to_string(),
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| self::value(item, numbers)).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(table) => {
            let pairs = table.iter().map(|(key, item)| format!("{key} = {}", self::value(item, numbers)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
        // A whole number of an attribute, which may have fractions.
        Json::Number(number) if number.is_f64() => number.as_f64().unwrap_or_default().to_string(),
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

/// What a guard says of a plan, and the overrides that go before it, a line each.
pub(super) fn verdict(plan: &Plan) -> Vec<String> {
    let held = plan.guard.iter().flatten();
    let guard = held.map(|verdict| format!("guard    {verdict}; {}", verdict.hint(&plan.commit())));
    guard.chain(plan.overrides().iter().map(override_line)).collect()
}

fn override_line(one: &OverrideView) -> String {
    let OverrideView { id, does, until, reason, .. } = one;
    clean_line(&format!("override {id} {does} until {until}, whatever the files say: {reason}"))
}

/// Where it is written: `campaigns/spring.toml:4:9`.
pub(super) fn place(shown: &Shown) -> Option<String> {
    shown.at.as_ref().map(|at| format!("{}:{}:{}", at.file, at.line, at.column))
}

/// What a step does, in words.
pub(super) fn step(plan: &Plan, campaign: &ChangedCampaign) -> String {
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
        (Verb::Create, _) if plan.live.is_ok() => format!("is new ({state})"),
        // Only the daemon knows what was retired.
        (Verb::Create, _) => format!("is new, or goes on if the daemon had it before ({state})"),
        (Verb::Return, _) => format!("its file is back, its history goes on ({state})"),
        (Verb::Resume, _) if campaign.held.contains(&Hold::Expired) => "its file says running again".to_owned(),
        (Verb::Resume, _) => "may dial again".to_owned(),
    };
    match &campaign.id_changed {
        Some(old) => format!("the id changed from {old}, whose contacts and results stay there; {step}"),
        None => step,
    }
}

/// What keeps a campaign from every call until its file says something else, and what no longer does.
pub(super) fn holds(campaign: &ChangedCampaign) -> Vec<String> {
    let ChangedCampaign { held_before, held, verb, .. } = campaign;
    let still = held.iter().map(|hold| {
        let so_far = if held_before.contains(hold) { "stays" } else { "is" };
        let dials = if *hold == Hold::Expired { "; it dials nothing" } else { "" };
        format!("{so_far} held: {hold}{dials}")
    });
    let over = match verb {
        Verb::Retire => &[][..],
        Verb::Pause | Verb::Amend | Verb::Create | Verb::Return | Verb::Resume => held_before.as_slice(),
    };
    let over = over.iter().filter(|was| !held.iter().any(|is| is.code() == was.code()));
    still.chain(over.map(|hold| format!("is no longer held: {hold}"))).collect()
}

/// The campaigns that a shared change touches; `show` writes an id.
pub(super) fn touches(change: &SharedChange, show: impl Fn(&CampaignId) -> String) -> String {
    let touched = change.touches.iter().map(|(id, state)| match state {
        DesiredState::Running => show(id),
        DesiredState::Paused => format!("{} (paused)", show(id)),
    });
    let touched: Vec<String> = touched.collect();
    if touched.is_empty() { "no campaign".to_owned() } else { touched.join(", ") }
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
        steps.push(counted(shared, "shared change"));
    }
    let unchanged = plan.comparison.unchanged;
    match (steps.is_empty(), unchanged) {
        (true, 1) => "nothing changes: 1 campaign stays as it is".to_owned(),
        (true, _) => format!("nothing changes: {unchanged} campaigns stay as they are"),
        (false, _) => format!("campaigns: {}; {unchanged} unchanged", steps.join(", ")),
    }
}

/// A campaign's counts in a sentence. Against another generation than the plan's own start, campaigns may
/// change that the plan knows nothing of.
pub(super) fn counts(campaign: Option<&ChangedCampaign>, counts: &CampaignCounts) -> String {
    let CampaignCounts { contacts, open, live_calls, .. } = *counts;
    let mut said = match campaign.map_or(Verb::Amend, |campaign| campaign.verb) {
        Verb::Create => counted(contacts, "contact"),
        Verb::Retire => format!("{open} of {} left uncalled", counted(contacts, "contact")),
        Verb::Pause | Verb::Amend | Verb::Return | Verb::Resume if open == 0 => {
            format!("{}, none open", counted(contacts, "contact"))
        }
        Verb::Pause | Verb::Amend | Verb::Return | Verb::Resume => {
            format!("{}, {open} open: {}", counted(contacts, "contact"), effects(campaign, counts))
        }
    };
    if live_calls > 0 {
        let finish = if live_calls == 1 { "finishes" } else { "finish" };
        said.push_str(&format!("; {} {finish}", counted(live_calls, "live call")));
    }
    said
}

fn effects(campaign: Option<&ChangedCampaign>, counts: &CampaignCounts) -> String {
    let holds: Vec<String> = campaign.iter().flat_map(|campaign| &campaign.held).map(ToString::to_string).collect();
    let is_paused = campaign.is_some_and(|campaign| campaign.state == Some(DesiredState::Paused));
    // A hold outlasts a pause.
    let (never, no_effect) = match (holds.is_empty(), is_paused) {
        (false, _) => {
            let holds = holds.join("; ");
            (format!("can no longer be called ({holds})"), format!("none can be called ({holds})"))
        }
        (true, true) => ("wait until it runs again".to_owned(), "none is called while it is paused".to_owned()),
        (true, false) => ("can no longer be called before it ends".to_owned(), "when they come due stays".to_owned()),
    };
    let effects = [
        (counts.ended_by_budget, "end by the smaller budget or cap"),
        (counts.leaves_filter, "leave the filter"),
        (counts.enters_filter, "enter the filter"),
        (counts.due_earlier, "come due earlier"),
        (counts.due_later, "come due later"),
        (counts.due_never, never.as_str()),
        (counts.due_again, "can be called that could not"),
    ];
    let effects = effects.into_iter().filter(|(count, _)| *count > 0);
    let effects: Vec<String> = effects.map(|(count, effect)| format!("{count} {effect}")).collect();
    if effects.is_empty() { no_effect } else { effects.join(", ") }
}
