//! The world's store: pages, and one writer that runs the gate.

use super::*;

impl World {
    pub(super) fn page(&self, campaign: &CampaignId, limit: u32) -> CandidatePage {
        let now = self.wall();
        let live: BTreeSet<ContactRef> =
            self.attempts.values().filter(|a| a.result.is_none() && !a.withdrawn).map(|a| a.contact).collect();
        let own: Vec<&Contact> = self.contacts.values().filter(|c| c.campaign == *campaign).collect();
        let open = own.iter().filter(|c| !c.progress.is_over()).count();
        let excluded = |c: &&&Contact| !c.progress.is_over() && self.filtered_out.contains(&c.reference);
        let matching = open - own.iter().filter(excluded).count();
        let mut ready: Vec<(order::Rank, Contact)> = Vec::new();
        let mut pinned: Vec<(order::Rank, Contact)> = Vec::new();
        let mut next_ready_at: Option<Timestamp> = None;
        let occupied: BTreeSet<&E164> =
            live.iter().flat_map(|c| &self.contacts[c].progress.numbers).map(|n| &n.e164).collect();
        let customers: BTreeSet<&CustomerId> = live.iter().map(|c| &self.contacts[c].customer).collect();
        let mut on_call = false;
        let campaign = &self.generation.definitions.campaigns[campaign];
        let eligible = |c: &&&Contact| !self.filtered_out.contains(&c.reference) && !live.contains(&c.reference);
        for contact in own.iter().filter(eligible) {
            let Some(next) = order::next(campaign, contact, now) else { continue };
            let occupied = contact.progress.numbers.iter().any(|n| occupied.contains(&n.e164));
            if next.ready_at <= now && (occupied || customers.contains(&contact.customer)) {
                on_call = true;
            } else if next.ready_at <= now {
                if !campaign.matches(&contact.attributes) {
                    continue;
                }
                let (rank, contact) = (order::rank(campaign, contact, &next), (*contact).clone());
                match waits_for(campaign, &contact, now).filter(|_| next.class == order::Class::Business) {
                    Some((_, until)) => {
                        next_ready_at = Some(next_ready_at.map_or(until, |at| at.min(until)));
                        pinned.push((rank, contact));
                    }
                    None => ready.push((rank, contact)),
                }
            } else {
                next_ready_at = Some(next_ready_at.map_or(next.ready_at, |at| at.min(next.ready_at)));
            }
        }
        ready.sort_by(|(a, _), (b, _)| a.cmp(b));
        pinned.sort_by(|(a, _), (b, _)| a.cmp(b));
        CandidatePage {
            ready: ready.into_iter().map(|(_, c)| c).take(usize::try_from(limit).unwrap()).collect(),
            pinned: pinned.into_iter().map(|(_, c)| c).collect(),
            next_ready_at,
            on_call,
            cut: false,
            open: open as u64,
            matching: self.evaluating.get(&campaign.id).is_none_or(|times| *times == 0).then_some(matching as u64),
            paused: 0,
            total: own.len() as u64,
            caller_usage: BTreeMap::new(),
        }
    }

    pub(super) fn write_next(&mut self) {
        let Some(command) = self.writer.pop_front() else { return };
        // Now and then the disk stalls, and a commit comes in between.
        let stalls = self.faults.meddling && self.dice.chance(3);
        let durable = self.millis(if stalls { 9_000 } else { 15 });
        if let (true, Command::Intent(intent)) = (stalls && self.dice.chance(50), &command) {
            let pause = Event::Commit(intent.campaign.clone(), DesiredState::Paused);
            let resume = Event::Commit(intent.campaign.clone(), DesiredState::Running);
            let change = if self.dice.chance(50) { pause } else { Event::Refilter(intent.campaign.clone()) };
            self.later(durable / 2, change);
            self.later(Duration::from_secs(3600), resume);
        }
        let answer = match command {
            Command::Leg(leg) => {
                let stored = !self.dice.chance(self.faults.store_fails);
                if !stored {
                    self.legs.remove(&leg);
                }
                Input::LegStored { leg, stored }
            }
            Command::Intent(intent) => self.record(intent),
            Command::Withdraw(attempt) => {
                let attempt = self.attempts.get_mut(&attempt).expect("only a recorded intent is withdrawn");
                assert!(attempt.invited_at.is_none(), "an intent is withdrawn after its INVITE left");
                attempt.withdrawn = true;
                let (attempt, contact) = (attempt.id, attempt.contact);
                self.results_take_effect(contact);
                Input::Withdrawn { attempt }
            }
            Command::Settle(id, result, ended_at, progress) => {
                let attempt = self.attempts.get_mut(&id).expect("settled without an intent");
                assert!(attempt.invited_at.is_some(), "settled without an INVITE");
                assert!(attempt.result.is_none(), "settled twice");
                attempt.result = Some(result);
                attempt.ended_at = Some(ended_at);
                let contact = self.contacts.get_mut(&attempt.contact).unwrap();
                let held = std::mem::replace(&mut contact.progress, progress);
                for (number, held) in contact.progress.numbers.iter_mut().zip(held.numbers) {
                    number.listed_until = held.listed_until;
                }
                contact.version += 1;
                let reference = contact.reference;
                Input::Settled { attempt: id, changed: self.results_take_effect(reference) }
            }
            Command::Advance(reference, version, progress) => {
                let contact = self.contacts.get_mut(&reference).unwrap();
                if contact.version == version {
                    self.advanced_at = Some(self.mono);
                    contact.progress = progress;
                    contact.version += 1;
                }
                return;
            }
        };
        self.later(durable, Event::Give(answer));
    }

