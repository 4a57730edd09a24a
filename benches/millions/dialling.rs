//! What the dialler asks of the store: pages of candidates, intents, outcomes.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use dialops::{
    domain::{
        call::{Destination, LegIdentity},
        contact::Contact,
        ids::{AgentId, AttemptId, CampaignId, LegId},
        phone::E164,
        results::CallResult,
        retry::{self, EndedAttempt},
    },
    store::{IntentDecision, IntentRequest, LegRecord, RecordedIntent, Settlement, Store},
};
use tokio::task::{JoinHandle, JoinSet};

use crate::world::{World, campaign_id, trunk};

/// How long a call of this world lasts.
const CALL: Duration = Duration::from_millis(50);
/// Contacts of a page, and of a hopper.
const PAGE: u32 = 100;

/// How long pages took that so many campaigns asked for at once, the large one among them.
pub(crate) async fn pages(world: &World, campaigns: u64, each: usize) -> Vec<Duration> {
    let mut asking = JoinSet::new();
    for n in 0..campaigns {
        let (store, clock, campaign) = (Arc::clone(&world.store), world.clock.clone(), campaign_id(n));
        asking.spawn(async move {
            let mut took = Vec::with_capacity(each);
            for _ in 0..each {
                let begun = Instant::now();
                let page = store.candidates(&campaign, clock.now().wall, PAGE).await.unwrap();
                took.push(begun.elapsed());
                assert_eq!(page.ready.len(), PAGE as usize, "a page of {campaign}");
            }
            took
        });
    }
    asking.join_all().await.into_iter().flatten().collect()
}

/// What calls took that were placed at a rate.
pub(crate) struct Loaded {
    pub(crate) intents: Vec<Duration>,
    pub(crate) outcomes: Vec<Duration>,
    lasted: Duration,
}

impl Loaded {
    /// Calls a second that were placed and ended.
    pub(crate) fn rate(&self) -> f64 {
        self.outcomes.len() as f64 / self.lasted.as_secs_f64()
    }
}

/// Calls under way at a rate.
pub(crate) struct Load {
    placing: JoinHandle<Duration>,
    stop: Arc<AtomicBool>,
    took: Arc<Mutex<(Vec<Duration>, Vec<Duration>)>>,
}

/// Intents that have been made, over all loads.
static SERIAL: AtomicU32 = AtomicU32::new(0);

impl Load {
    /// Begins to place calls of the large campaign, each a busy customer's.
    pub(crate) fn begin(world: &World, rate: u32) -> Self {
        let (stop, took) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let caller = Caller {
            store: Arc::clone(&world.store),
            clock: world.clock.clone(),
            campaign: campaign_id(0),
            took: Arc::clone(&took),
        };
        let placing = tokio::spawn(place(Arc::new(caller), rate, Arc::clone(&stop)));
        Self { placing, stop, took }
    }

    pub(crate) async fn end(self) -> Loaded {
        self.stop.store(true, Ordering::Relaxed);
        let lasted = self.placing.await.unwrap();
        let (intents, outcomes) = std::mem::take(&mut *self.took.lock().unwrap());
        Loaded { intents, outcomes, lasted }
    }
}

struct Caller {
    store: Arc<dyn Store>,
    clock: dialops::clock::Clock,
    campaign: CampaignId,
    took: Arc<Mutex<(Vec<Duration>, Vec<Duration>)>>,
}

/// Places calls at a rate until told to stop; how long that was.
async fn place(caller: Arc<Caller>, rate: u32, stop: Arc<AtomicBool>) -> Duration {
    let mut hopper: VecDeque<Contact> = VecDeque::new();
    let mut calls = JoinSet::new();
    let mut tick = tokio::time::interval(Duration::from_millis(2));
    let (begun, mut placed) = (Instant::now(), 0);
    while !stop.load(Ordering::Relaxed) {
        tick.tick().await;
        let due = (begun.elapsed().as_secs_f64() * f64::from(rate)) as u32;
        while placed < due {
            if hopper.is_empty() {
                hopper = caller.page().await;
            }
            let Some(contact) = hopper.pop_front() else { break };
            placed += 1;
            let caller = Arc::clone(&caller);
            calls.spawn(async move { caller.call(contact).await });
        }
        while calls.try_join_next().is_some() {}
    }
    let lasted = begun.elapsed();
    calls.join_all().await;
    lasted
}

impl Caller {
    /// Next contacts. Those whose intent is on its way may be among them, as in any hopper.
    async fn page(&self) -> VecDeque<Contact> {
        let page = self.store.candidates(&self.campaign, self.clock.now().wall, PAGE).await.unwrap();
        page.ready.into()
    }

    async fn call(&self, contact: Contact) {
        let Some(next) = self.next(&contact) else { return };
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed) + 1;
        let request = request(self.store.as_ref(), &contact, next, serial);
        let begun = Instant::now();
        let decision = self.store.record_intent(request).await.unwrap();
        let took = begun.elapsed();
        // Who was in a hopper twice is refused, as it should be.
        let IntentDecision::Recorded(recorded) = decision else { return };
        self.took.lock().unwrap().0.push(took);
        tokio::time::sleep(CALL).await;
        let attempt = AttemptId { epoch: self.store.epoch(), serial };
        let settlement = busy(attempt, &recorded, next, self.clock.now().wall);
        let begun = Instant::now();
        self.store.settle(settlement).await.unwrap();
        self.took.lock().unwrap().1.push(begun.elapsed());
    }

    /// The number that is next: the first untried, as the campaigns here are all by sequence.
    fn next(&self, contact: &Contact) -> Option<usize> {
        let numbers = &contact.progress.numbers;
        numbers.iter().position(|number| !number.tried && number.ended.is_none())
    }
}

fn caller_number() -> E164 {
    E164::parse("+862880000001").unwrap()
}

fn request(store: &dyn Store, contact: &Contact, number: usize, serial: u32) -> IntentRequest {
    let epoch = store.epoch();
    let identity = LegIdentity {
        call_id: format!("call-{serial}@192.0.2.1"),
        local_uri: "sip:+862880000001@192.0.2.1".into(),
        local_tag: format!("tag-{serial}"),
        remote_uri: "sip:customer@192.0.2.2".into(),
        remote_tag: None,
        target_uri: "sip:customer@192.0.2.2".into(),
        routes: Vec::new(),
        cseq: 1,
        branch: format!("z9hG4bK{serial}"),
        peer: "192.0.2.2:5060".into(),
    };
    let called = contact.progress.numbers[number].e164.clone();
    let destination = Destination::Customer { number: called, caller_number: caller_number(), trunk: trunk() };
    IntentRequest {
        attempt: AttemptId { epoch, serial },
        campaign: contact.campaign.clone(),
        contact: contact.reference,
        picked_version: contact.version,
        number,
        rule: None,
        caller_number: caller_number(),
        agent: AgentId::parse("a").unwrap(),
        trunk: trunk(),
        leg: LegRecord { leg: LegId { epoch, serial }, destination, identity },
    }
}

fn busy(attempt: AttemptId, recorded: &RecordedIntent, number: usize, ended_at: jiff::Timestamp) -> Settlement {
    let ended = EndedAttempt {
        number,
        rule: None,
        result: CallResult::Busy,
        ended_at,
        local_date: recorded.local_date,
        next_day_at: recorded.next_day_at,
        caller_number: caller_number(),
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
