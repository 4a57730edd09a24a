//! The last gate: may this number of this contact be called at this instant?
//!
//! The store's writer reads the facts in the same transaction that records the intent, so nothing
//! can change between the decision and the record of it. The engine asks [`campaign_hold`] before
//! it bothers an agent; the hopper is a guess, this is the truth.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{
    business::{self, BusinessKey, CancelReason},
    calendar::ZonedHours,
    campaign::{Campaign, DesiredState, DialPermission, PerNumberLimit},
    contact::{Contact, ContactEnd, HELD_FOR_GOOD, Number, Progress},
    do_not_call::{self, Entry},
    due,
    ids::AgentId,
    overrides::{Order, Override},
    phone::E164,
    reason::Hold,
    retry,
};

pub use super::calendar::CLOSES_BEFORE;

/// Live calls, or calls placed in the last second, by the scope that caps them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Of the campaign.
    pub campaign: u32,
    /// Of all campaigns.
    pub tenant: u32,
    /// Of the trunk.
    pub trunk: u32,
}

/// Caps that come from the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Live calls over all campaigns.
    pub tenant_calls: u32,
    /// INVITEs in any one second over all campaigns.
    pub tenant_calls_per_second: u32,
    /// Live calls of the trunk.
    pub trunk_calls: u32,
    /// INVITEs in any one second through the trunk.
    pub trunk_calls_per_second: u32,
}

/// What the frequency ledger knows of one number and of its customer, over all campaigns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NumberHistory {
    /// When its INVITEs left, ascending; at least those of the campaign's rolling period.
    pub attempts: Vec<Timestamp>,
    /// End of the newest conversation on it.
    pub conversation_ended_at: Option<Timestamp>,
    /// INVITEs that left for the customer, where `max_attempts_per_contact` asks for it.
    pub to_customer: u32,
}

/// Everything the gate looks at, as of one instant.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The instant.
    pub now: Timestamp,
    /// The campaign as defined by the generation in force; `None` if its file is gone.
    pub campaign: Option<&'a Campaign>,
    /// Whom this daemon may call.
    pub permission: &'a DialPermission,
    /// The override that goes before the state in the campaign's file.
    pub overridden: Option<&'a Override>,
    /// The contact as it stands in the store.
    pub contact: &'a Contact,
    /// The contact's version when it was picked.
    pub picked_version: u32,
    /// Which number, by index from 0.
    pub number: usize,
    /// Whether the contact's batch is paused.
    pub batch_paused: bool,
    /// The business rule that asks for the call; `None` for the result policy.
    pub rule: Option<&'a BusinessKey>,
    /// The held agent; `None` asks for no one in particular.
    pub agent: Option<&'a AgentId>,
    /// Whether the customer has a live call, in any campaign.
    pub customer_on_call: bool,
    /// Whether the number has a live call, in any campaign.
    pub number_on_call: bool,
    /// Live calls.
    pub live: Counts,
    /// Calls placed in the second before `now`: `(now − 1 s, now]`.
    pub placed_last_second: Counts,
    /// The settings' caps.
    pub caps: Caps,
    /// The frequency ledger of the number.
    pub history: &'a NumberHistory,
    /// What do-not-call lists say of the number.
    pub do_not_call: &'a [Entry],
}

/// Whether a campaign places no call any more, from the last second before `ends_at` on; that is final.
#[must_use]
pub fn has_expired(now: Timestamp, campaign: &Campaign) -> bool {
    now.saturating_add(CLOSES_BEFORE).unwrap_or(Timestamp::MAX) >= campaign.ends_at
}

/// A campaign that holds everything back, whatever the contact; `overridden` goes before the state in its file.
pub fn campaign_hold(
    now: Timestamp,
    campaign: &Campaign,
    permission: &DialPermission,
    overridden: Option<&Override>,
) -> Option<Hold> {
    if *permission == DialPermission::None {
        return Some(Hold::DiallingOff);
    }
    if has_expired(now, campaign) {
        return Some(Hold::Expired);
    }
    if let Some(hold) = paused(campaign, overridden) {
        return Some(hold);
    }
    if campaign.drifted {
        return Some(Hold::Drifted);
    }
    let settings = campaign.not_dialled_yet();
    if !settings.is_empty() {
        return Some(Hold::NotDialledYet { settings });
    }
    if now < campaign.starts_at {
        return Some(Hold::NotStarted { starts_at: campaign.starts_at });
    }
    // Where contacts' own zones govern, some may be called while others sleep.
    if campaign.hours.is_in_contact_zone() { None } else { window(now, &campaign.hours.at_home()).err() }
}

