//! The index of candidates beside a look at every contact, in facts that are written to at random.

#![expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "small worlds")]

use std::time::Duration;

use jiff::{SignedDuration, tz::TimeZone};
use proptest::prelude::*;

use super::*;
use crate::domain::{
    attribute::{AttributeValue, Attributes},
    calendar::{CallingHours, Window},
    campaign::{Campaign, Definitions, Direction, NumberOrder, Others, Priority, SortKey, SortType},
    filter::{Comparison, Filter, Test},
    ids::{AgentId, AttributeId, CategoryId, Epoch, LegId, Revision, TenantId},
    order,
    results::CallResult,
    retry::{self, EndedAttempt},
    tenant::Tenant,
    zone::ContactZone,
};

const CAPS: Caps = Caps { tenant_calls: 5, tenant_calls_per_second: 100, trunk_calls: 5, trunk_calls_per_second: 100 };

/// Facts that are written to at random, and what was called.
struct World {
    facts: Facts,
    now: Now,
    generations: u32,
    filtered: [bool; 2],
    live: Vec<(Intent, RecordedIntent)>,
    attempts: u32,
}

fn trunk() -> TrunkId {
    TrunkId::parse("t").unwrap()
}

fn campaign_id(number: usize) -> CampaignId {
    CampaignId::parse(["a", "b"][number % 2]).unwrap()
}

fn tier() -> AttributeId {
    AttributeId::parse("tier").unwrap()
}

fn value(number: u64) -> AttributeValue {
    AttributeValue::Text(["gold", "silver"][usize::try_from(number % 2).unwrap()].to_owned())
}

/// Rounds, sort and contacts' own zones.
fn by_rounds(campaign: &mut Campaign) {
    let windows = vec![Window::parse("09:00-12:00").unwrap(), Window::parse("13:00-18:00").unwrap()];
    campaign.hours = CallingHours::new("UTC", TimeZone::UTC, windows).unwrap().in_contact_zone();
    campaign.order = NumberOrder::RoundsByIndex { rounds: vec![2, 1], others: Others::Never };
    let (direction, compare) = (Direction::Descending, SortType::Text);
    campaign.sort = vec![SortKey { attribute: tier(), direction, compare }];
}

impl World {
    fn new() -> Self {
        let gate = GateSettings { permission: DialPermission::All, caps: BTreeMap::from([(trunk(), CAPS)]) };
        let now = Now { wall: "2031-03-03T09:00:00Z".parse().unwrap(), mono: Duration::ZERO };
        let live = Vec::new();
        let mut world = Self { facts: Facts::new(gate), now, generations: 0, filtered: [false; 2], live, attempts: 0 };
        world.apply();
        world
    }

    fn apply(&mut self) {
        self.generations += 1;
        let tenant = Tenant::new(TenantId::parse("t").unwrap(), "T", "UTC", "CN");
        let mut definitions = Definitions::of(tenant);
        for (number, filtered) in self.filtered.into_iter().enumerate() {
            let id = campaign_id(number);
            let gold = Test::Text(Comparison::Eq("gold".to_owned()));
            let filter = filtered.then_some(Filter::Test { attribute: tier(), test: gold });
            let mut campaign = Campaign { id: id.clone(), filter, ..Campaign::example() };
            if number == 1 {
                by_rounds(&mut campaign);
            }
            definitions.campaigns.insert(id, Arc::new(campaign));
        }
        let revision = Revision::parse(&format!("{:040x}", self.generations)).unwrap();
        self.facts.apply(Arc::new(Generation::whole(revision, self.now.wall, definitions)), self.now.wall);
    }

    fn definition(&self, number: usize) -> Arc<Campaign> {
        let generation = self.facts.generation().unwrap();
        Arc::clone(&generation.definitions.campaigns[&campaign_id(number)])
    }

    fn import(&mut self, pick: u64) {
        let mobile = CategoryId::parse("mobile").unwrap();
        let number = |n: u64| (mobile.clone(), E164::parse(&format!("+86138{n:08}")).unwrap());
        let new = NewContact {
            customer: CustomerId::parse(&format!("c{}", pick % 30)).unwrap(),
            numbers: vec![number(pick % 40), number(100 + pick % 7), number(200 + pick)],
            priority: Priority::new(u8::try_from(1 + pick % 5).unwrap()).unwrap(),
            not_before: pick.is_multiple_of(3).then(|| self.now.wall + SignedDuration::from_secs(pick as i64 * 60)),
            timezone: ContactZone::parse(["Asia/Tokyo", "America/Lima", ""][pick as usize % 3]),
            attributes: Attributes::from([(tier(), value(pick / 2))]),
            custom_field: None,
        };
        // The customer may be there already.
        let _known = self.facts.import(&campaign_id(pick as usize), new);
    }

    fn record(&mut self, pick: u64) {
        let campaign = campaign_id(pick as usize);
        let page = self.facts.candidates(&campaign, self.now.wall, 1000).unwrap();
        let Some(contact) = page.ready.get(pick as usize % page.ready.len().max(1)).cloned() else { return };
        self.attempts += 1;
        let number = order::next(&self.definition(pick as usize), &contact, self.now.wall).unwrap().number;
        let intent = Intent {
            attempt: AttemptId { epoch: Epoch(1), serial: self.attempts },
            campaign,
            contact: contact.reference,
            picked_version: contact.version,
            number,
            rule: None,
            called: contact.progress.numbers[number].e164.clone(),
            caller_number: E164::parse("+864005550100").unwrap(),
            agent: AgentId::parse("x").unwrap(),
            trunk: trunk(),
            leg: LegId { epoch: Epoch(1), serial: self.attempts },
        };
        if let Ok(recorded) = self.facts.record_intent(self.now, &intent) {
            self.live.push((intent, recorded));
        }
    }

