//! What fails of single campaigns.

use super::metrics::Metrics;

/// What was to be done for a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailedStep {
    /// Its next contacts are read.
    Page,
    /// An intent is recorded.
    Intent,
    /// Contacts are released from lists that it follows no longer.
    Lists,
    /// Those whom a cap holds are asked about anew.
    Holds,
    /// Its definition is applied to its contacts.
    Definition,
    /// The pause of a batch is.
    Pause,
    /// Those are found whom time has made stand otherwise.
    Wake,
}

impl FailedStep {
    /// Every step.
    pub(super) const ALL: [Self; 7] =
        [Self::Page, Self::Intent, Self::Lists, Self::Holds, Self::Definition, Self::Pause, Self::Wake];

    /// The name used in metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Intent => "intent",
            Self::Lists => "lists",
            Self::Holds => "holds",
            Self::Definition => "definition",
            Self::Pause => "pause",
            Self::Wake => "wake",
        }
    }
}

impl Metrics {
    /// Something of a campaign failed in the store.
    pub fn campaign_failed(&self, step: FailedStep) {
        self.campaign_failures.with_label_values(&[step.as_str()]).inc();
    }
}
