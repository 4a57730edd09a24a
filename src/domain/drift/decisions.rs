//! Overrides' rows beside the overrides that hold.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use super::Drift;
use crate::domain::{
    ids::CampaignId,
    overrides::{Override, OverrideId, Overrides, Scope},
};

/// An override's row, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// It says this, and that it was not ended.
    Open(Override),
    /// It says that somebody ended it.
    Ended,
    /// A value of it can't be read.
    Damaged,
}

/// Where rows of overrides that were not ended differ at `now` from those that hold; `rows` has those too that hold
/// and are ended by their row.
#[must_use]
pub fn compare(holding: &Overrides, rows: &BTreeMap<OverrideId, Row>, now: Timestamp) -> Vec<Drift> {
    let holding: BTreeMap<OverrideId, &Arc<Override>> = holding.in_force(now).map(|one| (one.id, one)).collect();
    let mut found = Vec::new();
    for (id, wanted) in &holding {
        let differs = match rows.get(id) {
            None => "it holds, and the store has no row of it".to_owned(),
            Some(Row::Ended) => "it holds, and the store has it ended".to_owned(),
            Some(Row::Damaged) => "a value of its row can't be read".to_owned(),
            Some(Row::Open(stored)) if stored == wanted.as_ref() => continue,
            Some(Row::Open(stored)) => differences(wanted, stored),
        };
        found.push(Drift::Override { id: *id, campaign: campaign(wanted), differs });
    }
    for (id, row) in rows.iter().filter(|(id, _)| !holding.contains_key(*id)) {
        let (campaign, differs) = match row {
            Row::Ended => continue,
            Row::Damaged => (None, "its row can't be read, and it does not hold".to_owned()),
            Row::Open(stored) if !stored.holds(now) => continue,
            Row::Open(stored) => {
                (campaign(stored), format!("the store has it, which {}, and it does not hold", stored.order))
            }
        };
        found.push(Drift::Override { id: *id, campaign, differs });
    }
    found
}

fn campaign(of: &Override) -> Option<CampaignId> {
    match of.order.scope() {
        Scope::All => None,
        Scope::Campaign(id) => Some(id.clone()),
    }
}

fn differences(wanted: &Override, stored: &Override) -> String {
    let mut differs = Vec::new();
    if stored.order != wanted.order {
        let (wanted, stored) = (wanted.order.to_string(), stored.order.to_string());
        // All that is not in that sentence.
        let ringing = "whether it cancels calls that ring is other in the store".to_owned();
        differs.push(if wanted == stored { ringing } else { format!("it {wanted}, and by the store it {stored}") });
    }
    if stored.until != wanted.until {
        differs.push(format!("`until` is {} in the store and {} in force", stored.until, wanted.until));
    }
    if (&stored.reason, &stored.by, stored.since) != (&wanted.reason, &wanted.by, wanted.since) {
        differs.push("who made it, when or why is other in the store".to_owned());
    }
    differs.join(", ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{ids::Revision, overrides::Order};

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn pause(id: u32) -> Override {
        let scope = Scope::Campaign(CampaignId::parse("spring").unwrap());
        let order = Order::Pause { scope, cancel_ringing: false };
        let (reason, by) = ("wrong script".to_owned(), "uid 0".to_owned());
        Override { id: OverrideId(id), order, reason, by, since: second(0), until: second(100) }
    }

    fn told(holding: &[Override], rows: &[(u32, Row)]) -> Vec<String> {
        let holding = Overrides::new(holding.iter().cloned().map(Arc::new).collect());
        let rows = rows.iter().map(|(id, row)| (OverrideId(*id), row.clone())).collect();
        compare(&holding, &rows, second(10)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rows_that_say_what_holds_are_in_order() {
        let over = Override { until: second(10), ..pause(2) };
        let rows = [(1, Row::Open(pause(1))), (2, Row::Open(over.clone())), (3, Row::Ended)];
        assert_eq!(told(&[pause(1), over], &rows), [""; 0]);
    }

    #[test]
    fn each_difference_is_told() {
        let order = Order::Pin { revision: Revision::parse(&"a".repeat(40)).unwrap() };
        let longer = second(100) + Duration::from_secs(60);
        let cases: [(Option<Row>, &str); 6] = [
            (None, "override 1: it holds, and the store has no row of it"),
            (Some(Row::Ended), "override 1: it holds, and the store has it ended"),
            (Some(Row::Damaged), "override 1: a value of its row can't be read"),
            (
                Some(Row::Open(Override { until: longer, ..pause(1) })),
                "override 1: `until` is 1970-01-01T00:02:40Z in the store and 1970-01-01T00:01:40Z in force",
            ),
            (
                Some(Row::Open(Override { order, ..pause(1) })),
                "override 1: it pauses campaign spring, and by the store it follows commit aaaaaaaaaaaa instead of the \
                 branch",
            ),
            (
                Some(Row::Open(Override { by: "uid 1".to_owned(), ..pause(1) })),
                "override 1: who made it, when or why is other in the store",
            ),
        ];
        for (row, expected) in cases {
            let rows: Vec<(u32, Row)> = row.into_iter().map(|row| (1, row)).collect();
            assert_eq!(told(&[pause(1)], &rows), [expected]);
        }
        let expected = "override 7: the store has it, which pauses campaign spring, and it does not hold";
        assert_eq!(told(&[], &[(7, Row::Open(pause(7)))]), [expected]);
        assert_eq!(told(&[], &[(8, Row::Damaged)]), ["override 8: its row can't be read, and it does not hold"]);
    }
}
