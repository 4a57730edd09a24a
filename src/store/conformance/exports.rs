//! Exports: what becomes of them, and the rows that go into them.

use super::*;
use crate::{
    domain::{
        attribute::AttributeValue,
        audit::{Deed, DeedResult},
        business::BusinessKey,
        export::{ExportFilter, ExportFormat, ExportId, ExportKind, ExportState},
        ids::AttributeId,
        person::Role,
    },
    store::{BusinessRequest, ExportFile, ExportStep, NewAuditEntry, NewExport, StoreError},
};

on_both_stores!(
    an_export_is_kept_as_it_was_asked_for,
    an_export_goes_step_by_step_and_no_other_way,
    who_began_it_before_can_not_end_it,
    lists_go_from_the_newest_and_by_owner,
    an_entry_of_the_audit_log_names_the_export,
    an_erasure_takes_exports_back_that_may_hold_the_customer,
    contacts_come_with_their_newest_attempt_and_result,
    attempts_come_with_what_is_known_of_their_contact,
    pages_meet_and_leave_nobody_out,
    an_erased_customer_is_in_no_row,
);

fn new(world: &World, owner: &str, campaign: &str) -> NewExport {
    NewExport {
        kind: ExportKind::Attempts,
        format: ExportFormat::Csv,
        campaign: campaign_id(campaign),
        filter: ExportFilter::default(),
        attributes: None,
        unmasked: false,
        recipient: None,
        owner: owner.to_owned(),
        reason: "the quarter's report".to_owned(),
        asked_at: world.now(),
        expires_at: world.now() + Duration::from_secs(3600),
    }
}

fn file() -> ExportFile {
    ExportFile { rows: 3, bytes: 120, sha256: "ab".repeat(32) }
}

async fn state(world: &World, id: ExportId) -> ExportState {
    world.store.export(id).await.unwrap().unwrap().state
}

async fn step(world: &World, id: ExportId, step: ExportStep) -> bool {
    world.store.step_export(id, step).await.unwrap()
}

fn done(starts: u32) -> ExportStep {
    ExportStep::Done { starts, file: file() }
}

fn dropped() -> ExportStep {
    ExportStep::Drop { why: "by eve".to_owned() }
}

async fn an_export_is_kept_as_it_was_asked_for(mut world: World) {
    let asked = NewExport {
        kind: ExportKind::Contacts,
        format: ExportFormat::Xlsx,
        filter: ExportFilter {
            batch: Some(batch_id("first")),
            from: Some(at("2031-03-01T00:00:00Z")),
            until: Some(at("2031-03-02T00:00:00Z")),
            result: Some(CallResult::Busy),
            business: BusinessKey::parse("callback/soon"),
        },
        attributes: Some(vec![AttributeId::parse("surname").unwrap()]),
        unmasked: true,
        recipient: Some("age1x".to_owned()),
        ..new(&world, "eve", "c")
    };
    let id = world.store.add_export(asked.clone()).await.unwrap();
    let plain = world.store.add_export(new(&world, "eve", "c")).await.unwrap();
    world.crash().await;
    let kept = world.store.export(id).await.unwrap().unwrap();
    assert_eq!((kept.id, kept.asked, kept.state), (ExportId(1), asked, ExportState::Waiting));
    assert_eq!((kept.starts, kept.begun_at, kept.over_at, kept.file, kept.downloads), (0, None, None, None, 0));
    assert_eq!(world.store.export(plain).await.unwrap().unwrap().asked, new(&world, "eve", "c"));
    assert_eq!(world.store.export(ExportId(99)).await.unwrap(), None);
}

