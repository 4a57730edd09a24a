//! What others are to be told, in memory.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::State;
use crate::{
    domain::{
        contact::Progress,
        do_not_call::holding,
        ids::{AttemptId, CampaignId, ContactRef},
    },
    store::{
        AllDispatchCounts, Channel, DispatchEvent, DispatchFacts, DispatchFilter, DispatchId, DispatchRecord,
        DispatchState, Lane, LanePage, Tried, Waiting,
        dispatch::{NOT_ITS_TURN, counted, park_at},
    },
};

/// A row of the outbox.
#[derive(Debug)]
pub(super) struct Held {
    record: DispatchRecord,
    contact: ContactRef,
    claimed: bool,
}

impl State {
    /// Writes down what an attempt's campaign is told of it, once.
    pub(super) fn tell(&mut self, attempt: AttemptId, event: DispatchEvent, at: Timestamp, now: Timestamp) {
        let Some(of) = self.attempts.get(&attempt) else { return };
        let (campaign, contact) = (of.record.campaign.clone(), of.contact);
        let known = |held: &Held| held.record.attempt == Some(attempt) && held.record.event == event;
        if self.campaigns.get(&campaign).is_some_and(|held| held.tells) && !self.dispatches.iter().any(known) {
            self.put((Channel::Callback, event), (campaign, contact), Some(attempt), (at, now));
        }
    }

    /// Writes down that a customer is sent a text message, if the contact ends now without having been reached.
    pub(super) fn not_reached(&mut self, contact: ContactRef, before: &Progress, now: Timestamp) {
        let Some(held) = self.contacts.get(&contact) else { return };
        let campaign = held.campaign.clone();
        let ends = !before.is_not_reached() && held.progress.is_not_reached();
        let sends = self.campaigns.get(&campaign).is_some_and(|held| held.sends_sms);
        let known = |held: &Held| held.contact == contact && held.record.channel == Channel::Sms;
        if ends && sends && !self.dispatches.iter().any(known) {
            self.put((Channel::Sms, DispatchEvent::NotReached), (campaign, contact), None, (now, now));
        }
    }

    fn put(
        &mut self,
        (channel, event): (Channel, DispatchEvent),
        (campaign, contact): (CampaignId, ContactRef),
        attempt: Option<AttemptId>,
        (made_at, now): (Timestamp, Timestamp),
    ) {
        let Some(customer) = self.contacts.get(&contact).map(|contact| contact.customer.clone()) else { return };
        self.last_dispatch += 1;
        let waits = self.dispatches.iter().any(|held| {
            held.contact == contact && held.record.channel == channel && held.record.state == DispatchState::Pending
        });
        let record = DispatchRecord {
            id: DispatchId(self.last_dispatch),
            channel,
            event,
            campaign: campaign.clone(),
            customer,
            attempt,
            state: DispatchState::Pending,
            made_at,
            tries: 0,
            due_at: (!waits).then_some(now),
            park_at: park_at(now),
            over_at: None,
            last_error: None,
        };
        self.dispatches.push(Held { record, contact, claimed: false });
        self.news.tell((!waits).then_some(Lane { channel, campaign }));
    }

    pub(super) fn lanes(&self) -> Vec<Lane> {
        let due = self.dispatches.iter().map(|held| &held.record).filter(|record| record.due_at.is_some());
        let mut lanes: Vec<Lane> =
            due.map(|record| Lane { channel: record.channel, campaign: record.campaign.clone() }).collect();
        lanes.sort();
        lanes.dedup();
        lanes
    }

    pub(super) fn lane_page(&self, lane: &Lane, limit: usize) -> LanePage {
        let records = self.dispatches.iter().map(|held| &held.record);
        let own = records.filter(|record| record.channel == lane.channel && record.campaign == lane.campaign);
        let mut waiting: Vec<Waiting> =
            own.filter_map(|record| Some(Waiting { id: record.id, due_at: record.due_at? })).collect();
        waiting.sort_by_key(|waiting| (waiting.due_at, waiting.id));
        waiting.truncate(limit);
        let callback = self.campaigns.get(&lane.campaign).and_then(|held| held.callback.clone());
        LanePage { callback, waiting }
    }

