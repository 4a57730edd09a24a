//! People who are made up: contacts, and agents with their shifts.

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    config::simulation::{MadeAgents, MadeContacts},
    domain::{
        attribute::Attributes,
        calendar::{CallingHours, Window},
        campaign::{AgentDefinition, Definitions, Priority},
        contact::NewContact,
        ids::{AgentId, CategoryId, CustomerId, QueueId},
        phone::E164,
    },
};

/// Why people can't be made up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MadeError {
    /// A category that nobody defined.
    #[error("[contacts] numbers: the tenant defines no category \"{0}\"")]
    Category(CategoryId),
}

/// Contacts of a campaign, the same whenever they are made up. Their numbers begin with +999, which is
/// no country's, so that nobody could ever be called by them.
pub fn contacts(made: &MadeContacts, definitions: &Definitions, which: u32) -> Result<Vec<NewContact>, MadeError> {
    let unknown = made.numbers.iter().find(|id| !definitions.categories.contains_key(*id));
    if let Some(unknown) = unknown.filter(|_| !definitions.categories.is_empty()) {
        return Err(MadeError::Category(unknown.clone()));
    }
    let first = definitions.categories.keys().next().cloned();
    let first = first.unwrap_or_else(|| CategoryId::parse("mobile").expect("a slug"));
    let categories = if made.numbers.is_empty() { vec![first] } else { made.numbers.clone() };
    let number = |index: usize, nth: u32| {
        let text = format!("+999{:02}{:02}{nth:08}", which % 100, index % 100);
        E164::parse(&text).expect("fifteen digits are a number")
    };
    let contact = |nth: u32| NewContact {
        customer: CustomerId::parse(&format!("made-up-{nth:08}")).expect("a short text"),
        numbers: categories.iter().enumerate().map(|(index, id)| (id.clone(), number(index, nth))).collect(),
        priority: Priority::DEFAULT,
        not_before: None,
        timezone: None,
        attributes: Attributes::new(),
        custom_field: None,
    };
    Ok((1..=made.count).map(contact).collect())
}

/// Puts so many agents in each queue that is dialled for, in place of those that are defined.
pub(super) fn staff(definitions: &mut Definitions, count: Option<u32>) {
    let Some(count) = count else { return };
    let mut queues: Vec<QueueId> = definitions.campaigns.values().map(|c| c.skill_queue.clone()).collect();
    queues.sort();
    queues.dedup();
    definitions.agents.clear();
    for (index, queue) in queues.into_iter().enumerate() {
        for nth in 1..=count {
            let id = AgentId::parse(&format!("agent-{}-{nth:05}", index + 1)).expect("a slug");
            let (name, sip, queues) = (format!("Agent {nth}"), "sip:nobody@invalid".to_owned(), vec![queue.clone()]);
            definitions.agents.insert(id.clone(), AgentDefinition { id, name, sip, queues });
        }
    }
}

/// When agents are there.
#[derive(Debug)]
pub(super) struct Shifts {
    agents: Vec<AgentId>,
    /// Each from when until when; not overlapping, in order.
    times: Vec<(Timestamp, Timestamp)>,
}

impl Shifts {
    pub(super) fn of(definitions: &Definitions, made: &MadeAgents, from: Timestamp, until: Timestamp) -> Self {
        let serves = |agent: &&AgentDefinition| {
            definitions.campaigns.values().any(|campaign| agent.queues.contains(&campaign.skill_queue))
        };
        let agents = definitions.agents.values().filter(serves).map(|agent| agent.id.clone()).collect();
        Self { agents, times: times(&definitions.tenant.timezone, made, from, until) }
    }

    pub(super) fn agents(&self) -> usize {
        self.agents.len()
    }

    pub(super) fn times(&self) -> &[(Timestamp, Timestamp)] {
        &self.times
    }

    /// Every shift of every agent.
    pub(super) fn all(&self) -> impl Iterator<Item = (&AgentId, Timestamp, Timestamp)> {
        self.times.iter().flat_map(|(from, until)| self.agents.iter().map(|agent| (agent, *from, *until)))
    }
}

fn times(timezone: &str, made: &MadeAgents, from: Timestamp, until: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let zone = TimeZone::get(timezone).unwrap_or(TimeZone::UTC);
    let whole_day = Window::parse("00:00-24:00").expect("a window");
    let windows = if made.shifts.is_empty() { vec![whole_day] } else { made.shifts.clone() };
    let mut times: Vec<(Timestamp, Timestamp)> = Vec::new();
    for window in windows {
        let Ok(hours) = CallingHours::new(timezone, zone.clone(), vec![window]) else { continue };
        let mut at = from;
        // The day before may still be at work.
        while let Some(begins) = hours.next_open(at).filter(|begins| *begins < until) {
            // The whole day never closes.
            let ends = hours.closes_at(begins).unwrap_or_else(|| hours.next_day_starts(begins)).min(until);
            let weekday = hours.local_date(begins).weekday();
            if made.weekdays.is_empty() || made.weekdays.contains(&weekday) {
                times.push((begins, ends));
            }
            at = ends;
        }
    }
    times.sort();
    joined(times)
}

/// Spans of time without the seams between those that touch.
fn joined(times: Vec<(Timestamp, Timestamp)>) -> Vec<(Timestamp, Timestamp)> {
    let mut joined: Vec<(Timestamp, Timestamp)> = Vec::new();
    for (from, until) in times {
        match joined.last_mut() {
            Some((_, last)) if *last >= from => *last = until.max(*last),
            _ => joined.push((from, until)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use jiff::civil::Weekday;

    use super::*;
    use crate::config::Simulation;

    fn shown(shifts: &[&str], weekdays: &[Weekday]) -> Vec<String> {
        let shifts = shifts.iter().map(|text| Window::parse(text).unwrap()).collect();
        let made = MadeAgents { shifts, weekdays: weekdays.to_vec(), ..Simulation::default().agents };
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let times = times("UTC", &made, at("2031-03-07T10:00:00Z"), at("2031-03-10T10:00:00Z"));
        times.into_iter().map(|(from, until)| format!("{from}/{until}")).collect()
    }

    #[test]
    fn shifts_are_cut_to_the_world_and_joined() {
        assert_eq!(shown(&[], &[]), ["2031-03-07T10:00:00Z/2031-03-10T10:00:00Z"]);
        let halves = shown(&["08:00-12:00", "12:00-16:00"], &[Weekday::Friday, Weekday::Monday]);
        let expected = ["2031-03-07T10:00:00Z/2031-03-07T16:00:00Z", "2031-03-10T08:00:00Z/2031-03-10T10:00:00Z"];
        assert_eq!(halves, expected);
    }
}