async fn an_export_goes_step_by_step_and_no_other_way(world: World) {
    let id = world.store.add_export(new(&world, "eve", "c")).await.unwrap();
    let fail = |starts| ExportStep::Fail { starts, why: "the disk is full".to_owned() };
    for early in [ExportStep::Again, done(0), fail(0), ExportStep::Expire] {
        assert!(!step(&world, id, early).await);
    }
    assert!(!world.store.count_download(id).await.unwrap());
    assert!(step(&world, id, ExportStep::Begin).await);
    assert!(!step(&world, id, ExportStep::Begin).await);
    assert_eq!(world.store.export(id).await.unwrap().unwrap().begun_at, Some(world.now()));
    world.wait(Duration::from_secs(5));
    assert!(step(&world, id, done(1)).await);
    let kept = world.store.export(id).await.unwrap().unwrap();
    assert_eq!((kept.state, kept.file, kept.over_at), (ExportState::Done, Some(file()), Some(world.now())));
    assert!(world.store.count_download(id).await.unwrap());
    assert_eq!(world.store.export(id).await.unwrap().unwrap().downloads, 1);
    assert!(step(&world, id, ExportStep::Expire).await);
    for late in [ExportStep::Begin, done(1), dropped(), ExportStep::Expire] {
        assert!(!step(&world, id, late).await);
    }
    assert!(!world.store.count_download(id).await.unwrap());

    let failed = world.store.add_export(new(&world, "eve", "c")).await.unwrap();
    assert!(step(&world, failed, ExportStep::Begin).await && step(&world, failed, fail(1)).await);
    let kept = world.store.export(failed).await.unwrap().unwrap();
    assert_eq!((kept.state, kept.why.as_deref()), (ExportState::Failed, Some("the disk is full")));
    let cancelled = world.store.add_export(new(&world, "eve", "c")).await.unwrap();
    assert!(step(&world, cancelled, dropped()).await);
    assert_eq!(state(&world, cancelled).await, ExportState::Cancelled);
    let deleted = world.store.add_export(new(&world, "eve", "c")).await.unwrap();
    assert!(step(&world, deleted, ExportStep::Begin).await && step(&world, deleted, done(1)).await);
    assert!(step(&world, deleted, dropped()).await);
    assert_eq!(state(&world, deleted).await, ExportState::Deleted);
    assert_eq!(world.store.done_exports().await.unwrap(), []);
    assert_eq!(world.store.open_exports().await.unwrap(), []);
}

async fn who_began_it_before_can_not_end_it(world: World) {
    let id = world.store.add_export(new(&world, "eve", "c")).await.unwrap();
    assert!(step(&world, id, ExportStep::Begin).await);
    assert!(step(&world, id, ExportStep::Again).await);
    assert!(!step(&world, id, done(1)).await, "it waits");
    assert!(step(&world, id, ExportStep::Begin).await);
    assert!(!step(&world, id, done(1)).await);
    assert!(!step(&world, id, ExportStep::Fail { starts: 1, why: "x".to_owned() }).await);
    assert!(step(&world, id, done(2)).await);
}

async fn lists_go_from_the_newest_and_by_owner(world: World) {
    for owner in ["eve", "bob", "eve", "eve"] {
        world.store.add_export(new(&world, owner, "c")).await.unwrap();
    }
    let ids = |records: Vec<crate::store::ExportRecord>| records.iter().map(|record| record.id.0).collect::<Vec<_>>();
    assert_eq!(ids(world.store.exports(None, None, 10).await.unwrap()), [4, 3, 2, 1]);
    assert_eq!(ids(world.store.exports(Some("eve"), None, 2).await.unwrap()), [4, 3]);
    assert_eq!(ids(world.store.exports(Some("eve"), Some(ExportId(3)), 10).await.unwrap()), [1]);
    assert_eq!(ids(world.store.exports(Some("nobody"), None, 10).await.unwrap()), [0; 0]);
    assert_eq!(ids(world.store.open_exports().await.unwrap()), [1, 2, 3, 4]);
}

async fn an_entry_of_the_audit_log_names_the_export(world: World) {
    let entry = |action: &str| {
        let (who, role, result) = ("eve".to_owned(), Role::Supervisor, DeedResult::Done);
        let (action, object) = (action.to_owned(), "attempts of campaign c".to_owned());
        NewAuditEntry::new(Deed { who, role, action, object, result })
    };
    let asking = entry("export.ask");
    let id = world.store.audited(asking.clone()).add_export(new(&world, "eve", "c")).await.unwrap();
    assert!(asking.is_written());
    assert!(!world.store.audited(entry("export.download")).count_download(id).await.unwrap());
    step(&world, id, ExportStep::Begin).await;
    step(&world, id, done(1)).await;
    assert!(world.store.audited(entry("export.download")).count_download(id).await.unwrap());
    let log = world.store.audit_page(Some(0), 10).await.unwrap();
    let said: Vec<_> = log.iter().map(|entry| (entry.action.as_str(), entry.object.as_str())).collect();
    assert_eq!(
        said,
        [("export.ask", "id 1: attempts of campaign c"), ("export.download", "attempts of campaign c")],
        "and none of what changed nothing"
    );
}

