//! What agents ask customers, and what was answered.

use super::operation::{Operation, get, post, put};
use crate::http::{
    questionnaire::{AttemptQuery, ListQuery},
    wire::questionnaire::{AnswersEvent, CountsView, QuestionnaireView, SaveQuestionnaire},
};

const OF_CALL: &str = "/api/v1/agents/{agent}/questionnaire";
const OF_ATTEMPT: &str = "/api/v1/attempts/{attempt}/questionnaire";

/// What saves say of themselves.
const SAVE: &str = "A save names the state that it builds on by `base`, the `sequence` that was read; if somebody has saved \
                    since, it is refused with 409. What is left out of `answers` is taken back.";

pub(super) fn all() -> Vec<Operation> {
    vec![
        get(OF_CALL, "showQuestionnaire", "The questionnaire of the call that an agent is in, or has just had")
            .query::<AttemptQuery>()
            .json::<QuestionnaireView>()
            .fails(&[409]),
        put(OF_CALL, "saveQuestionnaire", "Save what was answered so far")
            .more(SAVE)
            .body::<SaveQuestionnaire>()
            .json::<QuestionnaireView>()
            .fails(&[409]),
        post(
            "/api/v1/agents/{agent}/questionnaire/complete",
            "completeQuestionnaire",
            "Save it, and say that it is complete",
        )
        .more(SAVE)
        .body::<SaveQuestionnaire>()
        .json::<QuestionnaireView>()
        .fails(&[409]),
        get(OF_ATTEMPT, "showAnswers", "The questionnaire of an attempt").json::<QuestionnaireView>(),
        put(OF_ATTEMPT, "saveAnswers", "Correct what was answered in an attempt")
            .more(SAVE)
            .body::<SaveQuestionnaire>()
            .json::<QuestionnaireView>()
            .fails(&[409]),
        post(
            "/api/v1/attempts/{attempt}/questionnaire/complete",
            "completeAnswers",
            "Correct it, and say that it is complete",
        )
        .more(SAVE)
        .body::<SaveQuestionnaire>()
        .json::<QuestionnaireView>()
        .fails(&[409]),
        get(
            "/api/v1/campaigns/{campaign}/questionnaire/answers",
            "listAnswers",
            "What was answered in a campaign's attempts",
        )
        .query::<ListQuery>()
        .lines::<AnswersEvent>(),
        get(
            "/api/v1/campaigns/{campaign}/questionnaire/counts",
            "countAnswers",
            "A campaign's answers, counted by version",
        )
        .json::<CountsView>(),
    ]
}
