//! The journal: what is written down is read again, in order, and not for ever.

use super::*;
use crate::{
    domain::ids::SourceId,
    store::{COMMITS_KEPT, CommitResult, EVENTS_KEPT, Entries, Event, EventKind, HandledCommit},
    telemetry::status::{CommitInfo, Verification},
};

on_both_stores!(
    commits_are_told_newest_first_and_survive_a_restart,
    events_are_told_after_any_of_them,
    the_journal_keeps_the_newest,
);

fn handled(serial: u64) -> HandledCommit {
    let good = serial.is_multiple_of(2);
    let (method, signer, fingerprint) = ("ssh".to_owned(), "ops@example.org".to_owned(), "SHA256:x".to_owned());
    let verified = (serial == 2).then_some(Verification { method, signer, fingerprint });
    let info = CommitInfo { author: "Ops".into(), time: START.into(), subject: format!("commit {serial}"), verified };
    HandledCommit {
        at: at(START) + Duration::from_secs(serial),
        source: if good { SourceId::main() } else { SourceId::parse("sales").unwrap() },
        revision: Revision::parse(&format!("{serial:040x}")).unwrap(),
        commit: good.then_some(info),
        result: if good { CommitResult::InForce } else { CommitResult::Refused },
        reason: (!good).then(|| "ValidationFailed".to_owned()),
        message: (!good).then(|| "2 problems in 1 file".to_owned()),
        took: Duration::from_micros(1_234 + serial),
        changed: serial,
    }
}

fn event(serial: u64, campaign: Option<&str>) -> Event {
    Event {
        at: at(START) + Duration::from_secs(serial),
        kind: if campaign.is_some() { EventKind::CampaignChanged } else { EventKind::ReconcileAsked },
        revision: campaign.map(|_| Revision::parse(&format!("{serial:040x}")).unwrap()),
        campaign: campaign.map(campaign_id),
        by: campaign.is_none().then(|| "uid 0".to_owned()),
        before: campaign.map(|_| "paused".to_owned()),
        after: campaign.map(|_| "running".to_owned()),
        message: format!("event {serial}"),
    }
}

async fn commits_are_told_newest_first_and_survive_a_restart(mut world: World) {
    assert_eq!(world.store.handled_commits(10).await.unwrap(), []);
    let all: Vec<HandledCommit> = (1..=3).map(handled).collect();
    world.store.journal(Entries { commits: all[..2].to_vec(), events: vec![] }).await.unwrap();
    world.crash().await;
    world.store.journal(Entries { commits: all[2..].to_vec(), events: vec![] }).await.unwrap();
    let told = world.store.handled_commits(10).await.unwrap();
    assert_eq!(told, [all[2].clone(), all[1].clone(), all[0].clone()]);
    assert_eq!(world.store.handled_commits(1).await.unwrap(), all[2..]);
}

async fn events_are_told_after_any_of_them(mut world: World) {
    let all = [event(1, None), event(2, Some("spring")), event(3, Some("autumn")), event(4, Some("spring"))];
    world.store.journal(Entries { commits: vec![], events: all.to_vec() }).await.unwrap();
    world.crash().await;
    let told = world.store.events(None, None, 10).await.unwrap();
    let (ids, events): (Vec<u64>, Vec<Event>) = told.into_iter().unzip();
    assert!(events == all && ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    let messages = |told: Vec<(u64, Event)>| told.into_iter().map(|(_, event)| event.message).collect::<Vec<_>>();
    let newest = world.store.events(None, None, 2).await.unwrap();
    assert_eq!(messages(newest), ["event 3", "event 4"], "the newest, and the oldest of them first");
    let after = world.store.events(Some(ids[0]), None, 2).await.unwrap();
    assert_eq!(messages(after), ["event 2", "event 3"], "the next ones");
    let spring = campaign_id("spring");
    assert_eq!(messages(world.store.events(None, Some(&spring), 1).await.unwrap()), ["event 4"]);
    assert_eq!(messages(world.store.events(Some(ids[1]), Some(&spring), 9).await.unwrap()), ["event 4"]);
    assert_eq!(world.store.events(Some(ids[3]), None, 9).await.unwrap(), []);
    assert_eq!(world.store.events(Some(u64::MAX), None, 9).await.unwrap(), []);
}

async fn the_journal_keeps_the_newest(world: World) {
    let commits = (1..=COMMITS_KEPT + 2).map(handled).collect();
    let events = (1..=EVENTS_KEPT + 2).map(|serial| event(serial, None)).collect();
    world.store.journal(Entries { commits, events }).await.unwrap();
    let more = Entries { commits: vec![handled(COMMITS_KEPT + 3)], events: vec![event(EVENTS_KEPT + 3, None)] };
    world.store.journal(more).await.unwrap();
    let commits = world.store.handled_commits(u32::MAX).await.unwrap();
    assert_eq!((commits.len() as u64, &commits[0]), (COMMITS_KEPT, &handled(COMMITS_KEPT + 3)));
    assert_eq!(commits.last(), Some(&handled(4)));
    let events = world.store.events(Some(0), None, u32::MAX).await.unwrap();
    assert_eq!((events.len() as u64, events[0].1.message.as_str()), (EVENTS_KEPT, "event 4"));
}
