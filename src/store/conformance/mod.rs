//! One suite for all stores: each test here runs on the SQLite store and on its twin.

mod batches;
mod business;
mod customers;
mod do_not_call;
mod drift;
mod exports;
mod filters;
mod guards;
mod holds;
mod journal;
mod kept;
mod keyed;
mod order;
mod outbox;
mod overrides;
mod people;
mod questionnaires;
mod results;
mod sqlite;
mod twins;
mod verbs;
mod why;

use std::{collections::BTreeMap, num::NonZeroU32, path::PathBuf, sync::Arc, time::Duration};

use jiff::{Timestamp, tz::TimeZone};
use tempfile::TempDir;

use super::{
    Against, CampaignChange, Dispatches, GateSettings, ImportOutcome, IntentDecision, IntentRequest, LegRecord, Opener,
    RecordedIntent, Settlement, Store, memory::MemoryStore, sqlite::SqliteStore,
};
use crate::{
    clock::Clock,
    domain::{
        attribute::Attributes,
        business::BusinessKey,
        calendar::{CallingHours, Window},
        call::{Destination, LegIdentity},
        campaign::{
            AgentDefinition, Campaign, Definitions, DesiredState, DialPermission, Generation, Limits, Priority,
        },
        contact::{Contact, NewContact},
        gate::Caps,
        ids::{
            AgentId, AttemptId, BatchId, CampaignId, CategoryId, ContactRef, CustomerId, LegId, QueueId, Revision,
            TenantId, TrunkId,
        },
        phone::E164,
        policy::{DaysPolicy, ResultPolicy},
        reason::Hold,
        results::CallResult,
        retry,
        tenant::Tenant,
    },
};

/// Runs each test on both stores.
macro_rules! on_both_stores {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {
        mod memory {$(
            #[tokio::test]
            async fn $name() {
                super::$name(crate::store::conformance::World::memory()).await;
            }
        )+}
        mod sqlite {$(
            #[tokio::test]
            async fn $name() {
                super::$name(crate::store::conformance::World::sqlite().await).await;
            }
        )+}
    };
}
use on_both_stores;

/// Monday, 10:00 in Shanghai.
const START: &str = "2031-03-03T10:00:00+08:00";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

enum Kind {
    Memory(Arc<MemoryStore>),
    Sqlite { dir: TempDir },
}

/// A store, its clock, and what this life has made.
struct World {
    kind: Kind,
    store: Arc<dyn Store>,
    dispatches: Arc<dyn Dispatches>,
    clock: Clock,
    settings: GateSettings,
    serial: u32,
    generations: u32,
}

impl World {
    fn memory() -> Self {
        let (clock, settings) = (Clock::manual(at(START)), settings());
        let store = MemoryStore::open(opener(), settings.clone(), clock.clone());
        Self {
            kind: Kind::Memory(store.clone()),
            dispatches: store.clone(),
            store,
            clock,
            settings,
            serial: 0,
            generations: 0,
        }
    }

    async fn sqlite() -> Self {
        let (clock, settings) = (Clock::manual(at(START)), settings());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.db");
        let store = SqliteStore::open(&path, opener(), settings.clone(), clock.clone()).await.unwrap();
        Self {
            kind: Kind::Sqlite { dir },
            dispatches: store.clone(),
            store,
            clock,
            settings,
            serial: 0,
            generations: 0,
        }
    }

    fn path(&self) -> Option<PathBuf> {
        match &self.kind {
            Kind::Memory(_) => None,
            Kind::Sqlite { dir } => Some(dir.path().join("s.db")),
        }
    }

    /// Drops the store as a crash does, and opens it again with `settings`.
    async fn crash(&mut self) {
        self.serial = 0;
        let Some(path) = self.path() else {
            let Kind::Memory(store) = &self.kind else { unreachable!() };
            let next = store.next_life_with(self.settings.clone());
            (self.kind, self.dispatches, self.store) = (Kind::Memory(next.clone()), next.clone(), next);
            return;
        };
        let idle = Self::memory();
        (self.dispatches, self.store) = (idle.dispatches.clone(), idle.store.clone());
        for _ in 0..500 {
            match SqliteStore::open(&path, opener(), self.settings.clone(), self.clock.clone()).await {
                Ok(store) => {
                    (self.dispatches, self.store) = (store.clone(), store);
                    return;
                }
                Err(super::StoreError::Held { .. }) => tokio::time::sleep(Duration::from_millis(10)).await,
                Err(error) => panic!("{error}"),
            }
        }
        panic!("the lock of a dropped store stays");
    }

    fn now(&self) -> Timestamp {
        self.clock.now().wall
    }

