//! Making two answered legs hear each other: each is re-INVITEd with what the other described, if
//! that isn't what it was offered last.
//!
//! The first leg always gets the second's media. The second gets the first's answer only if that
//! moved (address, port or formats), and then it is done: at most one round, so two phones that each
//! answer a little differently every time can't keep us busy. A change by a phone itself (hold, a new
//! address) runs the same way, without telling anybody.

use std::time::Duration;

use super::{
    endpoint::{Endpoint, Out},
    leg::Leg,
    sdp,
    table::LegKey,
};
use crate::domain::{call::CallEvent, ids::LegId};

/// What is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Re-INVITE the first, once it may be.
    First,
    /// The first has been asked.
    FirstAsked,
    /// Re-INVITE the second, once it may be.
    Second,
    /// The second has been asked.
    SecondAsked,
}

/// A pair in the making.
#[derive(Debug)]
pub(super) struct Join {
    first: LegKey,
    second: LegKey,
    /// Agent and customer, when a command asked for it.
    told: Option<(LegId, LegId)>,
    step: Step,
    /// A phone moved its media meanwhile: this one's. The other has to hear of it afterwards.
    moved: Option<LegKey>,
}

impl Endpoint {
    /// `CallCommand::Bridge`.
    pub(super) fn bridge(&mut self, now: Duration, agent: LegId, customer: LegId, out: &mut Out) {
        let failed = |refused_by| CallEvent::BridgeFailed { agent, customer, refused_by };
        let answered = |leg| {
            let key = self.key_of(leg)?;
            self.leg(key).filter(|leg| leg.is_answered() && leg.remote_media().is_some()).map(|_| key)
        };
        let Some(first) = answered(agent) else { return out.events.push(failed(agent)) };
        let Some(second) = answered(customer) else { return out.events.push(failed(customer)) };
        if first == second {
            return out.events.push(failed(agent));
        }
        for key in [first, second] {
            let Some(old) = self.entry(key).and_then(|entry| entry.join) else { continue };
            let same = self.joins.get(&old).is_some_and(|join| join.told == Some((agent, customer)));
            if same {
                return;
            }
            // Another pair is wanted now; who isn't in it refused the old one.
            self.drop_join(old, if key == first { second } else { first }, out);
        }
        self.begin(now, first, second, Some((agent, customer)), out);
    }

    fn begin(&mut self, now: Duration, first: LegKey, second: LegKey, told: Option<(LegId, LegId)>, out: &mut Out) {
        let number = self.next_number();
        for (key, other) in [(first, second), (second, first)] {
            let Some(entry) = self.entry(key) else { return };
            entry.join = Some(number);
            let before = entry.partner.replace(other).filter(|before| *before != other);
            if let Some(before) = before.and_then(|before| self.entry(before))
                && before.partner == Some(key)
            {
                before.partner = None;
            }
        }
        self.joins.insert(number, Join { first, second, told, step: Step::First, moved: None });
        self.advance(now, number, out);
    }

    /// A leg did something: goes on with the pair it is in, or starts one if its media moved.
    pub(super) fn go_on(&mut self, now: Duration, key: LegKey, settled: Option<bool>, moved: bool, out: &mut Out) {
        let Some(entry) = self.entry(key) else { return };
        let (number, partner) = (entry.join, entry.partner);
        let Some(number) = number else {
            if let (true, Some(partner)) = (moved, partner) {
                self.begin(now, partner, key, None, out);
            }
            return;
        };
        let Some(join) = self.joins.get_mut(&number) else { return };
        if moved {
            join.moved = Some(key);
        }
        let asked =
            join.step == Step::FirstAsked && join.first == key || join.step == Step::SecondAsked && join.second == key;
        match settled.filter(|_| asked) {
            Some(true) if join.step == Step::FirstAsked => join.step = Step::Second,
            Some(true) => return self.finish(now, number, out),
            Some(false) => return self.drop_join(number, key, out),
            None => {}
        }
        self.advance(now, number, out);
    }

    fn advance(&mut self, now: Duration, number: u64, out: &mut Out) {
        let Some(join) = self.joins.get_mut(&number) else { return };
        let (first, second) = (join.first, join.second);
        let (asked, from, next) = match join.step {
            Step::First => (first, second, Step::FirstAsked),
            Step::Second => (second, first, Step::SecondAsked),
            Step::FirstAsked | Step::SecondAsked => return,
        };
        for key in [first, second] {
            if !self.leg(key).is_some_and(Leg::is_answered) {
                return self.drop_join(number, key, out);
            }
        }
        let Some(media) = self.leg(from).and_then(Leg::remote_media).map(<[u8]>::to_vec) else {
            return self.drop_join(number, from, out);
        };
        let Some(leg) = self.leg(asked) else { return self.drop_join(number, asked, out) };
        let knows = match next {
            Step::FirstAsked => sdp::same_audio(leg.local_media(), &media),
            _ => sdp::same_place(leg.local_media(), &media),
        };
        let may = leg.may_reoffer();
        let Some(join) = self.joins.get_mut(&number) else { return };
        match (knows, next) {
            (true, Step::FirstAsked) => {
                join.step = Step::Second;
                self.advance(now, number, out);
            }
            (true, _) => self.finish(now, number, out),
            (false, _) if may => {
                join.step = next;
                self.with_leg(now, asked, None, out, |leg, shared, acts| leg.reoffer(now, shared, &media, acts));
            }
            // Its turn comes when it has been acknowledged, or has settled its own re-INVITE.
            (false, _) => {}
        }
    }

    fn finish(&mut self, now: Duration, number: u64, out: &mut Out) {
        let Some(join) = self.release(number) else { return };
        if let Some((agent, customer)) = join.told {
            out.events.push(CallEvent::Bridged { agent, customer });
        }
        if let Some(moved) = join.moved {
            let other = if moved == join.first { join.second } else { join.first };
            self.begin(now, other, moved, None, out);
        }
    }

    /// Gives a pair up because of `refused_by`.
    fn drop_join(&mut self, number: u64, refused_by: LegKey, out: &mut Out) {
        let Some(join) = self.release(number) else { return };
        let Some((agent, customer)) = join.told else { return };
        let refused_by = if refused_by == join.first { agent } else { customer };
        out.events.push(CallEvent::BridgeFailed { agent, customer, refused_by });
    }

    fn release(&mut self, number: u64) -> Option<Join> {
        let join = self.joins.remove(&number)?;
        for key in [join.first, join.second] {
            if let Some(entry) = self.entry(key).filter(|entry| entry.join == Some(number)) {
                entry.join = None;
            }
        }
        Some(join)
    }

    /// A leg is ending: the pair it is being made part of fails.
    pub(super) fn fail_join(&mut self, _now: Duration, key: LegKey, out: &mut Out) {
        if let Some(number) = self.entry(key).and_then(|entry| entry.join) {
            self.drop_join(number, key, out);
        }
    }
}