    /// The store's writer: facts, gate, intent.
    pub(super) fn record(&mut self, intent: Intent) -> Input {
        if self.dice.chance(self.faults.store_fails) {
            return Input::IntentRefused { attempt: intent.attempt, hold: Hold::StoreUnavailable };
        }
        let now = self.wall();
        let contact = self.contacts[&intent.contact].clone();
        let live: Vec<&Attempt> = self.attempts.values().filter(|a| a.result.is_none() && !a.withdrawn).collect();
        let called = &contact.progress.numbers[intent.number].e164;
        let campaign = self.generation.definitions.campaigns.get(&intent.campaign).map(Arc::as_ref);
        let in_second = |a: &&Attempt| !a.withdrawn && a.recorded_at > now - SignedDuration::from_secs(1);
        let count = |n: usize| u32::try_from(n).unwrap();
        let placed = self.attempts.values().filter(in_second);
        let history = self.history(called, &contact.customer);
        let decided = gate::decide(&Facts {
            now,
            campaign,
            permission: &DialPermission::All,
            overridden: self.overrides.governing(&intent.campaign, now).map(Arc::as_ref),
            contact: &contact,
            picked_version: intent.picked_version,
            number: intent.number,
            batch_paused: false,
            rule: intent.rule.as_ref(),
            agent: Some(&intent.agent),
            customer_on_call: live.iter().any(|a| a.customer == contact.customer),
            number_on_call: live.iter().any(|a| a.e164 == *called),
            live: Counts {
                campaign: count(live.iter().filter(|a| a.campaign == intent.campaign).count()),
                tenant: count(live.len()),
                trunk: count(live.len()),
            },
            placed_last_second: Counts {
                campaign: count(placed.clone().filter(|a| a.campaign == intent.campaign).count()),
                tenant: count(placed.clone().count()),
                trunk: count(placed.count()),
            },
            caps: self.caps,
            history: &history,
            do_not_call: &self.entries(called),
        });
        match decided {
            Err(hold) => {
                let after = campaign
                    .and_then(|c| gate::after_refusal(c, &hold, &contact, (intent.number, intent.rule.as_ref()), now));
                if let (Some(progress), Some(contact)) = (after, self.contacts.get_mut(&intent.contact)) {
                    contact.progress = progress;
                    contact.version += 1;
                }
                Input::IntentRefused { attempt: intent.attempt, hold }
            }
            Ok(()) => {
                let revision = &self.generation.revision;
                let recorded = RecordedIntent::new(revision, campaign.unwrap(), contact.clone(), intent.number, now);
                self.tick += 1;
                self.attempts.insert(
                    intent.attempt,
                    Attempt {
                        id: intent.attempt,
                        campaign: intent.campaign,
                        contact: intent.contact,
                        customer: contact.customer,
                        number: intent.number,
                        rule: intent.rule,
                        agent: intent.agent,
                        tick: self.tick,
                        e164: intent.called,
                        intent: recorded.clone(),
                        recorded_at: now,
                        invited_at: None,
                        ended_at: None,
                        result: None,
                        answered: false,
                        connected: false,
                        withdrawn: false,
                        caller_number: intent.caller_number,
                    },
                );
                Input::IntentRecorded { attempt: intent.attempt, intent: Box::new(recorded) }
            }
        }
    }

    pub(super) fn history(&self, number: &E164, customer: &CustomerId) -> NumberHistory {
        let own = self.attempts.values().filter(|a| a.e164 == *number && !a.withdrawn);
        let mut attempts: Vec<Timestamp> = own.clone().map(|a| a.recorded_at).collect();
        attempts.sort();
        let talked = own.filter(|a| a.result == Some(CallResult::Answered)).filter_map(|a| a.ended_at);
        let to_customer = self.attempts.values().filter(|a| a.customer == *customer && !a.withdrawn).count();
        let to_customer = u32::try_from(to_customer).unwrap();
        NumberHistory { attempts, conversation_ended_at: talked.max(), to_customer }
    }
}
