//! Codes of the files in `shared/`, but those of tenant, queues and agents.

use super::{super::code::Code, Explanation, TENANT, edit, told};

const CALENDARS: &str = "campaigns/shared/calendars.toml";
const SMS: &str = "campaigns/shared/sms.toml";
const SURVEY: &str = "campaigns/shared/surveys/drive.toml";

pub(super) const EXPLANATIONS: &[(Code, Explanation)] = &[
    (
        Code::Days,
        edit(
            CALENDARS,
            "dates = [\"2031/3/4\", ",
            "dates = [\"2031-03-04\", ",
            "Months and days have two digits each. A range holds both of its ends; one of dates may not run backwards, \
             and one of days of the year then runs over the new year.",
        ),
    ),
    (
        Code::Share,
        edit(
            TENANT,
            "limit = \"2,5 %\"",
            "limit = \"2.5%\"",
            "The sign stands behind the number, without a space, so that nobody takes 3 for 0.03 or for 300.",
        ),
    ),
    (
        Code::TooManyItems,
        told(
            "a 201st attribute in shared/attributes.toml",
            "A tenant has at most 200 attributes and a version of a survey at most 200 questions. Remove what is no \
             longer used.",
        ),
    ),
    (
        Code::UnknownGap,
        edit(
            SMS,
            "{costumer_id}",
            "{customer_id}",
            "Gaps are `{customer_id}`, `{custom_field}`, `{campaign}`, `{tenant}`, and `{attr.<id>}` for attributes. \
             They are written exactly so, without spaces.",
        ),
    ),
    (
        Code::Brace,
        edit(
            SMS,
            "{customer_id {custom_field}",
            "{customer_id} {custom_field}",
            "A single brace always opens or closes a gap, so that a slip is found before a customer reads it.",
        ),
    ),
    (
        Code::NoDays,
        told(
            "a [[calendars]] with `id` and `name` only",
            "A calendar without days would change no campaign's hours, and nobody would notice. Add days, or remove \
             the calendar and what refers to it.",
        ),
    ),
    (
        Code::QuestionKeys,
        edit(
            SURVEY,
            "text = \"What could be better?\"\nkind = \"text\"\noptions = [\"More\", \"Less\"]",
            "text = \"What could be better?\"\nkind = \"text\"",
            "`options` are for `single` and `multiple`, which need them. `min` and `max` are for `number` and `scale`, \
             and a scale needs both. `goto` by answer is for `single` and `scale`.",
        ),
    ),
    (
        Code::Bounds,
        edit(SURVEY, "min = 1\nmax = 1", "min = 1\nmax = 5", "With one answer, or none, there is nothing to ask."),
    ),
    (
        Code::UnknownAnswer,
        edit(
            SURVEY,
            "goto = { no = \"why\" }",
            "goto = { No = \"why\" }",
            "Answers are written exactly as the options are; those of a scale are its numbers.",
        ),
    ),
    (
        Code::UnknownCategory,
        told(
            "`rounds = [\"mobil\"]`, when shared/categories.toml defines mobile",
            "Categories are defined once and shared by all campaigns; imported numbers have them too. Define the \
             category there, or name one that is defined.",
        ),
    ),
    (
        Code::UnknownAttribute,
        edit(
            SMS,
            "{attr.teir}",
            "{attr.tier}",
            "Attributes are defined in shared/attributes.toml. Define the attribute there, or name one that is defined.",
        ),
    ),
    (
        Code::UnknownCalendar,
        told(
            "`calendar = \"holiday\"`, when shared/calendars.toml defines holidays",
            "Calendars are defined in shared/calendars.toml. Define the calendar there, or name its days in the campaign.",
        ),
    ),
    (
        Code::UnknownBusinessResult,
        edit(
            TENANT,
            "wrap_up_result = \"call-later\"",
            "wrap_up_result = \"call_later\"",
            "Business results are defined in shared/business-results.toml. Define the result there, or name one that \
             is defined.",
        ),
    ),
    (
        Code::UnknownSubResult,
        told(
            "`sub_result = \"sooon\"`, when the business result has the sub-result soon",
            "Sub-results belong to their business result; one of another does not count. Define it there, or leave it \
             out so that the rule holds for all of them.",
        ),
    ),
    (
        Code::UnknownSms,
        told(
            "`failure_sms = \"missed\"`, when shared/sms.toml defines not-reached",
            "Text messages are defined in shared/sms.toml. Define the template there, or name one that is defined.",
        ),
    ),
    (
        Code::UnknownSurvey,
        told(
            "`survey = { id = \"drives\", version = 1 }`, when a file of shared/surveys has the id drive",
            "A survey is known by the `id` in its file, never by the file's name.",
        ),
    ),
    (
        Code::UnknownSurveyVersion,
        told(
            "`survey = { id = \"drive\", version = 3 }`, when the survey has the versions 1 and 2",
            "Campaigns name the version that their agents ask, so that a new one does not change a campaign that runs.",
        ),
    ),
    (
        Code::SurveyDraft,
        told(
            "`survey = { id = \"drive\", version = 2 }`, when version 2 has `state = \"draft\"`",
            "A draft may still change. When it is done, set its `state` to `published`, and then let campaigns use it.",
        ),
    ),
    (
        Code::UnknownDoNotCall,
        edit(
            TENANT,
            "do_not_call = [\"objcted\"]",
            "do_not_call = [\"objected\"]",
            "Lists are named in shared/do-not-call.toml. A misspelt list would keep nobody from being called.",
        ),
    ),
    (
        Code::UnknownQuestion,
        edit(
            SURVEY,
            "goto = { No = \"wy\" }",
            "goto = { No = \"why\" }",
            "A `goto` names a question of its own version, or `end`.",
        ),
    ),
    (
        Code::QuestionEnd,
        edit(
            SURVEY,
            "[[versions.questions]]\nid = \"end\"\ntext = \"What could",
            "[[versions.questions]]\nid = \"better\"\ntext = \"What could",
            "`goto = \"end\"` ends a survey, so no question can have that name.",
        ),
    ),
    (
        Code::SurveyCycle,
        edit(
            SURVEY,
            "goto = { 5 = \"why\" }",
            "goto = { 1 = \"end\" }",
            "A question that has been asked may not come again: an agent could go round for ever, and the second \
             answer would take the place of the first.",
        ),
    ),
    (
        Code::UnreachableQuestion,
        edit(
            SURVEY,
            "goto = { No = \"mark\" }",
            "goto = { No = \"why\" }",
            "After each question comes the one below, unless its `goto` leads elsewhere. This question stands behind \
             one that always leads past it, and no other leads to it. Remove it, or lead to it.",
        ),
    ),
    (
        Code::DuplicateVersion,
        edit(
            SURVEY,
            "version = 1\nstate = \"published\"",
            "version = 2\nstate = \"draft\"",
            "Answers belong to the version that they were given to. Take the next number for a new one.",
        ),
    ),
    (
        Code::SmsLength,
        told(
            "a text of 200 letters, which goes out as two messages",
            "Letters of European languages are sent in 7 bits: 160 fit into one message. With any other letter, such as \
             a Chinese one, only 70 fit. What fills the gaps comes on top. It is a note: shorten the text, or let it be.",
        ),
    ),
];