    fn end(&mut self, pick: u64) {
        if self.live.is_empty() {
            return;
        }
        let (intent, recorded) = self.live.remove(pick as usize % self.live.len());
        if pick.is_multiple_of(11) {
            self.facts.withdraw(intent.attempt);
            return;
        }
        let results = [CallResult::Busy, CallResult::NoAnswer, CallResult::NetworkFailure, CallResult::Answered];
        let ended = EndedAttempt {
            number: intent.number,
            rule: None,
            result: results[pick as usize % results.len()],
            ended_at: self.now.wall,
            local_date: recorded.local_date,
            next_day_at: recorded.next_day_at,
            caller_number: intent.caller_number,
        };
        let (progress, result) = retry::settle(&recorded.policy, &recorded.contact.progress, &ended);
        let ended_at = self.now.wall;
        let (answered_at, connected_at, sip_status, q850) = (None, None, None, None);
        let (attempt, fail_code) = (intent.attempt, "00000");
        let settlement =
            Settlement { attempt, result, fail_code, sip_status, q850, ended_at, answered_at, connected_at, progress };
        self.facts.settle(settlement);
    }

    fn edit(&mut self, pick: u64) {
        let customer = CustomerId::parse(&format!("c{}", pick % 30)).unwrap();
        let edit = ContactEdit {
            set: Attributes::from([(tier(), value(pick / 3))]),
            priority: Priority::new(u8::try_from(pick % 7).unwrap()),
            ..ContactEdit::default()
        };
        // Nobody of that name, or in a call.
        let _refused = self.facts.edit(&campaign_id(pick as usize), &customer, &edit);
    }

    fn step(&mut self, kind: u8, pick: u64) {
        match kind {
            0..=2 => self.import(pick),
            3..=5 => self.record(pick),
            6..=8 => self.end(pick),
            9 => self.edit(pick),
            10 => {
                self.filtered[pick as usize % 2] ^= true;
                self.apply();
            }
            _ => {
                let by = Duration::from_secs(pick * 20);
                self.now.mono += by;
                self.now.wall += SignedDuration::try_from(by).unwrap();
            }
        }
    }

    /// Holds the index to a look at every contact.
    fn judge(&mut self) -> Result<(), TestCaseError> {
        for number in 0..2 {
            let id = campaign_id(number);
            let page = self.facts.candidates(&id, self.now.wall, 1000).unwrap();
            let own = |contact: &&Contact| contact.campaign == id;
            let own: Vec<&Contact> = self.facts.contacts.iter().map(|kept| &kept.contact).filter(own).collect();
            let open: Vec<&Contact> = own.iter().copied().filter(|c| c.progress.ended.is_none()).collect();
            let wanted = |c: &&Contact| !self.filtered[number] || c.attributes.get(&tier()) == Some(&value(0));
            let matching: Vec<&Contact> = open.iter().copied().filter(wanted).collect();
            let is_live = |c: &Contact| self.live.iter().any(|(intent, _)| intent.contact == c.reference);
            let on_call = |c: &Contact| {
                self.live.iter().any(|(_, live)| {
                    let numbers = |n: &contact::Number| c.progress.numbers.iter().any(|own| own.e164 == n.e164);
                    live.contact.customer == c.customer || live.contact.progress.numbers.iter().any(numbers)
                })
            };
            let campaign = self.definition(number);
            let next = |c: &Contact| order::next(&campaign, c, self.now.wall);
            let due = |c: &Contact| next(c).filter(|next| next.ready_at <= self.now.wall);
            let mut ready: Vec<_> = matching
                .iter()
                .filter(|c| !on_call(c))
                .filter_map(|c| Some((order::rank(&campaign, c, &due(c)?), c.reference)))
                .collect();
            ready.sort();
            let ready: Vec<ContactRef> = ready.into_iter().map(|(_, reference)| reference).collect();
            let paged: Vec<ContactRef> = page.ready.iter().map(|c| c.reference).collect();
            prop_assert_eq!(paged, ready);
            let coming = matching.iter().filter(|c| !is_live(c)).filter_map(|c| next(c));
            let coming = coming.map(|next| next.ready_at).filter(|at| *at > self.now.wall).min();
            prop_assert!(page.next_ready_at.is_none_or(|at| at > self.now.wall));
            prop_assert!(coming.is_none_or(|at| page.next_ready_at.is_some_and(|told| told <= at)));
            let kept_back = matching.iter().any(|c| on_call(c) && !is_live(c) && due(c).is_some());
            prop_assert_eq!(page.on_call, kept_back);
            let counts = (open.len() as u64, Some(matching.len() as u64), own.len() as u64);
            prop_assert_eq!((page.open, page.matching, page.total), counts);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// However the facts are written to, candidates are what sorting every contact would give.
    #[test]
    fn the_index_is_a_look_at_every_contact(steps in prop::collection::vec((0_u8..14, 0_u64..1000), 1..80)) {
        let mut world = World::new();
        for (kind, pick) in steps {
            world.step(kind, pick);
            world.judge()?;
        }
    }
}

/// A clock that goes back finds what was ready then.
#[test]
fn time_may_go_back() {
    let mut world = World::new();
    (0..60).for_each(|pick| world.import(pick));
    world.judge().unwrap();
    world.step(13, 500);
    world.judge().unwrap();
    world.now = World::new().now;
    world.judge().unwrap();
}
