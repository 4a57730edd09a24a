//! Placing a call: what the intent writes down.

use super::{
    book::{Account, Call, Contact, Purpose},
    definition::{CallerNumber, Definition},
    hours,
    order::Candidate,
    simulation::Simulation,
};

impl Simulation {
    /// The INVITE leaves. How the call goes stands in the script.
    pub(crate) fn place(&mut self, agent: usize, candidate: &Candidate) {
        let target = candidate.target;
        let zone = self.zone_of(target);
        let caller_number = self.caller_number(candidate);
        let campaign = &mut self.campaigns[target.campaign];
        let contact = &mut campaign.contacts[target.contact];
        take(contact, candidate);
        let number = &mut contact.numbers[target.number];
        number.caller_number = Some(caller_number.clone());
        let tries = 1 + self.calls.iter().filter(|call| call.number == number.number).count();
        let scripted = (self.script)(&number.number, tries);
        let scripted = scripted.unwrap_or_else(|| {
            panic!("{}: {}: call {tries} is not in the script", campaign.definition.id, number.number)
        });
        self.calls.push(Call {
            turn: self.turns,
            at: self.now,
            end: self.now + scripted.ring + scripted.talk,
            target,
            purpose: candidate.purpose.clone(),
            customer_id: contact.customer_id.clone(),
            number: number.number.clone(),
            caller_number,
            agent: self.agents[agent].this.id.clone(),
            result: scripted.result,
            definition: campaign.definition.clone(),
            day: hours::local_day(self.now, &zone),
            zone,
            settled: false,
        });
    }

    /// SPEC §1.2: "lower number first; among equals the least used; a contact's number keeps its caller number on
    /// retries while that is still listed".
    fn caller_number(&self, candidate: &Candidate) -> String {
        let target = candidate.target;
        let campaign = &self.campaigns[target.campaign];
        let kept = campaign.contacts[target.contact].numbers[target.number].caller_number.as_ref();
        let listed = &campaign.definition.caller_numbers;
        if let Some(kept) = kept.filter(|kept| listed.iter().any(|caller| caller.number == **kept)) {
            return kept.clone();
        }
        // READING: used means calls of this campaign, not claims that came to nothing; of equals the one that the file
        // lists first.
        let used = |caller: &CallerNumber| {
            let of_campaign = self.calls.iter().filter(|call| call.target.campaign == target.campaign);
            of_campaign.filter(|call| call.caller_number == caller.number).count()
        };
        least(&campaign.definition, used)
    }
}

fn least(definition: &Definition, used: impl Fn(&CallerNumber) -> usize) -> String {
    let caller = definition.caller_numbers.iter().min_by_key(|caller| (caller.priority, used(caller)));
    caller.expect("a caller number").number.clone()
}

/// Takes what led to the call off the contact, so that it is placed once.
fn take(contact: &mut Contact, candidate: &Candidate) {
    match candidate.purpose {
        Purpose::Ordinary => contact.numbers[candidate.target.number].retry = None,
        Purpose::OwnRetry => contact.own_retry = None,
        Purpose::Rule => {
            let scheduled = contact.scheduled.take().expect("a scheduled call");
            *contact.placed_by.entry(scheduled.rule).or_default() += 1;
            contact.own = Account::default();
            contact.own_pin = scheduled.pinned;
            // READING: a new business call takes the place of an older one's retry.
            contact.own_retry = None;
        }
    }
    // READING: a number that a business rule called is not untried any more.
    contact.numbers[candidate.target.number].tried = true;
}
