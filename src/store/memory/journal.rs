//! The journal.

use super::{State, limit_of};
use crate::{
    domain::ids::CampaignId,
    store::{COMMITS_KEPT, EVENTS_KEPT, Entries, Event, HandledCommit},
};

/// All that is kept of it.
#[derive(Debug, Default)]
pub(super) struct Journal {
    commits: Vec<HandledCommit>,
    events: Vec<(u64, Event)>,
}

impl State {
    /// Adds entries, and drops what is more than is kept.
    pub(super) fn add_to_journal(&mut self, entries: Entries) {
        let Journal { commits, events } = &mut self.journal;
        commits.extend(entries.commits);
        let last = events.last().map_or(0, |(id, _)| *id);
        events.extend((last + 1..).zip(entries.events));
        let surplus = |length: usize, kept: u64| length.saturating_sub(usize::try_from(kept).unwrap_or(usize::MAX));
        commits.drain(..surplus(commits.len(), COMMITS_KEPT));
        events.drain(..surplus(events.len(), EVENTS_KEPT));
    }

    /// Handled commits, newest first.
    pub(super) fn handled_commits(&self, limit: u32) -> Vec<HandledCommit> {
        self.journal.commits.iter().rev().take(limit_of(limit)).cloned().collect()
    }

    /// Events, oldest first: those after `after`, or the newest.
    pub(super) fn events(&self, after: Option<u64>, campaign: Option<&CampaignId>, limit: u32) -> Vec<(u64, Event)> {
        let wanted = |(id, event): &&(u64, Event)| {
            after.is_none_or(|after| *id > after) && campaign.is_none_or(|of| event.campaign.as_ref() == Some(of))
        };
        let all = self.journal.events.iter().filter(wanted);
        if after.is_some() {
            return all.take(limit_of(limit)).cloned().collect();
        }
        let mut newest: Vec<(u64, Event)> = all.rev().take(limit_of(limit)).cloned().collect();
        newest.reverse();
        newest
    }
}
