//! What stands in the sections of the agent page.

use std::{collections::BTreeMap, sync::Arc};

use askama::Template;
use secrecy::ExposeSecret;

use super::{not_rendered, questions::QuestionsSection};
use crate::{
    contacts::Place,
    domain::{
        agent::{AgentCall, AgentState, CallStage},
        attribute::AttributeValue,
        business::NOTE_LENGTH_MAX,
        campaign::{Campaign, Definitions, Generation},
        contact::Contact,
        ids::AgentId,
        phone::ends,
    },
    http::{
        error::ApiError,
        page::{Zone, words},
        state::ServerState,
    },
    store::{AttemptRecord, ContactHistory},
    telemetry::status::{AgentStatus, CampaignStatus},
};

/// Last calls that are shown.
const CALLS_SHOWN: u32 = 8;

/// What the page depends on of what the dialling loop publishes; while it stays, nothing is made anew.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seen {
    agent: Option<AgentStatus>,
    campaigns: Vec<(String, String, Option<String>)>,
    revision: Option<String>,
}

impl Seen {
    /// As of now.
    pub(super) fn of(state: &ServerState, agent: &AgentId) -> Self {
        let generation = state.generation.borrow().clone();
        let own = own_campaigns(state, generation.as_deref(), agent);
        let campaign = |campaign: &CampaignStatus| {
            let waiting = campaign.waiting.as_ref().map(|waiting| waiting.message.clone());
            (campaign.id.clone(), campaign.phase.clone(), waiting)
        };
        Self {
            agent: status_of(state, agent),
            campaigns: own.iter().map(campaign).collect(),
            revision: generation.map(|generation| generation.revision.to_string()),
        }
    }
}

/// The sections, each as HTML.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sections {
    pub(super) state: String,
    pub(super) call: String,
    pub(super) questions: String,
    pub(super) result: String,
    pub(super) waiting: String,
    pub(super) calls: String,
}

impl Sections {
    /// As of now.
    pub(super) async fn of(state: &ServerState, agent: &AgentId) -> Result<Self, ApiError> {
        let generation = state.generation.borrow().clone();
        let status = status_of(state, agent).unwrap_or_default();
        let definitions = generation.as_deref().map(|generation| &generation.definitions);
        let history = match &status.call {
            Some(call) => state.store.contact(&call.campaign, &call.customer).await?,
            None => None,
        };
        let last = state.store.attempts_of(agent, CALLS_SHOWN).await?;
        let zone = Zone::named(definitions.map_or("UTC", |definitions| definitions.tenant.timezone.as_str()));
        let render = |page: &dyn askama::DynTemplate| page.dyn_render().map_err(not_rendered);
        Ok(Self {
            state: render(&StateSection::of(agent, &status, definitions))?,
            call: render(&CallSection::of(state, agent, &status, history.as_ref(), definitions))?,
            questions: render(&QuestionsSection::of(state, agent, &status, &zone).await?)?,
            result: render(&ResultSection::of(agent, &status, history.as_ref(), definitions))?,
            waiting: render(&WaitingSection::of(state, agent, &status, generation.as_deref()))?,
            calls: render(&CallsSection::of(&last, &zone, definitions))?,
        })
    }

    /// Those that are not as they were sent, by the id of their place in the page.
    pub(super) fn changed_from(&self, sent: &Self) -> BTreeMap<&'static str, &str> {
        let all = [
            ("state", &self.state, &sent.state),
            ("call", &self.call, &sent.call),
            ("questions", &self.questions, &sent.questions),
            ("result", &self.result, &sent.result),
            ("waiting", &self.waiting, &sent.waiting),
            ("calls", &self.calls, &sent.calls),
        ];
        all.into_iter().filter(|(_, now, sent)| now != sent).map(|(id, now, _)| (id, now.as_str())).collect()
    }
}

/// An agent's name.
pub(super) fn name_of(state: &ServerState, agent: &AgentId) -> String {
    let generation = state.generation.borrow();
    let known = generation.as_ref().and_then(|generation| generation.definitions.agents.get(agent));
    known.map_or_else(|| agent.to_string(), |known| known.name.clone())
}

