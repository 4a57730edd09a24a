//! Business results: recorded, in effect at once or with the end of a call, and what they schedule.

use std::{collections::BTreeMap, time::Duration};

use super::*;
use crate::{
    domain::{
        business::{Again, BusinessAction, BusinessRule, CallbackAt, CallbackWanted, Outcome, Refusal, SameAgent},
        business_result::BusinessResult,
        contact::ContactEnd,
        due::DueBy,
        ids::{BusinessResultId, SubResultId},
        order::Class,
    },
    store::{BusinessDecision, BusinessRequest, LeftoverAttempt, Milestone, StoreError, Today},
};

on_both_stores!(
    a_result_reopens_who_was_reached,
    a_result_during_a_call_takes_effect_at_its_end,
    a_result_during_a_call_that_never_left_takes_effect_too,
    a_crash_keeps_what_a_call_was_placed_for,
    a_result_waits_for_the_definitions_of_the_next_life,
    a_stop_ends_for_good,
    results_are_checked_against_what_is_defined,
    a_promised_call_goes_before_the_rules_and_counts_for_none,
    no_call_is_promised_that_hours_and_dates_rule_out,
    results_of_a_day_are_those_of_the_tenants_day,
    a_default_is_noted_only_for_a_call_that_has_no_result,
    a_life_that_ends_within_the_time_for_notes_leaves_the_default,
    business_calls_come_first_by_due_time,
    who_waits_for_an_agent_holds_nobody_back,
    the_wait_for_an_agent_ends,
    an_edit_releases_a_scheduled_call_that_a_cap_held,
    who_is_filtered_out_is_not_called_by_a_rule,
);

/// A business result of `generation`.
pub(super) fn defined(id: &str) -> BusinessResult {
    BusinessResult {
        id: BusinessResultId::parse(id).unwrap(),
        name: id.to_owned(),
        sub_results: BTreeMap::from([(SubResultId::parse("soon").unwrap(), "Soon".to_owned())]),
        schedules_callback: id == "callback",
        counts_as_goal: id == "callback",
    }
}

/// Rules: `callback` calls the same number again after ten minutes, five times, and with a wait first
/// the same agent; `refused` stops.
pub(super) fn rules(same_agent: Option<SameAgent>) -> Vec<BusinessRule> {
    let again = Again { interval: Duration::from_secs(600), max_times: nonzero(5), same_agent };
    let rule = |id, action| BusinessRule { result: BusinessResultId::parse(id).unwrap(), sub_result: None, action };
    vec![rule("callback", BusinessAction::CallSameNumber(again)), rule("refused", BusinessAction::Stop)]
}

/// What [`World::mark`] asks for.
pub(super) fn request(campaign: &Campaign, customer: &str, result: &str, at: Timestamp) -> BusinessRequest {
    BusinessRequest {
        campaign: campaign.id.clone(),
        customer: customer_id(customer),
        attempt: None,
        key: BusinessKey::parse(result).unwrap(),
        note: Some("spoke of \"it\"".to_owned()),
        by: "uid 1000".to_owned(),
        at,
        by_default: false,
        agent: None,
        callback: None,
    }
}

impl World {
    async fn mark(&self, campaign: &Campaign, customer: &str, result: &str) -> Option<Outcome> {
        let decision = self.store.set_business_result(request(campaign, customer, result, self.now())).await.unwrap();
        let BusinessDecision::Set { contact, outcome, .. } = decision else { panic!("{decision:?}") };
        assert_eq!(contact, self.find(campaign, customer).await.reference);
        outcome
    }

    /// Contacts that were all reached, each by `amy`, a minute apart.
    async fn reached(&mut self, campaign: &Campaign, n: u32) {
        self.apply(&[campaign]).await;
        self.import(campaign, contacts(n)).await;
        for i in 1..=n {
            self.wait(Duration::from_secs(60));
            let contact = self.find(campaign, &format!("c{i}")).await;
            self.call(&contact, 0, CallResult::Answered).await;
        }
    }

    async fn waiting(&self, campaign: &Campaign) -> Vec<String> {
        let page = self.store.candidates(&campaign.id, self.now(), 1000).await.unwrap();
        page.pinned.iter().map(|contact| contact.customer.to_string()).collect()
    }
}

