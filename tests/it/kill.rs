//! SIGKILL at every step of a call and at random moments under load, judged by the carrier's and the
//! phones' own traces: no attempt placed twice, none lost, no call left up.

use std::{fmt::Write as _, time::Duration};

use dialops::{clock::Clock, dialer::crash::CrashPoint, http::wire::Attempt};

use crate::stage::{Campaign, PATIENCE, Stage, number, pause, traffic};

/// Crash points that are tried at the same time.
const AT_ONCE: usize = 5;

/// Random kills in a row on one store.
const KILLS_PER_STAGE: u32 = 10;

/// Contacts of such a stage; more than a daemon that is killed so often gets to.
const CONTACTS: u32 = 900;

/// The latest moment of a life at which it is killed.
const LIFE_MS_MAX: u64 = 1000;

/// Which side ends conversations. The other side stays for ever: what nobody takes down is left up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HangsUp {
    Agent,
    Customer,
}

impl HangsUp {
    fn agent(self, serial: u32) -> String {
        match self {
            Self::Agent => format!("brief{serial}"),
            Self::Customer => format!("a{serial}"),
        }
    }

    /// A number of the carrier's: most are answered at once.
    fn mixed_number(self, serial: u32) -> String {
        match (serial % 10, self) {
            (0, _) => number::busy(serial),
            (1, _) => number::vacant(serial),
            (2 | 3, Self::Customer) => number::slow(serial),
            (2 | 3, Self::Agent) => number::waits_after_ringing(serial),
            (_, Self::Customer) => number::quick(serial),
            (_, Self::Agent) => number::waits(serial),
        }
    }
}

/// Waits until every attempt has an outcome and every call is over on both sides, then judges them
/// against each other. Nobody was due a second time.
fn judge(stage: &Stage) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    let mut left = Vec::new();
    let settled = stage.holds_within(PATIENCE, || {
        attempts = stage.results();
        left = stage.carrier_traffic().left_up();
        left.extend(stage.phone_traffic().left_up());
        left.is_empty() && attempts.iter().all(|attempt| attempt.result.is_some())
    });
    assert!(settled, "left up: {left:#?}, or without an outcome: {attempts:#?}\n{}", stage.last_log());
    let carrier = stage.carrier_traffic();
    let mut wrong = traffic::disagreements(&attempts, &carrier);
    for call in carrier.invited().filter(|call| carrier.of(&call.user).len() > 1) {
        wrong.push(format!("{} was called again before its time", call.user));
    }
    assert!(wrong.is_empty(), "{wrong:#?}\n{}", stage.last_log());
    attempts
}

/// Every agent is idle again: none is waiting for a leg of an earlier life.
fn agents_are_free(stage: &Stage) {
    stage.until("every agent is idle", || {
        let status = stage.status();
        status["agents"]["byState"]["idle"] == status["agents"]["total"]
    });
}

/// What the attempt that was under way comes to, and whether its INVITE left (ADR 3).
fn expected(point: CrashPoint) -> (&'static str, bool) {
    match point {
        // Nothing was durable: the next life calls.
        CrashPoint::Claimed | CrashPoint::AgentAnswered => ("answered", true),
        CrashPoint::IntentRecorded => ("unknown", false),
        CrashPoint::Invited | CrashPoint::Ringing | CrashPoint::Answered => ("unknown", true),
        CrashPoint::AnswerStored => ("abandoned", true),
        CrashPoint::Connected | CrashPoint::Ended | CrashPoint::Settled => ("answered", true),
    }
}

