//! What is in force: the definitions of one commit of each source.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use super::{
    campaign::Definitions,
    ids::{CampaignId, Revision, SourceId},
};

/// Definitions that hold: what the daemon follows.
#[derive(Debug, Clone, PartialEq)]
pub struct Generation {
    /// The commit; of several sources that which came into force last.
    pub revision: Revision,
    /// When it was committed.
    pub committed_at: Timestamp,
    /// What it defines.
    pub definitions: Definitions,
    /// Files of it that are in force as an earlier commit has them; empty for a commit that is good.
    pub kept: KeptFiles,
    /// Which commit of which source.
    pub sources: Sources,
}

/// The commits that are in force together, one of each source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// The commit of each source.
    pub commits: BTreeMap<SourceId, Revision>,
    /// The source of each campaign; empty where there is one source, which has them all.
    pub campaigns: BTreeMap<CampaignId, SourceId>,
}

/// What stays as earlier commits have it, as the newest one's is bad.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeptFiles {
    /// The files, by path in the repository.
    pub files: BTreeMap<String, KeptFile>,
    /// Campaigns that such files define, with the commit of each.
    pub campaigns: BTreeMap<CampaignId, Revision>,
}

/// What is in force of a file in place of what the newest commit has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptFile {
    /// The file of an earlier commit.
    Of {
        /// The newest commit that has it so and was good.
        revision: Revision,
        /// What it says.
        bytes: Arc<[u8]>,
    },
    /// Nothing: it has never been good.
    LeftOut,
}

impl Generation {
    /// A commit of the only source that is in force as a whole.
    #[must_use]
    pub fn whole(revision: Revision, committed_at: Timestamp, definitions: Definitions) -> Self {
        let commits = BTreeMap::from([(SourceId::main(), revision.clone())]);
        let sources = Sources { commits, campaigns: BTreeMap::new() };
        Self { revision, committed_at, definitions, kept: KeptFiles::default(), sources }
    }

    /// The commit whose file defines a campaign: that of its source, unless an earlier one's is kept.
    #[must_use]
    pub fn revision_of(&self, campaign: &CampaignId) -> &Revision {
        let of_source = || self.sources.commits.get(self.sources.campaigns.get(campaign)?);
        self.kept.campaigns.get(campaign).or_else(of_source).unwrap_or(&self.revision)
    }

    /// The source whose file defines a campaign.
    #[must_use]
    pub fn source_of(&self, campaign: &CampaignId) -> Option<&SourceId> {
        let only = || self.sources.commits.keys().next().filter(|_| self.sources.commits.len() == 1);
        self.sources.campaigns.get(campaign).or_else(only)
    }

    /// [`Definitions::keep_expired`] of one that others may hold; it is copied only if it has to be.
    pub fn keep_expired(
        generation: &mut Arc<Self>,
        ended_at: impl Fn(&CampaignId) -> Option<Timestamp>,
        now: Timestamp,
    ) -> Vec<CampaignId> {
        if generation.definitions.revived(&ended_at, now).is_empty() {
            return Vec::new();
        }
        Arc::make_mut(generation).definitions.keep_expired(ended_at, now)
    }
}
