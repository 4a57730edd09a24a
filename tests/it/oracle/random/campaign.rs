//! Random campaign files.

use super::{dice::Dice, world::World};

/// A campaign, part by part as the file's text.
pub(crate) struct Draft {
    id: &'static str,
    paused: bool,
    callers: String,
    starts_at: String,
    ends_at: String,
    priority: i64,
    hours: String,
    calling: String,
    results: Form,
    business: String,
    limits: String,
}

/// A policy's form, which a commit never changes here, and its text.
struct Form {
    by_category: bool,
    by_result: Vec<bool>,
    text: String,
}

/// Results that a policy may list. Those that are not the customer's fault, and `unknown`, have rules of their own.
const LISTED: &[&str] =
    &["no_answer", "busy", "powered_off", "unreachable", "customer_hung_up", "rejected", "abandoned"];

const CATEGORIES: &[&str] = &["mobile", "home", "office"];

impl Draft {
    /// The campaign with this place among the case's campaigns.
    pub(crate) fn draw(dice: &mut Dice, place: usize, world: &World) -> Self {
        let late = dice.chance(10);
        // A campaign that ends early began some days before, so that its hours surely open in between.
        let early = !late && dice.chance(15);
        let lists = if dice.chance(60) { "do_not_call = [\"dnc1\"]\n" } else { "" };
        Self {
            id: ["c1", "c2"][place],
            paused: false,
            callers: callers(dice),
            starts_at: world.instant(if late { dice.between(1, 1200) } else { -3 * 86_400 }),
            ends_at: world.instant(if early { dice.between(1800, 20_000) } else { 30 * 86_400 }),
            priority: dice.between(1, 3),
            hours: format!("{}\n[strategy]\nmax_ring = \"60s\"\n{lists}", hours(dice, world)),
            calling: calling(dice, world),
            results: Form::draw(dice),
            business: business(dice),
            limits: limits(dice, world),
        }
    }

    /// A later commit of it, which changes some of its parts.
    pub(crate) fn change(&mut self, dice: &mut Dice, world: &World) {
        self.paused = !self.paused && dice.chance(40);
        if dice.chance(20) {
            self.callers = callers(dice);
        }
        if dice.chance(50) {
            self.calling = calling(dice, world);
        }
        if dice.chance(40) {
            self.results.draw_text(dice);
        }
        if dice.chance(20) {
            self.business = business(dice);
        }
        if dice.chance(20) {
            self.limits = limits(dice, world);
        }
        if dice.chance(20) {
            self.priority = dice.between(1, 3);
        }
    }

    /// The file.
    pub(crate) fn text(&self) -> String {
        let Self { id, callers, starts_at, ends_at, priority, hours, calling, business, limits, .. } = self;
        let state = if self.paused { "paused" } else { "running" };
        let results = &self.results.text;
        format!(
            "id = \"{id}\"\nname = \"Case campaign {id}\"\nstate = \"{state}\"\nmode = \"preoccupied\"\n\
             caller_numbers = {callers}\nstarts_at = {starts_at}\nends_at = {ends_at}\nskill_queue = \"q1\"\n\
             priority = {priority}\n\n[calling_hours]\n{hours}\n[calling]\n{calling}\n{results}\n{business}{limits}\
             [agents]\nhold = \"per_call\"\nring = \"15s\"\nwrap_up = \"60s\"\n"
        )
    }
}

fn callers(dice: &mut Dice) -> String {
    let both = ["+862880000001", "+862880000002"];
    let numbers = dice.some(&both);
    let mut entry = |number: &str| match dice.below(3) {
        0 => format!("{{ number = \"{number}\", priority = {} }}", dice.between(2, 4)),
        _ => format!("\"{number}\""),
    };
    format!("[{}]", numbers.iter().map(|number| entry(number)).collect::<Vec<_>>().join(", "))
}

