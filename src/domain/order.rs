//! Order: which number of a contact comes next, and which contact goes first (SPEC §3, "due now").
//!
//! The stores' indexes, the in-memory twin and the engine all sort by [`Rank`]; a property test
//! holds them equal.

use std::fmt;

use jiff::{Timestamp, civil::Date};

use super::{
    attribute::{AttributeValue, Attributes, Number as Decimal},
    business::{self, BusinessKey},
    campaign::{Campaign, Direction, NumberOrder, Others, Priority, SortKey, SortType},
    contact::{Contact, HELD_FOR_GOOD, Number},
    ids::AgentId,
};

/// Kinds of due work, in the order in which they are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The call that a business result has scheduled.
    Business,
    /// The next number of a `sequence` pass under way.
    Pass,
    /// A number that has been tried, due again.
    Retry,
    /// A number that nobody has called yet.
    Fresh,
}

impl Class {
    /// Whether work of this kind is served by due time.
    fn is_by_due_time(self) -> bool {
        match self {
            Self::Business | Self::Retry => true,
            Self::Pass | Self::Fresh => false,
        }
    }
}

/// What a contact needs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    /// What kind of work it is.
    pub class: Class,
    /// From when; the past means now.
    pub ready_at: Timestamp,
    /// Which round an untried number belongs to; 0 for all other work.
    pub round: u16,
    /// Which number, by index from 0.
    pub number: usize,
}

impl Next {
    /// The rule that asks for this work of `contact`; `None` for what the result policy asks for.
    #[must_use]
    pub fn rule<'a>(&self, contact: &'a Contact) -> Option<&'a BusinessKey> {
        let call = contact.progress.business.scheduled.as_ref().filter(|_| self.class == Class::Business);
        call.map(|call| &call.rule)
    }
}

/// A contact's place among all that are ready; the smallest goes first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    class: Class,
    /// Due time of what is served by it, the same for all others.
    due_at: Timestamp,
    round: u16,
    sort: Sorted,
    priority: Priority,
    import_order: i64,
}

/// The values that a campaign sorts a contact by, as bytes that compare as they do.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Sorted(Vec<u8>);

impl Sorted {
    /// The bytes, for indexes; none where a campaign does not sort.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// They hold what is known of a customer.
impl fmt::Debug for Sorted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sorted({} bytes)", self.0.len())
    }
}

/// What `contact` needs next at `now`: the first in order of what is ready, else the earliest to
/// get ready; `None` once it has ended, or while its campaign calls none of its numbers.
#[must_use]
pub fn next(campaign: &Campaign, contact: &Contact, now: Timestamp) -> Option<Next> {
    let work = all_work(campaign, contact).filter_map(|work| in_hours(campaign, contact, work, now));
    work.min_by_key(|next| {
        let wait = next.ready_at.max(now);
        let due = if next.class.is_by_due_time() { next.ready_at } else { Timestamp::MIN };
        (wait, next.class, due, next.round, next.number)
    })
}

/// Work as of `now` or later. Where contacts' own zones govern, hours that are closed move it to their
/// next opening; else they hold the campaign as a whole.
fn in_hours(campaign: &Campaign, contact: &Contact, mut work: Next, now: Timestamp) -> Option<Next> {
    if campaign.hours.is_in_contact_zone() {
        let hours = campaign.hours_of(contact, &contact.progress.numbers[work.number]);
        let at = work.ready_at.max(now);
        if !hours.lets_through(at) {
            work.ready_at = hours.next_through(at)?;
        }
    }
    Some(work)
}

/// All that a contact needs, as if hours were always open: the call that a business result has
/// scheduled, and until the contact has ended, its numbers.
fn all_work(campaign: &Campaign, contact: &Contact) -> impl Iterator<Item = Next> {
    let numbers = if contact.progress.ended.is_none() { contact.progress.numbers.as_slice() } else { &[] };
    let numbers = numbers.iter().enumerate();
    let tries = numbers.filter_map(|(index, number)| work_of(campaign, contact, index, number));
    business_call(contact).into_iter().chain(tries)
}

/// The call that a business result has scheduled.
fn business_call(contact: &Contact) -> Option<Next> {
    let call = contact.progress.business.scheduled.as_ref()?;
    // What a list holds is the number, whoever calls it.
    let listed_until = contact.progress.numbers.get(call.number)?.listed_until;
    let ready_at = ready_at(contact, &call.tries).max(listed_until.unwrap_or(Timestamp::MIN));
    Some(Next { class: Class::Business, ready_at, round: 0, number: call.number })
}

