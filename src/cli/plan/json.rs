//! The form for machines: one object, whose keys stay.

use serde::Serialize;
use serde_json::Value as Json;

use super::{
    Counted, Plan,
    side::{Name, Side},
};
use crate::{
    cli::output::{Failure, Out},
    config::{
        compare::{ChangedCampaign, SharedChange},
        diagnostic::Location,
        difference::{Difference, Shown},
    },
    domain::{campaign::DesiredState, guards::Verdict, ids::CampaignId, reason::Hold},
    http::wire::{overrides::OverrideView, plan::CampaignCounts},
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlanView<'a> {
    api_version: &'static str,
    from: SideView<'a>,
    to: SideView<'a>,
    live: Option<LiveView<'a>>,
    changes: bool,
    campaigns: Vec<CampaignView<'a>>,
    shared: Vec<SharedView<'a>>,
    unchanged: usize,
    /// Whether every count is there; else why not.
    counted: bool,
    no_counts: Option<&'a str>,
    /// What a guard says of it; none if no guards are known, or nothing changes.
    guard: Option<GuardView>,
    /// Those in force, which go before the files.
    overrides: &'a [OverrideView],
}

#[derive(Serialize)]
struct GuardView {
    /// `Passed`, or what keeps it out.
    verdict: &'static str,
    message: Option<String>,
    hint: Option<String>,
}

#[derive(Serialize)]
struct SideView<'a> {
    kind: &'static str,
    revision: Option<String>,
    subject: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LiveView<'a> {
    instance: &'a str,
    epoch: u32,
    revision: Option<&'a str>,
    applied_at: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CampaignView<'a> {
    id: &'a str,
    name: &'a str,
    step: &'static str,
    state: Option<&'static str>,
    file: Option<&'a str>,
    /// The other id, where the id of what may still be one campaign to people changed.
    id_changed: Option<&'a str>,
    settings: Vec<SettingView<'a>>,
    /// What keeps it from every call until its file says something else, beside `paused`.
    holds: Vec<HoldView>,
    counts: Option<&'a CampaignCounts>,
}

#[derive(Serialize)]
struct HoldView {
    reason: &'static str,
    message: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SharedView<'a> {
    file: &'a str,
    entry: Option<&'a str>,
    settings: Vec<SettingView<'a>>,
    /// Running campaigns.
    touches: Vec<&'a str>,
    touches_paused: Vec<&'a str>,
}

#[derive(Serialize)]
struct SettingView<'a> {
    key: &'a str,
    from: Option<ShownView<'a>>,
    to: Option<ShownView<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    added: Vec<ShownView<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    removed: Vec<ShownView<'a>>,
    meaning: Option<&'a str>,
}

#[derive(Serialize)]
struct ShownView<'a> {
    value: &'a Json,
    at: Option<PlaceView<'a>>,
}

#[derive(Serialize)]
struct PlaceView<'a> {
    file: &'a str,
    line: usize,
    column: usize,
}

/// Writes the whole plan.
pub(super) fn write(plan: &Plan, counted: &Counted) -> Result<(), Failure> {
    let live = plan.live.as_ref().ok().map(|live| LiveView {
        instance: &live.instance,
        epoch: live.epoch,
        revision: live.revision.as_deref(),
        applied_at: live.applied_at.as_deref(),
    });
    let mut out = Out::stdout();
    out.json(&PlanView {
        api_version: "plan/v1",
        from: side(&plan.from),
        to: side(&plan.to),
        live,
        changes: !plan.comparison.is_empty(),
        campaigns: plan.comparison.campaigns.iter().map(|campaign| view(campaign, counted)).collect(),
        shared: plan.comparison.shared.iter().map(shared).collect(),
        unchanged: plan.comparison.unchanged,
        counted: counted.missing.is_none(),
        no_counts: counted.missing.as_deref(),
        guard: plan.guard.as_ref().map(|verdict| guard(plan, verdict.as_ref())),
        overrides: plan.overrides(),
    })?;
    out.finish()
}

fn guard(plan: &Plan, verdict: Option<&Verdict>) -> GuardView {
    GuardView {
        verdict: verdict.map_or("Passed", Verdict::reason),
        message: verdict.map(ToString::to_string),
        hint: verdict.map(|verdict| verdict.hint(&plan.commit())),
    }
}

fn side(side: &Side) -> SideView<'_> {
    let kind = match side.name {
        Name::Worktree => "worktree",
        Name::Commit(_) => "commit",
        Name::Live(_) => "live",
        Name::Nothing => "nothing",
    };
    let revision = side.name.revision().map(ToString::to_string);
    SideView { kind, revision, subject: side.subject.as_deref() }
}

fn view<'a>(campaign: &'a ChangedCampaign, counted: &'a Counted) -> CampaignView<'a> {
    let id = campaign.id.as_str();
    CampaignView {
        id,
        name: &campaign.name,
        step: campaign.verb.as_str(),
        state: campaign.state.map(|state| state.as_str()),
        file: campaign.file.as_deref(),
        id_changed: campaign.id_changed.as_ref().map(CampaignId::as_str),
        settings: settings(&campaign.differences),
        holds: campaign.held.iter().map(hold).collect(),
        counts: counted.campaigns.iter().find(|counts| counts.campaign == id),
    }
}

fn shared(change: &SharedChange) -> SharedView<'_> {
    let touched = |asked: DesiredState| {
        let touched = change.touches.iter().filter(|(_, state)| *state == asked);
        touched.map(|(id, _)| id.as_str()).collect()
    };
    SharedView {
        file: &change.file,
        entry: change.entry.as_deref(),
        settings: settings(&change.differences),
        touches: touched(DesiredState::Running),
        touches_paused: touched(DesiredState::Paused),
    }
}

fn hold(hold: &Hold) -> HoldView {
    HoldView { reason: hold.code(), message: hold.to_string() }
}

fn settings(differences: &[Difference]) -> Vec<SettingView<'_>> {
    differences.iter().map(setting).collect()
}

fn setting(difference: &Difference) -> SettingView<'_> {
    let Difference { key, from, to, added, removed, meaning } = difference;
    SettingView {
        key,
        from: from.as_ref().map(shown),
        to: to.as_ref().map(shown),
        added: added.iter().map(shown).collect(),
        removed: removed.iter().map(shown).collect(),
        meaning: meaning.as_deref(),
    }
}

fn shown(shown: &Shown) -> ShownView<'_> {
    ShownView { value: &shown.value, at: shown.at.as_ref().map(place) }
}

fn place(at: &Location) -> PlaceView<'_> {
    PlaceView { file: &at.file, line: at.line, column: at.column }
}