async fn a_result_reopens_who_was_reached(mut world: World) {
    let spring = Campaign { business: rules(None), ..campaign("spring") };
    world.reached(&spring, 1).await;
    let reached = world.find(&spring, "c1").await;
    assert_eq!(world.store.tally(&spring.id).await.unwrap().ended, BTreeMap::from([("reached", 1)]));
    assert_eq!(world.mark(&spring, "c1", "callback").await, Some(Outcome::Scheduled));
    let due_at = world.now() + Duration::from_secs(600);
    let open = world.find(&spring, "c1").await;
    assert_eq!((open.version, open.progress.ended), (reached.version + 1, Some(ContactEnd::Reached)));
    let page = world.store.candidates(&spring.id, world.now(), 9).await.unwrap();
    assert_eq!((page.ready.len(), page.next_ready_at, page.open), (0, Some(due_at), 1));
    let tally = world.store.tally(&spring.id).await.unwrap();
    assert_eq!((tally.in_progress, tally.ended.len(), tally.contacts), (1, 0, 1));
    let why = world.store.why(&spring.id, &customer_id("c1"), world.now()).await.unwrap().unwrap();
    assert_eq!(why.next.map(|next| (next.class, next.ready_at)), Some((Class::Business, due_at)));
    let by = DueBy::Rule { rule: BusinessKey::parse("callback").unwrap() };
    assert_eq!(why.hold, Some(Hold::NotDue { due_at, by }));
    assert_eq!(why.history.business.len(), 1);
    assert_eq!(why.history.business[0].attempt, Some(why.history.attempts[0].attempt));
    assert_eq!(why.history.attempts[0].business, BusinessKey::parse("callback"));
    assert_eq!(world.refusal(&open, 0).await, Hold::ContactEnded);
    world.wait(Duration::from_secs(600));
    let again = world.ready(&spring).await.remove(0);
    world.call(&again, 0, CallResult::Answered).await;
    let over = world.find(&spring, "c1").await;
    assert!(over.progress.is_over());
    assert_eq!((over.progress.attempts, over.progress.business.placed.len()), (2, 1));
    let attempts = world.store.attempts(&spring.id, None, 9).await.unwrap();
    assert_eq!(attempts[1].rule, BusinessKey::parse("callback"));
    assert_eq!((&attempts[0].rule, &attempts[1].business), (&None, &None));
    assert_eq!(world.store.tally(&spring.id).await.unwrap().ended, BTreeMap::from([("reached", 1)]));
}

async fn a_result_during_a_call_takes_effect_at_its_end(mut world: World) {
    let spring = Campaign { business: rules(None), ..campaign("spring") };
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(1)).await;
    let contact = world.find(&spring, "c1").await;
    let (attempt, recorded) = world.place(&contact, 0).await;
    assert_eq!(world.mark(&spring, "c1", "refused/soon").await, None);
    assert_eq!(world.mark(&spring, "c1", "callback").await, None);
    assert_eq!(world.find(&spring, "c1").await, contact);
    world.wait(Duration::from_secs(90));
    let settled = settlement(attempt, &recorded, 0, CallResult::Answered, world.now());
    assert!(world.store.settle(settled.clone()).await.unwrap());
    assert!(!world.store.settle(settled).await.unwrap());
    // The first of them stopped, which is final.
    let stopped = world.find(&spring, "c1").await;
    assert_eq!((stopped.progress.ended, stopped.version), (Some(ContactEnd::Stopped), contact.version + 2));
    let history = world.store.contact(&spring.id, &customer_id("c1")).await.unwrap().unwrap();
    let outcomes: Vec<Option<Outcome>> = history.business.iter().map(|record| record.outcome).collect();
    assert_eq!(outcomes, [Some(Outcome::Stopped), Some(Outcome::Final)]);
}

async fn a_result_during_a_call_that_never_left_takes_effect_too(mut world: World) {
    let spring = Campaign { business: rules(None), ..campaign("spring") };
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(1)).await;
    let contact = world.find(&spring, "c1").await;
    let (attempt, _) = world.place(&contact, 0).await;
    assert_eq!(world.mark(&spring, "c1", "refused").await, None);
    world.store.withdraw_intent(attempt).await.unwrap();
    assert_eq!(world.find(&spring, "c1").await.progress.ended, Some(ContactEnd::Stopped));
    let history = world.store.contact(&spring.id, &customer_id("c1")).await.unwrap().unwrap();
    assert_eq!((history.business[0].attempt, history.attempts.len()), (None, 0));
}

