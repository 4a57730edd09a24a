//! Random worlds.

use super::*;

/// Campaigns, queues and agents, some of everything.
pub(super) fn generation(dice: &mut Dice, wall0: Timestamp) -> Generation {
    let zones = ["Europe/Berlin", "Asia/Shanghai", "America/New_York", "Australia/Lord_Howe"];
    let days = [&["09:00-18:00"][..], &["22:00-02:30", "09:00-11:00"], &["00:00-24:00"], &["01:30-03:15"]];
    let queues = 1 + dice.below(2);
    let mut agents = BTreeMap::new();
    for n in 0..=dice.below(5) {
        let id = slug(AgentId::parse, &format!("a{n}"));
        let queue = slug(QueueId::parse, &format!("q{}", dice.below(queues)));
        let agent = AgentDefinition { id: id.clone(), name: format!("A{n}"), sip: "sip:a".into(), queues: vec![queue] };
        agents.insert(id, agent);
    }
    let mut campaigns = BTreeMap::new();
    for n in 0..=dice.below(3) {
        let id = slug(CampaignId::parse, &format!("c{n}"));
        let zone = zones[usize::try_from(dice.below(4)).unwrap()];
        let windows = days[usize::try_from(dice.below(4)).unwrap()];
        let windows = windows.iter().map(|w| Window::parse(w).unwrap()).collect();
        let some =
            |dice: &mut Dice, most: u64| dice.chance(40).then(|| nonzero(u32::try_from(1 + dice.below(most)).unwrap()));
        let limits = Limits {
            max_concurrent_calls: some(dice, 3),
            max_calls_per_second: some(dice, 2),
            max_attempts_per_contact: some(dice, 6),
            per_number_of_tenant: None,
            per_number: dice.chance(25).then(|| PerNumberLimit {
                attempts: nonzero(u32::try_from(1 + dice.below(3)).unwrap()),
                days: nonzero(u32::try_from(1 + dice.below(3)).unwrap()),
                after_conversation_days: u32::try_from(dice.below(3)).unwrap(),
            }),
        };
        let agent_queue = agents.values().nth(usize::try_from(dice.below(agents.len() as u64)).unwrap());
        let campaign = Campaign {
            id: id.clone(),
            name: format!("C{n}"),
            caller_numbers: vec![
                CallerNumber { number: E164::parse("+862880000001").unwrap(), priority: Priority::DEFAULT },
                CallerNumber { number: E164::parse("+862880000002").unwrap(), priority: Priority::DEFAULT },
            ],
            starts_at: wall0 + SignedDuration::from_hours(i64::try_from(dice.below(30)).unwrap()),
            ends_at: wall0 + SignedDuration::from_hours(24 * 30),
            skill_queue: agent_queue.unwrap().queues[0].clone(),
            priority: Priority::new(u8::try_from(1 + dice.below(3)).unwrap()).unwrap(),
            hours: {
                let hours = hours(dice, zone, windows, wall0);
                if dice.chance(30) { hours.in_contact_zone() } else { hours }
            },
            order: order(dice),
            sort: sort(dice),
            max_ring: Duration::from_secs(5 + dice.below(30)),
            results: results(dice),
            business: business::rules(dice),
            limits,
            agents: AgentTerms {
                hold: AgentHold::PerCall,
                ring: Duration::from_secs(15),
                wrap_up: Duration::from_secs(dice.below(30)),
            },
            ..Campaign::example()
        };
        campaigns.insert(id, Arc::new(campaign));
    }
    let mut tenant = Tenant::new(slug(TenantId::parse, "t"), "T", "UTC", "CN");
    tenant.agents.wrap_up = Duration::from_secs(dice.below(30));
    let definitions = Definitions { agents, campaigns, ..Definitions::of(tenant) };
    Generation::whole(Revision::parse(&"a".repeat(40)).unwrap(), wall0, definitions)
}

/// Categories of numbers in this world.
const CATEGORIES: [&str; 3] = ["mobile", "home", "office"];

/// Where numbers of this world are, by what they start with: the first in a country of one zone, the
/// others in countries of several.
const PREFIXES: [&str; 3] = ["+8190", "+86138", "+49151"];

/// A sequence as often as rounds.
fn order(dice: &mut Dice) -> NumberOrder {
    let others = if dice.chance(50) { Others::Last } else { Others::Never };
    match dice.below(4) {
        0 => {
            let rounds = CATEGORIES[..1 + usize::try_from(dice.below(3)).unwrap()].iter().rev();
            NumberOrder::RoundsByCategory { rounds: rounds.map(|c| slug(CategoryId::parse, c)).collect(), others }
        }
        1 => NumberOrder::RoundsByIndex { rounds: vec![2, 1], others },
        _ => NumberOrder::Sequence,
    }
}

fn sort(dice: &mut Dice) -> Vec<SortKey> {
    let direction = if dice.chance(50) { Direction::Ascending } else { Direction::Descending };
    let key = SortKey { attribute: tier(), direction, compare: SortType::Text };
    if dice.chance(50) { vec![key] } else { Vec::new() }
}