async fn an_erasure_takes_exports_back_that_may_hold_the_customer(mut world: World) {
    let (own, other) = (campaign("own"), campaign("other"));
    world.apply(&[&own, &other]).await;
    world.import_batch(&own, "first", contacts(1)).await;
    world.import_batch(&own, "second", vec![contact("c2", &["+8613800000002"])]).await;
    let of_batch = |world: &World, batch: &str| NewExport {
        filter: ExportFilter { batch: Some(batch_id(batch)), ..ExportFilter::default() },
        ..new(world, "eve", "own")
    };
    let asked =
        [new(&world, "eve", "own"), of_batch(&world, "first"), of_batch(&world, "second"), new(&world, "eve", "other")];
    let mut ids = Vec::new();
    for asked in asked {
        let id = world.store.add_export(asked).await.unwrap();
        assert!(step(&world, id, ExportStep::Begin).await && step(&world, id, done(1)).await);
        ids.push(id);
    }
    let running = world.store.add_export(new(&world, "eve", "own")).await.unwrap();
    assert!(step(&world, running, ExportStep::Begin).await);
    let waiting = world.store.add_export(new(&world, "eve", "own")).await.unwrap();
    world.store.erase(&own.id, &customer_id("c1")).await.unwrap();
    let mut states = Vec::new();
    for id in &ids {
        states.push(state(&world, *id).await);
    }
    use ExportState::{Done, Waiting, Withdrawn};
    assert_eq!(states, [Withdrawn, Withdrawn, Done, Done]);
    let why = world.store.export(ids[0]).await.unwrap().unwrap().why.unwrap();
    assert!(why.contains("erased"), "{why}");
    assert_eq!((state(&world, running).await, state(&world, waiting).await), (Waiting, Waiting));
    assert!(!step(&world, running, done(1)).await, "what was read before is not kept");
    world.store.delete(&own.id, &customer_id("c2")).await.unwrap();
    assert_eq!((state(&world, ids[2]).await, state(&world, ids[3]).await), (Withdrawn, Done));
}

fn described(customer: &str, number: &str) -> NewContact {
    let surname = AttributeValue::Text("Kowalski".to_owned());
    NewContact {
        attributes: Attributes::from([(AttributeId::parse("surname").unwrap(), surname)]),
        custom_field: Some(format!("crm-{customer}")),
        ..contact(customer, &[number, "+8613700000000"])
    }
}

async fn mark(world: &World, campaign: &Campaign, customer: &str, key: &str) {
    let request = BusinessRequest {
        agent: None,
        callback: None,
        campaign: campaign.id.clone(),
        customer: customer_id(customer),
        attempt: None,
        key: BusinessKey::parse(key).unwrap(),
        note: Some(format!("{customer} said so")),
        by: "amy".to_owned(),
        at: world.now(),
        by_default: false,
    };
    world.store.set_business_result(request).await.unwrap();
}

async fn contacts_come_with_their_newest_attempt_and_result(mut world: World) {
    let own = campaign("own");
    world.apply(&[&own]).await;
    world.import(&own, vec![described("c1", "+8613800000001"), described("c2", "+8613800000002")]).await;
    let first = world.find(&own, "c1").await;
    world.call(&first, 0, CallResult::Busy).await;
    world.wait(Duration::from_secs(3600));
    let again = world.find(&own, "c1").await;
    let (live, _) = world.place(&again, 0).await;
    mark(&world, &own, "c1", "callback").await;
    mark(&world, &own, "c1", "refused").await;
    let rows = world.store.contacts_to_export(&own.id, None, 10).await.unwrap();
    let [called, fresh] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((called.contact.customer.as_str(), called.live, called.batch.as_str()), ("c1", true, "first"));
    let last = called.last.as_ref().unwrap();
    assert_eq!((last.attempt, last.placed_at, last.result, last.agent.as_str()), (live, world.now(), None, "amy"));
    let business = called.business.as_ref().unwrap();
    assert_eq!((business.key.to_string(), business.note.as_deref()), ("refused".to_owned(), Some("c1 said so")));
    assert_eq!(called.custom_field.as_deref(), Some("crm-c1"));
    assert_eq!((fresh.live, &fresh.last, &fresh.business), (false, &None, &None));
    assert_eq!(fresh.contact, world.find(&own, "c2").await);
}

