//! The gate as both stores run it: facts from the ledger and the rows, the pure decision, and what
//! a refusal writes so that the contact is not picked again in vain.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{GateSettings, ledger::Ledger};
use crate::domain::{
    business::BusinessKey,
    campaign::{Campaign, DialPermission, Generation},
    contact::{Contact, ContactEnd, Progress},
    do_not_call::Entry,
    due::DueBy,
    gate::{self, Caps, Counts, Facts, NumberHistory},
    ids::{AgentId, TrunkId},
    order::{self, Next},
    overrides::Override,
    phone::E164,
    reason::Hold,
};

/// One question to the gate.
pub struct Question<'a> {
    /// The instant, in wall time.
    pub now: Timestamp,
    /// The same instant, as the ledger counts placements.
    pub mono: i64,
    /// The contact as it stands.
    pub contact: &'a Contact,
    /// Its version when it was picked.
    pub picked_version: u32,
    /// Which number, by index from 0.
    pub number: usize,
    /// The business rule that asks for the call; `None` for the result policy.
    pub rule: Option<&'a BusinessKey>,
    /// The override that goes before the state in the campaign's file.
    pub overridden: Option<&'a Override>,
    /// The held agent; `None` asks for no one in particular (for `why`).
    pub agent: Option<&'a AgentId>,
    /// Whether its batch is paused.
    pub batch_paused: bool,
    /// The trunk; `None` asks for whichever has room (for `why`).
    pub trunk: Option<&'a TrunkId>,
    /// The frequency ledger of the number.
    pub history: &'a NumberHistory,
    /// What do-not-call lists say of the number.
    pub do_not_call: &'a [Entry],
}

/// The gate's answer.
pub fn ask(
    question: &Question<'_>,
    generation: &Generation,
    settings: &GateSettings,
    ledger: &Ledger,
) -> Result<(), Hold> {
    let ask_for = |trunk| gate::decide(&facts(question, trunk, generation, settings, ledger));
    if let Some(trunk) = question.trunk {
        return ask_for(Some(trunk));
    }
    // Without any trunk there is still all the rest that may hold it.
    let mut answer = ask_for(None);
    for trunk in settings.caps.keys() {
        answer = ask_for(Some(trunk));
        if answer.is_ok() {
            break;
        }
    }
    answer
}

/// The gate's answer, for `why`: of a number that an earlier refusal holds, the cap that does.
pub fn explain(
    question: &Question<'_>,
    generation: &Generation,
    settings: &GateSettings,
    ledger: &Ledger,
) -> Result<(), Hold> {
    explained(question, |question| ask(question, generation, settings, ledger))
}

/// What holds a contact by itself at `now`, whatever its campaign waits for: the gate's answer for its next number, of
/// which `history` is; `do_not_call` are the entries of all its numbers.
pub fn own_hold(
    contact: &Contact,
    now: Timestamp,
    history: &NumberHistory,
    do_not_call: &[Vec<Entry>],
    generation: &Generation,
    settings: &GateSettings,
    ledger: &Ledger,
) -> Option<Hold> {
    let campaign = generation.definitions.campaigns.get(&contact.campaign)?;
    let next = order::next(campaign, contact, now)?;
    let question = Question {
        now,
        // Calls of the last second hold the campaign.
        mono: 0,
        contact,
        picked_version: contact.version,
        number: next.number,
        rule: next.rule(contact),
        // So do overrides.
        overridden: None,
        agent: None,
        batch_paused: false,
        trunk: None,
        history,
        do_not_call: do_not_call.get(next.number).map_or(&[], Vec::as_slice),
    };
    explained(&question, |question| gate::own_hold(&facts(question, None, generation, settings, ledger))).err()
}

fn explained(question: &Question<'_>, ask: impl Fn(&Question<'_>) -> Result<(), Hold>) -> Result<(), Hold> {
    let answer = ask(question);
    let Err(Hold::NotDue { due_at, by: DueBy::Cap }) = &answer else { return answer };
    let mut released = question.contact.clone();
    if let Some(tries) = released.progress.tries_mut(question.number, question.rule) {
        tries.held_until = None;
    }
    match ask(&Question { contact: &released, ..*question }) {
        Err(hold) if hold.until() >= Some(*due_at) => Err(hold),
        Ok(()) | Err(_) => answer,
    }
}