/// Hours with days off, and days with other windows, now and then.
fn hours(dice: &mut Dice, zone: &str, windows: Vec<Window>, wall0: Timestamp) -> CallingHours {
    let hours = CallingHours::new(zone, TimeZone::get(zone).unwrap(), windows).unwrap();
    let today = hours.local_date(wall0);
    let special = (0..dice.below(3)).map(|_| {
        let date = today.saturating_add(jiff::Span::new().days(i64::try_from(dice.below(12)).unwrap()));
        let days =
            Days { dates: vec![crate::domain::days::DateRange::parse(&date.to_string()).unwrap()], ..Days::default() };
        let windows = if dice.chance(50) { Vec::new() } else { vec![Window::parse("10:00-12:00").unwrap()] };
        Special { days, windows }
    });
    let special = special.collect();
    hours.with_special(special).unwrap()
}

/// A policy of any form.
fn results(dice: &mut Dice) -> ResultPolicy {
    let no_retry = if dice.chance(30) { BTreeSet::from([CallResult::Busy]) } else { BTreeSet::new() };
    if dice.chance(70) {
        return ResultPolicy::Global { policy: number_policy(dice), no_retry };
    }
    let mobile = slug(CategoryId::parse, "mobile");
    ResultPolicy::ByCategory {
        default: number_policy(dice),
        categories: BTreeMap::from([(mobile, number_policy(dice))]),
    }
}

fn number_policy(dice: &mut Dice) -> NumberPolicy {
    if dice.chance(60) {
        return NumberPolicy::Days(DaysPolicy {
            max_days: nonzero(u32::try_from(1 + dice.below(3)).unwrap()),
            max_attempts_per_day: nonzero(u32::try_from(1 + dice.below(3)).unwrap()),
            retry_interval: Duration::from_secs(60 * (1 + dice.below(90))),
        });
    }
    let results = [CallResult::NoAnswer, CallResult::Busy, CallResult::Unreachable, CallResult::Abandoned];
    let rules = results.into_iter().filter(|_| dice.chance(70)).collect::<Vec<_>>();
    let rule = |dice: &mut Dice| Retries {
        retries: u32::try_from(dice.below(4)).unwrap(),
        interval: Duration::from_secs(1 + dice.below(7200)),
    };
    NumberPolicy::ByResult(rules.into_iter().map(|result| (result, rule(dice))).collect())
}

/// Values of the one attribute that this world knows.
const TIERS: [&str; 3] = ["gold", "silver", "iron"];

fn tier() -> AttributeId {
    AttributeId::parse("tier").unwrap()
}

/// A tier, or none.
fn attributes(dice: &mut Dice) -> Attributes {
    let tier_of = TIERS.get(usize::try_from(dice.below(4)).unwrap());
    tier_of.map(|name| (tier(), AttributeValue::Text((*name).to_owned()))).into_iter().collect()
}

/// Tiers that a campaign calls; `None` for everybody, with a tier or without.
pub(super) fn wanted(dice: &mut Dice) -> Option<BTreeSet<String>> {
    dice.chance(50).then(|| TIERS.iter().filter(|_| dice.chance(60)).map(|tier| (*tier).to_owned()).collect())
}

/// The filter that says so, in one of several ways.
pub(super) fn filter(dice: &mut Dice, wanted: &BTreeSet<String>) -> Filter {
    let test = |test| Filter::Test { attribute: tier(), test };
    let is = |name: &String| test(Test::Text(Comparison::Eq(name.clone())));
    match dice.below(3) {
        0 => Filter::Any(wanted.iter().map(is).collect()),
        1 => test(Test::Text(Comparison::In(wanted.iter().cloned().collect()))),
        _ => {
            let others = TIERS.iter().map(|name| (*name).to_owned()).filter(|name| !wanted.contains(name));
            Filter::All(vec![
                test(Test::IsSet),
                Filter::Not(Box::new(test(Test::Text(Comparison::In(others.collect()))))),
            ])
        }
    }
}

/// Contacts, some of whom share numbers or a name.
pub(super) fn contacts(dice: &mut Dice, generation: &Generation, wall0: Timestamp) -> BTreeMap<ContactRef, Contact> {
    let mut contacts = BTreeMap::new();
    let mut reference = 0;
    for campaign in generation.definitions.campaigns.values() {
        for order in 0..5 + dice.below(30) {
            reference += 1;
            let mut numbers: Vec<Number> = Vec::new();
            for _ in 0..=dice.below(3) {
                let prefix = if dice.chance(70) { "+86138" } else { PREFIXES[usize::try_from(dice.below(3)).unwrap()] };
                let e164 = E164::parse(&format!("{prefix}{:08}", dice.below(60))).unwrap();
                let category = CATEGORIES[usize::try_from(dice.below(3)).unwrap()];
                if numbers.iter().all(|n| n.e164 != e164) {
                    numbers.push(Number::fresh(slug(CategoryId::parse, category), e164));
                }
            }
            let hours = i64::try_from(dice.below(40)).unwrap();
            let contact = Contact {
                reference: ContactRef(reference),
                campaign: campaign.id.clone(),
                customer: CustomerId::parse(&format!("x{}", dice.below(60) + 100 * order)).unwrap(),
                priority: Priority::new(u8::try_from(1 + dice.below(5)).unwrap()).unwrap(),
                import_order: reference,
                not_before: dice.chance(20).then(|| wall0 + SignedDuration::from_hours(hours)),
                timezone: dice.chance(30).then(|| ContactZone::parse("Australia/Lord_Howe").unwrap()),
                attributes: attributes(dice),
                version: 1,
                progress: Progress { numbers, ..Progress::fresh(&[]) },
            };
            contacts.insert(contact.reference, contact);
        }
    }
    contacts
}
