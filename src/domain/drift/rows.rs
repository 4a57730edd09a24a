//! Campaigns' rows beside the definitions in force.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Drift;
use crate::domain::{
    campaign::{Campaign, DesiredState},
    ids::{CampaignId, DoNotCallId, Revision},
};

/// A campaign's row, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Identity.
    pub id: CampaignId,
    /// Name.
    pub name: String,
    /// State asked for.
    pub desired: DesiredState,
    /// Digest of its definition.
    pub digest: String,
    /// Whether its file is gone, and its grace over.
    pub retired: bool,
    /// When its file was found to be gone.
    pub removed_at: Option<Timestamp>,
    /// Its `ends_at`; `None` for one that nothing has changed since a store of an earlier version.
    pub ends_at: Option<Timestamp>,
    /// The do-not-call lists that it follows.
    pub do_not_call: Vec<DoNotCallId>,
    /// Whether a value of it could not be read; what stands here then is in its place.
    pub damaged: bool,
}

/// A campaign as it is in force, and its digest.
#[derive(Debug, Clone, Copy)]
pub struct InForce<'a> {
    /// The definition.
    pub campaign: &'a Campaign,
    /// Its digest.
    pub digest: &'a str,
}

/// Where rows differ from what is in force, by campaign.
#[must_use]
pub fn compare(in_force: &[InForce<'_>], rows: &[Row]) -> Vec<Drift> {
    let mut rows: BTreeMap<&CampaignId, &Row> = rows.iter().map(|row| (&row.id, row)).collect();
    let mut found = Vec::new();
    for wanted in in_force {
        let id = &wanted.campaign.id;
        match rows.remove(id) {
            None => found.push(Drift::MissingCampaign { id: id.clone() }),
            Some(row) => {
                let differs = differences(wanted, row);
                if !differs.is_empty() {
                    found.push(Drift::Campaign { id: id.clone(), differs });
                }
            }
        }
    }
    found.extend(rows.into_values().filter_map(of_no_file));
    found
}

fn differences(InForce { campaign, digest }: &InForce<'_>, row: &Row) -> Vec<String> {
    let mut differs = Vec::new();
    let mut note = |differs_here: bool, what: String| {
        if differs_here {
            differs.push(what);
        }
    };
    note(row.damaged, "a value of its row can't be read".to_owned());
    let (stored, wanted) = (row.desired.as_str(), campaign.desired.as_str());
    note(!row.damaged && stored != wanted, format!("`desired` is \"{stored}\" in the store and \"{wanted}\" in force"));
    note(row.retired, "the store has it retired".to_owned());
    note(row.removed_at.is_some(), "the store has its file as gone".to_owned());
    note(row.name != campaign.name, format!("`name` is {:?} in the store", row.name));
    note(row.digest != *digest, "`digest` is that of another definition".to_owned());
    let ends_at = row.ends_at.filter(|stored| *stored != campaign.ends_at);
    note(ends_at.is_some(), ends_at.map(|stored| format!("`ends_at` is {stored} in the store")).unwrap_or_default());
    note(!row.damaged && row.do_not_call != campaign.do_not_call, "`do_not_call` has other lists".to_owned());
    differs
}

/// A row without a file is in order while it is retired, or paused until it retires.
fn of_no_file(row: &Row) -> Option<Drift> {
    let id = row.id.clone();
    if row.retired {
        return None;
    }
    if row.removed_at.is_none() {
        return Some(Drift::OrphanCampaign { id });
    }
    let running = row.desired != DesiredState::Paused;
    let differs = vec!["its file is gone, and `desired` is \"running\" in the store".to_owned()];
    running.then_some(Drift::Campaign { id, differs })
}

/// Whether the store has another commit in force.
#[must_use]
pub fn generation(in_force: &Revision, stored: Option<&Revision>) -> Option<Drift> {
    (stored != Some(in_force)).then(|| Drift::Generation { stored: stored.cloned() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn campaign(name: &str, desired: DesiredState) -> Campaign {
        let id = CampaignId::parse(name).unwrap();
        Campaign { id, name: name.to_owned(), desired, ..Campaign::example() }
    }

    fn row(campaign: &Campaign) -> Row {
        Row {
            id: campaign.id.clone(),
            name: campaign.name.clone(),
            desired: campaign.desired,
            digest: format!("digest of {}", campaign.id),
            retired: false,
            removed_at: None,
            ends_at: Some(campaign.ends_at),
            do_not_call: campaign.do_not_call.clone(),
            damaged: false,
        }
    }

    fn found(campaigns: &[Campaign], rows: &[Row]) -> Vec<Drift> {
        let digests: Vec<String> = campaigns.iter().map(|campaign| format!("digest of {}", campaign.id)).collect();
        let in_force = campaigns.iter().zip(&digests).map(|(campaign, digest)| InForce { campaign, digest });
        compare(&in_force.collect::<Vec<_>>(), rows)
    }

    /// What mending leaves.
    fn mended(campaigns: &[Campaign], rows: &[Row], found: &[Drift]) -> Vec<Row> {
        let mut after: BTreeMap<CampaignId, Row> = rows.iter().map(|row| (row.id.clone(), row.clone())).collect();
        for drift in found {
            let id = drift.campaign().unwrap();
            match campaigns.iter().find(|campaign| campaign.id == *id) {
                Some(campaign) => drop(after.insert(id.clone(), row(campaign))),
                None => {
                    let row = after.get_mut(id).unwrap();
                    (row.desired, row.removed_at) = (DesiredState::Paused, Some(Timestamp::UNIX_EPOCH));
                }
            }
        }
        after.into_values().collect()
    }

    type Edit = fn(&mut Row);

    /// Each edit that a row may not have while its campaign is in force.
    const EDITS: [(&str, Edit); 8] = [
        ("desired", |row| {
            row.desired =
                if row.desired == DesiredState::Paused { DesiredState::Running } else { DesiredState::Paused };
        }),
        ("retired", |row| row.retired = true),
        ("removed", |row| row.removed_at = Some(Timestamp::UNIX_EPOCH)),
        ("name", |row| row.name.push('x')),
        ("digest", |row| row.digest.push('x')),
        ("ends_at", |row| row.ends_at = Some(Timestamp::UNIX_EPOCH)),
        ("do_not_call", |row| row.do_not_call.push(DoNotCallId::parse("other").unwrap())),
        ("damaged", |row| row.damaged = true),
    ];

    #[test]
    fn what_differs_is_named() {
        let spring = campaign("spring", DesiredState::Running);
        let paused = Row { desired: DesiredState::Paused, name: "Summer".to_owned(), ..row(&spring) };
        let told: Vec<String> = found(&[spring], &[paused]).iter().map(ToString::to_string).collect();
        let expected = "campaign spring: `desired` is \"paused\" in the store and \"running\" in force, \
                        `name` is \"Summer\" in the store";
        assert_eq!(told, [expected]);
    }

    #[test]
    fn a_row_of_an_earlier_version_and_one_that_leaves_are_in_order() {
        let spring = campaign("spring", DesiredState::Running);
        let early = Row { ends_at: None, ..row(&spring) };
        let gone = row(&campaign("gone", DesiredState::Paused));
        let leaving = Row { removed_at: Some(Timestamp::UNIX_EPOCH), ..gone.clone() };
        let retired = Row { id: CampaignId::parse("old").unwrap(), retired: true, ..gone.clone() };
        assert_eq!(found(std::slice::from_ref(&spring), &[early, leaving.clone(), retired]), []);
        let resumed = Row { desired: DesiredState::Running, ..leaving };
        let kinds: Vec<&str> = found(&[], &[resumed, row(&spring)]).iter().map(|drift| drift.kind().as_str()).collect();
        assert_eq!(kinds, ["campaign", "orphan_campaign"]);
    }

    fn states() -> impl Strategy<Value = DesiredState> {
        prop::sample::select(vec![DesiredState::Running, DesiredState::Paused])
    }

    proptest! {
        /// Whatever becomes of rows, exactly what differs is found, and nothing is left once that is mended.
        #[test]
        fn exactly_what_differs_is_found_and_mended(
            campaigns in prop::collection::btree_map("[a-d]", (states(), prop::option::of(0..EDITS.len()), any::<bool>()), 0..5),
            others in prop::collection::btree_map("[e-h]", (states(), any::<bool>(), any::<bool>()), 0..4),
        ) {
            let defined: Vec<Campaign> = campaigns.iter().map(|(id, (state, ..))| campaign(id, *state)).collect();
            let (mut rows, mut wrong) = (Vec::new(), Vec::new());
            for (campaign, (_, edit, missing)) in defined.iter().zip(campaigns.values()) {
                let mut row = row(campaign);
                edit.iter().for_each(|edit| EDITS[*edit].1(&mut row));
                if *missing || edit.is_some() {
                    wrong.push(campaign.id.clone());
                }
                if !missing {
                    rows.push(row);
                }
            }
            for (id, (state, removed, retired)) in &others {
                let campaign = campaign(id, *state);
                let removed_at = removed.then_some(Timestamp::UNIX_EPOCH);
                rows.push(Row { removed_at, retired: *retired, ..row(&campaign) });
                if !retired && (!removed || *state == DesiredState::Running) {
                    wrong.push(campaign.id);
                }
            }
            let drifts = found(&defined, &rows);
            let told: Vec<CampaignId> = drifts.iter().filter_map(|drift| drift.campaign().cloned()).collect();
            prop_assert_eq!(told, wrong);
            prop_assert_eq!(found(&defined, &mended(&defined, &rows, &drifts)), vec![]);
        }
    }
}
