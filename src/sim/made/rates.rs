//! Calls per second: never over the cap, met while there is demand, and no agent waits for one campaign's rate while
//! another of the queue has somebody to call.

use std::{collections::BTreeMap, num::NonZeroU32};

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::{
    domain::{
        campaign::{Campaign, Definitions, Priority},
        ids::{AgentId, TenantId},
        tenant::{PerMille, Tenant},
    },
    sim::record::Attempt,
};

/// The priority of a campaign and its calls per second.
type Rated = (u8, Option<u32>);

/// Two minutes of agents who serve these campaigns, none of which runs out of contacts. Every line is busy after
/// four seconds, and the agent is free for the next.
fn calls(agents: u32, picks_up_after: Duration, campaigns: &[Rated]) -> Vec<Attempt> {
    let tenant = Tenant::new(TenantId::parse("t").unwrap(), "T", "UTC", "CN");
    let mut definitions = Definitions::of(tenant);
    for (number, (priority, per_second)) in campaigns.iter().enumerate() {
        let id = CampaignId::parse(&format!("c{number}")).unwrap();
        let priority = Priority::new(*priority).unwrap();
        let mut campaign = Campaign { id: id.clone(), priority, ..Campaign::example() };
        campaign.limits.max_calls_per_second = per_second.and_then(NonZeroU32::new);
        definitions.campaigns.insert(id, Arc::new(campaign));
    }
    let mut world = Simulation::default();
    world.contacts.count = 3000;
    world.calls.answer_rate = PerMille(0);
    world.calls.busy = PerMille(1000);
    world.agents.count = Some(agents);
    world.agents.picks_up_after = picks_up_after;
    let mut contacts = Vec::new();
    for (which, id) in (0..).zip(definitions.campaigns.keys()) {
        let own = super::contacts(&world.contacts, &definitions, which).unwrap();
        contacts.extend(own.into_iter().map(|contact| (id.clone(), contact)));
    }
    let from: Timestamp = "2031-03-03T09:00:00Z".parse().unwrap();
    let until = from + SignedDuration::from_mins(2);
    let (machine, ..) = Made { definitions, contacts, world, from, until, seed: 1 }.play().unwrap();
    let mut calls = machine.attempts;
    calls.sort_by_key(|call| (call.at, call.id));
    calls
}

#[test]
fn a_rate_keeps_no_agent() {
    let calls = calls(2, Duration::ZERO, &[(1, Some(1)), (2, None)]);
    let mut by_agent: BTreeMap<AgentId, Vec<&Attempt>> = BTreeMap::new();
    for call in &calls {
        by_agent.entry(call.agent.clone()).or_default().push(call);
    }
    assert_eq!(calls[0].at, calls[1].at, "both agents call at once, for a campaign each");
    assert_ne!(calls[0].campaign, calls[1].campaign);
    for own in by_agent.values() {
        assert!(own.len() >= 30, "two minutes are thirty calls");
        for pair in own.windows(2) {
            assert_eq!(Some(pair[1].at), pair[0].ended_at, "an agent waited");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// SPEC: never over in any one-second window; over ten seconds within one call of what was asked.
    #[test]
    fn a_rate_is_met_and_never_exceeded(cap in 1_u32..8, picks_up_after in 0_u64..1000, spare in 0_u32..20) {
        let agents = cap * 7 + spare;
        let calls = calls(agents, Duration::from_millis(picks_up_after), &[(3, Some(cap))]);
        let cap = cap as usize;
        for pair in calls.windows(cap + 1) {
            prop_assert!(pair[cap].at.duration_since(pair[0].at) >= SignedDuration::from_secs(1));
        }
        let last = calls[calls.len() - 1].at - SignedDuration::from_secs(10);
        for (place, first) in calls.iter().enumerate().filter(|(_, call)| call.at <= last) {
            let until = first.at + SignedDuration::from_secs(10);
            let count = calls[place..].iter().take_while(|call| call.at < until).count();
            let same = calls[..place].iter().rev().take_while(|call| call.at == first.at).count();
            prop_assert!(count + same + 1 >= 10 * cap, "{} calls in ten seconds, of {cap} a second", count + same);
        }
    }
}