fn paused(campaign: &Campaign, overridden: Option<&Override>) -> Option<Hold> {
    match overridden.map(|one| (one, &one.order)) {
        Some((one, Order::Pause { scope, .. })) => {
            let (scope, reason) = (scope.clone(), one.reason.clone());
            Some(Hold::PausedByOverride { id: one.id, scope, reason, until: one.until })
        }
        Some((_, Order::Resume { .. })) => None,
        Some((_, Order::Pin { .. })) | None => (campaign.desired == DesiredState::Paused).then_some(Hold::Paused),
    }
}

fn window(now: Timestamp, hours: &ZonedHours<'_>) -> Result<(), Hold> {
    if hours.lets_through(now) {
        return Ok(());
    }
    Err(Hold::WindowClosed { opens_at: hours.next_through(now), timezone: hours.timezone().to_owned() })
}

/// The first hold that the facts give, or `Ok` if the number may be called.
pub fn decide(facts: &Facts<'_>) -> Result<(), Hold> {
    let campaign = facts.campaign.ok_or(Hold::Retired)?;
    let progress = &facts.contact.progress;
    if let Some(hold) = campaign_hold(facts.now, campaign, facts.permission, facts.overridden) {
        return Err(hold);
    }
    if facts.contact.version != facts.picked_version {
        return Err(Hold::Stale);
    }
    if progress.ended.is_some() && facts.rule.is_none() {
        return Err(Hold::ContactEnded);
    }
    if facts.batch_paused {
        return Err(Hold::BatchPaused);
    }
    if !campaign.matches(&facts.contact.attributes) {
        return Err(Hold::FilteredOut);
    }
    let number = progress.tries(facts.number, facts.rule).ok_or(Hold::Stale)?;
    listed(facts.permission, &number.e164)?;
    suppressed(facts.now, campaign, facts.do_not_call)?;
    window(facts.now, &campaign.hours_of(facts.contact, number))?;
    on_call(facts)?;
    budget(facts.now, campaign, facts.contact, number, facts.rule)?;
    same_agent(campaign, facts)?;
    frequency(facts.now, campaign, progress, facts.history)?;
    caps(campaign, facts)
}

/// The first hold of the contact's own: what [`decide`] would say while its campaign is open and below its caps.
pub fn own_hold(facts: &Facts<'_>) -> Result<(), Hold> {
    let campaign = facts.campaign.ok_or(Hold::Retired)?;
    let progress = &facts.contact.progress;
    let number = progress.tries(facts.number, facts.rule).ok_or(Hold::Stale)?;
    // That nobody is called holds the campaign.
    if *facts.permission != DialPermission::None {
        listed(facts.permission, &number.e164)?;
    }
    suppressed(facts.now, campaign, facts.do_not_call)?;
    on_call(facts)?;
    budget(facts.now, campaign, facts.contact, number, facts.rule)?;
    same_agent(campaign, facts)?;
    frequency(facts.now, campaign, progress, facts.history)
}

fn listed(permission: &DialPermission, number: &E164) -> Result<(), Hold> {
    match permission {
        DialPermission::None => Err(Hold::DiallingOff),
        DialPermission::Listed(numbers) if !numbers.contains(number) => Err(Hold::NotListed),
        DialPermission::Listed(_) | DialPermission::All => Ok(()),
    }
}

fn suppressed(now: Timestamp, campaign: &Campaign, entries: &[Entry]) -> Result<(), Hold> {
    match do_not_call::holding(entries, &campaign.do_not_call, now) {
        Some(entry) => Err(Hold::DoNotCall { list: entry.list.clone(), until: entry.expires_at }),
        None => Ok(()),
    }
}

fn on_call(facts: &Facts<'_>) -> Result<(), Hold> {
    if facts.customer_on_call {
        return Err(Hold::CustomerOnCall);
    }
    if facts.number_on_call {
        return Err(Hold::NumberOnCall);
    }
    Ok(())
}

/// The budget ledger: `not_before`, the number's due time and its tries of the local day.
fn budget(
    now: Timestamp,
    campaign: &Campaign,
    contact: &Contact,
    number: &Number,
    rule: Option<&BusinessKey>,
) -> Result<(), Hold> {
    if number.ended.is_some() {
        return Err(Hold::NumberEnded);
    }
    let hours = campaign.hours_of(contact, number);
    if let Some((due_at, by)) = due::due(contact, number, rule, &hours, now) {
        return Err(Hold::NotDue { due_at, by });
    }
    match retry::budget(&campaign.results, number, hours.local_date(now)) {
        retry::Budget::Left => Ok(()),
        retry::Budget::SpentToday => Err(Hold::DayBudgetSpent { next_day_at: hours.next_day_starts(now) }),
        retry::Budget::Spent => Err(Hold::NumberEnded),
    }
}

