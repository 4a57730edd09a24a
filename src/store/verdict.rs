//! The gate as both stores run it: facts from the ledger and the rows, the pure decision, and what
//! a refusal writes so that the contact is not picked again in vain.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{GateSettings, ledger::Ledger};
use crate::domain::{
    campaign::{Campaign, DialPermission, Generation},
    contact::{Contact, ContactEnd, HELD_FOR_GOOD, Progress},
    do_not_call::Entry,
    gate::{self, Caps, Facts, NumberHistory},
    ids::TrunkId,
    phone::E164,
    reason::Hold,
    retry,
};

/// One question to the gate.
pub(super) struct Question<'a> {
    /// The instant, in wall time.
    pub(super) now: Timestamp,
    /// The same instant, as the ledger counts placements.
    pub(super) mono: i64,
    /// The contact as it stands.
    pub(super) contact: &'a Contact,
    /// Its version when it was picked.
    pub(super) picked_version: u32,
    /// Which number, by index from 0.
    pub(super) number: usize,
    /// The trunk; `None` asks for whichever has room (for `why`).
    pub(super) trunk: Option<&'a TrunkId>,
    /// The frequency ledger of the number.
    pub(super) history: &'a NumberHistory,
    /// What do-not-call lists say of the number.
    pub(super) do_not_call: &'a [Entry],
}

/// The gate's answer.
pub(super) fn ask(
    question: &Question<'_>,
    generation: &Generation,
    settings: &GateSettings,
    ledger: &Ledger,
) -> Result<(), Hold> {
    let trunks: Vec<&TrunkId> = match question.trunk {
        Some(trunk) => vec![trunk],
        None => settings.caps.keys().collect(),
    };
    let mut answer = Err(Hold::TrunkAtLimit { limit: 0 });
    for trunk in trunks {
        answer = ask_for(question, trunk, generation, settings, ledger);
        if answer.is_ok() {
            break;
        }
    }
    answer
}

fn ask_for(
    question: &Question<'_>,
    trunk: &TrunkId,
    generation: &Generation,
    settings: &GateSettings,
    ledger: &Ledger,
) -> Result<(), Hold> {
    let contact = question.contact;
    let progress = &contact.progress;
    let number_on_call = progress.numbers.get(question.number).is_some_and(|n| ledger.number_on_call(&n.e164));
    let customer_on_call = ledger.customer_on_call(&contact.customer, std::iter::empty())
        || (!number_on_call && ledger.customer_on_call(&contact.customer, progress.numbers.iter().map(|n| &n.e164)));
    gate::decide(&Facts {
        now: question.now,
        campaign: generation.definitions.campaigns.get(&contact.campaign).map(Arc::as_ref),
        permission: &settings.permission,
        contact,
        picked_version: question.picked_version,
        number: question.number,
        customer_on_call,
        number_on_call,
        live: ledger.live(&contact.campaign, trunk),
        placed_last_second: ledger.placed_last_second(&contact.campaign, trunk, question.mono),
        caps: settings.caps.get(trunk).copied().unwrap_or(NO_CAPS),
        history: question.history,
        do_not_call: question.do_not_call,
    })
}

/// Whether this daemon may ever call one of the contact's numbers; others are not worth picking.
pub(super) fn may_be_called(permission: &DialPermission, contact: &Contact) -> bool {
    match permission {
        DialPermission::None => false,
        DialPermission::Listed(numbers) => contact.progress.numbers.iter().any(|n| numbers.contains(&n.e164)),
        DialPermission::All => true,
    }
}

/// Caps of a trunk that the settings don't name: it carries nothing.
const NO_CAPS: Caps =
    Caps { tenant_calls: u32::MAX, tenant_calls_per_second: u32::MAX, trunk_calls: 0, trunk_calls_per_second: 0 };

/// From when the frequency ledger of a number must be read for `campaign`; `None` if it has no cap
/// on numbers.
pub(super) fn history_since(campaign: &Campaign, now: Timestamp) -> Option<Timestamp> {
    let days = campaign.limits.on_a_number().map(|limit| limit.days.get()).max()?;
    let period = SignedDuration::from_hours(24 * i64::from(days));
    Some(now.saturating_sub(period).unwrap_or(Timestamp::MIN))
}

/// The progress of a contact whose `number` the gate refused with `hold`; `None` if a refusal of
/// that kind leaves no trace.
pub(super) fn after_refusal(
    campaign: &Campaign,
    hold: &Hold,
    progress: &Progress,
    number: usize,
    now: Timestamp,
) -> Option<Progress> {
    match hold {
        Hold::NumberAtLimit { released_at: until }
        | Hold::AfterConversation { released_at: until }
        | Hold::DayBudgetSpent { next_day_at: until } => {
            let mut after = progress.clone();
            after.numbers.get_mut(number)?.held_until = Some(*until);
            Some(after)
        }
        Hold::DoNotCall { until, .. } => {
            let mut after = progress.clone();
            after.numbers.get_mut(number)?.listed_until = Some(until.unwrap_or(HELD_FOR_GOOD));
            Some(after)
        }
        Hold::ContactAttemptsSpent => {
            let ended = Some(ContactEnd::AttemptsSpent);
            Some(Progress { ended, pass: None, ..progress.clone() })
        }
        Hold::NumberEnded => retry::expire(&campaign.results, progress, campaign.hours.local_date(now)),
        _ => None,
    }
}

/// The progress without holds that caps set: after an edit of the campaign the gate decides anew.
pub(super) fn release_holds(progress: &Progress) -> Progress {
    let mut after = progress.clone();
    for number in &mut after.numbers {
        number.held_until = None;
    }
    after
}

/// The progress that a settlement brings: what is `held` in the store may have been released during
/// the call, and that stays so.
pub(super) fn settled(held: &Progress, settlement: Progress) -> Progress {
    let mut after = settlement;
    for (number, held) in after.numbers.iter_mut().zip(&held.numbers) {
        number.held_until = number.held_until.and(held.held_until);
        number.listed_until = held.listed_until;
    }
    after
}

/// A contact's numbers, as the ledger keeps them.
pub(super) fn numbers_of(contact: &Contact) -> Vec<E164> {
    contact.progress.numbers.iter().map(|number| number.e164.clone()).collect()
}