/// A daemon that dies at `point` of its first call; the next one calls the others.
fn dies_at(point: CrashPoint, hangs_up: HangsUp) {
    let agent = hangs_up.agent(1);
    let agents = [agent.as_str()];
    let stage = Stage::new(&agents);
    stage.commit(&Campaign::default());
    let slow = if hangs_up == HangsUp::Agent { number::waits_after_ringing } else { number::slow };
    let numbers: Vec<String> = (1..=3).map(slow).collect();
    let mut first = stage.start(&["--crash-at", point.as_str()]);
    stage.until("the daemon is ready", || first.is_ready());
    stage.import_numbers(&numbers);
    stage.try_sign_in(&agents);
    first.await_crash(PATIENCE);
    let second = stage.run();
    stage.sign_in(&agents);
    stage.until("every contact has been called", || {
        let attempts = stage.results();
        numbers.iter().all(|number| attempts.iter().any(|a| a.number == *number && a.result.is_some()))
    });
    let attempts = judge(&stage);
    assert_eq!(attempts.len(), numbers.len(), "nothing is counted that was no intent: {attempts:#?}");
    let carrier = stage.carrier_traffic();
    let first = attempts.iter().find(|attempt| attempt.number == numbers[0]).expect("the first was called");
    let outcome = (first.result.as_deref().unwrap_or_default(), !carrier.of(&numbers[0]).is_empty());
    // Connecting does not wait for the store, so on a busy machine it may come before that death.
    let connected = point == CrashPoint::AnswerStored && first.connected_at.is_some();
    let expected = if connected { ("answered", true) } else { expected(point) };
    assert_eq!(outcome, expected, "{point:?}: {first:#?}");
    agents_are_free(&stage);
    second.stop();
}

fn dies_at_every_step(hangs_up: HangsUp) {
    for points in CrashPoint::ALL.chunks(AT_ONCE) {
        std::thread::scope(|scope| {
            for &point in points {
                std::thread::Builder::new()
                    .name(format!("dies at {}", point.as_str()))
                    .spawn_scoped(scope, move || dies_at(point, hangs_up))
                    .unwrap();
            }
        });
    }
}

#[test]
fn at_every_step_of_a_call_that_the_customer_ends() {
    dies_at_every_step(HangsUp::Customer);
}

#[test]
fn at_every_step_of_a_call_that_the_agent_ends() {
    dies_at_every_step(HangsUp::Agent);
}

/// Kills daemon after daemon at random moments on one store, and judges once at the end.
fn killed_at_random(random: &mut Random, kills: u32, hangs_up: HangsUp) {
    let agents: Vec<String> = (1..=8).map(|serial| hangs_up.agent(serial)).collect();
    let agents: Vec<&str> = agents.iter().map(String::as_str).collect();
    let stage = Stage::new(&agents);
    stage.commit(&Campaign::default());
    let numbers: Vec<String> = (1..=CONTACTS).map(|serial| hangs_up.mixed_number(serial)).collect();
    let daemon = stage.run();
    stage.import_numbers(&numbers);
    stage.sign_in(&agents);
    daemon.kill();
    let mut moments = String::new();
    for _ in 0..kills {
        let moment = random.below(LIFE_MS_MAX);
        write!(moments, " {moment}").unwrap();
        let daemon = stage.start(&[]);
        pause(Duration::from_millis(moment));
        daemon.kill();
    }
    eprintln!("killed after milliseconds:{moments}");
    let last = stage.run();
    stage.commit(&Campaign { state: "paused", ..Campaign::default() });
    stage.until("the campaign is paused", || last.status()["campaigns"]["list"][0]["phase"] == "paused");
    let attempts = judge(&stage);
    let mut results = std::collections::BTreeMap::<&str, u32>::new();
    for attempt in &attempts {
        *results.entry(attempt.result.as_deref().unwrap_or_default()).or_default() += 1;
    }
    eprintln!("{} attempts: {results:?}", attempts.len());
    assert!(attempts.len() >= kills as usize, "there was load");
    agents_are_free(&stage);
    last.stop();
}

/// `DIALOPS_KILLS` asks for more (`tests/nightly`), `DIALOPS_SEED` for the moments of a run that failed.
#[test]
fn at_random_moments_under_load() {
    let kills = variable("DIALOPS_KILLS").unwrap_or(u64::from(KILLS_PER_STAGE));
    let seed = variable("DIALOPS_SEED").unwrap_or_else(|| Clock::system().now().wall.as_microsecond().unsigned_abs());
    eprintln!("seed {seed}");
    let mut random = Random(seed);
    let mut left = u32::try_from(kills).unwrap();
    for hangs_up in [HangsUp::Agent, HangsUp::Customer].into_iter().cycle() {
        let kills = left.min(KILLS_PER_STAGE);
        killed_at_random(&mut random, kills, hangs_up);
        left -= kills;
        if left == 0 {
            return;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "what the nightly script asks for")]
fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|e| panic!("{name}={text}: {e}")))
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}
