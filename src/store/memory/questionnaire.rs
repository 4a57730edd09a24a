//! Questionnaires, in memory: which one an attempt asks, and what was answered.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;

use super::{MemoryStore, State, limit_of};
use crate::{
    domain::{
        ids::{AttemptId, CampaignId, ContactRef, CustomerId},
        survey::{
            answer::{Answers, erased},
            questionnaire::Questionnaire,
        },
    },
    store::{
        StoreError,
        questionnaire::{AnswersDecision, Asked, FilledQuestionnaire, NotSaved, Questionnaires, SaveAnswers, Saved},
    },
};

/// What an attempt asks, and what was answered.
#[derive(Debug)]
pub(super) struct HeldAnswers {
    questionnaire: Arc<Questionnaire>,
    answers: Answers,
    sequence: u32,
    changed: Option<Saved>,
    completed: Option<Saved>,
}

impl State {
    /// Notes what an attempt asks.
    pub(super) fn ask(&mut self, attempt: AttemptId, questionnaire: Option<Questionnaire>) {
        if let Some(questionnaire) = questionnaire.map(Arc::new) {
            let answers = Answers::new();
            let held = HeldAnswers { questionnaire, answers, sequence: 0, changed: None, completed: None };
            self.answers.insert(attempt, held);
        }
    }

    fn filled(&self, attempt: AttemptId) -> Option<FilledQuestionnaire> {
        let (held, record) = (self.answers.get(&attempt)?, &self.attempts.get(&attempt)?.record);
        Some(FilledQuestionnaire {
            attempt,
            campaign: record.campaign.clone(),
            customer: record.customer.clone(),
            agent: record.agent.clone(),
            revision: record.revision.clone(),
            placed_at: record.placed_at,
            connected_at: record.connected_at,
            ended_at: record.ended_at,
            questionnaire: Arc::clone(&held.questionnaire),
            answers: held.answers.clone(),
            sequence: held.sequence,
            changed: held.changed.clone(),
            completed: held.completed.clone(),
        })
    }

    fn all_filled(&self) -> impl Iterator<Item = FilledQuestionnaire> {
        self.answers.keys().filter_map(|attempt| self.filled(*attempt))
    }

    fn save_answers(&mut self, save: &SaveAnswers) -> AnswersDecision {
        let refused = AnswersDecision::Refused;
        let Some(before) = self.filled(save.attempt) else {
            return refused(NotSaved::NoQuestionnaire(save.attempt));
        };
        if self.attempts.get(&save.attempt).is_some_and(|attempt| attempt.record.number.is_none()) {
            return refused(NotSaved::Erased(save.attempt));
        }
        match before.save(save) {
            Ok(Some(after)) => {
                if let Some(held) = self.answers.get_mut(&save.attempt) {
                    held.answers.clone_from(&after.answers);
                    held.sequence = after.sequence;
                    held.changed.clone_from(&after.changed);
                    held.completed.clone_from(&after.completed);
                }
                AnswersDecision::Saved { filled: Box::new(after), changed: true }
            }
            Ok(None) => AnswersDecision::Saved { filled: Box::new(before), changed: false },
            Err(why) => refused(why),
        }
    }

    /// Takes away what is personal of a contact's answers.
    pub(super) fn erase_answers(&mut self, contact: ContactRef) {
        let attempts = &self.attempts;
        let is_of = |attempt: &AttemptId| attempts.get(attempt).is_some_and(|attempt| attempt.contact == contact);
        for (_, held) in self.answers.iter_mut().filter(|(attempt, _)| is_of(attempt)) {
            held.answers = erased(&held.questionnaire.questions, &held.answers);
        }
    }
}

#[async_trait]
impl Questionnaires for MemoryStore {
    async fn questionnaire(&self, attempt: AttemptId) -> Result<Option<FilledQuestionnaire>, StoreError> {
        Ok(self.state()?.filled(attempt))
    }

    async fn questionnaires_of(
        &self,
        attempts: &[AttemptId],
    ) -> Result<BTreeMap<AttemptId, FilledQuestionnaire>, StoreError> {
        let state = self.state()?;
        Ok(attempts.iter().filter_map(|attempt| Some((*attempt, state.filled(*attempt)?))).collect())
    }

    async fn questionnaires_of_contact(
        &self,
        campaign: &CampaignId,
        customer: &CustomerId,
    ) -> Result<Vec<FilledQuestionnaire>, StoreError> {
        let state = self.state()?;
        state.held(campaign)?;
        let is_of = |filled: &FilledQuestionnaire| filled.campaign == *campaign && filled.customer == *customer;
        Ok(state.all_filled().filter(is_of).collect())
    }

    async fn questionnaire_page(
        &self,
        campaign: &CampaignId,
        after: Option<AttemptId>,
        limit: u32,
    ) -> Result<Vec<FilledQuestionnaire>, StoreError> {
        let state = self.state()?;
        state.held(campaign)?;
        let of = state.all_filled().filter(|filled| filled.campaign == *campaign && filled.changed.is_some());
        let behind = of.filter(|filled| after.is_none_or(|after| filled.attempt > after));
        Ok(behind.take(limit_of(limit)).collect())
    }

    async fn asked(&self, campaign: &CampaignId) -> Result<Vec<Asked>, StoreError> {
        let state = self.state()?;
        state.held(campaign)?;
        let mut all: Vec<Asked> = Vec::new();
        let counts = |filled: &FilledQuestionnaire| filled.connected_at.is_some() || filled.changed.is_some();
        for filled in state.all_filled().filter(|filled| filled.campaign == *campaign).filter(counts) {
            let connected = u64::from(filled.connected_at.is_some());
            match all.iter_mut().find(|asked| asked.questionnaire == filled.questionnaire) {
                Some(asked) => asked.connected += connected,
                None => all.push(Asked { questionnaire: filled.questionnaire, connected }),
            }
        }
        all.sort_by(|a, b| a.questionnaire.order().cmp(&b.questionnaire.order()));
        Ok(all)
    }

    async fn save_answers(&self, save: SaveAnswers) -> Result<AnswersDecision, StoreError> {
        let changed = |decision: &AnswersDecision| matches!(decision, AnswersDecision::Saved { changed: true, .. });
        self.noted(|state| Ok(state.save_answers(&save)), changed)
    }
}
