//! Overrides: what the gate makes of them, and what is kept of them.

use super::*;
use crate::{
    domain::overrides::{NewOverride, Order, OverrideId, Scope},
    store::OverrideRecord,
};

on_both_stores!(
    a_pause_holds_from_the_next_intent_on_and_undoes_itself,
    a_pause_of_all_goes_before_a_resume,
    a_resume_lets_a_paused_campaign_be_called,
    an_override_outlives_a_crash_and_an_end_does_too,
    records_keep_who_why_and_until_when,
    attempts_keep_what_they_were_placed_under,
);

const HOUR: Duration = Duration::from_secs(3600);

async fn decide(world: &World, order: Order, lasting: Duration) -> OverrideId {
    let (reason, by) = ("wrong script".to_owned(), "uid 0".to_owned());
    let new = NewOverride { order, reason, by, until: world.now() + lasting };
    world.store.add_override(new).await.unwrap().id
}

fn pause(scope: Scope) -> Order {
    Order::Pause { scope, cancel_ringing: false }
}

fn of(campaign: &Campaign) -> Scope {
    Scope::Campaign(campaign.id.clone())
}

fn held(id: OverrideId, scope: Scope, until: Timestamp) -> Hold {
    Hold::PausedByOverride { id, scope, reason: "wrong script".to_owned(), until }
}

async fn with_contacts(world: &mut World, spring: &Campaign) -> Vec<Contact> {
    world.apply(&[spring]).await;
    world.import(spring, contacts(3)).await;
    world.ready(spring).await
}

async fn a_pause_holds_from_the_next_intent_on_and_undoes_itself(mut world: World) {
    let spring = campaign("spring");
    let ready = with_contacts(&mut world, &spring).await;
    world.place(&ready[0], 0).await;
    let until = world.now() + HOUR;
    let id = decide(&world, pause(of(&spring)), HOUR).await;
    assert_eq!(world.refusal(&ready[1], 0).await, held(id, of(&spring), until));
    let why = world.store.why(&spring.id, &customer_id("c2"), world.now()).await.unwrap().unwrap();
    assert_eq!(why.hold, Some(held(id, of(&spring), until)));
    world.wait(HOUR - Duration::from_micros(1));
    assert_eq!(world.refusal(&ready[1], 0).await, held(id, of(&spring), until));
    world.wait(Duration::from_micros(1));
    world.place(&ready[1], 0).await;
}

async fn a_pause_of_all_goes_before_a_resume(mut world: World) {
    let spring = campaign("spring");
    let ready = with_contacts(&mut world, &spring).await;
    decide(&world, Order::Resume { scope: of(&spring) }, HOUR * 2).await;
    let until = world.now() + HOUR;
    let id = decide(&world, pause(Scope::All), HOUR).await;
    assert_eq!(world.refusal(&ready[0], 0).await, held(id, Scope::All, until));
    assert!(world.store.end_override(id, "uid 1").await.unwrap());
    assert!(!world.store.end_override(id, "uid 1").await.unwrap(), "once");
    world.place(&ready[0], 0).await;
}

async fn a_resume_lets_a_paused_campaign_be_called(mut world: World) {
    let mut spring = campaign("spring");
    spring.desired = DesiredState::Paused;
    let ready = with_contacts(&mut world, &spring).await;
    assert_eq!(world.refusal(&ready[0], 0).await, Hold::Paused);
    decide(&world, Order::Resume { scope: of(&spring) }, HOUR).await;
    world.place(&ready[0], 0).await;
    world.wait(HOUR);
    assert_eq!(world.refusal(&ready[1], 0).await, Hold::Paused);
}

async fn an_override_outlives_a_crash_and_an_end_does_too(mut world: World) {
    let spring = campaign("spring");
    let ready = with_contacts(&mut world, &spring).await;
    let until = world.now() + HOUR;
    let id = decide(&world, pause(Scope::All), HOUR).await;
    let before = world.store.overrides();
    world.crash().await;
    assert_eq!(world.store.overrides(), before);
    world.store.apply(generation(1, &[&spring]), Vec::new(), Against::Whatever).await.unwrap();
    assert_eq!(world.refusal(&ready[0], 0).await, held(id, Scope::All, until));
    assert!(world.store.end_override(id, "uid 1").await.unwrap());
    world.crash().await;
    assert_eq!(world.store.overrides().in_force(world.now()).count(), 0);
    world.store.apply(generation(1, &[&spring]), Vec::new(), Against::Whatever).await.unwrap();
    world.place(&ready[0], 0).await;
}