fn hours(dice: &mut Dice, world: &World) -> String {
    let zone = match dice.below(10) {
        0..3 => "timezone = \"contact\"\nfallback_timezone = \"Asia/Shanghai\"".to_owned(),
        _ => format!("timezone = \"{}\"", world.zone),
    };
    let windows =
        ["\"09:00-18:00\"", "\"08:30-09:20\", \"09:40-18:00\"", "\"00:00-24:00\"", "\"22:00-03:00\", \"08:00-16:00\""];
    let mut text = format!("{zone}\nwindows = [{}]\n", dice.pick(&windows));
    for _ in 0..dice.below(3) * dice.below(2) {
        let days = match dice.below(4) {
            0 => "calendar = \"holidays\"".to_owned(),
            1 => format!("weekdays = [\"{}\"]", dice.pick(&["mon", "tue", "wed", "sun"])),
            2 => format!("dates = [\"{}\"]", world.date(dice.between(0, 2))),
            _ => format!("yearly = [\"{}\"]", &world.date(dice.between(0, 2))[5..]),
        };
        let open = ["closed = true", "windows = [\"09:30-12:00\"]", "windows = [\"10:00-11:00\", \"23:00-01:00\"]"];
        text += &format!("\n[[calling_hours.special]]\n{days}\n{}\n", dice.pick(&open));
    }
    text
}

fn calling(dice: &mut Dice, world: &World) -> String {
    let others = dice.pick(&["last", "never"]).to_owned();
    let mut text = match dice.below(4) {
        0 | 1 => "order = \"sequence\"\n".to_owned(),
        2 => {
            let rounds: Vec<_> = dice.some(CATEGORIES).iter().map(|category| format!("\"{category}\"")).collect();
            format!("order = \"rounds_by_category\"\nrounds = [{}]\nothers = \"{others}\"\n", rounds.join(", "))
        }
        _ => {
            let rounds: Vec<_> = dice.some(&[1, 2, 3]).iter().map(i32::to_string).collect();
            format!("order = \"rounds_by_index\"\nrounds = [{}]\nothers = \"{others}\"\n", rounds.join(", "))
        }
    };
    if dice.chance(40) {
        let keys = ["{ attribute = \"score\"", "{ attribute = \"tier\"", "{ attribute = \"due\""];
        let kinds = [", as = \"number\" }", ", as = \"text\" }", ", as = \"date\" }"];
        let mut key = |place: usize| {
            let direction = dice.pick(&["", ", direction = \"asc\"", ", direction = \"desc\""]);
            format!("{}{direction}{}", keys[place], if dice.chance(50) { kinds[place] } else { " }" })
        };
        let first = key(0);
        let second = key(1);
        let third = key(2);
        let order = dice.some(&[first, second, third]);
        text += &format!("sort = [{}]\n", order.join(", "));
    }
    if dice.chance(30) {
        text += &format!("filter = {}\n", condition(dice, world, 2));
    }
    text
}

/// A condition that most contacts meet or half of them, nested at most so deep.
fn condition(dice: &mut Dice, world: &World, depth: usize) -> String {
    if depth > 0 && dice.chance(40) {
        let inner: Vec<_> = (0..=dice.below(3)).map(|_| condition(dice, world, depth - 1)).collect();
        return match dice.below(3) {
            0 => format!("{{ not = {} }}", inner[0]),
            1 => format!("{{ all = [{}] }}", inner.join(", ")),
            _ => format!("{{ any = [{}] }}", inner.join(", ")),
        };
    }
    let order = ["eq", "ne", "lt", "le", "gt", "ge"];
    let score = |dice: &mut Dice| (*dice.pick(&["0", "3", "10", "20.5"])).to_owned();
    let date = |dice: &mut Dice| format!("\"{}\"", world.date(dice.between(0, 3)));
    let (attribute, op, value) = match dice.below(7) {
        0 => ("tier", *dice.pick(&["is_set", "is_empty"]), String::new()),
        1 => (
            "tier",
            *dice.pick(&["eq", "ne", "contains", "starts_with"]),
            format!("\"{}\"", dice.pick(&["gold", "si", "Bronze"])),
        ),
        2 => ("tier", *dice.pick(&["in", "not_in"]), "[\"gold\", \"silver\"]".to_owned()),
        3 => ("score", *dice.pick(&order), score(dice)),
        4 => ("score", "between", "[3, 10]".to_owned()),
        5 => ("due", *dice.pick(&order), date(dice)),
        _ => ("score", *dice.pick(&["in", "not_in"]), "[3, 20.5]".to_owned()),
    };
    let value = if value.is_empty() { value } else { format!(", value = {value}") };
    format!("{{ attribute = \"{attribute}\", op = \"{op}\"{value} }}")
}

