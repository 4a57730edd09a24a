//! A campaign as one commit defines it.

use std::collections::BTreeMap;

use toml::Table;

use super::{
    Second,
    case::Shared,
    filter::{Condition, SortKey},
    hours::Hours,
    reading,
    zones::Zone,
};

/// One campaign file.
pub(crate) struct Definition {
    pub(crate) id: String,
    pub(crate) running: bool,
    pub(crate) priority: i64,
    pub(crate) queue: String,
    pub(crate) starts_at: Second,
    pub(crate) ends_at: Second,
    pub(crate) caller_numbers: Vec<CallerNumber>,
    pub(crate) hours: Hours,
    pub(crate) zone: Zone,
    pub(crate) do_not_call: Vec<String>,
    pub(crate) order: Order,
    pub(crate) filter: Option<Condition>,
    pub(crate) sort: Vec<SortKey>,
    pub(crate) results: Results,
    pub(crate) rules: Vec<Rule>,
    pub(crate) limits: Limits,
    /// How long an agent's phone rings before the call is offered to somebody else.
    pub(crate) agent_ring: Second,
}

/// A number that customers see.
pub(crate) struct CallerNumber {
    pub(crate) number: String,
    pub(crate) priority: i64,
}

/// `calling.order`.
pub(crate) enum Order {
    Sequence,
    /// Rounds, each a category or a 1-based index as text; `others_last` has the rest in a last round.
    Rounds {
        by_index: bool,
        rounds: Vec<String>,
        others_last: bool,
    },
}

/// `[results]`.
pub(crate) enum Results {
    Global { policy: Policy, no_retry: Vec<String> },
    ByCategory(BTreeMap<String, Policy>),
}

/// When a number is tried again.
pub(crate) enum Policy {
    Ordinary { max_days: usize, per_day: usize, interval: Second },
    ByResult(Vec<Retries>),
}

/// One entry of `by_result`.
pub(crate) struct Retries {
    pub(crate) result: String,
    pub(crate) retries: usize,
    pub(crate) interval: Second,
}

/// One entry of `[[business_results.rules]]`.
pub(crate) struct Rule {
    pub(crate) result: String,
    pub(crate) sub_result: Option<String>,
    pub(crate) action: Action,
    pub(crate) interval: Second,
    pub(crate) max_times: usize,
    pub(crate) same_agent: bool,
    pub(crate) same_agent_wait: Option<Second>,
}

/// What a business rule does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Stop,
    CallNextNumber,
    CallSameNumber,
}

/// `[limits]`.
pub(crate) struct Limits {
    pub(crate) concurrent: Option<usize>,
    pub(crate) per_second: Option<usize>,
    pub(crate) per_contact: Option<usize>,
    /// The campaign's own caps per number, and the tenant's.
    pub(crate) per_number: Vec<PerNumber>,
}

/// `limits.per_number`.
pub(crate) struct PerNumber {
    pub(crate) attempts: usize,
    /// The period, `days` × 24 h.
    pub(crate) period: Second,
    /// `after_conversation_days` × 24 h.
    pub(crate) after_conversation: Second,
}

const DAY: Second = 86_400;

impl Definition {
    /// Reads a campaign file.
    pub(crate) fn read(file: &Table, shared: &Shared) -> Self {
        let strategy = reading::table(file, "strategy");
        let calling = reading::table(file, "calling");
        let hours = reading::table(file, "calling_hours");
        let agents = reading::table(file, "agents");
        let mut do_not_call = reading::texts(&strategy, "do_not_call");
        do_not_call.extend(shared.do_not_call.iter().cloned());
        Self {
            id: reading::required(file, "id"),
            running: reading::required(file, "state") == "running",
            priority: reading::whole(file, "priority").unwrap_or(3),
            queue: reading::required(file, "skill_queue"),
            starts_at: reading::instant(file, "starts_at").expect("starts_at"),
            ends_at: reading::instant(file, "ends_at").expect("ends_at"),
            caller_numbers: reading::list(file, "caller_numbers").iter().map(CallerNumber::read).collect(),
            hours: Hours::read(&hours, &shared.calendars),
            zone: Zone::read(&hours),
            do_not_call,
            order: Order::read(&calling),
            filter: calling.get("filter").map(|it| Condition::read(reading::as_table(it), &shared.attributes)),
            sort: reading::tables(&calling, "sort").iter().map(|it| SortKey::read(it, &shared.attributes)).collect(),
            results: Results::read(&reading::table(file, "results")),
            rules: rules(&reading::table(file, "business_results")),
            limits: Limits::read(&reading::table(file, "limits"), shared),
            agent_ring: reading::duration(&agents, "ring").unwrap_or(shared.agent_ring),
        }
    }
}

impl CallerNumber {
    fn read(value: &toml::Value) -> Self {
        let Some(table) = value.as_table() else { return Self { number: reading::plain(value), priority: 3 } };
        let priority = reading::whole(table, "priority").unwrap_or(3);
        Self { number: reading::required(table, "number"), priority }
    }
}