fn facts<'a>(
    question: &Question<'a>,
    trunk: Option<&TrunkId>,
    generation: &'a Generation,
    settings: &'a GateSettings,
    ledger: &Ledger,
) -> Facts<'a> {
    let contact = question.contact;
    let progress = &contact.progress;
    let number_on_call = progress.numbers.get(question.number).is_some_and(|n| ledger.number_on_call(&n.e164));
    let customer_on_call = ledger.customer_on_call(&contact.customer, std::iter::empty())
        || (!number_on_call && ledger.customer_on_call(&contact.customer, progress.numbers.iter().map(|n| &n.e164)));
    Facts {
        now: question.now,
        campaign: generation.definitions.campaigns.get(&contact.campaign).map(Arc::as_ref),
        permission: &settings.permission,
        overridden: question.overridden,
        contact,
        picked_version: question.picked_version,
        number: question.number,
        batch_paused: question.batch_paused,
        rule: question.rule,
        agent: question.agent,
        customer_on_call,
        number_on_call,
        live: trunk.map_or_else(Counts::default, |trunk| ledger.live(&contact.campaign, trunk)),
        placed_last_second: trunk
            .map_or_else(Counts::default, |trunk| ledger.placed_last_second(&contact.campaign, trunk, question.mono)),
        caps: trunk.and_then(|trunk| settings.caps.get(trunk)).copied().unwrap_or(NO_CAPS),
        history: question.history,
        do_not_call: question.do_not_call,
    }
}

/// What a contact needs next by the definition in force; nothing once the campaign has expired, which is final.
#[must_use]
pub fn next(campaign: Option<&Campaign>, contact: &Contact, now: Timestamp) -> Option<Next> {
    order::next(campaign.filter(|campaign| !gate::has_expired(now, campaign))?, contact, now)
}

/// What keeps anything from coming for a contact that has no [`next`]; `None` for one that needs nothing more.
pub fn without_work(generation: Option<&Generation>, contact: &Contact, now: Timestamp) -> Option<Hold> {
    if contact.progress.is_over() {
        return None;
    }
    let Some(generation) = generation else { return Some(Hold::StoreUnavailable) };
    Some(match generation.definitions.campaigns.get(&contact.campaign) {
        None => Hold::Retired,
        Some(campaign) if gate::has_expired(now, campaign) => Hold::Expired,
        Some(_) => Hold::NoNumber,
    })
}

/// Whether this daemon may ever call one of the contact's numbers; others are not worth picking.
pub fn may_be_called(permission: &DialPermission, contact: &Contact) -> bool {
    match permission {
        DialPermission::None => false,
        DialPermission::Listed(numbers) => contact.progress.numbers.iter().any(|n| numbers.contains(&n.e164)),
        DialPermission::All => true,
    }
}

/// Caps of no trunk, or of one that the settings don't name: it carries nothing.
const NO_CAPS: Caps =
    Caps { tenant_calls: u32::MAX, tenant_calls_per_second: u32::MAX, trunk_calls: 0, trunk_calls_per_second: 0 };

/// From when the frequency ledger of a number must be read for `campaign`; `None` if it has no cap
/// on numbers.
pub fn history_since(campaign: &Campaign, now: Timestamp) -> Option<Timestamp> {
    let days = campaign.limits.on_a_number().map(|limit| limit.days.get()).max()?;
    let period = SignedDuration::from_hours(24 * i64::from(days));
    Some(now.saturating_sub(period).unwrap_or(Timestamp::MIN))
}

/// The progress without what caps hold: after an edit of the campaign the gate decides anew, also of a
/// contact whose attempts are no longer spent. `to_customer` is what the gate would count: the INVITEs that left
/// for the customer, over all campaigns.
pub fn release_holds(campaign: &Campaign, progress: &Progress, to_customer: u32) -> Progress {
    let mut after = progress.clone();
    let scheduled = after.business.scheduled.iter_mut().map(|call| &mut call.tries);
    for tries in after.numbers.iter_mut().chain(scheduled) {
        tries.held_until = None;
    }
    let most = campaign.limits.max_attempts_per_contact;
    let counted = after.attempts.max(to_customer);
    if after.ended == Some(ContactEnd::AttemptsSpent) && most.is_none_or(|most| counted < most.get()) {
        after.ended = None;
    }
    after
}

/// The progress that a settlement brings: what is `held` in the store may have been released during
/// the call, and that stays so.
pub fn settled(held: &Progress, settlement: Progress) -> Progress {
    let mut after = settlement;
    for (number, held) in after.numbers.iter_mut().zip(&held.numbers) {
        number.held_until = number.held_until.and(held.held_until);
        number.listed_until = held.listed_until;
    }
    after
}

/// A contact's numbers, as the ledger keeps them.
pub fn numbers_of(contact: &Contact) -> Vec<E164> {
    contact.progress.numbers.iter().map(|number| number.e164.clone()).collect()
}