    pub(super) fn dispatch_facts(&self, id: DispatchId, now: Timestamp) -> Option<DispatchFacts> {
        let held = self.pending(id)?;
        let contact = self.contacts.get(&held.contact)?.clone();
        let lists = self.defined(&contact.campaign).map_or(&[][..], |defined| &defined.do_not_call);
        let entries = self.do_not_call.of(lists, &contact);
        let attempt = held.record.attempt.and_then(|attempt| self.attempts.get(&attempt));
        Some(DispatchFacts {
            record: self.shown(held),
            callback: self.campaigns.get(&contact.campaign).and_then(|held| held.callback.clone()),
            attempt: attempt.map(|attempt| attempt.record.clone()),
            custom_field: self.custom_fields.get(&held.contact).cloned().flatten(),
            listed: entries.iter().map(|entries| holding(entries, lists, now).is_some()).collect(),
            claimed: held.claimed,
            contact,
        })
    }

    fn pending(&self, id: DispatchId) -> Option<&Held> {
        let state = DispatchState::Pending;
        self.dispatches.iter().find(|held| held.record.id == id && held.record.state == state)
    }

    fn has_older(&self, held: &Held) -> bool {
        self.dispatches.iter().any(|other| {
            other.contact == held.contact
                && other.record.channel == held.record.channel
                && other.record.state == DispatchState::Pending
                && other.record.id < held.record.id
        })
    }

    fn pending_mut(&mut self, id: DispatchId) -> Option<&mut Held> {
        let state = DispatchState::Pending;
        self.dispatches.iter_mut().find(|held| held.record.id == id && held.record.state == state)
    }

    /// A row with its contact as that is now.
    fn shown(&self, held: &Held) -> DispatchRecord {
        let customer = self.contacts.get(&held.contact).map(|contact| contact.customer.clone());
        DispatchRecord { customer: customer.unwrap_or_else(|| held.record.customer.clone()), ..held.record.clone() }
    }

    pub(super) fn claim_dispatch(&mut self, id: DispatchId) -> bool {
        let held = self.pending_mut(id).filter(|held| !held.claimed);
        held.map(|held| held.claimed = true).is_some()
    }

    pub(super) fn tried(&mut self, id: DispatchId, tried: Tried, now: Timestamp) {
        let older = self.pending(id).is_some_and(|held| self.has_older(held));
        let Some(held) = self.pending_mut(id) else { return };
        match tried {
            Tried::Again { at, why } => {
                held.record.tries += 1;
                // An older one may have been taken up again meanwhile: that goes first.
                held.record.due_at = (!older).then_some(at);
                (held.record.last_error, held.claimed) = (Some(why), false);
            }
            Tried::NotYet { at } => (held.record.due_at, held.record.park_at) = (Some(at), park_at(at)),
            Tried::Undone => self.dispatches.retain(|held| held.record.id != id),
            Tried::Sent => self.end_dispatch(id, DispatchState::Sent, None, (1, now)),
            Tried::Parked { why } => self.end_dispatch(id, DispatchState::Parked, Some(why), (1, now)),
            Tried::Dropped { why } => self.end_dispatch(id, DispatchState::Dropped, Some(why), (0, now)),
        }
    }

    fn end_dispatch(
        &mut self,
        id: DispatchId,
        state: DispatchState,
        why: Option<String>,
        (tries, now): (u32, Timestamp),
    ) {
        let Some(held) = self.dispatches.iter_mut().find(|held| held.record.id == id) else { return };
        let record = &mut held.record;
        record.tries += tries;
        (record.state, record.due_at, record.over_at, record.last_error) = (state, None, Some(now), why);
        let (channel, contact) = (record.channel, held.contact);
        self.release_dispatch(channel, contact, now);
    }

    fn release_dispatch(&mut self, channel: Channel, contact: ContactRef, now: Timestamp) {
        let mut waiting = self.dispatches.iter_mut().filter(|held| {
            held.contact == contact && held.record.channel == channel && held.record.state == DispatchState::Pending
        });
        if let Some(next) = waiting.next() {
            next.record.due_at = next.record.due_at.or(Some(now));
        }
    }

    pub(super) fn park_overdue(&mut self, now: Timestamp) -> BTreeMap<Lane, u64> {
        let overdue =
            |held: &&Held| held.record.state == DispatchState::Pending && held.record.park_at <= now && !held.claimed;
        let overdue: Vec<DispatchRecord> =
            self.dispatches.iter().filter(overdue).map(|held| held.record.clone()).collect();
        for record in &overdue {
            let why = record.last_error.clone().unwrap_or_else(|| NOT_ITS_TURN.to_owned());
            self.end_dispatch(record.id, DispatchState::Parked, Some(why), (0, now));
        }
        let lanes = lanes_of(&overdue);
        self.news.tell(lanes.iter().cloned());
        counted(lanes)
    }