    fn wait(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Applies `campaigns` as the newest generation, each of them changed.
    async fn apply(&mut self, campaigns: &[&Campaign]) -> Arc<Generation> {
        self.generations += 1;
        let generation = generation(self.generations, campaigns);
        let changes = campaigns.iter().map(|campaign| put(&campaign.id)).collect();
        self.store.apply(generation.clone(), changes, Against::Whatever).await.unwrap();
        generation
    }

    async fn import(&self, campaign: &Campaign, contacts: Vec<NewContact>) -> ImportOutcome {
        self.import_batch(campaign, "first", contacts).await
    }

    async fn import_batch(&self, campaign: &Campaign, batch: &str, contacts: Vec<NewContact>) -> ImportOutcome {
        self.store.import(&campaign.id, &batch_id(batch), contacts).await.unwrap()
    }

    async fn ready(&self, campaign: &Campaign) -> Vec<Contact> {
        self.store.candidates(&campaign.id, self.now(), 1000).await.unwrap().ready
    }

    async fn customers(&self, campaign: &Campaign) -> Vec<String> {
        self.ready(campaign).await.iter().map(|contact| contact.customer.to_string()).collect()
    }

    async fn find(&self, campaign: &Campaign, customer: &str) -> Contact {
        self.store.contact(&campaign.id, &customer_id(customer)).await.unwrap().unwrap().contact
    }

    fn request(&mut self, contact: &Contact, number: usize) -> IntentRequest {
        self.serial += 1;
        let (epoch, serial) = (self.store.epoch(), self.serial);
        let called = contact.progress.numbers.get(number).map_or(e164("+8613899999999"), |n| n.e164.clone());
        let leg = LegId { epoch, serial: 1000 + serial };
        IntentRequest {
            attempt: AttemptId { epoch, serial },
            campaign: contact.campaign.clone(),
            contact: contact.reference,
            picked_version: contact.version,
            number,
            rule: rule_of(contact, number, self.now()),
            caller_number: e164("+862880000001"),
            agent: AgentId::parse("amy").unwrap(),
            trunk: trunk(),
            leg: LegRecord { leg, destination: customer_leg(called), identity: identity(serial) },
        }
    }

    async fn intent(&mut self, contact: &Contact, number: usize) -> IntentDecision {
        let request = self.request(contact, number);
        self.store.record_intent(request).await.unwrap()
    }

    /// An intent that the gate admits.
    async fn place(&mut self, contact: &Contact, number: usize) -> (AttemptId, RecordedIntent) {
        let request = self.request(contact, number);
        let attempt = request.attempt;
        match self.store.record_intent(request).await.unwrap() {
            IntentDecision::Recorded(recorded) => (attempt, *recorded),
            IntentDecision::Refused(hold) => panic!("refused: {hold}"),
        }
    }

    async fn refusal(&mut self, contact: &Contact, number: usize) -> Hold {
        match self.intent(contact, number).await {
            IntentDecision::Recorded(_) => panic!("recorded"),
            IntentDecision::Refused(hold) => hold,
        }
    }

    /// Settles as the engine does.
    async fn settle(&self, attempt: AttemptId, recorded: &RecordedIntent, number: usize, result: CallResult) {
        self.store.settle(settlement(attempt, recorded, number, result, self.now())).await.unwrap();
    }

    /// A call from intent to settlement, with nothing in between.
    async fn call(&mut self, contact: &Contact, number: usize, result: CallResult) {
        let (attempt, recorded) = self.place(contact, number).await;
        self.settle(attempt, &recorded, number, result).await;
    }
}

/// What asks for a call of a number at `now`: a business rule whose call of it is due, else nothing.
fn rule_of(contact: &Contact, number: usize, now: Timestamp) -> Option<BusinessKey> {
    let call = contact.progress.business.scheduled.as_ref();
    call.filter(|call| call.number == number && call.due_at() <= now).map(|call| call.rule.clone())
}

fn settlement(
    attempt: AttemptId,
    recorded: &RecordedIntent,
    number: usize,
    result: CallResult,
    ended_at: Timestamp,
) -> Settlement {
    let ended = retry::EndedAttempt {
        number,
        rule: rule_of(&recorded.contact, number, recorded.at),
        result,
        ended_at,
        local_date: recorded.local_date,
        next_day_at: recorded.next_day_at,
        caller_number: e164("+862880000001"),
    };
    let (progress, result) = retry::settle(&recorded.policy, &recorded.contact.progress, &ended);
    Settlement {
        attempt,
        result,
        fail_code: "00000",
        sip_status: Some(486),
        q850: Some(17),
        ended_at,
        answered_at: None,
        connected_at: None,
        progress,
    }
}

fn opener() -> Opener {
    Opener {
        daemon_version: "0.1.0".into(),
        tzdb_version: "2026b".into(),
        settings_digest: "d1".into(),
        pid: std::process::id(),
        host: "here".into(),
    }
}

fn settings() -> GateSettings {
    let caps =
        Caps { tenant_calls: 1000, tenant_calls_per_second: 1000, trunk_calls: 1000, trunk_calls_per_second: 1000 };
    GateSettings { permission: DialPermission::All, caps: BTreeMap::from([(trunk(), caps)]) }
}

fn trunk() -> TrunkId {
    TrunkId::parse("main").unwrap()
}

fn e164(number: &str) -> E164 {
    E164::parse(number).unwrap()
}

fn customer_id(customer: &str) -> CustomerId {
    CustomerId::parse(customer).unwrap()
}

fn batch_id(id: &str) -> BatchId {
    BatchId::parse(id).unwrap()
}

fn campaign_id(id: &str) -> CampaignId {
    CampaignId::parse(id).unwrap()
}

fn put(id: &CampaignId) -> CampaignChange {
    CampaignChange::Put { id: id.clone(), digest: format!("digest of {id}") }
}

fn customer_leg(number: E164) -> Destination {
    Destination::Customer { number, caller_number: e164("+862880000001"), trunk: trunk() }
}

fn identity(serial: u32) -> LegIdentity {
    LegIdentity {
        call_id: format!("call-{serial}"),
        local_uri: "sip:us@example.com".into(),
        local_tag: format!("tag-{serial}"),
        remote_uri: "sip:them@example.com".into(),
        remote_tag: None,
        target_uri: "sip:them@192.0.2.1".into(),
        routes: vec!["<sip:proxy.example.com;lr>".into()],
        cseq: 1,
        branch: format!("z9hG4bK{serial}"),
        peer: "192.0.2.1:5060".into(),
    }
}

/// A running campaign, open day and night: 3 days, 2 tries a day, 30 minutes between.
fn campaign(id: &str) -> Campaign {
    let window = Window::parse("00:00-24:00").unwrap();
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    Campaign {
        id: campaign_id(id),
        name: id.to_owned(),
        caller_numbers: Vec::new(),
        starts_at: at("2031-03-01T00:00:00+08:00"),
        ends_at: at("2031-04-01T00:00:00+08:00"),
        skill_queue: QueueId::parse("q1").unwrap(),
        hours: CallingHours::new("Asia/Shanghai", zone, vec![window]).unwrap(),
        results: policy(3, 2),
        ..Campaign::example()
    }
}

fn policy(days: u32, per_day: u32) -> ResultPolicy {
    ResultPolicy::days(DaysPolicy {
        max_days: nonzero(days),
        max_attempts_per_day: nonzero(per_day),
        retry_interval: Duration::from_secs(1800),
    })
}

fn nonzero(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

/// A commit: the higher `n`, the newer.
fn generation(n: u32, campaigns: &[&Campaign]) -> Arc<Generation> {
    let business_results = ["callback", "refused", "wrong_person"].map(business::defined);
    let tenant = Tenant::new(TenantId::parse("acme").unwrap(), "Acme", "Asia/Shanghai", "CN");
    let definitions = Definitions {
        campaigns: campaigns.iter().map(|campaign| (campaign.id.clone(), Arc::new((*campaign).clone()))).collect(),
        agents: ["amy", "ben"].map(agent).into_iter().map(|agent| (agent.id.clone(), agent)).collect(),
        business_results: business_results.into_iter().map(|result| (result.id.clone(), result)).collect(),
        ..Definitions::of(tenant)
    };
    let committed_at = at("2031-03-01T00:00:00Z") + Duration::from_secs(u64::from(n));
    Arc::new(Generation::whole(Revision::parse(&format!("{n:040x}")).unwrap(), committed_at, definitions))
}

fn agent(id: &str) -> AgentDefinition {
    AgentDefinition {
        id: AgentId::parse(id).unwrap(),
        name: id.to_owned(),
        sip: format!("sip:{id}@127.0.0.1"),
        queues: vec![QueueId::parse("q1").unwrap()],
    }
}

/// A contact with these numbers, the first a mobile, the others at home.
fn contact(customer: &str, numbers: &[&str]) -> NewContact {
    let category = |index| CategoryId::parse(if index == 0 { "mobile" } else { "home" }).unwrap();
    NewContact {
        customer: customer_id(customer),
        numbers: numbers.iter().enumerate().map(|(index, number)| (category(index), e164(number))).collect(),
        priority: Priority::DEFAULT,
        not_before: None,
        timezone: None,
        attributes: Attributes::new(),
        custom_field: None,
    }
}

/// Contacts `c1`…`cn` with one number each.
fn contacts(n: u32) -> Vec<NewContact> {
    (1..=n).map(|i| contact(&format!("c{i}"), &[&format!("+86138{i:08}")])).collect()
}

fn no_contact() -> ContactRef {
    ContactRef(999_999)
}
