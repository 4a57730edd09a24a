//! Who is next, and how many there are: pages of candidates and counts of the twin.

use jiff::Timestamp;

use super::{State, limit_of};
use crate::{
    domain::{
        campaign::{Campaign, DialPermission},
        contact::{Contact, ContactStage, HELD_FOR_GOOD},
        do_not_call,
        facts::verdict,
        ids::CampaignId,
        intent::PinnedRoom,
        kept::{self, Kept, Known},
        order::{self, Rank},
        zone::ContactZone,
    },
    store::{CandidatePage, GateSettings, StoreError, Tally},
};

/// Contacts that are ready, best first, each with its place.
pub(super) type Ready = Vec<(Rank, Contact)>;

impl State {
    /// Up to `limit` contacts that are ready, and as many that wait for each agent.
    pub(super) fn candidates(
        &mut self,
        campaign: &CampaignId,
        now: Timestamp,
        limit: u32,
        permission: &DialPermission,
    ) -> Result<CandidatePage, StoreError> {
        self.screen(campaign, now, limit, permission);
        let limit = limit_of(limit);
        let held = self.held(campaign)?;
        let defined = self.defined(campaign);
        let (found, on_call) = self.ready(campaign, now);
        let (mut ready, mut pinned, mut room) = (Vec::new(), Vec::new(), PinnedRoom::default());
        for (rank, contact) in found.into_iter().filter(|(_, contact)| self.may(contact, permission)) {
            let agent = defined.and_then(|campaign| order::pinned_to(campaign, &contact, rank.class(), now));
            match agent.map(|(agent, _)| room.take(agent, limit)) {
                None => ready.push(contact),
                Some(true) => pinned.push(contact),
                Some(false) => {}
            }
        }
        // A full page tells of nobody else: what is in it comes first.
        let on_call = on_call && ready.len() < limit && *permission != DialPermission::None;
        ready.truncate(limit);
        let idle = self.idle(campaign).into_iter();
        let wakes = idle.filter_map(|contact| Self::wakes_at(defined?, contact, now));
        let next_ready_at = wakes.min().filter(|at| *at < HELD_FOR_GOOD);
        let (open, left_out) = self.open(campaign);
        Ok(CandidatePage {
            ready,
            pinned,
            next_ready_at,
            on_call,
            cut: false,
            open,
            matching: (held.evaluated_to.is_none() && !self.is_pausing(campaign)).then(|| open - left_out),
            paused: if held.evaluated_to.is_none() { self.paused_open(campaign) } else { 0 },
            total: held.customers.len() as u64,
            caller_usage: held.caller_usage.clone(),
        })
    }

    /// Counts of a campaign.
    pub(super) fn tally(&self, campaign: &CampaignId) -> Result<Tally, StoreError> {
        let evaluating = self.held(campaign)?.evaluated_to.is_some();
        let (mut tally, live) = (Tally::default(), self.live_contacts());
        (tally.filtered_out, tally.paused) =
            if evaluating { (0, 0) } else { (self.open(campaign).1, self.paused_open(campaign)) };
        for contact in self.contacts_of(campaign) {
            tally.contacts += 1;
            match contact.progress.stage(live.contains(&contact.reference)) {
                ContactStage::Fresh => tally.fresh += 1,
                ContactStage::InProgress => tally.in_progress += 1,
                ContactStage::Ended(end) => *tally.ended.entry(end.as_str()).or_default() += 1,
            }
        }
        for attempt in self.attempts.values().filter(|attempt| attempt.record.campaign == *campaign) {
            match attempt.record.result {
                Some(result) => *tally.attempts.entry(result).or_default() += 1,
                None => tally.live += 1,
            }
        }
        Ok(tally)
    }