/// What one number needs by the result policy.
fn work_of(campaign: &Campaign, contact: &Contact, index: usize, number: &Number) -> Option<Next> {
    if number.ended.is_some() {
        return None;
    }
    let round = round(&campaign.order, index, number)?;
    let behind_pass =
        campaign.order == NumberOrder::Sequence && contact.progress.pass.is_some_and(|pass| index > usize::from(pass));
    let class = match (number.tried, behind_pass) {
        (true, _) => Class::Retry,
        (false, true) => Class::Pass,
        (false, false) => Class::Fresh,
    };
    let round = if class == Class::Fresh { round } else { 0 };
    Some(Next { class, ready_at: ready_at(contact, number), round, number: index })
}

/// From when a ledger lets its number be called.
fn ready_at(contact: &Contact, tries: &Number) -> Timestamp {
    let from = [contact.not_before, tries.due_at, tries.held_until, tries.listed_until].into_iter().flatten().max();
    from.unwrap_or(Timestamp::MIN)
}

/// The round of a number, from 0; `None` if the campaign does not call it.
pub(super) fn round(order: &NumberOrder, index: usize, number: &Number) -> Option<u16> {
    let (place, rounds, others) = match order {
        NumberOrder::Sequence => return Some(0),
        NumberOrder::RoundsByCategory { rounds, others } => {
            (rounds.iter().position(|category| *category == number.category), rounds.len(), others)
        }
        NumberOrder::RoundsByIndex { rounds, others } => {
            (rounds.iter().position(|place| usize::from(*place) == index + 1), rounds.len(), others)
        }
    };
    let place = match (place, others) {
        (Some(place), _) => place,
        (None, Others::Last) => rounds,
        (None, Others::Never) => return None,
    };
    u16::try_from(place).ok()
}

/// What a store keeps beside a contact, so that [`next`] of any instant is a range of an index: how
/// it stands as of an instant, as long as nothing is written to it and until `changes_at`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// The zone in which the hours of all its numbers are reckoned, by name; then the times below hold
    /// for open hours. `None` where hours hold the campaign as a whole, and where its numbers differ.
    pub zone: Option<String>,
    /// Work of [`Class::Business`].
    pub business: Option<Timestamp>,
    /// The agent whom that work waits for, and with it the whole contact once it is due.
    pub agent: Option<AgentId>,
    /// Earliest work of [`Class::Pass`].
    pub pass: Option<Timestamp>,
    /// Earliest work of [`Class::Retry`].
    pub retry: Option<Timestamp>,
    /// Work of [`Class::Fresh`] that comes first, and its round.
    pub fresh: Option<(Timestamp, u16)>,
    /// When time alone makes it stand otherwise; it must be asked for anew then.
    pub changes_at: Option<Timestamp>,
}

impl Rank {
    /// What kind of work it is.
    #[must_use]
    pub fn class(&self) -> Class {
        self.class
    }
}

impl Standing {
    /// When the contact first has any work.
    #[must_use]
    pub fn earliest(&self) -> Option<Timestamp> {
        [self.business, self.pass, self.retry, self.fresh.map(|(at, _)| at)].into_iter().flatten().min()
    }

    /// The next instant after `now` at which the contact may get ready, or stand otherwise.
    #[must_use]
    pub fn wakes_at(&self, now: Timestamp) -> Option<Timestamp> {
        [self.earliest(), self.changes_at].into_iter().flatten().filter(|at| *at > now).min()
    }
}

/// How `contact` stands as of `now`; without any work once it has ended.
#[must_use]
pub fn standing(campaign: &Campaign, contact: &Contact, now: Timestamp) -> Standing {
    let mut standing = Standing::default();
    // What waits for no instant stands nowhere: picking would go past it again and again.
    let mut all: Vec<Next> = all_work(campaign, contact).filter(|work| work.ready_at < HELD_FOR_GOOD).collect();
    if campaign.hours.is_in_contact_zone() {
        standing.zone = common_zone(campaign, contact, &all);
        if standing.zone.is_none() {
            all.retain_mut(|work| wait_for_hours(campaign, contact, work, now, &mut standing.changes_at));
        }
    }
    let first = |class: Class| all.iter().filter(|work| work.class == class).map(|work| work.ready_at).min();
    standing.business = first(Class::Business);
    (standing.pass, standing.retry) = (first(Class::Pass), first(Class::Retry));
    let waits = business::waits_for(campaign, contact, now).filter(|_| standing.business.is_some());
    standing.agent = waits.map(|(agent, _)| agent.clone());
    all.sort_by_key(|work| (work.ready_at.max(now), work.class, work.round));
    let fresh = all.iter().find(|work| work.class == Class::Fresh);
    standing.fresh = fresh.map(|work| (work.ready_at, work.round));
    let changes = [standing.changes_at, improves_at(&all, now), waits.map(|(_, until)| until)];
    standing.changes_at = changes.into_iter().flatten().min();
    standing
}