impl Order {
    fn read(calling: &Table) -> Self {
        let order = reading::text(calling, "order").unwrap_or_else(|| "sequence".to_owned());
        if order == "sequence" {
            return Self::Sequence;
        }
        Self::Rounds {
            by_index: order == "rounds_by_index",
            rounds: reading::texts(calling, "rounds"),
            others_last: reading::text(calling, "others").as_deref() != Some("never"),
        }
    }

    /// The round in which a number is first called, counted from 0; nothing if it is never called. `index` counts
    /// from 1: SPEC §3: "An index is the contact's nth number that is present".
    pub(crate) fn round_of(&self, category: &str, index: usize) -> Option<usize> {
        let Self::Rounds { by_index, rounds, others_last } = self else { return Some(0) };
        let name = if *by_index { index.to_string() } else { category.to_owned() };
        let listed = rounds.iter().position(|round| *round == name);
        listed.or(others_last.then_some(rounds.len()))
    }
}

impl Results {
    fn read(table: &Table) -> Self {
        if reading::text(table, "policy").as_deref() != Some("by_category") {
            let policy = Policy::read(&reading::table(table, "global"));
            return Self::Global { policy, no_retry: reading::texts(table, "no_retry") };
        }
        let by_category = reading::table(table, "by_category");
        let named = by_category.iter().map(|(name, it)| (name.clone(), Policy::read(reading::as_table(it))));
        let mut policies: BTreeMap<_, _> = named.collect();
        // READING: without a `default`, categories that are not listed have the ordinary policy's defaults.
        policies.entry("default".to_owned()).or_insert_with(|| Policy::read(&Table::new()));
        Self::ByCategory(policies)
    }

    /// The policy for a number of this category.
    pub(crate) fn policy(&self, category: &str) -> &Policy {
        match self {
            Self::Global { policy, no_retry: _ } => policy,
            Self::ByCategory(policies) => policies.get(category).unwrap_or(&policies["default"]),
        }
    }
}

impl Policy {
    /// SPEC §1.2: "either `max_days`, `max_attempts_per_day`, `retry_interval` (defaults 3, 2, 30m), or
    /// `[[…by_result]] { result, retries, interval }`".
    fn read(table: &Table) -> Self {
        let count = |table: &Table, key: &str, default| {
            reading::whole(table, key).map_or(default, |count| usize::try_from(count).expect("a count"))
        };
        if !table.contains_key("by_result") {
            return Self::Ordinary {
                max_days: count(table, "max_days", 3),
                per_day: count(table, "max_attempts_per_day", 2),
                interval: reading::duration(table, "retry_interval").unwrap_or(30 * 60),
            };
        }
        let entry = |entry: &Table| Retries {
            result: reading::required(entry, "result"),
            retries: count(entry, "retries", 0),
            interval: reading::duration(entry, "interval").expect("interval"),
        };
        Self::ByResult(reading::tables(table, "by_result").iter().map(entry).collect())
    }
}

/// The rules of `[business_results]`; none unless they are enabled.
fn rules(table: &Table) -> Vec<Rule> {
    if !reading::flag(table, "enabled", false) {
        return Vec::new();
    }
    let rule = |table: &Table| Rule {
        result: reading::required(table, "result"),
        sub_result: reading::text(table, "sub_result"),
        action: match reading::required(table, "action").as_str() {
            "stop" => Action::Stop,
            "call_next_number" => Action::CallNextNumber,
            "call_same_number" => Action::CallSameNumber,
            other => panic!("no action: {other}"),
        },
        interval: reading::duration(table, "interval").unwrap_or(0),
        max_times: reading::whole(table, "max_times").map_or(1, |times| usize::try_from(times).expect("a count")),
        same_agent: reading::flag(table, "same_agent", false),
        same_agent_wait: reading::duration(table, "same_agent_wait"),
    };
    reading::tables(table, "rules").iter().map(rule).collect()
}

impl Limits {
    fn read(table: &Table, shared: &Shared) -> Self {
        let count = |key: &str| reading::whole(table, key).map(|count| usize::try_from(count).expect("a count"));
        let own = table.get("per_number").map(|it| PerNumber::read(reading::as_table(it)));
        let tenant = shared.per_number.as_ref().map(PerNumber::read);
        Self {
            concurrent: count("max_concurrent_calls"),
            per_second: count("max_calls_per_second"),
            per_contact: count("max_attempts_per_contact"),
            per_number: own.into_iter().chain(tenant).collect(),
        }
    }
}

impl PerNumber {
    fn read(table: &Table) -> Self {
        Self {
            attempts: usize::try_from(reading::whole(table, "attempts").expect("attempts")).expect("a count"),
            period: reading::whole(table, "days").expect("days") * DAY,
            after_conversation: reading::whole(table, "after_conversation_days").unwrap_or(0) * DAY,
        }
    }
}