    /// How many contacts that have not ended what keeps.
    pub(super) fn kept(
        &self,
        campaign: &CampaignId,
        now: Timestamp,
        settings: &GateSettings,
    ) -> Result<Vec<Kept>, StoreError> {
        self.held(campaign)?;
        let (Some(generation), Some(defined)) = (&self.generation, self.defined(campaign)) else {
            return Ok(Vec::new());
        };
        let live = self.live_contacts();
        let open = self.contacts_of(campaign).filter(|c| !c.progress.is_over() || live.contains(&c.reference));
        Ok(kept::counted(open.map(|contact| {
            let known = Known {
                on_call: live.contains(&contact.reference),
                filtered_out: self.filtered_out.contains(&contact.reference),
                paused_out: self.paused_out.contains(&contact.reference),
            };
            let entries = self.do_not_call.of(&defined.do_not_call, contact);
            // As it is once picking has come past it.
            let screened = do_not_call::screened(&contact.progress, &entries, &defined.do_not_call, now);
            let contact = Contact { progress: screened.unwrap_or_else(|| contact.progress.clone()), ..contact.clone() };
            let mut found = kept::kept_by(defined, &contact, known, now);
            if let Some(next) = order::next(defined, &contact, now).filter(|_| found.0.is_unasked()) {
                let history = self.history(defined, &contact, next.number);
                let hold = verdict::own_hold(&contact, now, &history, &entries, generation, settings, &self.ledger);
                found = kept::kept_by_hold(found, hold.as_ref());
            }
            Kept { by: found.0, until: found.1, contacts: 1 }
        })))
    }

    /// Whether nothing but its time, its numbers and other calls stands between a contact and a call.
    pub(super) fn may(&self, contact: &Contact, permission: &DialPermission) -> bool {
        let defined = self.defined(&contact.campaign);
        defined.is_none_or(|campaign| campaign.matches(&contact.attributes))
            && !self.is_paused(contact.reference)
            && verdict::may_be_called(permission, contact)
    }

    /// Contacts that may get ready: not in a call, and not left out by the filter or a pause.
    fn idle(&self, campaign: &CampaignId) -> Vec<&Contact> {
        let live = self.live_contacts();
        let never = |contact: &Contact| live.contains(&contact.reference) || self.is_left_out(contact.reference);
        self.contacts.values().filter(|contact| contact.campaign == *campaign && !never(contact)).collect()
    }

    /// When time alone may give a contact work that it has not.
    fn wakes_at(campaign: &Campaign, contact: &Contact, now: Timestamp) -> Option<Timestamp> {
        let standing = order::standing(campaign, contact, now);
        let zone = standing.zone.as_deref().and_then(ContactZone::parse);
        let hours = zone.as_ref().map(|zone| campaign.hours.in_zone(zone)).filter(|hours| !hours.lets_through(now));
        let opens_at = hours.and_then(|hours| hours.next_through(now));
        [standing.wakes_at(now), opens_at].into_iter().flatten().min()
    }

    /// Contacts that are ready, in order, and whether others are but for a call of their customer.
    pub(super) fn ready(&self, campaign: &CampaignId, now: Timestamp) -> (Ready, bool) {
        let Some(defined) = self.defined(campaign) else { return (Vec::new(), false) };
        let (customers, numbers) = self.ledger.occupied();
        let on_call = |contact: &Contact| {
            customers.contains(&contact.customer)
                || contact.progress.numbers.iter().any(|number| numbers.contains(&number.e164))
        };
        // Who is due is so by the definition in force; the order is that which contacts stand by.
        let by = self.by(campaign).unwrap_or(defined);
        let due = |campaign: &Campaign, contact: &Contact| {
            order::next(campaign, contact, now).filter(|next| next.ready_at <= now)
        };
        let all = self.idle(campaign).into_iter().filter(|contact| due(defined, contact).is_some());
        let due = all.filter_map(|contact| Some((order::rank(by, contact, &due(by, contact)?), contact)));
        let (occupied, mut ready): (Vec<_>, Vec<_>) = due.partition(|(_, contact)| on_call(contact));
        ready.sort_by(|(a, _), (b, _)| a.cmp(b));
        (ready.into_iter().map(|(rank, contact)| (rank, contact.clone())).collect(), !occupied.is_empty())
    }
}
