//! The last gate: what may hold a call that is due.

use jiff::tz::TimeZone;

use super::{
    Second,
    book::{Call, Contact, Number, Purpose, Target},
    business,
    order::Candidate,
    simulation::{Agent, Campaign, Doing, Simulation},
};

/// SPEC §3: "calls per second over `[t, t + 1 s)`".
const ONE_SECOND: Second = 1;

impl Simulation {
    /// SPEC §3: "the writer reads the facts of this instant (state, dates, hours, filter, do-not-call, caps, live calls
    /// by customer and by number), the pure gate decides".
    pub(crate) fn admits(&self, candidate: &Candidate, agent: &Agent) -> bool {
        let target = candidate.target;
        self.state_and_dates_admit(target)
            && self.is_for(candidate, agent)
            && self.not_before_admits(target)
            && self.filter_admits(target)
            && self.do_not_call_admits(target)
            && self.customer_is_free(target)
            && self.campaign_caps_admit(target)
            && self.number_caps_admit(target)
            && self.budget_admits(candidate)
            && self.hours_admit(target)
    }

    fn campaign(&self, target: Target) -> &Campaign {
        &self.campaigns[target.campaign]
    }

    fn contact(&self, target: Target) -> &Contact {
        &self.campaign(target).contacts[target.contact]
    }

    fn number(&self, target: Target) -> &Number {
        &self.contact(target).numbers[target.number]
    }

    /// The zone that governs a number.
    pub(crate) fn zone_of(&self, target: Target) -> TimeZone {
        let own = self.contact(target).timezone.as_deref();
        self.campaign(target).definition.zone.governing(own, &self.number(target).number)
    }

    /// SPEC §1: "desired state | `running` or `paused`". §3: "The gate asks open(t) and open(t + 1 s), also for
    /// `ends_at` (exclusive)."
    fn state_and_dates_admit(&self, target: Target) -> bool {
        let campaign = self.campaign(target);
        let definition = &campaign.definition;
        definition.running
            && !campaign.expired
            && definition.starts_at <= self.now
            && self.now + ONE_SECOND < definition.ends_at
    }

    /// SPEC §3: "`same_agent` | waits for that agent for `same_agent_wait` from the due time …, then anyone in the
    /// queue".
    fn is_for(&self, candidate: &Candidate, agent: &Agent) -> bool {
        // READING: at the instant at which the wait is over, anyone may take it. Retries of the call wait for the
        // same agent, each from its own due time.
        let contact = self.contact(candidate.target);
        let (pinned, due) = match candidate.purpose {
            Purpose::Rule => {
                let scheduled = contact.scheduled.as_ref();
                (scheduled.and_then(|it| it.pinned.as_ref()), scheduled.map(|it| it.due))
            }
            Purpose::OwnRetry => (contact.own_pin.as_ref(), contact.own_retry.as_ref().map(|(_, retry)| retry.due)),
            Purpose::Ordinary => (None, None),
        };
        let (Some((wanted, wait)), Some(due)) = (pinned, due) else { return true };
        let definition = &self.campaign(candidate.target).definition;
        let until = || business::waits_until(definition, contact, candidate.target.number, due, *wait);
        *wanted == agent.this.id || self.now >= until()
    }

    /// SPEC §2: the column `not_before`.
    fn not_before_admits(&self, target: Target) -> bool {
        // READING: it holds every call to the contact, a business rule's too, and no longer holds at its instant.
        self.contact(target).not_before.is_none_or(|instant| instant <= self.now)
    }

    /// SPEC §3: "the gate uses the new filter at once".
    fn filter_admits(&self, target: Target) -> bool {
        // READING: "dialled only while it holds" is said of every call, so retries and business calls wait as well.
        let filter = self.campaign(target).definition.filter.as_ref();
        filter.is_none_or(|condition| condition.holds(&self.contact(target).attributes))
    }

    /// SPEC §3: "do-not-call | holds from the instant it is imported; an entry no longer holds at its expiry instant".
    fn do_not_call_admits(&self, target: Target) -> bool {
        // READING: of several entries of one number on a list, one that holds is enough.
        let lists = &self.campaign(target).definition.do_not_call;
        let number = &self.number(target).number;
        !self.do_not_call.iter().any(|entry| {
            let in_force = entry.from <= self.now && entry.until.is_none_or(|until| self.now < until);
            in_force && entry.number == *number && lists.contains(&entry.list)
        })
    }

    /// SPEC §3: "never two live calls to a customer or a number, across campaigns"; "one customer | the same
    /// `customer_id`, or the same number, in any campaign".
    fn customer_is_free(&self, target: Target) -> bool {
        // READING: while an agent's phone rings, the customer is claimed and nobody else's to call.
        let live = self.calls.iter().filter(|call| !call.settled).map(|call| call.target);
        let claimed = self.agents.iter().filter_map(|agent| match agent.doing {
            Doing::Ringing { claim, .. } => Some(claim),
            Doing::Idle { .. } | Doing::Calling { .. } | Doing::BackingOff { .. } | Doing::Resting => None,
        });
        !live.chain(claimed).any(|other| self.is_same_customer(other, target))
    }

    fn is_same_customer(&self, left: Target, right: Target) -> bool {
        // READING: two contacts with any number in common are one customer, whichever of their numbers is called;
        // the rule for one number alone is "never two live calls to … a number".
        let (left, right) = (self.contact(left), self.contact(right));
        let has = |wanted: &Number| right.numbers.iter().any(|number| number.number == wanted.number);
        left.customer_id == right.customer_id || left.numbers.iter().any(has)
    }

    /// SPEC §1.2: `limits`. §3: "Frequency (caps, law, `max_attempts_per_contact`, `per_number`): every INVITE that
    /// left, over all campaigns".
    fn campaign_caps_admit(&self, target: Target) -> bool {
        let limits = &self.campaign(target).definition.limits;
        let customer_id = &self.contact(target).customer_id;
        let of_campaign = || self.calls.iter().filter(|call| call.target.campaign == target.campaign);
        // READING: a phone of an agent that rings is no call yet.
        let live = of_campaign().filter(|call| !call.settled).count();
        let this_second = of_campaign().filter(|call| self.now - ONE_SECOND < call.at).count();
        // READING: over all campaigns, as the row says: calls of the same `customer_id` wherever it is a contact.
        let to_contact = self.calls.iter().filter(|call| call.customer_id == *customer_id).count();
        let below = |count: usize, limit: Option<usize>| limit.is_none_or(|limit| count < limit);
        below(live, limits.concurrent) && below(this_second, limits.per_second) && below(to_contact, limits.per_contact)
    }

    /// SPEC §3: "rolling caps | `attempts` in the last `days` × 24 h, `(t − n·24 h, t]`; `after_conversation_days` × 24
    /// h from the end of a conversation".
    fn number_caps_admit(&self, target: Target) -> bool {
        let number = &self.number(target).number;
        let calls = || self.calls.iter().filter(|call| call.number == *number);
        let conversations = || calls().filter(|call| call.settled && Call::is_conversation(call));
        self.campaign(target).definition.limits.per_number.iter().all(|cap| {
            let recent = calls().filter(|call| self.now - cap.period < call.at).count();
            // READING: after exactly so many days the number is free again, as in the other cap.
            let spoken_to = conversations().any(|call| self.now < call.end + cap.after_conversation);
            recent < cap.attempts && !spoken_to
        })
    }

    /// SPEC §3: "hours | … The gate asks open(t) and open(t + 1 s)".
    fn hours_admit(&self, target: Target) -> bool {
        self.campaign(target).definition.hours.admit(self.now, &self.zone_of(target))
    }
}
