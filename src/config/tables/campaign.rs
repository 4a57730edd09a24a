//! A campaign's file.

use std::{num::NonZeroU32, time::Duration};

use crate::{
    config::{
        kinds::{
            choice::{Choice, Words},
            condition::Condition,
            days::{DateRange, DayOfWeek, YearlyRange},
            duration::Lasting,
            flag::Flag,
            list::List,
            number::{Count, Rank, Whole},
            per_category::PerCategory,
            phone::CallerNumber,
            round::Round,
            secret::Secret,
            text::{Slug, Text},
            time::{Instant, Window, Zone, ZoneOrContact},
            url::Url,
        },
        table::table,
    },
    domain::{
        campaign::{DesiredState, Direction, Mode, Others, Priority, SortType},
        ids::{
            AttributeId, BusinessResultId, CalendarId, CampaignId, DoNotCallId, QueueId, SmsId, SubResultId, SurveyId,
            TemplateId,
        },
        results::CallResult,
        tenant::AgentHold,
    },
};

/// Longest interval or life that a file can write down, in seconds: a year.
const YEAR: u64 = 366 * 24 * 60 * 60;

const WEEK: u64 = 7 * 24 * 60 * 60;

const HOUR: u64 = 60 * 60;

/// How long a customer's phone rings when the file does not say.
pub(crate) const MAX_RING: Duration = Duration::from_secs(30);

/// Longest ring that any file or setting can ask for, in seconds.
pub(crate) const MAX_RING_LIMIT: u64 = 120;

const RETRY_INTERVAL: Duration = Duration::from_secs(30 * 60);
const MAX_DAYS: NonZeroU32 = NonZeroU32::new(3).expect("is not 0");
const MAX_ATTEMPTS_PER_DAY: NonZeroU32 = NonZeroU32::new(2).expect("is not 0");

table! {
    /// One campaign: whom it calls from, when, and for whose agents. The file is the only place where
    /// the campaign is defined.
    pub(crate) struct CampaignFile "a campaign" {
        /// Identity: 1 to 64 of a-z, 0-9 and '-', unique. Never change it; the file's name means nothing.
        required id: Slug<CampaignId> => "spring-2031",
        /// Shown to people; 1 to 100 characters, unique in a commit.
        required name: Text<1, 100> => "Spring offer",
        /// Free text, up to 200 characters.
        default(String::new()) description: Text<0, 200> => "Owners of last year's model",
        /// Id of a template in templates/. Keys that are not here come from it, but for identity and dates.
        optional extends: Slug<TemplateId> => "evening-survey",
        /// What the campaign shall do: `running` dials, `paused` places no new calls and lets live ones finish.
        required state: Choice<DesiredState> => "paused",
        /// How it dials: `preoccupied` reserves an agent first and only then calls a customer.
        required mode: Choice<Mode> => "preoccupied",
        /// Numbers that customers see, each a string or `{ number, priority }`. The settings must own them.
        required caller_numbers: List<CallerNumber, 1> => ["+862160001000"],
        /// First instant at which it may dial: a date-time with an offset.
        required starts_at: Instant => toml "2031-03-01T09:00:00+08:00",
        /// First instant at which it may no longer dial; after `starts_at`.
        required ends_at: Instant => toml "2031-05-31T18:00:00+08:00",
        /// Queue whose agents take the calls; at least one agent must serve it.
        required skill_queue: Slug<QueueId> => "sales",
        /// 1 to 5, 1 first: a free agent serves the lowest number that has a customer to call.
        default(Priority::DEFAULT) priority: Rank => 2,
        /// When customers may be called.
        required calling_hours: CallingHoursTable => {
            timezone = "Asia/Shanghai", windows = ["09:00-11:30", "14:00-20:00"]
        },
        /// How a call is placed, and who may not be called.
        table strategy: StrategyTable,
        /// Who is called, and in which order.
        table calling: CallingTable,
        /// When a number is called again.
        table results: ResultsTable,
        /// What the result of a conversation brings about.
        table business_results: BusinessResultsTable,
        /// Caps; each is also held to the settings' ceiling, and the smaller holds.
        table limits: LimitsTable,
        /// How the campaign treats its agents; what is left out is as the tenant has it.
        table agents: AgentsTable,
        /// Questionnaire that agents see during the call: a published version.
        optional survey: SurveyTable => { id = "test-drive", version = 2 },
        /// Text message that a customer gets once, when finally not reached: an id of shared/sms.toml.
        optional failure_sms: Slug<SmsId> => "not-reached",
        /// Web address that is told of every call.
        optional callback: CallbackTable => { url = "https://crm.example.net/calls" },
    }
}