impl Form {
    fn draw(dice: &mut Dice) -> Self {
        let by_category = dice.chance(30);
        let by_result = (0..=CATEGORIES.len()).map(|_| dice.chance(60)).collect();
        let mut form = Self { by_category, by_result, text: String::new() };
        form.draw_text(dice);
        form
    }

    /// Draws the policies anew, each in the form that it has.
    fn draw_text(&mut self, dice: &mut Dice) {
        if self.by_category {
            let mut text = "[results]\npolicy = \"by_category\"\n\n".to_owned();
            for (place, name) in ["default", "mobile"].into_iter().enumerate() {
                text += &policy(dice, &format!("results.by_category.{name}"), self.by_result[place]);
            }
            self.text = text;
            return;
        }
        let no_retry = if dice.chance(30) { "no_retry = [\"vacant\", \"rejected\"]\n" } else { "" };
        let policy = policy(dice, "results.global", self.by_result[0]);
        self.text = format!("[results]\npolicy = \"global\"\n{no_retry}\n{policy}");
    }
}

fn policy(dice: &mut Dice, table: &str, by_result: bool) -> String {
    if !by_result {
        let (days, tries) = (dice.between(1, 3), dice.between(1, 3));
        let interval = dice.pick(&["30s", "5m", "20m", "2h", "1d"]);
        return format!(
            "[{table}]\nmax_days = {days}\nmax_attempts_per_day = {tries}\nretry_interval = \"{interval}\"\n\n"
        );
    }
    let mut text = String::new();
    for result in dice.some(LISTED) {
        let (retries, interval) = (dice.between(0, 3), dice.pick(&["30s", "1m", "5m", "15m", "2h"]));
        text += &format!(
            "[[{table}.by_result]]\nresult = \"{result}\"\nretries = {retries}\ninterval = \"{interval}\"\n\n"
        );
    }
    text
}

fn business(dice: &mut Dice) -> String {
    if dice.chance(50) {
        return String::new();
    }
    let mut text = "[business_results]\nenabled = true\n\n".to_owned();
    let results = ["result = \"callback\"", "result = \"callback\"\nsub_result = \"soon\"", "result = \"refused\""];
    for result in dice.some(&results) {
        let action = dice.pick(&["stop", "call_next_number", "call_same_number", "call_same_number"]);
        text += &format!("[[business_results.rules]]\n{result}\naction = \"{action}\"\n");
        if *action != "stop" {
            let interval = dice.pick(&["1s", "60s", "600s", "3600s"]);
            text += &format!("interval = \"{interval}\"\nmax_times = {}\n", dice.between(1, 3));
            text +=
                *dice.pick::<&str>(&["", "", "same_agent = true\n", "same_agent = true\nsame_agent_wait = \"5m\"\n"]);
        }
        text += "\n";
    }
    text
}

/// READING: whether a claim on an agent who doesn't pick up takes a place under a cap on calls is not said, so the two
/// never come together.
fn limits(dice: &mut Dice, world: &World) -> String {
    let mut text = String::new();
    if world.all_pick_up && dice.chance(15) {
        text += &format!("max_concurrent_calls = {}\n", dice.between(1, 2));
    }
    if world.all_pick_up && dice.chance(20) {
        text += "max_calls_per_second = 1\n";
    }
    if dice.chance(15) {
        text += &format!("max_attempts_per_contact = {}\n", dice.between(1, 5));
    }
    if dice.chance(20) {
        let (attempts, days, after) = (dice.between(1, 3), dice.between(1, 2), dice.between(0, 1));
        text +=
            &format!("per_number = {{ attempts = {attempts}, days = {days}, after_conversation_days = {after} }}\n");
    }
    if text.is_empty() { text } else { format!("[limits]\n{text}\n") }
}
