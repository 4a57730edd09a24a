//! What is known of contacts and calls while a case runs.

use std::{collections::BTreeMap, rc::Rc};

use jiff::{civil::Date, tz::TimeZone};

use super::{Second, definition::Definition, filter::Attributes, reading};

/// A contact of one campaign.
#[derive(Default)]
pub(crate) struct Contact {
    pub(crate) customer_id: String,
    pub(crate) numbers: Vec<Number>,
    pub(crate) attributes: Attributes,
    pub(crate) priority: Option<i64>,
    pub(crate) timezone: Option<String>,
    pub(crate) not_before: Option<Second>,
    /// A call was answered: only business rules call again.
    pub(crate) reached: bool,
    /// While a `sequence` pass is under way, the index of the last number that it has called.
    pub(crate) pass: Option<usize>,
    /// Ended for good: by `no_retry`, or by a business rule's `stop`.
    pub(crate) stopped: bool,
    /// The call that a business rule has scheduled.
    pub(crate) scheduled: Option<Scheduled>,
    /// The latest business call's own budget, and the retry of it that is open.
    pub(crate) own: Account,
    pub(crate) own_retry: Option<(usize, Retry)>,
    /// The agent whom the latest business call was for, and how long its retries wait for that one.
    pub(crate) own_pin: Option<(String, Option<Second>)>,
    /// Calls placed by each business rule, known by its result and sub-result.
    pub(crate) placed_by: BTreeMap<RuleKey, usize>,
}

/// A business rule is known by its result and sub-result.
pub(crate) type RuleKey = (String, Option<String>);

/// A number of a contact.
pub(crate) struct Number {
    pub(crate) category: String,
    pub(crate) number: String,
    /// A call to it was placed.
    pub(crate) tried: bool,
    /// No further call by the policy. It never begins again.
    pub(crate) ended: bool,
    /// The budget that it has used.
    pub(crate) budget: Account,
    /// The next call that the policy allows.
    pub(crate) retry: Option<Retry>,
    /// Results in a row that are not the customer's fault.
    pub(crate) faults: u32,
    /// The number that the customer saw last.
    pub(crate) caller_number: Option<String>,
}

/// What was used of a policy's budget.
#[derive(Default)]
pub(crate) struct Account {
    /// The local day of each counted try.
    pub(crate) days: Vec<Date>,
    /// Further calls because of each result.
    pub(crate) retries: BTreeMap<String, usize>,
}

/// A further call that a policy allows.
pub(crate) struct Retry {
    pub(crate) due: Second,
    /// The ordinary policy under which the last try was placed: most tries a day, most days.
    pub(crate) per_day: Option<(usize, usize)>,
}

/// A call that a business rule wants.
pub(crate) struct Scheduled {
    pub(crate) due: Second,
    pub(crate) number: usize,
    pub(crate) rule: RuleKey,
    /// The agent that it waits for, and for how long; `None` is to the end of the local day.
    pub(crate) pinned: Option<(String, Option<Second>)>,
}

/// Why a call is placed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purpose {
    /// By the order and policy.
    Ordinary,
    /// By a business rule.
    Rule,
    /// As a retry of a business rule's call.
    OwnRetry,
}

/// A number of a contact of a campaign, by their places.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Target {
    pub(crate) campaign: usize,
    pub(crate) contact: usize,
    pub(crate) number: usize,
}

/// A call: an INVITE that left. All of them together are the ledger of frequency.
pub(crate) struct Call {
    /// Which claim it was, counted from 1.
    pub(crate) turn: usize,
    pub(crate) at: Second,
    pub(crate) end: Second,
    pub(crate) target: Target,
    pub(crate) purpose: Purpose,
    pub(crate) customer_id: String,
    pub(crate) number: String,
    pub(crate) caller_number: String,
    pub(crate) agent: String,
    pub(crate) result: String,
    /// The definition under which it was placed.
    pub(crate) definition: Rc<Definition>,
    /// The zone that governed the number, and the local day in it.
    pub(crate) zone: TimeZone,
    pub(crate) day: Date,
    pub(crate) settled: bool,
}

impl Contact {
    /// Sets a value by the name of the import's column. An empty attribute is none.
    pub(crate) fn set(&mut self, column: &str, cell: &str) {
        match column {
            "customer_id" => cell.clone_into(&mut self.customer_id),
            "priority" => self.priority = Some(cell.parse().expect("a priority")),
            "timezone" => self.timezone = Some(cell.to_owned()),
            "not_before" => self.not_before = Some(reading::second(cell)),
            "custom_field" => {}
            _ => {
                let id = column.strip_prefix("attr.").unwrap_or_else(|| panic!("no column: {column}"));
                self.attributes.remove(id);
                if !cell.is_empty() {
                    self.attributes.insert(id.to_owned(), cell.to_owned());
                }
            }
        }
    }
}

impl Number {
    /// A number that was never called.
    pub(crate) fn new(category: &str, number: &str) -> Self {
        assert!(number.starts_with('+'), "cases write numbers in E.164: {number}");
        Self {
            category: category.to_owned(),
            number: number.to_owned(),
            tried: false,
            ended: false,
            budget: Account::default(),
            retry: None,
            faults: 0,
            caller_number: None,
        }
    }
}

impl Account {
    /// Counted tries on a day.
    pub(crate) fn tries_on(&self, day: Date) -> usize {
        self.days.iter().filter(|counted| **counted == day).count()
    }

    /// Different days with a counted try.
    pub(crate) fn days_used(&self) -> usize {
        let mut days = self.days.clone();
        days.sort();
        days.dedup();
        days.len()
    }

    /// Whether the ordinary policy leaves room for a try on `day`. SPEC §3: "a number is tried at most
    /// `max_attempts_per_day` times on a local day, on at most `max_days` different days".
    pub(crate) fn has_room(&self, day: Date, (per_day, max_days): (usize, usize)) -> bool {
        match self.tries_on(day) {
            0 => self.days_used() < max_days,
            tries => tries < per_day,
        }
    }
}

impl Call {
    /// Whether it is a conversation. READING: one that ended `answered`; in `customer_hung_up` and `abandoned`
    /// nobody spoke to the customer.
    pub(crate) fn is_conversation(&self) -> bool {
        self.result == "answered"
    }
}
