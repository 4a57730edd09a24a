//! Impact: what a new definition does to the contacts that are there.
//!
//! An [`Outlook`] tells when a contact could next be called, as far as one definition and the
//! contact's own history say: agents, live calls and what other campaigns called are left out. Two
//! outlooks compared are an [`Effect`], and those of all contacts are [`Counts`].

use jiff::Timestamp;

use crate::domain::{
    campaign::{Campaign, DesiredState},
    contact::{Contact, Number},
    gate::CLOSES_BEFORE,
    retry::{self, Budget},
};

/// How often a number's budget of the day moves its next call on; a second day has its own budget.
const DAYS_TRIED_MAX: usize = 4;

/// What one definition holds for contacts, as of one instant.
#[derive(Debug, Clone, Copy)]
pub struct Outlook<'a> {
    campaign: &'a Campaign,
    now: Timestamp,
    /// First instant, from `now`, at which the campaign may dial at all.
    opens: Option<Timestamp>,
}

impl<'a> Outlook<'a> {
    /// The outlook under `campaign` at `now`.
    #[must_use]
    pub fn new(campaign: &'a Campaign, now: Timestamp) -> Self {
        let mut outlook = Self { campaign, now, opens: None };
        outlook.opens = outlook.opening(now.max(campaign.starts_at));
        outlook
    }

    /// The first instant at which one of the contact's numbers may be called: state, dates, hours,
    /// `not_before`, due times, holds, the budget of the day and the cap on attempts. `None` for never.
    #[must_use]
    pub fn next_call(&self, contact: &Contact) -> Option<Timestamp> {
        let progress = &contact.progress;
        if self.campaign.desired == DesiredState::Paused || progress.ended.is_some() || self.attempts_spent(contact) {
            return None;
        }
        progress.numbers.iter().filter_map(|number| self.next_call_of(contact, number)).min()
    }

    /// Whether this definition's budget or cap ends a contact that is not ended yet.
    #[must_use]
    pub fn ends(&self, contact: &Contact) -> bool {
        let today = self.campaign.hours.local_date(self.now);
        let spent = || retry::expire(&self.campaign.results, &contact.progress, today);
        contact.progress.ended.is_none()
            && (self.attempts_spent(contact) || spent().is_some_and(|after| after.ended.is_some()))
    }

    fn attempts_spent(&self, contact: &Contact) -> bool {
        self.campaign.limits.max_attempts_per_contact.is_some_and(|most| contact.progress.attempts >= most.get())
    }

    fn next_call_of(&self, contact: &Contact, number: &Number) -> Option<Timestamp> {
        if number.ended.is_some() {
            return None;
        }
        let waits = [contact.not_before, number.due_at, number.held_until];
        let mut from = waits.into_iter().flatten().max().unwrap_or(self.now);
        for _ in 0..DAYS_TRIED_MAX {
            // Nothing opens before the campaign itself does.
            let at = match self.opens? {
                opens if from <= opens => opens,
                _ => self.opening(from)?,
            };
            match retry::budget(&self.campaign.results, number, self.campaign.hours.local_date(at)) {
                Budget::Left => return Some(at),
                Budget::Spent => return None,
                Budget::SpentToday => from = self.campaign.hours.next_day_starts(at),
            }
        }
        None
    }

    /// The first instant at or after `from` at which the gate lets calls through: hours are open, and
    /// still are when it would close.
    fn opening(&self, from: Timestamp) -> Option<Timestamp> {
        let hours = &self.campaign.hours;
        let soon = |at: Timestamp| at.saturating_add(CLOSES_BEFORE).unwrap_or(Timestamp::MAX);
        let open = hours.next_open(from)?;
        let open = if hours.is_open(soon(open)) { open } else { hours.next_open(soon(open))? };
        (soon(open) < self.campaign.ends_at).then_some(open)
    }
}

/// What a change does to one contact that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Nothing.
    Same,
    /// The new budget or cap ends it.
    Ends,
    /// It can be called earlier than before.
    Earlier,
    /// It can be called later than before.
    Later,
    /// It could be called and can no longer be.
    Never,
    /// It could not be called and now can be.
    Again,
}

/// What becomes of a contact when `after` takes the place of `before`; `None` for a campaign that is
/// not there. The strongest effect counts: one that ends does not also come due later.
#[must_use]
pub fn effect(before: Option<&Outlook<'_>>, after: Option<&Outlook<'_>>, contact: &Contact) -> Effect {
    let ends = |outlook: Option<&Outlook<'_>>| outlook.is_some_and(|outlook| outlook.ends(contact));
    if ends(after) && !ends(before) {
        return Effect::Ends;
    }
    let next = |outlook: Option<&Outlook<'_>>| outlook.and_then(|outlook| outlook.next_call(contact));
    match (next(before), next(after)) {
        (None, None) => Effect::Same,
        (Some(_), None) => Effect::Never,
        (None, Some(_)) => Effect::Again,
        (Some(was), Some(is)) if is < was => Effect::Earlier,
        (Some(was), Some(is)) if is > was => Effect::Later,
        (Some(_), Some(_)) => Effect::Same,
    }
}

/// A campaign's contacts, counted by what a change does to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// All contacts.
    pub contacts: u64,
    /// Those that have not ended; each of the following is one of them.
    pub open: u64,
    /// Ended by the new budget or cap.
    pub ends: u64,
    /// Callable earlier.
    pub earlier: u64,
    /// Callable later.
    pub later: u64,
    /// No longer callable.
    pub never: u64,
    /// Callable again.
    pub again: u64,
}

impl Counts {
    /// Counts one contact.
    pub fn add(&mut self, before: Option<&Outlook<'_>>, after: Option<&Outlook<'_>>, contact: &Contact) {
        self.contacts += 1;
        if contact.progress.ended.is_some() {
            return;
        }
        self.open += 1;
        match effect(before, after, contact) {
            Effect::Same => {}
            Effect::Ends => self.ends += 1,
            Effect::Earlier => self.earlier += 1,
            Effect::Later => self.later += 1,
            Effect::Never => self.never += 1,
            Effect::Again => self.again += 1,
        }
    }
}
