//! The world's wire: judges every INVITE as it leaves, and plays customers and phones.

use super::*;

impl World {
    pub(super) fn call(&mut self, command: CallCommand) {
        match command {
            CallCommand::Dial { leg, destination: Destination::Agent { .. }, ring, .. } => {
                let (act, after) = if self.dice.chance(self.faults.agent_misses) {
                    (AgentAct::Miss, ring)
                } else {
                    (AgentAct::Answer, self.millis(3000))
                };
                self.later(after, Event::Agent(leg, act));
            }
            CallCommand::Dial { leg, destination: Destination::Customer { number, .. }, ring, offer, send_within } => {
                let latest = self.wall() + SignedDuration::try_from(send_within.unwrap()).unwrap();
                self.invite(leg, &number, ring, offer);
                if let Some((at, attempt)) = self.invites.last().filter(|(at, _)| *at == self.wall()) {
                    let campaign = &self.generation.definitions.campaigns[&self.attempts[attempt].campaign];
                    let last = latest - SignedDuration::from_millis(1);
                    let open = self.is_awake(campaign, &self.attempts[attempt], last);
                    assert!(latest > *at && open && latest <= campaign.ends_at, "repeats too long");
                }
            }
            CallCommand::Bridge { agent, customer } => {
                let delay = self.millis(40);
                let refused = self.dice.chance(self.faults.bridge_fails);
                let mute = self.dice.chance(self.faults.bridge_fails / 2);
                let event = if refused {
                    CallEvent::BridgeFailed { agent, customer, refused_by: agent }
                } else {
                    CallEvent::Bridged { agent, customer }
                };
                if !mute {
                    self.later(delay, Event::Give(Input::Call(event)));
                }
            }
            CallCommand::HangUp { leg, .. } => {
                let Some(state) = self.legs.get_mut(&leg).filter(|l| !l.over) else { return };
                state.cancelled = !state.up;
                if let Some(attempt) = state.attempt.filter(|_| self.dice.chance(self.faults.ends_lost)) {
                    state.over = true;
                    self.wire_live.remove(&attempt);
                    return;
                }
                let customer = state.attempt.is_some();
                let delay = self.millis(60);
                if customer {
                    self.later(delay, Event::Customer(leg, CustomerAct::Cancelled));
                } else {
                    self.later(delay, Event::Agent(leg, AgentAct::HungUp));
                }
            }
            CallCommand::Acknowledge { .. } | CallCommand::TakeDown { .. } | CallCommand::Resync => {}
        }
    }

    /// The zone that governs the called number, found anew.
    fn zone_of(&self, campaign: &Campaign, attempt: &Attempt) -> TimeZone {
        let own = &self.contacts[&attempt.contact].timezone;
        let tokyo = || attempt.e164.expose().starts_with("+81").then(|| TimeZone::get("Asia/Tokyo").unwrap());
        let governs = campaign.hours.is_in_contact_zone();
        let zone = own.as_ref().map(|zone| zone.zone().clone()).or_else(tokyo).filter(|_| governs);
        zone.unwrap_or_else(|| TimeZone::get(campaign.hours.timezone()).unwrap())
    }

    /// When the customer's next day starts.
    pub(super) fn next_day(&self, campaign: &Campaign, attempt: &Attempt, at: Timestamp) -> Timestamp {
        let zone = self.zone_of(campaign, attempt);
        let tomorrow = zone.to_datetime(at).date().tomorrow().unwrap();
        zone.to_ambiguous_timestamp(tomorrow.at(0, 0, 0, 0)).compatible().unwrap()
    }

    /// Whether the customer's local time lies in the hours.
    fn is_awake(&self, campaign: &Campaign, attempt: &Attempt, at: Timestamp) -> bool {
        let zone = self.zone_of(campaign, attempt);
        let hours = CallingHours::new("there", zone, campaign.hours.windows().to_vec()).unwrap();
        hours.with_special(campaign.hours.special().to_vec()).unwrap().is_open(at)
    }