async fn attempts_come_with_what_is_known_of_their_contact(mut world: World) {
    let own = campaign("own");
    world.apply(&[&own]).await;
    world.import(&own, vec![described("c1", "+8613800000001")]).await;
    let contact = world.find(&own, "c1").await;
    world.call(&contact, 1, CallResult::Busy).await;
    mark(&world, &own, "c1", "callback").await;
    let rows = world.store.attempts_to_export(&own.id, None, 10).await.unwrap();
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!(vec![row.record.clone()], world.store.attempts(&own.id, None, 10).await.unwrap());
    assert_eq!(
        (row.record.batch.as_str(), row.record.category.as_ref().map(CategoryId::as_str)),
        ("first", Some("home"))
    );
    assert_eq!(row.attributes, contact.attributes);
    assert_eq!(row.custom_field.as_deref(), Some("crm-c1"));
    assert_eq!(row.business.as_ref().unwrap().key.to_string(), "callback");
    assert!(matches!(
        world.store.attempts_to_export(&campaign_id("unknown"), None, 1).await,
        Err(StoreError::UnknownCampaign(_))
    ));
}

async fn pages_meet_and_leave_nobody_out(mut world: World) {
    let (own, other) = (campaign("own"), campaign("other"));
    world.apply(&[&own, &other]).await;
    world.import(&own, contacts(7)).await;
    world.import(&other, vec![contact("z", &["+8613900000000"])]).await;
    for n in 1..=5 {
        let contact = world.find(&own, &format!("c{n}")).await;
        world.call(&contact, 0, CallResult::Busy).await;
    }
    let (mut customers, mut after) = (Vec::new(), None);
    loop {
        let page = world.store.contacts_to_export(&own.id, after.as_ref(), 3).await.unwrap();
        after = page.last().map(|row| row.contact.customer.clone());
        customers.extend(page.iter().map(|row| row.contact.customer.to_string()));
        if page.len() < 3 {
            break;
        }
    }
    assert_eq!(customers, ["c1", "c2", "c3", "c4", "c5", "c6", "c7"]);
    let (mut attempts, mut after) = (Vec::new(), None);
    loop {
        let page = world.store.attempts_to_export(&own.id, after, 2).await.unwrap();
        after = page.last().map(|row| row.record.attempt);
        attempts.extend(page.iter().map(|row| row.record.customer.to_string()));
        if page.len() < 2 {
            break;
        }
    }
    assert_eq!(attempts, ["c1", "c2", "c3", "c4", "c5"]);
}

async fn an_erased_customer_is_in_no_row(mut world: World) {
    let own = campaign("own");
    world.apply(&[&own]).await;
    world.import(&own, vec![described("c1", "+8613800000001")]).await;
    let contact = world.find(&own, "c1").await;
    world.call(&contact, 0, CallResult::Busy).await;
    mark(&world, &own, "c1", "callback").await;
    world.store.erase(&own.id, &customer_id("c1")).await.unwrap();
    let contacts = world.store.contacts_to_export(&own.id, None, 10).await.unwrap();
    let attempts = world.store.attempts_to_export(&own.id, None, 10).await.unwrap();
    assert_eq!((contacts.len(), attempts.len()), (1, 1));
    assert!(contacts[0].contact.progress.numbers.is_empty() && contacts[0].contact.attributes.is_empty());
    assert_ne!(contacts[0].contact.customer.as_str(), "c1");
    assert_eq!((&contacts[0].custom_field, &contacts[0].business.as_ref().unwrap().note), (&None, &None));
    assert_eq!(attempts[0].record.number, None);
    assert_eq!(attempts[0].record.customer, contacts[0].contact.customer);
    assert!(attempts[0].attributes.is_empty() && attempts[0].custom_field.is_none());
}
