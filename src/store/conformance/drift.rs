//! What is live by the rows, and rows that are written anew.

use super::*;
use crate::domain::{agent::Availability, drift::calls::LiveRows};

on_both_stores!(what_is_live_is_told_and_left_to_whoever_asks, a_mended_row_keeps_the_commit_that_changed_it);

async fn what_is_live_is_told_and_left_to_whoever_asks(mut world: World) {
    let spring = campaign("spring");
    world.apply(&[&spring]).await;
    world.import(&spring, contacts(3)).await;
    assert_eq!(world.store.live_rows().await.unwrap(), LiveRows::default());
    let ready = world.ready(&spring).await;
    let (first, second) = (world.request(&ready[0], 0), world.request(&ready[1], 0));
    for request in [&first, &second] {
        world.store.record_intent(request.clone()).await.unwrap();
    }
    let agent = AgentId::parse("anna").unwrap();
    world.store.set_availability(&agent, Availability::Rest).await.unwrap();
    let rows = world.store.live_rows().await.unwrap();
    let of_spring = |request: &IntentRequest| (request.attempt, Some(spring.id.clone()));
    assert_eq!(rows.attempts, [of_spring(&first), of_spring(&second)].into());
    let leg = |request: &IntentRequest| (request.leg.leg, Some(request.attempt));
    assert_eq!(rows.legs, [leg(&first), leg(&second)].into());
    assert_eq!(rows.agents, [(agent, "rest".to_owned())].into());

    // Of this life: nothing is left over by it, and yet it can be read.
    assert_eq!(world.store.leftovers().await.unwrap().attempts, []);
    let left = world.store.left_behind(&[second.attempt], &[first.leg.leg]).await.unwrap();
    let attempts: Vec<AttemptId> = left.attempts.iter().map(|left| left.attempt).collect();
    let legs: Vec<LegId> = left.legs.iter().map(|left| left.record.leg).collect();
    assert_eq!((attempts, legs), (vec![second.attempt], vec![first.leg.leg]));
    let gone = AttemptId { serial: 99, ..first.attempt };
    assert_eq!(world.store.left_behind(&[gone], &[]).await.unwrap(), Default::default());
}

async fn a_mended_row_keeps_the_commit_that_changed_it(mut world: World) {
    let (spring, summer) = (campaign("spring"), campaign("summer"));
    let first = world.apply(&[&spring]).await.revision.clone();
    let second = generation(7, &[&spring, &summer]);
    world.store.apply(second.clone(), vec![put(&summer.id)], Against::Whatever).await.unwrap();
    let before = world.store.campaigns().await.unwrap();
    assert_eq!(before[0].revision, first);
    let mend = |campaign: &Campaign| CampaignChange::Mend { id: campaign.id.clone(), digest: digest_of(campaign) };
    world.store.apply(second, vec![mend(&spring), mend(&summer)], Against::Whatever).await.unwrap();
    assert_eq!(world.store.campaigns().await.unwrap(), before);
    assert!(before.iter().all(|row| !row.damaged));
}

/// The digest that [`put`] writes.
fn digest_of(campaign: &Campaign) -> String {
    let CampaignChange::Put { digest, .. } = put(&campaign.id) else { unreachable!() };
    digest
}