    /// Judges an INVITE to a customer as it leaves, and lets the customer react.
    pub(super) fn invite(&mut self, leg: LegId, number: &E164, ring: Duration, offer: crate::domain::call::MediaOffer) {
        let now = self.wall();
        let id = self.engine.legs.get(&leg).cloned();
        let Some(LegRole::Customer(attempt_id)) = id else { panic!("an INVITE without an attempt") };
        let crate::domain::call::MediaOffer::Of(agent_leg) = offer else { panic!("no agent's media offered") };
        let agent = self.legs.get(&agent_leg).expect("the held agent's leg exists");
        assert!(agent.up && !agent.over, "placed without a held agent");
        let attempt = self.attempts.get_mut(&attempt_id).expect("an INVITE without a durable intent");
        assert!(!attempt.withdrawn && attempt.invited_at.is_none() && attempt.result.is_none());
        assert_eq!(attempt.e164, *number);
        if self.dice.chance(self.faults.unsent) {
            self.legs.insert(leg, Leg { attempt: Some(attempt_id), up: false, over: false, cancelled: false });
            self.later(Duration::from_millis(1), Event::Customer(leg, CustomerAct::Unsent));
            return;
        }
        attempt.invited_at = Some(now);
        let attempt = attempt.clone();
        let campaign = self.generation.definitions.campaigns.get(&attempt.campaign).expect("placed for a retired one");
        assert!(self.may_dial(campaign, now), "placed while paused");
        assert!(now >= campaign.starts_at && now < campaign.ends_at, "placed outside the campaign's dates");
        assert!(self.is_awake(campaign, &attempt, now), "placed outside hours");
        let day = self.zone_of(campaign, &attempt).to_datetime(attempt.intent.at).date();
        assert_eq!(attempt.intent.local_date, day, "counted for another day than the customer's");
        assert!(self.is_wanted(&self.contacts[&attempt.contact]), "placed against the filter");
        for other in self.wire_live.iter().map(|id| &self.attempts[id]) {
            assert_ne!(other.customer, attempt.customer, "two live calls to a customer");
            assert_ne!(other.e164, attempt.e164, "two live calls to a number");
        }
        let live = |campaign: Option<&CampaignId>| {
            self.wire_live.iter().filter(|id| campaign.is_none_or(|c| self.attempts[*id].campaign == *c)).count() as u32
        };
        assert!(live(None) < self.caps.tenant_calls.min(self.caps.trunk_calls), "over the tenant's or trunk's cap");
        let own_cap = campaign.limits.max_concurrent_calls.map_or(u32::MAX, NonZeroU32::get);
        assert!(live(Some(&attempt.campaign)) < own_cap, "over the campaign's cap");
        let own_rate = campaign.limits.max_calls_per_second.map_or(u32::MAX, NonZeroU32::get);
        let since = now - SignedDuration::from_secs(1);
        let recent: Vec<&Attempt> =
            self.invites.iter().rev().take_while(|(at, _)| *at > since).map(|(_, id)| &self.attempts[id]).collect();
        let rate = self.caps.tenant_calls_per_second.min(self.caps.trunk_calls_per_second);
        assert!((recent.len() as u32) < rate, "over the tenant's calls per second");
        assert!((recent.iter().filter(|a| a.campaign == attempt.campaign).count() as u32) < own_rate, "over the rate");
        self.wire_live.insert(attempt_id);
        self.invites.push((now, attempt_id));
        self.legs.insert(leg, Leg { attempt: Some(attempt_id), up: false, over: false, cancelled: false });
        let ringing = self.millis(8000);
        let (act, after) = match self.dice.below(10) {
            0..=3 => (CustomerAct::Answer, ringing),
            4 => (CustomerAct::Fail(486), ringing / 10),
            5 => (CustomerAct::Fail(404), ringing / 10),
            6 => (CustomerAct::Fail(503), ringing / 10),
            7 => (CustomerAct::Fail(603), ringing),
            _ => (CustomerAct::RingOut, ring),
        };
        self.later(after, Event::Customer(leg, act));
    }

    pub(super) fn customer_acts(&mut self, leg: LegId, act: CustomerAct) {
        let Some(state) = self.legs.get_mut(&leg).filter(|l| !l.over) else { return };
        let attempt = state.attempt.unwrap();
        let end = |by, answered, cancelled, status| LegEnd {
            by,
            answered,
            cancelled,
            status,
            q850: None,
            retry_after: None,
            reason: None,
        };
        let end = match act {
            CustomerAct::Answer => {
                if state.cancelled {
                    // The answer crosses our CANCEL: the gateway drops it and tells the end.
                    end(EndedBy::Us, true, true, None)
                } else {
                    state.up = true;
                    self.attempts.get_mut(&attempt).unwrap().answered = true;
                    let talk = Duration::from_secs(1) + self.millis(90_000);
                    let talk = if self.dice.chance(5) { Duration::from_millis(5) } else { talk };
                    self.later(talk, Event::Customer(leg, CustomerAct::HangUp));
                    self.give(Input::Call(CallEvent::Answered { leg, identity: LegIdentity::default() }));
                    return;
                }
            }
            CustomerAct::Fail(status) => end(EndedBy::Peer, false, state.cancelled, Some(status)),
            CustomerAct::RingOut => end(EndedBy::Us, false, true, Some(487)),
            CustomerAct::Unsent => end(EndedBy::Transport, false, state.cancelled, None),
            CustomerAct::HangUp => end(EndedBy::Peer, true, false, None),
            CustomerAct::Cancelled => end(EndedBy::Us, state.up, state.cancelled, None),
        };
        state.over = true;
        self.wire_live.remove(&attempt);
        self.give(Input::Call(CallEvent::Ended { leg, end }));
    }

    pub(super) fn agent_acts(&mut self, leg: LegId, act: AgentAct) {
        let Some(state) = self.legs.get_mut(&leg).filter(|l| !l.over) else { return };
        if act == AgentAct::Answer {
            if state.cancelled {
                return;
            }
            state.up = true;
            if self.dice.chance(self.faults.agent_drops) {
                let after = self.millis(30_000);
                self.later(after, Event::Agent(leg, AgentAct::Drop));
            }
            self.give(Input::Call(CallEvent::Answered { leg, identity: LegIdentity::default() }));
            return;
        }
        state.over = true;
        let by = if act == AgentAct::Drop { EndedBy::Peer } else { EndedBy::Us };
        let end = LegEnd {
            by,
            answered: state.up,
            cancelled: state.cancelled,
            status: None,
            q850: None,
            retry_after: None,
            reason: None,
        };
        self.give(Input::Call(CallEvent::Ended { leg, end }));
    }
}