table! {
    /// When customers may be called, in local time.
    pub(crate) struct CallingHoursTable "`calling_hours`" {
        /// IANA time zone of the windows, or `contact` for each customer's own: the contact's, else the one of the
        /// number's region if it has only one, else `fallback_timezone`.
        required timezone: ZoneOrContact => "Asia/Shanghai",
        /// Zone of customers whose own is not known; required with `timezone = "contact"`, refused otherwise.
        optional fallback_timezone: Zone => "Europe/Berlin",
        /// Windows of each day, `HH:MM-HH:MM`, the end not included; they may not overlap. An end of 24:00 is the
        /// day's end, and one before the start is on the next day.
        required windows: List<Window, 1> => ["09:00-11:30", "14:00-20:00"],
        /// Days with windows of their own, or closed; of several entries that match a day the last one counts.
        default(Vec::new()) special: List<SpecialTable, 0> => [{ calendar = "public-holidays", closed = true }],
    }
}

table! {
    /// Days with windows of their own: a `calendar`, or any of `weekdays`, `dates` and `yearly`.
    pub(crate) struct SpecialTable "a special day" {
        /// Days of a calendar of shared/calendars.toml.
        optional calendar: Slug<CalendarId> => "public-holidays",
        /// Days of the week.
        optional weekdays: List<DayOfWeek, 1> => ["sat", "sun"],
        /// Days, or ranges of days with both ends.
        optional dates: List<DateRange, 1> => ["2031-03-04", "2031-05-01/2031-05-05"],
        /// Days of every year, or ranges of them with both ends.
        optional yearly: List<YearlyRange, 1> => ["10-01/10-07"],
        /// Windows of these days in place of the ordinary ones.
        optional windows: List<Window, 1> => ["10:00-12:00"],
        /// `true`: nobody is called on these days. A window that started the day before still ends in its time.
        default(false) closed: Flag => true,
    }
}

table! {
    /// How a call is placed, and who may not be called.
    pub(crate) struct StrategyTable "`strategy`" {
        /// Longest that a customer's phone rings: 5s to 120s, within the settings' ceiling.
        default(MAX_RING) max_ring: Lasting<5, MAX_RING_LIMIT> => "25s",
        /// Attributes that filter, sort and the agent's screen may use; all if it is left out.
        optional attributes: List<Slug<AttributeId>, 0> => ["tier", "score"],
        /// Do-not-call lists besides those that the tenant has for all campaigns.
        default(Vec::new()) do_not_call: List<Slug<DoNotCallId>, 0> => ["no-marketing"],
    }
}

/// Which order of numbers a file names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Sequence,
    RoundsByCategory,
    RoundsByIndex,
}

impl Words for Order {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("sequence", Self::Sequence),
        ("rounds_by_category", Self::RoundsByCategory),
        ("rounds_by_index", Self::RoundsByIndex),
    ];
}

