//! Made-up worlds: `sim.toml`, for `dialops simulate`.

use std::{path::Path, sync::Arc, time::Duration};

use jiff::{Timestamp, civil::Weekday};

use super::{
    diagnostic::{Diagnostic, Severity, sort},
    items::values,
    kinds::choice::Words,
    read::Reader,
    tables::simulation::{ExpectTable, HourTable, MadeAgentsTable, MadeCallsTable, MadeContactsTable, SimulationFile},
};
use crate::domain::{calendar::Window, ids::CategoryId, tenant::PerMille};

/// A made-up world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulation {
    /// Customers.
    pub contacts: MadeContacts,
    /// How their calls go.
    pub calls: MadeCalls,
    /// Agents.
    pub agents: MadeAgents,
    /// What must come of it.
    pub expect: Expect,
}

/// Customers that are made up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeContacts {
    /// How many each campaign has.
    pub count: u32,
    /// Categories of each one's numbers; none for one number of the tenant's first category.
    pub numbers: Vec<CategoryId>,
}

/// How calls go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeCalls {
    /// The share that is answered.
    pub answer_rate: PerMille,
    /// The share at some hours; the last that holds the time wins.
    pub by_hour: Vec<(Window, PerMille)>,
    /// From the INVITE to the answer.
    pub answer_after: Duration,
    /// The share of unanswered calls that are busy.
    pub busy: PerMille,
    /// From the INVITE to a busy line.
    pub busy_after: Duration,
    /// How long it rings when nobody answers.
    pub no_answer_after: Duration,
    /// A conversation, in the mean.
    pub talk: Duration,
    /// A wrap-up, in the mean.
    pub wrap_up: Duration,
    /// How both differ from their mean.
    pub spread: Spread,
    /// Before each INVITE.
    pub setup: Duration,
}

/// How lengths differ from their mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// Not at all.
    Fixed,
    /// Exponentially.
    Exponential,
}

impl Words for Spread {
    const WORDS: &'static [(&'static str, Self)] = &[("fixed", Self::Fixed), ("exponential", Self::Exponential)];
}

/// When agents are there and how they work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeAgents {
    /// So many in each queue, in place of those of the repository.
    pub count: Option<u32>,
    /// When they are there; none for always.
    pub shifts: Vec<Window>,
    /// Days on which a shift begins; none for every day.
    pub weekdays: Vec<Weekday>,
    /// How soon an agent picks up.
    pub picks_up_after: Duration,
}

/// What must come of a simulation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expect {
    /// All contacts have ended before.
    pub finishes_before: Option<Timestamp>,
    /// At least so many spoke with an agent.
    pub min_answers: Option<u32>,
    /// At most so many calls.
    pub max_attempts: Option<u32>,
    /// At least this share of the agents' time.
    pub min_utilisation: Option<PerMille>,
}

impl Default for Simulation {
    fn default() -> Self {
        Self::new(SimulationFile::absent())
    }
}

impl Simulation {
    /// Reads a file, or tells everything that is wrong with it.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let shown: Arc<str> = path.to_string_lossy().into();
        let (file, mut diagnostics) = Reader::file::<SimulationFile>(&shown, text);
        sort(&mut diagnostics);
        match file {
            Some(file) if diagnostics.iter().all(|d| d.severity != Severity::Error) => Ok(Self::new(file)),
            Some(_) | None => Err(diagnostics),
        }
    }

    fn new(file: SimulationFile) -> Self {
        Self {
            contacts: contacts(file.contacts.value),
            calls: calls(file.calls.value),
            agents: agents(file.agents.value),
            expect: expect(file.expect.value),
        }
    }
}

fn contacts(table: MadeContactsTable) -> MadeContacts {
    MadeContacts { count: table.count.value, numbers: values(table.numbers.value) }
}

fn calls(table: MadeCallsTable) -> MadeCalls {
    let hour = |hour: HourTable| Some((hour.hours?.value, hour.answer_rate?.value));
    MadeCalls {
        answer_rate: table.answer_rate.value,
        by_hour: values(table.by_hour.value).into_iter().filter_map(hour).collect(),
        answer_after: table.answer_after.value,
        busy: table.busy.value,
        busy_after: table.busy_after.value,
        no_answer_after: table.no_answer_after.value,
        talk: table.talk.value,
        wrap_up: table.wrap_up.value,
        spread: table.spread.value,
        setup: table.setup.value,
    }
}

fn agents(table: MadeAgentsTable) -> MadeAgents {
    MadeAgents {
        count: table.count.map(|count| count.value),
        shifts: values(table.shifts.value),
        weekdays: values(table.weekdays.value),
        picks_up_after: table.picks_up_after.value,
    }
}

fn expect(table: ExpectTable) -> Expect {
    Expect {
        finishes_before: table.finishes_before.map(|at| at.value),
        min_answers: table.min_answers.map(|count| count.value),
        max_attempts: table.max_attempts.map(|count| count.value),
        min_utilisation: table.min_utilisation.map(|share| share.value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_has_its_default() {
        let empty = Simulation::parse(Path::new("sim.toml"), "").unwrap();
        assert_eq!(empty, Simulation::default());
        assert_eq!((empty.contacts.count, empty.calls.answer_rate), (1000, PerMille(300)));
        let text = "[calls]\nanswer_rate = \"20%\"\nby_hour = [{ hours = \"09:00-12:00\", answer_rate = \"5%\" }]\n\
                    [agents]\nweekdays = [\"mon\"]\n[expect]\nfinishes_before = 2031-03-10T18:00:00+08:00\n";
        let world = Simulation::parse(Path::new("sim.toml"), text).unwrap();
        assert_eq!(world.calls.by_hour, [(Window::parse("09:00-12:00").unwrap(), PerMille(50))]);
        assert_eq!(world.agents.weekdays, [Weekday::Monday]);
        assert_eq!(world.expect.finishes_before, Some("2031-03-10T10:00:00Z".parse().unwrap()));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let found = Simulation::parse(Path::new("sim.toml"), "[calls]\nanswer_rat = \"20%\"\n").unwrap_err();
        assert_eq!((found[0].code.as_str(), found[0].location.line), ("E0101", 2));
    }
}
