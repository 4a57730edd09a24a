//! A version of a survey as an attempt was placed under it.

use super::{Question, Survey};
use crate::domain::{
    campaign::{Campaign, Definitions},
    ids::SurveyId,
};

/// What an attempt's agent asks. It stays what it was when the attempt was placed, whatever Git has later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Questionnaire {
    /// Of which survey.
    pub survey: SurveyId,
    /// The survey's name.
    pub name: String,
    /// Which version of it.
    pub version: u32,
    /// What it asks.
    pub questions: Vec<Question>,
}

impl Questionnaire {
    /// The one that calls of a campaign are placed under; `None` for a campaign that asks nothing.
    #[must_use]
    pub fn of(definitions: &Definitions, campaign: &Campaign) -> Option<Self> {
        let named = campaign.survey.as_ref()?;
        let Survey { id, name, versions, .. } = definitions.surveys.get(&named.id)?;
        let questions = versions.get(&named.version)?.questions.clone();
        Some(Self { survey: id.clone(), name: name.clone(), version: named.version, questions })
    }

    /// Where it stands among others.
    #[must_use]
    pub fn order(&self) -> (&SurveyId, u32) {
        (&self.survey, self.version)
    }
}