async fn records_keep_who_why_and_until_when(mut world: World) {
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    let since = world.now();
    let revision = Revision::parse(&"b".repeat(40)).unwrap();
    let orders = [
        Order::Pause { scope: of(&spring), cancel_ringing: true },
        Order::Resume { scope: Scope::All },
        Order::Pin { revision },
    ];
    for order in &orders {
        decide(&world, order.clone(), HOUR).await;
    }
    world.wait(HOUR / 2);
    assert!(world.store.end_override(OverrideId(2), "uid 7").await.unwrap());
    let ended_at = world.now();
    world.wait(HOUR);
    assert!(!world.store.end_override(OverrideId(1), "uid 7").await.unwrap(), "it is over by itself");
    let mut records: Vec<OverrideRecord> = world.store.override_records(None, 9).await.unwrap();
    records.reverse();
    let told: Vec<_> = records.iter().map(|record| (record.made.id.0, record.made.order.clone())).collect();
    let expected: Vec<_> = orders.into_iter().zip(1..).map(|(order, id)| (id, order)).collect();
    assert_eq!(told, expected);
    for OverrideRecord { made, .. } in &records {
        let kept = (made.reason.as_str(), made.by.as_str(), made.since, made.until);
        assert_eq!(kept, ("wrong script", "uid 0", since, since + HOUR));
    }
    let ends: Vec<_> =
        records.iter().map(|record| record.ended.as_ref().map(|end| (end.at, end.by.as_str()))).collect();
    assert_eq!(ends, [None, Some((ended_at, "uid 7")), None]);
    assert_eq!(world.store.override_records(None, 1).await.unwrap()[0].made.id, OverrideId(3));
    assert_eq!(world.store.override_records(Some(OverrideId(3)), 1).await.unwrap()[0].made.id, OverrideId(2));
}

async fn attempts_keep_what_they_were_placed_under(mut world: World) {
    let mut spring = campaign("spring");
    let ready = with_contacts(&mut world, &spring).await;
    world.place(&ready[0], 0).await;
    spring.desired = DesiredState::Paused;
    world.apply(&[&spring]).await;
    let resume = decide(&world, Order::Resume { scope: of(&spring) }, HOUR).await;
    world.place(&ready[1], 0).await;
    let pin = decide(&world, Order::Pin { revision: Revision::parse(&"b".repeat(40)).unwrap() }, HOUR).await;
    world.place(&ready[2], 0).await;
    let attempts = world.store.attempts(&spring.id, None, 9).await.unwrap();
    let under: Vec<_> = attempts.into_iter().map(|attempt| attempt.overrides).collect();
    assert_eq!(under, [vec![], vec![resume], vec![resume, pin]]);
}

fn edit(world: &World, sql: &str) {
    rusqlite::Connection::open(world.path().unwrap()).unwrap().execute_batch(sql).unwrap();
}

#[tokio::test]
async fn what_somebody_writes_into_the_rows_holds_in_no_case() {
    let mut world = World::sqlite().await;
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    let id = decide(&world, pause(Scope::All), HOUR).await;
    let holding = world.store.overrides();
    edit(&world, "UPDATE override SET kind = 'resume'");
    // A command that fails has what went before it stand, as it was and not as it is in the rows.
    let unknown = CampaignChange::Remove { id: campaign_id("unknown") };
    assert!(world.store.apply(generation(9, &[&spring]), vec![unknown], Against::Whatever).await.is_err());
    assert_eq!(world.store.overrides(), holding);
    let told: Vec<String> = world.store.drifted_overrides().await.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(told, ["override 1: it pauses all campaigns, and by the store it resumes all campaigns"]);
    world.store.mend_overrides(&[id]).await.unwrap();
    assert_eq!(world.store.drifted_overrides().await.unwrap(), []);

    // An id beyond all ids takes none away from those to come.
    edit(
        &world,
        "INSERT INTO override SELECT 1 << 40, kind, NULL, NULL, 0, reason, 'x', since, until, 1, 'x' FROM override",
    );
    assert_eq!(decide(&world, pause(of(&spring)), HOUR).await, OverrideId(2));
}

#[tokio::test]
async fn an_override_that_cannot_be_read_pauses_what_it_is_of() {
    let mut world = World::sqlite().await;
    let (spring, autumn) = (campaign("spring"), campaign("autumn"));
    world.apply(&[&spring, &autumn]).await;
    world.import(&spring, contacts(1)).await;
    world.import(&autumn, vec![contact("d1", &["+8613900000001"])]).await;
    decide(&world, Order::Resume { scope: of(&spring) }, HOUR).await;
    for (sql, autumn_too) in [("UPDATE override SET kind = '?'", false), ("UPDATE override SET campaign = '?'", true)] {
        edit(&world, sql);
        world.crash().await;
        world.apply(&[&spring, &autumn]).await;
        for (campaign, paused) in [(&spring, true), (&autumn, autumn_too)] {
            let ready = world.ready(campaign).await.remove(0);
            let request = world.request(&ready, 0);
            let decision = world.store.record_intent(request.clone()).await.unwrap();
            let refused = matches!(decision, IntentDecision::Refused(Hold::PausedByOverride { .. }));
            assert_eq!(refused, paused, "{sql}: {decision:?}");
            world.store.withdraw_intent(request.attempt).await.unwrap();
        }
    }
    assert!(world.store.end_override(OverrideId(1), "uid 0").await.unwrap(), "a person ends it");
    let ready = world.ready(&spring).await.remove(0);
    world.place(&ready, 0).await;
}