/// How a call of an earlier life is settled that was answered.
fn answered(world: &World, left: LeftoverAttempt) -> Settlement {
    let recorded = RecordedIntent {
        at: left.placed_at,
        revision: Revision::parse(&"0".repeat(40)).unwrap(),
        policy: left.policy,
        local_date: left.local_date,
        next_day_at: left.next_day_at,
        contact: left.contact,
    };
    settlement(left.attempt, &recorded, 0, CallResult::Answered, world.now())
}

async fn a_crash_keeps_what_a_call_was_placed_for(mut world: World) {
    let spring = Campaign { business: rules(None), ..campaign("spring") };
    world.reached(&spring, 1).await;
    world.mark(&spring, "c1", "callback").await;
    world.wait(Duration::from_secs(600));
    let again = world.ready(&spring).await.remove(0);
    world.place(&again, 0).await;
    assert_eq!(world.mark(&spring, "c1", "callback").await, None);
    world.crash().await;
    world.apply(&[&spring]).await;
    let left = world.store.leftovers().await.unwrap().attempts.remove(0);
    assert_eq!(left.rule, BusinessKey::parse("callback"));
    assert!(left.contact.progress.tries(0, left.rule.as_ref()).is_some());
    let settled = answered(&world, left);
    assert!(world.store.settle(settled).await.unwrap());
    let after = world.find(&spring, "c1").await;
    assert_eq!(after.progress.business.placed.values().collect::<Vec<_>>(), [&1]);
    assert_eq!(after.progress.business.scheduled.unwrap().due_at(), world.now() + Duration::from_secs(600));
}

async fn a_result_waits_for_the_definitions_of_the_next_life(mut world: World) {
    let spring = Campaign { business: rules(None), ..campaign("spring") };
    world.reached(&spring, 1).await;
    world.mark(&spring, "c1", "callback").await;
    world.wait(Duration::from_secs(600));
    let again = world.ready(&spring).await.remove(0);
    world.place(&again, 0).await;
    assert_eq!(world.mark(&spring, "c1", "callback").await, None);
    world.crash().await;
    let left = world.store.leftovers().await.unwrap().attempts.remove(0);
    let settled = answered(&world, left);
    world.store.settle(settled).await.unwrap();
    let outcome = async |world: &World| {
        let history = world.store.contact(&spring.id, &customer_id("c1")).await.unwrap().unwrap();
        history.business.last().unwrap().outcome
    };
    assert_eq!(outcome(&world).await, None, "nothing is defined yet");
    world.apply(&[&spring]).await;
    assert_eq!(outcome(&world).await, Some(Outcome::Scheduled));
}

async fn a_stop_ends_for_good(mut world: World) {
    let spring = Campaign { business: rules(None), ..campaign("spring") };
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(2)).await;
    assert_eq!(world.mark(&spring, "c1", "refused").await, Some(Outcome::Stopped));
    assert_eq!(world.customers(&spring).await, ["c2"]);
    assert_eq!(world.mark(&spring, "c1", "callback").await, Some(Outcome::Final));
    assert_eq!(world.store.tally(&spring.id).await.unwrap().ended, BTreeMap::from([("stopped", 1)]));
    world
        .store
        .apply(generation(9, &[]), vec![CampaignChange::Retire { id: spring.id.clone() }], Against::Whatever)
        .await
        .unwrap();
    assert_eq!(world.mark(&spring, "c2", "refused").await, Some(Outcome::Retired));
}