/// A contact whose scheduled call waits for an agent is for nobody else.
fn same_agent(campaign: &Campaign, facts: &Facts<'_>) -> Result<(), Hold> {
    match business::waits_for(campaign, facts.contact, facts.now).filter(|_| facts.rule.is_some()) {
        Some((agent, until)) if facts.agent != Some(agent) => Err(Hold::WaitsForAgent { agent: agent.clone(), until }),
        Some(_) | None => Ok(()),
    }
}

/// The frequency ledger: INVITEs to the customer and to the number, over all campaigns (SPEC §3, what counts).
pub fn frequency(
    now: Timestamp,
    campaign: &Campaign,
    progress: &Progress,
    history: &NumberHistory,
) -> Result<(), Hold> {
    if campaign
        .limits
        .max_attempts_per_contact
        .is_some_and(|most| progress.attempts.max(history.to_customer) >= most.get())
    {
        return Err(Hold::ContactAttemptsSpent);
    }
    let caps = campaign.limits.on_a_number().flat_map(|limit| number_caps(now, limit, history));
    caps.flatten().max_by_key(Hold::until).map_or(Ok(()), Err)
}

/// What a limit holds a number by: its attempts, and a conversation.
fn number_caps(now: Timestamp, limit: PerNumberLimit, history: &NumberHistory) -> [Option<Hold>; 2] {
    let period = SignedDuration::from_hours(24 * i64::from(limit.days.get()));
    let opened = now.saturating_sub(period).unwrap_or(Timestamp::MIN);
    let counted: Vec<Timestamp> = history.attempts.iter().copied().filter(|&at| at > opened && at <= now).collect();
    let most = usize::try_from(limit.attempts.get()).unwrap_or(usize::MAX);
    let oldest = counted.len().checked_sub(most).map(|index| counted[index]);
    let attempts = oldest.map(|at| at.saturating_add(period).unwrap_or(Timestamp::MAX));
    let quiet = SignedDuration::from_hours(24 * i64::from(limit.after_conversation_days));
    let rested = history.conversation_ended_at.map(|at| at.saturating_add(quiet).unwrap_or(Timestamp::MAX));
    [
        attempts.map(|released_at| Hold::NumberAtLimit { released_at }),
        rested.filter(|at| *at > now).map(|released_at| Hold::AfterConversation { released_at }),
    ]
}

fn caps(campaign: &Campaign, facts: &Facts<'_>) -> Result<(), Hold> {
    let caps = facts.caps;
    let limits = campaign.limits;
    let campaign_calls = limits.max_concurrent_calls.map_or(u32::MAX, |n| n.get());
    if facts.live.campaign >= campaign_calls {
        return Err(Hold::CampaignAtLimit { limit: campaign_calls });
    }
    if facts.live.tenant >= caps.tenant_calls {
        return Err(Hold::TenantAtLimit { limit: caps.tenant_calls });
    }
    if facts.live.trunk >= caps.trunk_calls {
        return Err(Hold::TrunkAtLimit { limit: caps.trunk_calls });
    }
    let rates = [
        (facts.placed_last_second.campaign, limits.max_calls_per_second.map_or(u32::MAX, |n| n.get())),
        (facts.placed_last_second.tenant, caps.tenant_calls_per_second),
        (facts.placed_last_second.trunk, caps.trunk_calls_per_second),
    ];
    match rates.into_iter().find(|(placed, limit)| placed >= limit) {
        Some((_, limit)) => Err(Hold::CallRate { limit }),
        None => Ok(()),
    }
}

/// Length of the window that calls per second are counted over.
pub const RATE_WINDOW: Duration = Duration::from_secs(1);

/// The progress of a contact whose `number` the gate refused with `hold`, as `rule` or the result
/// policy asked for it; `None` if a refusal of that kind leaves no trace.
#[must_use]
pub fn after_refusal(
    campaign: &Campaign,
    hold: &Hold,
    contact: &Contact,
    (number, rule): (usize, Option<&BusinessKey>),
    now: Timestamp,
) -> Option<Progress> {
    let mut after = contact.progress.clone();
    match hold {
        Hold::NumberAtLimit { released_at: until }
        | Hold::AfterConversation { released_at: until }
        | Hold::DayBudgetSpent { next_day_at: until } => {
            after.tries_mut(number, rule)?.held_until = Some(*until);
            Some(after)
        }
        Hold::DoNotCall { until, .. } => {
            after.numbers.get_mut(number)?.listed_until = Some(until.unwrap_or(HELD_FOR_GOOD));
            Some(after)
        }
        Hold::ContactAttemptsSpent => {
            after.business.cancel(CancelReason::AttemptsSpent);
            after.ended = after.ended.or(Some(ContactEnd::AttemptsSpent));
            after.pass = None;
            Some(after)
        }
        Hold::NumberEnded => retry::expire(campaign, contact, now),
        _ => None,
    }
}
