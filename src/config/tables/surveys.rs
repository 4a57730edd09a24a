//! `shared/surveys/*.toml`.

use crate::{
    config::{
        kinds::{
            choice::{Choice, Words},
            list::List,
            number::Count,
            question::Question,
            text::{Slug, Text},
        },
        table::table,
    },
    domain::{
        ids::SurveyId,
        survey::{SurveyState, SurveyType},
    },
};

table! {
    /// A survey: what agents ask during a call. The file's name means nothing.
    pub(crate) struct SurveyFile "a survey" {
        /// Identity: 1 to 64 of a-z, 0-9 and '-', unique. Never change it; answers belong to it.
        required id: Slug<SurveyId> => "test-drive",
        /// Shown to people; 1 to 100 characters, unique.
        required name: Text<1, 100> => "Test drive",
        /// Who fills it in: `manual`, the agent while they talk.
        required r#type: Choice<SurveyType> => "manual",
        /// One `[[versions]]` for each; campaigns name the one that they use.
        required versions: List<VersionTable, 1> => [{
            version = 1,
            state = "draft",
            questions = [{ id = "interest", text = "Would you like a test drive?", kind = "text" }],
        }],
    }
}

table! {
    /// A version of a survey.
    pub(crate) struct VersionTable "a version" {
        /// Its number, unique in the survey.
        required version: Count<10_000> => 1,
        /// `draft` while it is written; campaigns use `published` ones. What is published should no longer change.
        required state: Choice<SurveyState> => "published",
        /// One `[[versions.questions]]` for each, in the order in which they are asked.
        required questions: List<Question, 1> => [
            { id = "interest", text = "Would you like a test drive?", kind = "single", options = ["Yes", "No"] }
        ],
    }
}

impl Words for SurveyType {
    const WORDS: &'static [(&'static str, Self)] = &[("manual", Self::Manual)];
}

impl Words for SurveyState {
    const WORDS: &'static [(&'static str, Self)] = &[("draft", Self::Draft), ("published", Self::Published)];
}
