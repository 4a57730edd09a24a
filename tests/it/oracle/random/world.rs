//! Random worlds: when, who answers for the campaign, and what happens from outside.

use jiff::{Timestamp, tz::TimeZone};

use super::{contacts::Contacts, dice::Dice};
use crate::oracle::{Second, book::Call};

/// When a case begins and ends, and its agents.
pub(crate) struct World {
    from: Second,
    until: Second,
    /// The zone in which the case begins at an interesting time.
    pub(crate) zone: &'static str,
    agents: String,
    /// No agent is one who doesn't.
    pub(crate) all_pick_up: bool,
}

/// An event by its instant and the rest of its text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Event {
    at: Second,
    text: String,
}

/// Times at which cases begin: mornings, the end of a day, both ends of summer time, and a year's last days.
const BEGINNINGS: &[(&str, &str)] = &[
    ("2031-03-03T09:00:00+08:00", "Asia/Shanghai"),
    ("2031-03-03T08:40:00+08:00", "Asia/Shanghai"),
    ("2031-03-04T15:30:00+08:00", "Asia/Shanghai"),
    ("2031-03-07T17:40:00+01:00", "Europe/Berlin"),
    ("2031-03-29T22:30:00+01:00", "Europe/Berlin"),
    ("2031-10-25T23:30:00+02:00", "Europe/Berlin"),
    ("2031-12-30T23:00:00-05:00", "America/New_York"),
];

impl World {
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let (from, zone) = dice.pick(BEGINNINGS);
        let from = from.parse::<Timestamp>().expect("an instant").as_second();
        let until = from + dice.pick(&[2, 6, 20, 50]) * 3600;
        let mut world = Self { from, until, zone, agents: String::new(), all_pick_up: true };
        let mut agents = Vec::new();
        for id in &["a1", "a2", "a3"][..=dice.below(3)] {
            let picks_up = if dice.chance(8) { ", picks_up = false" } else { "" };
            let from = match dice.chance(15) {
                true => format!(", from = {}", world.instant(dice.between(1, 5000))),
                false => String::new(),
            };
            let until = match dice.chance(15) {
                true => format!(", until = {}", world.instant(dice.between(5001, until - world.from))),
                false => String::new(),
            };
            agents.push(format!("{{ id = \"{id}\"{picks_up}{from}{until} }}"));
        }
        world.agents = agents.join(", ");
        world.all_pick_up = !world.agents.contains("picks_up");
        world
    }

    /// The date-time so many seconds after the beginning.
    pub(crate) fn instant(&self, after: Second) -> String {
        self.written(self.from + after)
    }

    fn written(&self, at: Second) -> String {
        let zone = TimeZone::get(self.zone).expect("a zone");
        let at = Timestamp::from_second(at).expect("an instant");
        let offset = zone.to_offset(at);
        at.display_with_offset(offset).to_string()
    }

    /// The date so many days after the beginning.
    pub(crate) fn date(&self, days: i64) -> String {
        self.instant(days * 86_400)[..10].to_owned()
    }

    /// An instant in the case; half of them in its first half hour.
    fn some_instant(&self, dice: &mut Dice) -> Second {
        let last = if dice.chance(50) { 1800 } else { self.until - self.from - 1 };
        self.from + dice.between(0, last)
    }

    /// Edits of contacts, and entries of the do-not-call list.
    pub(crate) fn contact_events(&self, dice: &mut Dice, contacts: &Contacts) -> Vec<Event> {
        let mut events = Vec::new();
        for _ in 0..dice.below(3) {
            let (campaign, customer) = dice.pick(&contacts.customers).clone();
            let edit = match dice.below(4) {
                0 => format!("attr.tier = \"{}\"", dice.pick(&["gold", "silver"])),
                1 => format!("attr.score = {}", dice.pick(&[0, 3, 10])),
                2 => format!("priority = {}", dice.between(1, 5)),
                _ => format!("not_before = {}", self.written(self.some_instant(dice))),
            };
            let text =
                format!("kind = \"edit_contact\"\ncampaign = \"{campaign}\"\ncustomer_id = \"{customer}\"\n{edit}\n");
            events.push(Event { at: self.some_instant(dice), text });
        }
        for _ in 0..dice.below(3) {
            let at = self.some_instant(dice);
            let number = dice.pick(&contacts.numbers);
            let expiry = if dice.chance(50) {
                format!("expires_at = {}\n", self.written(at + dice.between(1, 7200)))
            } else {
                String::new()
            };
            let text = format!("kind = \"do_not_call\"\nlist = \"dnc1\"\nnumber = \"{number}\"\n{expiry}");
            events.push(Event { at, text });
        }
        events
    }

    /// A commit with this campaign file.
    pub(crate) fn apply_event(&self, dice: &mut Dice, file: &str) -> Event {
        Event { at: self.some_instant(dice), text: format!("kind = \"apply\"\nfile = \"{file}\"\n") }
    }

    /// A business result after a conversation, most often at its end; nothing if the case is over by then.
    pub(crate) fn business_event(&self, dice: &mut Dice, call: &Call) -> Option<Event> {
        let at = call.end + if dice.chance(60) { 0 } else { dice.between(1, 300) };
        let result = *dice.pick(&[
            "result = \"callback\"",
            "result = \"callback\"\nsub_result = \"soon\"",
            "result = \"callback\"\nsub_result = \"in_an_hour\"",
            "result = \"refused\"",
            "result = \"wrong_person\"",
        ]);
        let campaign = &call.definition.id;
        let customer = &call.customer_id;
        let text =
            format!("kind = \"business_result\"\ncampaign = \"{campaign}\"\ncustomer_id = \"{customer}\"\n{result}\n");
        (at < self.until).then_some(Event { at, text })
    }

    /// `world.toml` with these events, and with results of conversations.
    pub(crate) fn text(&self, events: &[Event], results: &[Event]) -> String {
        let (from, until) = (self.written(self.from), self.written(self.until));
        let mut text =
            format!("from = {from}\nuntil = {until}\nagents = [{}]\nwrap_up_s = 0\nsetup_delay_s = 0\n", self.agents);
        let mut all: Vec<_> = events.iter().chain(results).collect();
        all.sort_by_key(|event| event.at);
        for event in all {
            text += &format!("\n[[events]]\nat = {}\n{}", self.written(event.at), event.text);
        }
        text
    }
}

/// Gives the commits' instants to the commits in the order in which they were made.
pub(crate) fn put_commits_in_order(events: &mut [Event]) {
    let is_commit = |event: &&mut Event| event.text.starts_with("kind = \"apply\"");
    let mut instants: Vec<_> = events.iter_mut().filter(is_commit).map(|event| event.at).collect();
    instants.sort_unstable();
    for (event, at) in events.iter_mut().filter(is_commit).zip(instants) {
        event.at = at;
    }
}