async fn results_are_checked_against_what_is_defined(mut world: World) {
    let spring = Campaign { business: rules(None), ..campaign("spring") };
    let now = world.now();
    let asked = |customer: &str, result: &str| request(&campaign("spring"), customer, result, now);
    let unknown = world.store.set_business_result(asked("c1", "callback")).await;
    assert!(matches!(unknown, Err(StoreError::UnknownCampaign(_))));
    world.reached(&spring, 2).await;
    let theirs = world.store.attempts(&spring.id, None, 9).await.unwrap()[1].attempt;
    let no_attempt = BusinessRequest { attempt: Some(theirs), ..asked("c1", "callback") };
    let key = |text: &str| BusinessKey::parse(text).unwrap();
    for (request, refusal) in [
        (asked("c9", "callback"), Refusal::NoContact),
        (asked("c1", "sold"), Refusal::NoResult(key("sold").result)),
        (
            asked("c1", "refused/late"),
            Refusal::NoSubResult(key("refused").result, key("refused/late").sub_result.unwrap()),
        ),
        (no_attempt, Refusal::NoAttempt(theirs)),
    ] {
        let decision = world.store.set_business_result(request).await.unwrap();
        assert_eq!(decision, BusinessDecision::Refused(refusal));
    }
    world.crash().await;
    let decision = world.store.set_business_result(asked("c1", "callback")).await.unwrap();
    assert_eq!(decision, BusinessDecision::Refused(Refusal::NotInForce));
    let history = world.store.contact(&spring.id, &customer_id("c1")).await.unwrap().unwrap();
    assert_eq!(history.business, []);
}

fn wanted(at: &str, same_agent: bool) -> Option<CallbackWanted> {
    Some(CallbackWanted { at: CallbackAt::parse(at).unwrap(), same_agent })
}

async fn a_promised_call_goes_before_the_rules_and_counts_for_none(mut world: World) {
    let mut spring = Campaign { business: rules(None), ..campaign("spring") };
    let once = Again { interval: Duration::from_secs(600), max_times: nonzero(1), same_agent: None };
    spring.business[0].action = BusinessAction::CallSameNumber(once);
    world.reached(&spring, 2).await;
    let at_three = (world.now() + Duration::from_secs(3 * 3600)).to_string();
    let asked =
        BusinessRequest { callback: wanted(&at_three, true), ..request(&spring, "c1", "callback", world.now()) };
    let decision = world.store.set_business_result(asked).await.unwrap();
    assert!(matches!(decision, BusinessDecision::Set { outcome: Some(Outcome::Scheduled), goal: true, .. }));
    let call = world.find(&spring, "c1").await.progress.business.scheduled.unwrap();
    assert_eq!((call.due_at().to_string(), call.agreed), (at_three.clone(), true));
    assert_eq!(call.pin.map(|pin| pin.agent.to_string()).as_deref(), Some("amy"));
    let history = world.store.contact(&spring.id, &customer_id("c1")).await.unwrap().unwrap();
    let agreed = history.business[0].agreed.clone().unwrap();
    assert_eq!((agreed.at.to_string(), agreed.agent.unwrap().as_str()), (at_three, "amy"));
    assert!(history.business[0].goal);
    world.wait(Duration::from_secs(3 * 3600));
    let waiting = world.store.candidates(&spring.id, world.now(), 9).await.unwrap().pinned;
    world.call(&waiting[0], 0, CallResult::Answered).await;
    // The rule has its one call still.
    assert_eq!(world.mark(&spring, "c1", "callback").await, Some(Outcome::Scheduled));
    // Another may have achieved it, who then is the one to call; a later result takes the call's place.
    let ben = AgentId::parse("ben").unwrap();
    let later = (world.now() + Duration::from_secs(60)).to_string();
    let asked = request(&spring, "c2", "callback", world.now());
    let unknown = BusinessRequest { agent: Some(AgentId::parse("nobody").unwrap()), ..asked.clone() };
    let refused = BusinessDecision::Refused(Refusal::NoAgent(AgentId::parse("nobody").unwrap()));
    assert_eq!(world.store.set_business_result(unknown).await.unwrap(), refused);
    let asked = BusinessRequest { agent: Some(ben.clone()), callback: wanted(&later, true), ..asked };
    world.store.set_business_result(asked).await.unwrap();
    let call = world.find(&spring, "c2").await.progress.business.scheduled.unwrap();
    assert_eq!(call.pin.map(|pin| pin.agent), Some(ben));
    assert_eq!(world.mark(&spring, "c2", "refused").await, Some(Outcome::Stopped));
    assert_eq!(world.find(&spring, "c2").await.progress.business.scheduled, None);
}