fn status_of(state: &ServerState, agent: &AgentId) -> Option<AgentStatus> {
    state.dial.borrow().agents.iter().find(|found| found.id == agent.as_str()).cloned()
}

/// Campaigns whose calls an agent takes, those first that are served first.
fn own_campaigns(state: &ServerState, generation: Option<&Generation>, agent: &AgentId) -> Vec<CampaignStatus> {
    let Some(definitions) = generation.map(|generation| &generation.definitions) else { return Vec::new() };
    let queues = definitions.agents.get(agent).map(|agent| agent.queues.as_slice()).unwrap_or_default();
    let own = definitions.campaigns.values().filter(|campaign| queues.contains(&campaign.skill_queue));
    let mut own: Vec<&Arc<Campaign>> = own.collect();
    own.sort_by_key(|campaign| (campaign.priority, campaign.id.clone()));
    let dial = state.dial.borrow();
    let status = |campaign: &&Arc<Campaign>| dial.campaigns.iter().find(|found| found.id == campaign.id.as_str());
    own.iter().filter_map(status).cloned().collect()
}

struct Button {
    id: &'static str,
    label: &'static str,
    class: &'static str,
    body: &'static str,
    pressed: bool,
}

#[derive(Template)]
#[template(path = "desk/state.html")]
struct StateSection {
    agent: String,
    state: String,
    tone: &'static str,
    since: String,
    queues: String,
    after_call: Option<String>,
    buttons: Vec<Button>,
}

