//! A campaign's file.

use std::{num::NonZeroU32, time::Duration};

use crate::{
    config::{
        kinds::{
            choice::{Choice, Words},
            duration::Lasting,
            list::List,
            number::{Count, Rank, Whole},
            phone::CallerNumber,
            text::{Slug, Text},
            time::{Instant, Window, Zone},
        },
        table::table,
    },
    domain::{
        campaign::{DesiredState, Mode, NumberOrder, Priority},
        ids::{CampaignId, QueueId, TemplateId},
    },
};

/// Longest interval or life that a file can write down, in seconds: a year.
const YEAR: u64 = 366 * 24 * 60 * 60;

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
        /// How a call is placed.
        table strategy: StrategyTable,
        /// In which order a customer's numbers are called.
        table calling: CallingTable,
        /// When a number is called again.
        table results: ResultsTable,
        /// Caps; each is also held to the settings' ceiling, and the smaller holds.
        table limits: LimitsTable,
    }
}

table! {
    /// When customers may be called, in local time.
    pub(crate) struct CallingHoursTable "`calling_hours`" {
        /// IANA time zone of the windows.
        required timezone: Zone => "Asia/Shanghai",
        /// Windows of each day, `HH:MM-HH:MM`, the end not included; they may not overlap. An end of 24:00 is the
        /// day's end, and one before the start is on the next day.
        required windows: List<Window, 1> => ["09:00-11:30", "14:00-20:00"],
    }
}

table! {
    /// How a call is placed.
    pub(crate) struct StrategyTable "`strategy`" {
        /// Longest that a customer's phone rings: 5s to 120s, within the settings' ceiling.
        default(MAX_RING) max_ring: Lasting<5, MAX_RING_LIMIT> => "25s",
    }
}

table! {
    /// In which order a customer's numbers are called.
    pub(crate) struct CallingTable "`calling`" {
        /// `sequence`: one number after the other, then each again when its retry is due.
        default(NumberOrder::Sequence) order: Choice<NumberOrder> => "sequence",
    }
}

/// Which policy decides on retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    Global,
}

impl Words for Policy {
    const WORDS: &'static [(&'static str, Self)] = &[("global", Self::Global)];
}

table! {
    /// When a number is called again.
    pub(crate) struct ResultsTable "`results`" {
        /// `global`: one policy for all numbers.
        default(Policy::Global) policy: Choice<Policy> => "global",
        /// The policy for all numbers, by days and attempts.
        table global: GlobalTable,
    }
}

table! {
    /// So many tries a local day, on so many days, so far apart.
    pub(crate) struct GlobalTable "`results.global`" {
        /// On how many different local days a number may be tried.
        default(MAX_DAYS) max_days: Count<366> => 3,
        /// How often a number may be tried on one local day.
        default(MAX_ATTEMPTS_PER_DAY) max_attempts_per_day: Count<100> => 2,
        /// From the end of a number's last try to its next.
        default(RETRY_INTERVAL) retry_interval: Lasting<1, YEAR> => "30m",
    }
}

table! {
    /// Caps on calls.
    pub(crate) struct LimitsTable "`limits`" {
        /// Live calls to customers at once.
        optional max_concurrent_calls: Count<100_000> => 20,
        /// Calls to customers started in any one second.
        optional max_calls_per_second: Count<10_000> => 5,
        /// Calls to one customer of this campaign, ever.
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