async fn no_call_is_promised_that_hours_and_dates_rule_out(mut world: World) {
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    let day = vec![Window::parse("09:00-21:00").unwrap()];
    let spring = Campaign {
        hours: CallingHours::new("Asia/Shanghai", zone, day).unwrap(),
        business: rules(None),
        ..campaign("spring")
    };
    world.reached(&spring, 1).await;
    world.import(&spring, vec![contact("new", &["+8613900000001"])]).await;
    let now = world.now();
    let ask = async |customer: &str, result: &str, at: &str| {
        let asked = BusinessRequest { callback: wanted(at, false), ..request(&spring, customer, result, now) };
        world.store.set_business_result(asked).await.unwrap()
    };
    let says = |decision: BusinessDecision| match decision {
        BusinessDecision::Refused(Refusal::Callback(refusal)) => refusal.to_string(),
        other => format!("{other:?}"),
    };
    for (customer, result, at, said) in [
        ("c1", "refused", "2031-03-20T15:00", "business result \"refused\" does not have `schedules_callback`"),
        ("new", "callback", "2031-03-20T15:00", "nobody has called this customer yet"),
        ("c1", "callback", "2031-03-01T00:30:00Z", "2031-03-01T00:30:00Z has passed"),
        ("c1", "callback", "2031-05-20T15:00", "the campaign ends at 2031-03-31T16:00:00Z"),
        (
            "c1",
            "callback",
            "2031-03-20T22:00",
            "the calling hours are closed at 2031-03-20T14:00:00Z (Asia/Shanghai); they open at 2031-03-21T01:00:00Z",
        ),
        ("c1", "callback", "2031-03-31T21:00", "the calling hours are closed at 2031-03-31T13:00:00Z (Asia/Shanghai)"),
    ] {
        assert_eq!(says(ask(customer, result, at).await), said);
    }
    let history = world.store.contact(&spring.id, &customer_id("c1")).await.unwrap().unwrap();
    assert_eq!(history.business, []);
    // A time without an offset is the customer's.
    assert!(matches!(ask("c1", "callback", "2031-03-20T15:00").await, BusinessDecision::Set { .. }));
    let call = world.find(&spring, "c1").await.progress.business.scheduled.unwrap();
    assert_eq!(call.due_at().to_string(), "2031-03-20T07:00:00Z");
}

async fn results_of_a_day_are_those_of_the_tenants_day(mut world: World) {
    let spring = Campaign { business: rules(None), ..campaign("spring") };
    world.reached(&spring, 3).await;
    let count = |today: &Today| today.results.get(&spring.id).map(|results| results[&CallResult::Answered]);
    assert_eq!(count(&world.store.today(world.now()).await.unwrap()), Some(3));
    world.mark(&spring, "c1", "callback").await;
    world.mark(&spring, "c2", "callback").await;
    let goals = |today: &Today| today.goals.get(&spring.id).copied();
    assert_eq!(goals(&world.store.today(world.now()).await.unwrap()), Some(2));
    // One was noted wrongly.
    world.mark(&spring, "c2", "refused").await;
    assert_eq!(goals(&world.store.today(world.now()).await.unwrap()), Some(1));
    world.crash().await;
    assert_eq!(world.store.today(world.now()).await.unwrap(), Today::default());
    world.apply(&[&spring]).await;
    let kept = world.store.today(world.now()).await.unwrap();
    assert_eq!((count(&kept), goals(&kept)), (Some(3), Some(1)));
    world.wait(Duration::from_secs(24 * 3600));
    assert_eq!(world.store.today(world.now()).await.unwrap(), Today::default());
}

/// A wrap-up that runs out notes nothing where the agent has, and else is flagged.
async fn a_default_is_noted_only_for_a_call_that_has_no_result(mut world: World) {
    let spring = Campaign { business: rules(None), ..campaign("spring") };
    world.reached(&spring, 2).await;
    let attempts = world.store.attempts(&spring.id, None, 9).await.unwrap();
    let newest = world.store.attempts_of(&AgentId::parse("amy").unwrap(), 1).await.unwrap();
    assert_eq!(newest[0].attempt, attempts[1].attempt);
    assert_eq!(world.store.attempts_of(&AgentId::parse("bob").unwrap(), 9).await.unwrap(), []);
    world.mark(&spring, "c1", "callback").await;
    for (customer, attempt, noted) in [("c1", &attempts[0], "callback"), ("c2", &attempts[1], "refused")] {
        let asked = request(&spring, customer, "refused", world.now());
        let by_default = BusinessRequest { attempt: Some(attempt.attempt), by_default: true, ..asked };
        let decision = world.store.set_business_result(by_default).await.unwrap();
        let has_one = decision == BusinessDecision::Refused(Refusal::HasOne);
        assert_eq!(has_one, noted == "callback", "{decision:?}");
        let history = world.store.contact(&spring.id, &customer_id(customer)).await.unwrap().unwrap();
        let records: Vec<(String, bool)> =
            history.business.iter().map(|record| (record.key.to_string(), record.by_default)).collect();
        assert_eq!(records, [(noted.to_owned(), noted == "refused")]);
    }
}