impl StateSection {
    fn of(agent: &AgentId, status: &AgentStatus, definitions: Option<&Definitions>) -> Self {
        let is = |state: AgentState| status.state == state.as_str();
        let in_call = status.call.is_some();
        let button = |id, label, class, body, pressed| Button { id, label, class, body, pressed };
        let ready = if is(AgentState::WrapUp) { "Done, ready for the next" } else { "Ready" };
        let mut buttons = vec![button("idle", ready, "go", r#"{"state":"idle"}"#, is(AgentState::Idle))];
        if in_call {
            let pressed = status.after_call.as_deref() == Some("busy");
            let body = if pressed { r#"{"state":"idle"}"# } else { r#"{"state":"busy","after_call":true}"# };
            let label = "Pause after this call";
            // Taking the flag back is the same command as being ready, which would end a wrap-up.
            if !(is(AgentState::WrapUp) && pressed) {
                buttons.push(button("pause", label, "", body, pressed));
            }
            if !is(AgentState::WrapUp) {
                buttons.remove(0);
            }
        } else {
            buttons.push(button("busy", "Busy", "", r#"{"state":"busy"}"#, is(AgentState::Busy)));
            buttons.push(button("rest", "Break", "", r#"{"state":"rest"}"#, is(AgentState::Rest)));
        }
        let queues = definitions.and_then(|definitions| Some((definitions, definitions.agents.get(agent)?)));
        let queues = queues.map(|(definitions, agent)| {
            let name =
                |queue| definitions.queues.get(queue).map_or_else(|| queue.to_string(), |found| found.name.clone());
            agent.queues.iter().map(name).collect::<Vec<_>>().join(", ")
        });
        Self {
            agent: agent.to_string(),
            state: if status.state.is_empty() { "signed out".to_owned() } else { words(&status.state) },
            tone: tone_of(status),
            since: status.since.clone(),
            queues: queues.unwrap_or_default(),
            after_call: status.after_call.as_deref().map(words),
            buttons,
        }
    }
}

fn tone_of(status: &AgentStatus) -> &'static str {
    match status.state.as_str() {
        "idle" | "talking" => "good",
        "reserved" | "ringing" | "wrap_up" => "warn",
        _ => "idle",
    }
}

struct Call {
    campaign: String,
    stage: &'static str,
    since: Option<String>,
    until: Option<String>,
    number: String,
    attributes: Vec<(String, String)>,
    talking: bool,
}

#[derive(Template)]
#[template(path = "desk/call.html")]
struct CallSection {
    agent: String,
    call: Option<Call>,
}

impl CallSection {
    fn of(
        state: &ServerState,
        agent: &AgentId,
        status: &AgentStatus,
        history: Option<&ContactHistory>,
        definitions: Option<&Definitions>,
    ) -> Self {
        let call = status.call.as_ref().map(|call| {
            let contact = history.map(|history| &history.contact);
            let number = contact.and_then(|contact| contact.progress.numbers.get(call.number));
            Call {
                campaign: campaign_name(definitions, call.campaign.as_str()),
                stage: stage(call),
                since: call.connected_at.filter(|_| call.stage == CallStage::Talking).map(|at| at.to_string()),
                until: call.wrap_up_until.map(|at| at.to_string()),
                number: number.map(|n| format!("{} {}", n.category, n.e164.masked())).unwrap_or_default(),
                attributes: contact.map(|contact| attributes(state, contact, definitions)).unwrap_or_default(),
                talking: call.stage == CallStage::Talking,
            }
        });
        Self { agent: agent.to_string(), call }
    }
}

fn stage(call: &AgentCall) -> &'static str {
    match call.stage {
        CallStage::Phone => "Your phone rings",
        CallStage::Customer => "The customer is being called",
        CallStage::Connecting => "The customer has answered",
        CallStage::Talking => "Talking",
        CallStage::WrapUp => "Over",
    }
}

/// What the tenant lets agents see of a customer, as far as the campaign uses it.
fn attributes(state: &ServerState, contact: &Contact, definitions: Option<&Definitions>) -> Vec<(String, String)> {
    let Some(definitions) = definitions else { return Vec::new() };
    let used = definitions.campaigns.get(&contact.campaign).and_then(|campaign| campaign.attributes.as_ref());
    let defined = definitions
        .attributes
        .iter()
        .filter(|(id, defined)| defined.shown && used.is_none_or(|used| used.contains(id)));
    let shown = defined.filter_map(|(id, defined)| {
        let value = match contact.attributes.get(id)? {
            AttributeValue::Sealed(sealed) => {
                let place = Place { campaign: &contact.campaign, customer: &contact.customer, attribute: id };
                let opened = state.keyring.as_ref()?.open(place, sealed);
                opened.map_or_else(|error| error.to_string(), |text| masked(text.expose_secret(), defined.masked))
            }
            value => masked(&value.text().unwrap_or_default(), defined.masked),
        };
        Some((defined.name.clone(), value))
    });
    shown.collect()
}

fn masked(text: &str, is_masked: bool) -> String {
    if is_masked { ends(text) } else { text.to_owned() }
}

struct BusinessChoice {
    id: String,
    name: String,
    schedules_callback: bool,
    sub_results: Vec<(String, String)>,
}

/// What was saved for the call.
struct Saved {
    name: String,
    callback: Option<String>,
}

#[derive(Template)]
#[template(path = "desk/result.html")]
struct ResultSection {
    agent: String,
    attempt: Option<String>,
    saved: Option<Saved>,
    /// The zone of the customer's hours.
    zone: Option<String>,
    results: Vec<BusinessChoice>,
    note_length_max: usize,
}

impl ResultSection {
    /// The same while a call goes on and is wrapped up, so that nothing half written is lost.
    fn of(
        agent: &AgentId,
        status: &AgentStatus,
        history: Option<&ContactHistory>,
        definitions: Option<&Definitions>,
    ) -> Self {
        let call = status.call.as_ref().filter(|call| call.connected_at.is_some());
        let hours = call.zip(history).zip(definitions).and_then(|((call, history), definitions)| {
            let campaign = definitions.campaigns.get(&call.campaign)?;
            Some(campaign.hours_of(&history.contact, history.contact.progress.numbers.get(call.number)?))
        });
        let zone = hours.map(|hours| hours.timezone().to_owned());
        let of_call = |call: &AgentCall| {
            let record = history?.business.iter().rev().find(|record| record.attempt == Some(call.attempt))?;
            let shown = Zone::named(zone.as_deref().unwrap_or("UTC"));
            let callback = record.agreed.as_ref().map(|agreed| {
                let by = if agreed.agent.as_ref() == Some(agent) { ", by you" } else { "" };
                format!("to be called at {}{by}", shown.show(&agreed.at.to_string()))
            });
            Some(Saved { name: business_name(definitions, &record.key.to_string()), callback })
        };
        let saved = call.and_then(of_call);
        let choices = definitions.into_iter().flat_map(|definitions| definitions.business_results.values());
        Self {
            agent: agent.to_string(),
            attempt: call.map(|call| call.attempt.to_string()),
            saved,
            zone,
            results: choices
                .map(|result| BusinessChoice {
                    id: result.id.to_string(),
                    name: result.name.clone(),
                    schedules_callback: result.schedules_callback,
                    sub_results: result.sub_results.iter().map(|(id, name)| (id.to_string(), name.clone())).collect(),
                })
                .collect(),
            note_length_max: NOTE_LENGTH_MAX,
        }
    }
}

struct WaitingCampaign {
    name: String,
    phase: String,
    tone: &'static str,
    open: Option<u64>,
    waiting: Option<String>,
}

#[derive(Template)]
#[template(path = "desk/waiting.html")]
struct WaitingSection {
    why: String,
    campaigns: Vec<WaitingCampaign>,
}

impl WaitingSection {
    fn of(state: &ServerState, agent: &AgentId, status: &AgentStatus, generation: Option<&Generation>) -> Self {
        let own = own_campaigns(state, generation, agent);
        let why = why(status, &own);
        let campaign = |campaign: CampaignStatus| WaitingCampaign {
            tone: if campaign.waiting.is_none() && campaign.phase == "running" { "good" } else { "idle" },
            name: campaign.name,
            phase: words(&campaign.phase),
            open: campaign.open_contacts,
            waiting: campaign.waiting.map(|waiting| waiting.message),
        };
        Self { why, campaigns: own.into_iter().map(campaign).collect() }
    }
}

/// Why no call comes now, in a sentence.
fn why(status: &AgentStatus, own: &[CampaignStatus]) -> String {
    if status.call.is_some() {
        return "The next call comes once this one is done.".to_owned();
    }
    if status.state != AgentState::Idle.as_str() {
        return "No call comes until you are ready.".to_owned();
    }
    if own.is_empty() {
        return "No campaign calls for your queues.".to_owned();
    }
    if own.iter().any(|campaign| campaign.phase == "running" && campaign.waiting.is_none()) {
        return "A call may come at any moment.".to_owned();
    }
    "No call comes now; each campaign says what it waits for.".to_owned()
}

struct LastCall {
    at: String,
    campaign: String,
    result: String,
    business: Option<String>,
}

#[derive(Template)]
#[template(path = "desk/calls.html")]
struct CallsSection {
    calls: Vec<LastCall>,
}

impl CallsSection {
    fn of(last: &[AttemptRecord], zone: &Zone, definitions: Option<&Definitions>) -> Self {
        let call = |record: &AttemptRecord| LastCall {
            at: zone.show(&record.placed_at.to_string()),
            campaign: campaign_name(definitions, record.campaign.as_str()),
            result: record.result.map_or_else(|| "under way".to_owned(), |result| words(result.as_str())),
            business: record.business.as_ref().map(|key| business_name(definitions, &key.to_string())),
        };
        Self { calls: last.iter().map(call).collect() }
    }
}

fn campaign_name(definitions: Option<&Definitions>, id: &str) -> String {
    let campaigns = definitions.into_iter().flat_map(|definitions| definitions.campaigns.values());
    let found = campaigns.into_iter().find(|campaign| campaign.id.as_str() == id);
    found.map_or_else(|| id.to_owned(), |campaign| campaign.name.clone())
}

/// `declined/too-dear` as people know it.
fn business_name(definitions: Option<&Definitions>, key: &str) -> String {
    let (id, sub) = key.split_once('/').map_or((key, None), |(id, sub)| (id, Some(sub)));
    let results = definitions.into_iter().flat_map(|definitions| definitions.business_results.values());
    let Some(result) = results.into_iter().find(|result| result.id.as_str() == id) else { return key.to_owned() };
    let named = sub.map(|sub| {
        let found = result.sub_results.iter().find(|(known, _)| known.as_str() == sub);
        found.map_or_else(|| sub.to_owned(), |(_, name)| name.clone())
    });
    named.map_or_else(|| result.name.clone(), |sub| format!("{}: {sub}", result.name))
}