table! {
    /// Who is called, and in which order.
    pub(crate) struct CallingTable "`calling`" {
        /// Order of a customer's several numbers. `sequence`: one after the other, then each again when its retry is
        /// due. `rounds_by_category` and `rounds_by_index`: everybody's numbers of the first round, then those of
        /// the second, and so on.
        default(Order::Sequence) order: Choice<Order> => "rounds_by_category",
        /// The rounds: categories, or indexes counted from 1. Only with rounds, and required there.
        optional rounds: List<Round, 1> => ["mobile", "home"],
        /// Numbers that no round lists: `last`, in a round of their own, or `never`. Only with rounds.
        default(Others::Last) others: Choice<Others> => "never",
        /// Only customers for whom it holds are called; changes take effect at once.
        optional filter: Condition => {
            all = [
                { attribute = "tier", op = "in", value = ["gold", "silver"] },
                { not = { attribute = "score", op = "lt", value = 10 } },
            ]
        },
        /// Order of customers nobody has called yet, before their own priority and the import's order.
        default(Vec::new()) sort: List<SortTable, 0> => [{ attribute = "score", direction = "desc", as = "number" }],
    }
}

table! {
    /// One key of the order; customers without a value go last in both directions.
    pub(crate) struct SortTable "a sort key" {
        /// By which attribute; not an encrypted one.
        required attribute: Slug<AttributeId> => "score",
        /// `asc`: the least first; `desc`: the greatest first.
        default(Direction::Ascending) direction: Choice<Direction> => "desc",
        /// How values are compared; as the attribute's type is if it is left out.
        optional r#as: Choice<SortType> => "number",
    }
}

/// Which policy decides on retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    Global,
    ByCategory,
}

impl Words for Policy {
    const WORDS: &'static [(&'static str, Self)] = &[("global", Self::Global), ("by_category", Self::ByCategory)];
}

table! {
    /// When a number is called again.
    pub(crate) struct ResultsTable "`results`" {
        /// `global`: one policy for all numbers. `by_category`: one for each category of numbers.
        default(Policy::Global) policy: Choice<Policy> => "by_category",
        /// The policy for all numbers: by days and attempts, or by result.
        table global: PolicyTable,
        /// Results that end all numbers of a customer; only with `policy = "global"`.
        default(Vec::new()) no_retry: List<Choice<CallResult>, 0> => ["vacant", "number_changed"],
        /// Policies by the number's category, `default` for all others; only with `policy = "by_category"`.
        optional by_category: PerCategory<PolicyTable> => {
            default = { max_days = 3, max_attempts_per_day = 2, retry_interval = "30m" },
            mobile = { by_result = [{ result = "busy", retries = 3, interval = "5m" }] },
        },
    }
}

table! {
    /// A policy, in one of two forms: so many tries a local day, on so many days, so far apart; or `by_result`.
    pub(crate) struct PolicyTable "a policy" {
        /// On how many different local days a number may be tried.
        default(MAX_DAYS) max_days: Count<366> => 3,
        /// How often a number may be tried on one local day.
        default(MAX_ATTEMPTS_PER_DAY) max_attempts_per_day: Count<100> => 2,
        /// From the end of a number's last try to its next.
        default(RETRY_INTERVAL) retry_interval: Lasting<1, YEAR> => "30m",
        /// What follows each result; one that is not listed ends the number. Not beside the other keys.
        optional by_result: List<ByResultTable, 1> => [{ result = "busy", retries = 3, interval = "5m" }],
    }
}

table! {
    /// What follows one result.
    pub(crate) struct ByResultTable "a rule" {
        /// After which result; each may be listed once.
        required result: Choice<CallResult> => "busy",
        /// Further calls of a number because of this result, over its whole life.
        required retries: Whole<0, 100> => 3,
        /// From the end of the try to the next.
        required interval: Lasting<1, YEAR> => "5m",
    }
}

table! {
    /// What the result of a conversation brings about.
    pub(crate) struct BusinessResultsTable "`business_results`" {
        /// Whether the rules are in force.
        default(false) enabled: Flag => true,
        /// The rules; the one with the sub-result goes before the one without.
        default(Vec::new()) rules: List<BusinessRuleTable, 0> => [
            { result = "callback", action = "call_same_number", interval = "10m" }
        ],
    }
}

