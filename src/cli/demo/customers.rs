//! The made-up customers, and what their phones do.
//!
//! The numbers are those that North America keeps for fiction, 555-0100 to 555-0199 of each area, so
//! that they belong to nobody.

use std::{fmt::Write as _, time::Duration};

use crate::telephony::peer::{Behaviour, Refusal};

/// How many customers.
pub(super) const CUSTOMERS: usize = 200;

/// The last ones all answer, so that nobody waits for a retry at the end.
const ANSWER_FROM: usize = 170;

/// Customers who never take a call, and who miss the first one; few, since each costs a whole ring.
const NEVER_TAKES: [usize; 2] = [7, 60];
const MISSES_ONE: [usize; 3] = [25, 45, 80];

/// Areas of mobile and home numbers; each holds the numbers of [`PER_AREA`] customers.
const MOBILE: [&str; 2] = ["202", "212"];
const HOME: [&str; 2] = ["312", "415"];
const PER_AREA: usize = 100;

/// What becomes of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Answers,
    BusyAtFirst,
    AlwaysBusy,
    Rejects,
    Vacant,
    /// The mobile number does not exist, at home somebody answers.
    AtHome,
    MissesOne,
    NeverTakes,
}

fn kind(index: usize) -> Kind {
    use Kind::{AlwaysBusy, Answers, AtHome, BusyAtFirst, Rejects, Vacant};
    const MIX: [Kind; 17] = [
        Answers,
        BusyAtFirst,
        Vacant,
        Rejects,
        Answers,
        BusyAtFirst,
        AtHome,
        Rejects,
        Vacant,
        Answers,
        AlwaysBusy,
        Vacant,
        Rejects,
        BusyAtFirst,
        Answers,
        AlwaysBusy,
        Vacant,
    ];
    match index {
        _ if NEVER_TAKES.contains(&index) => Kind::NeverTakes,
        _ if MISSES_ONE.contains(&index) => Kind::MissesOne,
        ANSWER_FROM.. => Answers,
        _ => MIX[index % MIX.len()],
    }
}

/// The customers as a file to import.
pub(super) fn csv() -> String {
    let mut text = "customer_id,number.mobile,number.home\n".to_owned();
    for index in 0..CUSTOMERS {
        let mobile = number(MOBILE, index);
        let home = if kind(index) == Kind::AtHome { number(HOME, index) } else { String::new() };
        // Writing to a String can't fail.
        let _written = writeln!(text, "C-{:03},{mobile},{home}", index + 1);
    }
    text
}

fn number(areas: [&str; 2], index: usize) -> String {
    format!("+1{}55501{:02}", areas[index / PER_AREA], index % PER_AREA)
}

/// Whose number it is.
fn index_of(areas: [&str; 2], number: &str) -> Option<usize> {
    let (area, rest) = number.strip_prefix("+1")?.split_at_checked(3)?;
    let area = areas.iter().position(|known| *known == area)?;
    let digits = rest.strip_prefix("55501").filter(|digits| digits.len() == 2)?;
    Some(area * PER_AREA + digits.parse::<usize>().ok()?)
}

/// What `number` does on its nth call, from 1.
pub(super) fn behaviour(number: &str, nth: u64) -> Behaviour {
    let home = index_of(HOME, number);
    let Some(index) = home.or_else(|| index_of(MOBILE, number)) else { return refuse(Refusal::Vacant) };
    match (kind(index), nth) {
        (Kind::AtHome, _) if home.is_none() => refuse(Refusal::Vacant),
        (Kind::BusyAtFirst, 1) | (Kind::AlwaysBusy, _) => refuse(Refusal::Busy),
        (Kind::Rejects, _) => refuse(Refusal::Rejected),
        (Kind::Vacant, _) => refuse(Refusal::Vacant),
        (Kind::NeverTakes, _) | (Kind::MissesOne, 1) => Behaviour::RingOut,
        (Kind::Answers | Kind::AtHome | Kind::BusyAtFirst | Kind::MissesOne, _) => answer(index),
    }
}

fn refuse(refusal: Refusal) -> Behaviour {
    let millis = match refusal {
        Refusal::Busy => 120,
        Refusal::Rejected => 250,
        Refusal::Vacant => 80,
    };
    Behaviour::Refuse { after: Duration::from_millis(millis), refusal }
}

/// Rings 150 to 350 ms and talks 300 to 800 ms: short, for the demo is.
fn answer(index: usize) -> Behaviour {
    let spread = |step: usize, parts: usize| u64::try_from(index * step % parts).unwrap_or(0);
    let after = Duration::from_millis(150 + 50 * spread(29, 5));
    let talk = Duration::from_millis(300 + 100 * spread(53, 6));
    Behaviour::Answer { after, talk: Some(talk) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_of_the_file_has_a_fate() {
        let text = csv();
        let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
        assert_eq!(rows.len(), CUSTOMERS);
        assert_eq!(rows[0], ["C-001", "+12025550100", ""]);
        assert_eq!(rows[6], ["C-007", "+12025550106", "+13125550106"]);
        let reached = rows.iter().filter(|row| {
            let numbers = row[1..].iter().filter(|number| !number.is_empty());
            numbers.flat_map(|number| [behaviour(number, 1), behaviour(number, 2)]).any(is_answer)
        });
        assert_eq!(reached.count(), 112);
    }

    fn is_answer(behaviour: Behaviour) -> bool {
        matches!(behaviour, Behaviour::Answer { .. })
    }

    #[test]
    fn numbers_of_nobody_do_not_exist() {
        for number in ["+12035550100", "+120255501x1", "+1202555010", "+49", ""] {
            assert_eq!(behaviour(number, 1), refuse(Refusal::Vacant), "{number}");
        }
    }

    #[test]
    fn some_answer_the_second_time() {
        assert!(!is_answer(behaviour("+12025550101", 1)) && is_answer(behaviour("+12025550101", 2)));
        assert_eq!(behaviour("+12025550125", 1), Behaviour::RingOut);
        assert_eq!(behaviour("+12025550160", 9), Behaviour::RingOut);
    }
}