/// A commit whose tenant has a default for who notes nothing.
async fn apply_with_default(world: &mut World, campaign: &Campaign) {
    world.generations += 1;
    let mut generation = Arc::unwrap_or_clone(generation(world.generations, &[campaign]));
    generation.definitions.tenant.agents.wrap_up_result = BusinessResultId::parse("refused").ok();
    let changes = vec![put(&campaign.id)];
    world.store.apply(Arc::new(generation), changes, Against::Whatever).await.unwrap();
}

/// Thirty seconds are for notes. The last heartbeat tells how long the life before was there at least.
async fn a_life_that_ends_within_the_time_for_notes_leaves_the_default(mut world: World) {
    let spring = Campaign { business: rules(None), ..campaign("spring") };
    world.reached(&spring, 2).await;
    world.mark(&spring, "c2", "callback").await;
    let noted = async |world: &World, customer: &str| {
        let history = world.store.contact(&spring.id, &customer_id(customer)).await.unwrap().unwrap();
        let records =
            history.business.iter().map(|record| (record.key.to_string(), record.by.clone(), record.by_default));
        records.collect::<Vec<_>>()
    };
    // The agent's last call has a result, and the one before it was done with.
    world.store.heartbeat().await.unwrap();
    world.crash().await;
    apply_with_default(&mut world, &spring).await;
    assert_eq!(noted(&world, "c1").await, []);
    assert_eq!(noted(&world, "c2").await.len(), 1);
    world.import(&spring, vec![contact("c3", &["+8613900000003"]), contact("c4", &["+8613900000004"])]).await;
    for (customer, beats_after, left) in [("c3", 31, false), ("c4", 29, true)] {
        let contact = world.find(&spring, customer).await;
        let (attempt, recorded) = world.place(&contact, 0).await;
        world.store.note(Milestone::Connected { attempt, at: world.now() }).await.unwrap();
        world.settle(attempt, &recorded, 0, CallResult::Answered).await;
        world.wait(Duration::from_secs(beats_after));
        world.store.heartbeat().await.unwrap();
        world.wait(Duration::from_secs(3_600));
        world.crash().await;
        assert_eq!(noted(&world, customer).await, [], "not before anything is defined");
        apply_with_default(&mut world, &spring).await;
        let expected = [("refused".to_owned(), "amy".to_owned(), true)];
        assert_eq!(noted(&world, customer).await, &expected[usize::from(!left)..], "{customer}");
        world.crash().await;
        apply_with_default(&mut world, &spring).await;
        assert_eq!(noted(&world, customer).await.len(), usize::from(left), "once");
    }
    assert_eq!(world.find(&spring, "c4").await.progress.ended, Some(ContactEnd::Stopped), "by the rule");
}

async fn business_calls_come_first_by_due_time(mut world: World) {
    let spring = Campaign { business: rules(None), ..campaign("spring") };
    world.reached(&spring, 2).await;
    world.mark(&spring, "c2", "callback").await;
    world.wait(Duration::from_secs(1));
    world.mark(&spring, "c1", "callback").await;
    world.import(&spring, vec![contact("fresh", &["+8613900000001"])]).await;
    assert_eq!(world.customers(&spring).await, ["fresh"]);
    world.wait(Duration::from_secs(600));
    assert_eq!(world.customers(&spring).await, ["c2", "c1", "fresh"]);
}