/// What a business rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Stop,
    CallNextNumber,
    CallSameNumber,
}

impl Words for Action {
    const WORDS: &'static [(&'static str, Self)] =
        &[("stop", Self::Stop), ("call_next_number", Self::CallNextNumber), ("call_same_number", Self::CallSameNumber)];
}

table! {
    /// What follows a business result.
    pub(crate) struct BusinessRuleTable "a rule" {
        /// After which business result of shared/business-results.toml.
        required result: Slug<BusinessResultId> => "callback",
        /// With which sub-result; any that has no rule of its own if it is left out.
        optional sub_result: Slug<SubResultId> => "soon",
        /// `stop` ends the customer, for good; the others call again, a customer who was reached too.
        required action: Choice<Action> => "call_same_number",
        /// From the later of the call's end and the result to the call, 1s to 3600s; required unless `stop`.
        optional interval: Lasting<1, HOUR> => "10m",
        /// Calls that the rule places for one customer, at most.
        default(NonZeroU32::MIN) max_times: Count<100> => 2,
        /// Whether the agent of the call takes the next one too.
        default(false) same_agent: Flag => true,
        /// How long that agent is waited for before anyone of the queue may take it; to the end of the local day
        /// if it is left out.
        optional same_agent_wait: Lasting<1, WEEK> => "1h",
    }
}

table! {
    /// How the campaign treats its agents.
    pub(crate) struct AgentsTable "`agents`" {
        /// `per_call` rings the agent's phone for each customer anew; `off_hook` once.
        optional hold: Choice<AgentHold> => "per_call",
        /// How long an agent's phone rings before the call goes to another.
        optional ring: Lasting<1, 120> => "15s",
        /// Longest wrap-up after a conversation, then the agent is idle again; 0s for none.
        optional wrap_up: Lasting<0, HOUR> => "30s",
    }
}

table! {
    /// A questionnaire.
    pub(crate) struct SurveyTable "`survey`" {
        /// Id of a file of shared/surveys.
        required id: Slug<SurveyId> => "test-drive",
        /// A version of it that is published.
        required version: Count<10_000> => 2,
    }
}

table! {
    /// A web address that is told of every call: when agent and customer are connected, and when an attempt ends.
    pub(crate) struct CallbackTable "`callback`" {
        /// Where to; the settings must allow its host.
        required url: Url => "https://crm.example.net/calls",
        /// Attributes of the customer that are carried along; encrypted ones can't be.
        default(Vec::new()) fields: List<Slug<AttributeId>, 0> => ["tier"],
        /// Key of the signature that the receiver checks.
        optional signing_secret: Secret => { credential = "crm-signing" },
    }
}

table! {
    /// Caps on calls.
    pub(crate) struct LimitsTable "`limits`" {
        /// Live calls to customers at once.
        optional max_concurrent_calls: Count<100_000> => 20,
        /// Calls to customers started in any one second.
        optional max_calls_per_second: Count<10_000> => 5,
        /// Calls to one customer by all campaigns together, ever: this one calls nobody who has had as many.
        optional max_attempts_per_contact: Count<10_000> => 6,
        /// Cap on calls to one number, counted over all campaigns.
        optional per_number: PerNumberTable => { attempts = 3, days = 7, after_conversation_days = 30 },
    }
}

table! {
    /// Cap on calls to one number, counted over all campaigns.
    pub(crate) struct PerNumberTable "`limits.per_number`" {
        /// Most calls in the period.
        required attempts: Count<10_000> => 3,
        /// The period: so many times 24 hours, up to now.
        required days: Count<366> => 7,
        /// No call for so many times 24 hours after a conversation; 0 for none.
        default(0) after_conversation_days: Whole<0, 3660> => 30,
    }
}
