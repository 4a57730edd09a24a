//! `sim.toml`.

use std::time::Duration;

use crate::{
    config::{
        kinds::{
            choice::Choice,
            days::DayOfWeek,
            duration::Lasting,
            list::List,
            number::Whole,
            share::Share,
            text::Slug,
            time::{Instant, Window},
        },
        simulation::Spread,
        table::table,
    },
    domain::{ids::CategoryId, tenant::PerMille},
};

const RATE: PerMille = PerMille(300);
const BUSY: PerMille = PerMille(250);
const ANSWER_AFTER: Duration = Duration::from_secs(9);
const BUSY_AFTER: Duration = Duration::from_secs(4);
const NO_ANSWER_AFTER: Duration = Duration::from_secs(22);
const TALK: Duration = Duration::from_secs(120);
const WRAP_UP: Duration = Duration::from_secs(20);
const CONTACTS: u32 = 1000;

table! {
    /// A made-up world for `dialops simulate`: customers, how their calls go, agents, and what is expected of it.
    pub(crate) struct SimulationFile "the simulation" {
        /// Customers that are made up for each campaign where no file of contacts is given.
        table contacts: MadeContactsTable,
        /// How calls go.
        table calls: MadeCallsTable,
        /// When agents are there and how they work.
        table agents: MadeAgentsTable,
        /// What must come of it; `dialops simulate` ends with exit code 2 if it does not.
        table expect: ExpectTable,
    }
}

table! {
    /// Customers that are made up.
    pub(crate) struct MadeContactsTable "`contacts`" {
        /// How many each campaign has.
        default(CONTACTS) count: Whole<0, 10_000_000> => 100000,
        /// Categories of each one's numbers, in the order of their index; one number of the tenant's first category
        /// if there are none.
        default(Vec::new()) numbers: List<Slug<CategoryId>, 0> => ["mobile", "home"],
    }
}

table! {
    /// How calls go.
    pub(crate) struct MadeCallsTable "`calls`" {
        /// The share of calls that are answered.
        default(RATE) answer_rate: Share => "30%",
        /// The share at some hours, in the tenant's zone; the last window that holds the time wins.
        default(Vec::new()) by_hour: List<HourTable, 0> => [{ hours = "09:00-12:00", answer_rate = "20%" }],
        /// How long it rings until the answer.
        default(ANSWER_AFTER) answer_after: Lasting<0, 120> => "9s",
        /// The share of unanswered calls that are busy; the others ring until nobody answered.
        default(BUSY) busy: Share => "25%",
        /// How soon a call is known to be busy.
        default(BUSY_AFTER) busy_after: Lasting<0, 120> => "4s",
        /// How long it rings when nobody answers, at most the campaign's `max_ring`.
        default(NO_ANSWER_AFTER) no_answer_after: Lasting<1, 120> => "22s",
        /// How long a conversation lasts in the mean.
        default(TALK) talk: Lasting<1, 7200> => "2m",
        /// How long the wrap-up lasts in the mean, at most the campaign's `agents.wrap_up`.
        default(WRAP_UP) wrap_up: Lasting<0, 3600> => "20s",
        /// How conversations and wrap-ups differ from their mean: not at all, or as waiting times do.
        default(Spread::Exponential) spread: Choice<Spread> => "exponential",
        /// How long each call takes to set up before its INVITE leaves.
        default(Duration::ZERO) setup: Lasting<0, 60> => "1s",
    }
}

table! {
    /// A share of answers at some hours.
    pub(crate) struct HourTable "an hour's share" {
        /// Which hours.
        required hours: Window => "09:00-12:00",
        /// The share of calls that are answered then.
        required answer_rate: Share => "20%",
    }
}

table! {
    /// Agents.
    pub(crate) struct MadeAgentsTable "`agents`" {
        /// So many in each queue that is dialled for, in place of those of `shared/agents.toml`.
        optional count: Whole<1, 10_000> => 100,
        /// When they are there, in the tenant's zone; always if there are none.
        default(Vec::new()) shifts: List<Window, 0> => ["09:00-18:00"],
        /// Days of the week on which a shift begins; every day if there are none.
        default(Vec::new()) weekdays: List<DayOfWeek, 0> => ["mon", "tue", "wed", "thu", "fri"],
        /// How soon an agent picks up.
        default(Duration::ZERO) picks_up_after: Lasting<0, 60> => "2s",
    }
}

table! {
    /// What must come of it.
    pub(crate) struct ExpectTable "`expect`" {
        /// All contacts have ended before this instant.
        optional finishes_before: Instant => toml "2031-03-10T18:00:00+08:00",
        /// At least so many customers spoke with an agent.
        optional min_answers: Whole<0, { u32::MAX }> => 300,
        /// At most so many calls were made.
        optional max_attempts: Whole<0, { u32::MAX }> => 5000,
        /// Agents talked or wrapped up for at least this share of their time.
        optional min_utilisation: Share => "60%",
    }
}