/// When the first work after `now` gets ready that goes before what is ready by then.
fn improves_at(in_time: &[Next], now: Timestamp) -> Option<Timestamp> {
    let (first, others) = in_time.split_first()?;
    let better = |work: &&Next| work.ready_at > now && (work.class, work.round) < (first.class, first.round);
    others.iter().find(better).map(|work| work.ready_at)
}

fn common_zone(campaign: &Campaign, contact: &Contact, all: &[Next]) -> Option<String> {
    let hours = |work: &Next| campaign.hours_of(contact, &contact.progress.numbers[work.number]);
    let first = hours(all.first()?);
    all.iter().all(|work| hours(work).timezone() == first.timezone()).then(|| first.timezone().to_owned())
}

/// Moves work to when its hours let it through, and notes when they next change; `false` if never.
fn wait_for_hours(
    campaign: &Campaign,
    contact: &Contact,
    work: &mut Next,
    now: Timestamp,
    changes_at: &mut Option<Timestamp>,
) -> bool {
    let hours = campaign.hours_of(contact, &contact.progress.numbers[work.number]);
    let Some(at) = hours.next_through(work.ready_at.max(now)) else { return false };
    let changes = if at > now { Some(at) } else { hours.closes_at(now).map(|at| at.max(now)) };
    if at > now {
        work.ready_at = at;
    }
    *changes_at = [*changes_at, changes].into_iter().flatten().min();
    true
}

/// The agent whom a contact's next work, of this class, waits for at `now`, and until when; `None` if
/// anyone may take it.
#[must_use]
pub fn pinned_to<'a>(
    campaign: &Campaign,
    contact: &'a Contact,
    class: Class,
    now: Timestamp,
) -> Option<(&'a AgentId, Timestamp)> {
    if class == Class::Business { business::waits_for(campaign, contact, now) } else { None }
}

/// Where a contact whose next work is `next` stands among the ready ones.
#[must_use]
pub fn rank(campaign: &Campaign, contact: &Contact, next: &Next) -> Rank {
    Rank {
        class: next.class,
        due_at: if next.class.is_by_due_time() { next.ready_at } else { Timestamp::MIN },
        round: next.round,
        sort: sorted(&campaign.sort, &contact.attributes),
        priority: contact.priority,
        import_order: contact.import_order,
    }
}

/// What precedes a value that is there, and one that is missing: those go last in both directions.
const THERE: u8 = 0;
const MISSING: u8 = 1;

/// The values of a contact by which `keys` sort it, as bytes that compare as they do.
#[must_use]
pub fn sorted(keys: &[SortKey], attributes: &Attributes) -> Sorted {
    let mut bytes = Vec::new();
    for key in keys {
        let value = attributes.get(&key.attribute).and_then(|value| comparable(value, key.compare));
        let Some(mut value) = value else {
            bytes.push(MISSING);
            continue;
        };
        if key.direction == Direction::Descending {
            value.iter_mut().for_each(|byte| *byte = !*byte);
        }
        bytes.push(THERE);
        bytes.append(&mut value);
    }
    Sorted(bytes)
}

/// A value as bytes that compare as values of this sort do, none the beginning of another; `None` if
/// it can't be read as one, which counts as missing.
fn comparable(value: &AttributeValue, compare: SortType) -> Option<Vec<u8>> {
    match compare {
        SortType::Text => {
            let mut bytes = Vec::new();
            for byte in value.text()?.into_bytes() {
                bytes.push(byte);
                if byte == 0 {
                    bytes.push(u8::MAX);
                }
            }
            bytes.extend([0, 0]);
            Some(bytes)
        }
        SortType::Number => {
            let bits = match value {
                AttributeValue::Number(number) => *number,
                AttributeValue::Text(text) => Decimal::parse(text)?,
                AttributeValue::Date(_) | AttributeValue::Sealed(_) => return None,
            }
            .get()
            .to_bits();
            // The order of floats is that of their bits, but for the sign (IEEE 754-2019, §5.10).
            let negative = bits >> 63 == 1;
            Some((if negative { !bits } else { bits | 1 << 63 }).to_be_bytes().to_vec())
        }
        SortType::Date => {
            let date = match value {
                AttributeValue::Date(date) => *date,
                AttributeValue::Text(text) => text.parse::<Date>().ok()?,
                AttributeValue::Number(_) | AttributeValue::Sealed(_) => return None,
            };
            let year = u16::try_from(i32::from(date.year()) + 10_000).ok()?.to_be_bytes();
            Some(vec![year[0], year[1], date.month().unsigned_abs(), date.day().unsigned_abs()])
        }
    }
}