async fn who_waits_for_an_agent_holds_nobody_back(mut world: World) {
    let same_agent = Some(SameAgent { wait: Some(Duration::from_secs(300)) });
    let spring = Campaign { business: rules(same_agent), ..campaign("spring") };
    world.reached(&spring, 3).await;
    for customer in ["c1", "c2", "c3"] {
        world.mark(&spring, customer, "callback").await;
    }
    world.import(&spring, vec![contact("fresh", &["+8613900000001"])]).await;
    world.wait(Duration::from_secs(600));
    let page = world.store.candidates(&spring.id, world.now(), 2).await.unwrap();
    assert_eq!((page.ready.len(), page.pinned.len()), (1, 2));
    assert_eq!((world.customers(&spring).await, world.waiting(&spring).await.len()), (vec!["fresh".to_owned()], 3));
    let first = &page.pinned[0];
    let mut other = world.request(first, 0);
    other.agent = AgentId::parse("bob").unwrap();
    let IntentDecision::Refused(hold) = world.store.record_intent(other).await.unwrap() else { panic!("recorded") };
    let until = world.now() + Duration::from_secs(300);
    assert_eq!(hold, Hold::WaitsForAgent { agent: AgentId::parse("amy").unwrap(), until });
    world.call(first, 0, CallResult::Answered).await;
    assert_eq!(world.waiting(&spring).await, ["c2", "c3"]);
}

async fn the_wait_for_an_agent_ends(mut world: World) {
    let same_agent = Some(SameAgent { wait: Some(Duration::from_secs(300)) });
    let spring = Campaign { business: rules(same_agent), ..campaign("spring") };
    world.reached(&spring, 1).await;
    world.mark(&spring, "c1", "callback").await;
    world.wait(Duration::from_secs(899));
    assert_eq!((world.customers(&spring).await.len(), world.waiting(&spring).await.len()), (0, 1));
    let page = world.store.candidates(&spring.id, world.now(), 9).await.unwrap();
    assert_eq!(page.next_ready_at, Some(world.now() + Duration::from_secs(1)));
    world.wait(Duration::from_secs(1));
    for _ in 0..2 {
        assert_eq!((world.customers(&spring).await.len(), world.waiting(&spring).await.len()), (1, 0));
        while world.store.evaluate().await.unwrap().is_some() {}
    }
    let contact = world.ready(&spring).await.remove(0);
    let mut other = world.request(&contact, 0);
    other.agent = AgentId::parse("bob").unwrap();
    assert!(matches!(world.store.record_intent(other).await.unwrap(), IntentDecision::Recorded(_)));
}

async fn an_edit_releases_a_scheduled_call_that_a_cap_held(mut world: World) {
    let mut spring = Campaign { business: rules(None), ..campaign("spring") };
    world.reached(&spring, 1).await;
    world.mark(&spring, "c1", "callback").await;
    let limit =
        crate::domain::campaign::PerNumberLimit { attempts: nonzero(1), days: nonzero(1), after_conversation_days: 0 };
    spring.limits.per_number = Some(limit);
    world.apply(&[&spring]).await;
    world.wait(Duration::from_secs(600));
    let contact = world.ready(&spring).await.remove(0);
    assert!(matches!(world.refusal(&contact, 0).await, Hold::NumberAtLimit { .. }));
    assert_eq!(world.customers(&spring).await, [""; 0]);
    spring.limits.per_number = None;
    world.apply(&[&spring]).await;
    assert_eq!(world.customers(&spring).await, ["c1"]);
}

async fn who_is_filtered_out_is_not_called_by_a_rule(mut world: World) {
    let mut spring = Campaign { business: rules(None), ..campaign("spring") };
    world.reached(&spring, 1).await;
    world.mark(&spring, "c1", "callback").await;
    spring.filter = Some(crate::domain::filter::Filter::Any(Vec::new()));
    world.apply(&[&spring]).await;
    while world.store.evaluate().await.unwrap().is_some() {}
    world.wait(Duration::from_secs(600));
    assert_eq!(world.customers(&spring).await, [""; 0]);
    let tally = world.store.tally(&spring.id).await.unwrap();
    assert_eq!((tally.filtered_out, tally.in_progress), (1, 1));
    spring.filter = None;
    world.apply(&[&spring]).await;
    while world.store.evaluate().await.unwrap().is_some() {}
    assert_eq!(world.customers(&spring).await, ["c1"]);
}