    pub(super) fn dispatches(
        &self,
        filter: &DispatchFilter,
        after: Option<DispatchId>,
        limit: usize,
    ) -> Vec<DispatchRecord> {
        let meant = |record: &&DispatchRecord| {
            filter.channel.is_none_or(|channel| channel == record.channel)
                && filter.campaign.as_ref().is_none_or(|campaign| *campaign == record.campaign)
                && filter.state.is_none_or(|state| state == record.state)
                && filter.id.is_none_or(|id| id == record.id)
                && after.is_none_or(|after| record.id > after)
        };
        let found = self.dispatches.iter().filter(|held| meant(&&held.record));
        found.take(limit).map(|held| self.shown(held)).collect()
    }

    pub(super) fn dispatches_of(&self, contact: ContactRef) -> Vec<DispatchRecord> {
        let own = self.dispatches.iter().filter(|held| held.contact == contact);
        own.map(|held| self.shown(held)).collect()
    }

    pub(super) fn retry_dispatches(&mut self, filter: &DispatchFilter, limit: usize, now: Timestamp) -> u64 {
        let filter = DispatchFilter { state: Some(DispatchState::Parked), ..filter.clone() };
        let chosen = self.dispatches(&filter, None, limit);
        for record in &chosen {
            let Some(held) = self.dispatches.iter_mut().find(|held| held.record.id == record.id) else { continue };
            let contact = held.contact;
            held.claimed = false;
            (held.record.state, held.record.over_at, held.record.due_at) = (DispatchState::Pending, None, None);
            held.record.park_at = park_at(now);
            let later = self.dispatches.iter_mut().filter(|held| {
                held.contact == contact && held.record.channel == record.channel && held.record.id > record.id
            });
            later.for_each(|held| held.record.due_at = None);
            self.release_dispatch(record.channel, contact, now);
        }
        self.news.tell(lanes_of(&chosen));
        chosen.len() as u64
    }

    pub(super) fn drop_dispatches(&mut self, filter: &DispatchFilter, why: &str, limit: usize, now: Timestamp) -> u64 {
        let mut chosen = Vec::new();
        for state in [DispatchState::Parked, DispatchState::Pending] {
            if filter.state.is_none_or(|asked| asked == state) {
                let filter = DispatchFilter { state: Some(state), ..filter.clone() };
                chosen.extend(self.dispatches(&filter, None, limit - chosen.len()));
            }
        }
        for record in &chosen {
            self.end_dispatch(record.id, DispatchState::Dropped, Some(why.to_owned()), (0, now));
        }
        self.news.tell(lanes_of(&chosen));
        chosen.len() as u64
    }

    /// Gives up whatever is left to be told of a contact whose personal data goes.
    pub(super) fn erase_dispatches(&mut self, contact: ContactRef, now: Timestamp) {
        let own = self.dispatches.iter_mut().filter(|held| held.contact == contact);
        for held in own {
            let record = &mut held.record;
            if matches!(record.state, DispatchState::Pending | DispatchState::Parked) {
                (record.state, record.due_at, record.over_at) = (DispatchState::Dropped, None, Some(now));
                record.last_error = Some("erased".to_owned());
            }
        }
    }

    pub(super) fn dispatch_counts(&self) -> AllDispatchCounts {
        let mut counts: AllDispatchCounts =
            Channel::ALL.iter().map(|channel| (*channel, crate::store::DispatchCounts::default())).collect();
        for record in self.dispatches.iter().map(|held| &held.record) {
            let Some(counts) = counts.get_mut(&record.channel) else { continue };
            match record.state {
                DispatchState::Pending => {
                    counts.pending += 1;
                    let oldest = counts.oldest_parks_at.map_or(record.park_at, |oldest| oldest.min(record.park_at));
                    counts.oldest_parks_at = Some(oldest);
                }
                DispatchState::Parked => counts.parked += 1,
                DispatchState::Sent | DispatchState::Dropped => {}
            }
        }
        counts
    }
}

fn lanes_of(records: &[DispatchRecord]) -> Vec<Lane> {
    records.iter().map(|record| Lane { channel: record.channel, campaign: record.campaign.clone() }).collect()
}
