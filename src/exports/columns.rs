//! The columns of exports, and what of a row stands in each.
//!
//! A column is a name and a function; a new one is a line in one of the two lists here. Names are the field's words and
//! stay: whoever reads the files goes by them.

use std::{borrow::Cow, collections::BTreeMap, ops::Deref, sync::Arc};

use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde_json::Value;

use super::cell::Cell;
use crate::{
    contacts::{Keyring, OpenError, Place},
    domain::{
        attribute::{Attribute, AttributeValue, Attributes, Sealed},
        campaign::Definitions,
        contact::ContactStage,
        ids::{AttributeId, CampaignId, CategoryId, CustomerId},
        phone::{E164, ends},
        survey::answer::{Answer, Answers},
    },
    store::{BusinessRecord, ExportedAttempt, ExportedContact, questionnaire::FilledQuestionnaire},
};

/// An attempt with what it has asked.
pub(super) struct AttemptRow {
    /// The attempt.
    pub(super) attempt: ExportedAttempt,
    /// Its questionnaire; `None` if it asked nothing.
    pub(super) asked: Option<FilledQuestionnaire>,
}

impl Deref for AttemptRow {
    type Target = ExportedAttempt;

    fn deref(&self) -> &ExportedAttempt {
        &self.attempt
    }
}

/// What of a row stands in a column.
type Of<R> = Box<dyn for<'a> Fn(&'a R, &View) -> Cell<'a> + Send + Sync>;

/// A column.
pub(super) struct Column<R> {
    /// Its name.
    pub(super) name: String,
    /// What stands in it.
    pub(super) of: Of<R>,
}

/// How rows are shown.
pub(super) struct View {
    /// Whether numbers and attributes stand in full.
    pub(super) unmasked: bool,
    /// What opens encrypted attributes.
    pub(super) keyring: Option<Arc<Keyring>>,
    /// The campaign.
    pub(super) campaign: CampaignId,
}

fn column<R>(name: &str, of: impl for<'a> Fn(&'a R, &View) -> Cell<'a> + Send + Sync + 'static) -> Column<R> {
    Column { name: name.to_owned(), of: Box::new(of) }
}

/// The columns of contacts.
pub(super) fn contacts(definitions: &Definitions, attributes: &[Attribute]) -> Vec<Column<ExportedContact>> {
    let mut columns: Vec<Column<ExportedContact>> = vec![
        column("campaign", |row: &ExportedContact, _| Cell::plain(row.contact.campaign.as_str())),
        column("customer_id", |row: &ExportedContact, _| Cell::text(row.contact.customer.as_str())),
        column("batch", |row: &ExportedContact, _| Cell::text(row.batch.as_str())),
        column("state", |row: &ExportedContact, _| Cell::plain(state_of(row))),
        column("attempts", |row: &ExportedContact, _| {
            Cell::Whole(u64::from(row.contact.progress.attempts) + u64::from(row.live))
        }),
        column("priority", |row: &ExportedContact, _| Cell::Whole(u64::from(row.contact.priority.get()))),
        column("timezone", |row: &ExportedContact, _| {
            Cell::maybe(row.contact.timezone.as_ref(), |zone| Cell::plain(zone.name()))
        }),
        column("not_before", |row: &ExportedContact, _| Cell::maybe(row.contact.not_before, time)),
    ];
    columns.extend(numbers(definitions));
    columns.extend([
        column("last_attempt", |row: &ExportedContact, _| {
            Cell::maybe(row.last.as_ref(), |last| Cell::plain(last.attempt.to_string()))
        }),
        column("last_attempt_at", |row: &ExportedContact, _| {
            Cell::maybe(row.last.as_ref(), |last| time(last.placed_at))
        }),
        column("last_result", |row: &ExportedContact, _| {
            Cell::maybe(row.last.as_ref().and_then(|last| last.result), |result| Cell::plain(result.as_str()))
        }),
        column("last_agent", |row: &ExportedContact, _| {
            Cell::maybe(row.last.as_ref(), |last| Cell::plain(last.agent.as_str()))
        }),
    ]);
    columns.extend(business(|row: &ExportedContact| row.business.as_ref()));
    columns.push(column("custom_field", |row: &ExportedContact, view| shown(row.custom_field.as_deref(), view)));
    columns.extend(
        attributes.iter().map(|attribute| {
            known(attribute, |row: &ExportedContact| (&row.contact.customer, &row.contact.attributes))
        }),
    );
    columns
}

/// Numbers by category as imports have them; several of one stand behind each other, and those of a category that is no
/// longer defined in the last column.
fn numbers(definitions: &Definitions) -> Vec<Column<ExportedContact>> {
    const OTHERS: &str = "number.others";
    let defined: Arc<Vec<CategoryId>> = Arc::new(definitions.categories.keys().cloned().collect());
    let mut columns: Vec<Column<ExportedContact>> = Vec::new();
    for category in defined.iter() {
        let own = category.clone();
        columns.push(column(&format!("number.{category}"), move |row, view| {
            numbers_where(row, view, |found| *found == own)
        }));
    }
    if columns.iter().all(|column| column.name != OTHERS) {
        columns.push(column(OTHERS, move |row, view| numbers_where(row, view, |found| !defined.contains(found))));
    }
    columns
}

fn numbers_where<'a>(row: &'a ExportedContact, view: &View, wanted: impl Fn(&CategoryId) -> bool) -> Cell<'a> {
    let numbers = row.contact.progress.numbers.iter().filter(|number| wanted(&number.category));
    let numbers: Vec<Cow<'a, str>> = numbers.map(|number| number_text(&number.e164, view)).collect();
    if numbers.is_empty() { Cell::Empty } else { Cell::Plain(numbers.join(" ").into()) }
}

/// The columns of attempts.
pub(super) fn attempts(attributes: &[Attribute]) -> Vec<Column<AttemptRow>> {
    let mut columns = placed();
    columns.extend(ended());
    columns.extend(business(|row: &AttemptRow| row.business.as_ref()));
    columns.extend(questionnaire());
    columns.extend(origin());
    columns.push(column("custom_field", |row: &AttemptRow, view| shown(row.custom_field.as_deref(), view)));
    columns.extend(
        attributes.iter().map(|attribute| known(attribute, |row: &AttemptRow| (&row.record.customer, &row.attributes))),
    );
    columns
}

/// Who was called, on which number and by whom.
fn placed() -> Vec<Column<AttemptRow>> {
    vec![
        column("attempt", |row: &AttemptRow, _| Cell::plain(row.record.attempt.to_string())),
        column("campaign", |row: &AttemptRow, _| Cell::plain(row.record.campaign.as_str())),
        column("customer_id", |row: &AttemptRow, _| Cell::text(row.record.customer.as_str())),
        column("batch", |row: &AttemptRow, _| Cell::text(row.record.batch.as_str())),
        column("number_index", |row: &AttemptRow, _| Cell::Whole(row.record.number_index as u64 + 1)),
        column("category", |row: &AttemptRow, _| {
            Cell::maybe(row.record.category.as_ref(), |category| Cell::plain(category.as_str()))
        }),
        column("number", |row: &AttemptRow, view| {
            Cell::Plain(row.record.number.as_ref().map_or(Cow::Borrowed("erased"), |number| number_text(number, view)))
        }),
        column("caller_number", |row: &AttemptRow, _| Cell::plain(row.record.caller_number.expose())),
        column("agent", |row: &AttemptRow, _| Cell::plain(row.record.agent.as_str())),
        column("trunk", |row: &AttemptRow, _| Cell::plain(row.record.trunk.as_str())),
    ]
}

/// When, and how it ended.
fn ended() -> Vec<Column<AttemptRow>> {
    vec![
        column("placed_at", |row: &AttemptRow, _| time(row.record.placed_at)),
        column("rang_at", |row: &AttemptRow, _| Cell::maybe(row.record.rang_at, time)),
        column("answered_at", |row: &AttemptRow, _| Cell::maybe(row.record.answered_at, time)),
        column("connected_at", |row: &AttemptRow, _| Cell::maybe(row.record.connected_at, time)),
        column("ended_at", |row: &AttemptRow, _| Cell::maybe(row.record.ended_at, time)),
        column("result", |row: &AttemptRow, _| Cell::maybe(row.record.result, |result| Cell::plain(result.as_str()))),
        column("fail_code", |row: &AttemptRow, _| Cell::maybe(row.record.fail_code.as_deref(), Cell::plain)),
        column("sip_status", |row: &AttemptRow, _| Cell::count(row.record.sip_status)),
        column("q850", |row: &AttemptRow, _| Cell::count(row.record.q850)),
    ]
}

/// What was asked, and what was answered.
fn questionnaire() -> [Column<AttemptRow>; 4] {
    [
        column("survey", |row: &AttemptRow, _| {
            Cell::maybe(row.asked.as_ref(), |asked| Cell::plain(asked.questionnaire.survey.as_str()))
        }),
        column("survey_version", |row: &AttemptRow, _| {
            Cell::count(row.asked.as_ref().map(|asked| asked.questionnaire.version))
        }),
        column("questionnaire", |row: &AttemptRow, _| {
            Cell::maybe(row.asked.as_ref(), |asked| Cell::plain(asked.state()))
        }),
        column("answers", |row: &AttemptRow, _| {
            let answered = row.asked.as_ref().filter(|asked| !asked.answers.is_empty());
            Cell::maybe(answered, |asked| Cell::Json(answers(&asked.answers)))
        }),
    ]
}

/// Answers by question, as the API has them.
fn answers(answers: &Answers) -> String {
    let value = |answer: &Answer| match answer {
        Answer::Option(text) | Answer::Text(text) => Value::from(text.as_str()),
        Answer::Options(options) => Value::from(options.as_slice()),
        Answer::Number(number) => Value::from(*number),
        Answer::Erased => serde_json::json!({ "erased": true }),
    };
    let by_question: BTreeMap<&str, Value> = answers.iter().map(|(id, answer)| (id.as_str(), value(answer))).collect();
    serde_json::json!(by_question).to_string()
}

/// By which rule, commit and daemon it was placed.
fn origin() -> Vec<Column<AttemptRow>> {
    vec![
        column("rule", |row: &AttemptRow, _| {
            Cell::maybe(row.record.rule.as_ref(), |rule| Cell::plain(rule.to_string()))
        }),
        column("revision", |row: &AttemptRow, _| Cell::plain(row.record.revision.as_str())),
        column("daemon_version", |row: &AttemptRow, _| Cell::plain(&*row.record.daemon_version)),
        column("tzdb_version", |row: &AttemptRow, _| Cell::plain(&*row.record.tzdb_version)),
        column("settings_digest", |row: &AttemptRow, _| Cell::plain(&*row.record.settings_digest)),
        column("do_not_call_version", |row: &AttemptRow, _| Cell::Whole(row.record.do_not_call_version)),
        column("overrides", |row: &AttemptRow, _| {
            let ids: Vec<String> = row.record.overrides.iter().map(ToString::to_string).collect();
            if ids.is_empty() { Cell::Empty } else { Cell::plain(ids.join(" ")) }
        }),
    ]
}

/// What was achieved, the newest.
fn business<R: 'static>(
    of: impl for<'a> Fn(&'a R) -> Option<&'a BusinessRecord> + Copy + Send + Sync + 'static,
) -> [Column<R>; 10] {
    [
        column("business_result", move |row: &R, _| {
            Cell::maybe(of(row), |found| Cell::plain(found.key.result.as_str()))
        }),
        column("sub_result", move |row: &R, _| {
            Cell::maybe(of(row).and_then(|found| found.key.sub_result.as_ref()), |sub| Cell::plain(sub.as_str()))
        }),
        column("note", move |row: &R, _| Cell::maybe(of(row).and_then(|found| found.note.as_deref()), Cell::text)),
        column("business_result_by", move |row: &R, _| Cell::maybe(of(row), |found| Cell::text(&*found.by))),
        column("business_result_at", move |row: &R, _| Cell::maybe(of(row), |found| time(found.at))),
        column("by_default", move |row: &R, _| Cell::maybe(of(row), |found| Cell::Flag(found.by_default))),
        column("achieved_by", move |row: &R, _| {
            Cell::maybe(of(row).and_then(|found| found.agent.as_ref()), |agent| Cell::plain(agent.as_str()))
        }),
        column("callback_at", move |row: &R, _| {
            Cell::maybe(of(row).and_then(|found| found.agreed.as_ref()), |agreed| time(agreed.at))
        }),
        column("callback_agent", move |row: &R, _| {
            let agreed = of(row).and_then(|found| found.agreed.as_ref());
            Cell::maybe(agreed.and_then(|agreed| agreed.agent.as_ref()), |agent| Cell::plain(agent.as_str()))
        }),
        column("goal", move |row: &R, _| Cell::maybe(of(row), |found| Cell::Flag(found.goal))),
    ]
}

/// What is known of the customer.
fn known<R: 'static>(
    attribute: &Attribute,
    of: impl for<'a> Fn(&'a R) -> (&'a CustomerId, &'a Attributes) + Send + Sync + 'static,
) -> Column<R> {
    let (id, masked) = (attribute.id.clone(), attribute.masked);
    column(&format!("attr.{id}"), move |row: &R, view| {
        let (customer, attributes) = of(row);
        Cell::maybe(attributes.get(&id), |found| match found {
            AttributeValue::Sealed(sealed) => {
                Cell::text(opened(view, Place { campaign: &view.campaign, customer, attribute: &id }, sealed))
            }
            found if masked && !view.unmasked => Cell::text(ends(&found.text().unwrap_or_default())),
            AttributeValue::Text(text) => Cell::text(&**text),
            AttributeValue::Number(number) => Cell::Number(number.get()),
            AttributeValue::Date(date) => Cell::plain(date.to_string()),
        })
    })
}

/// An encrypted value: itself to who may see it.
fn opened(view: &View, place: Place<'_>, sealed: &Sealed) -> String {
    let keys = view.keyring.as_ref().filter(|_| view.unmasked);
    let Some(keys) = keys else {
        return if view.unmasked {
            OpenError::UnknownKey(sealed.key.clone()).to_string()
        } else {
            "encrypted".to_owned()
        };
    };
    keys.open(place, sealed).map_or_else(|error| error.to_string(), |text| text.expose_secret().to_owned())
}

/// What is carried with a contact, which only who sees everything sees whole.
fn shown<'a>(text: Option<&'a str>, view: &View) -> Cell<'a> {
    Cell::maybe(text, |text| if view.unmasked { Cell::text(text) } else { Cell::text(ends(text)) })
}

fn number_text<'a>(number: &'a E164, view: &View) -> Cow<'a, str> {
    if view.unmasked { Cow::Borrowed(number.expose()) } else { Cow::Owned(number.masked()) }
}

fn time(at: Timestamp) -> Cell<'static> {
    Cell::plain(at.to_string())
}

fn state_of(row: &ExportedContact) -> &'static str {
    match row.contact.progress.stage(row.live) {
        ContactStage::Ended(end) => end.as_str(),
        _ if row.live => "on_call",
        ContactStage::InProgress => "in_progress",
        ContactStage::Fresh => "fresh",
    }
}

/// The attributes that are wanted, as they are defined; those that are not any more are left out.
pub(super) fn wanted(definitions: &Definitions, wanted: Option<&[AttributeId]>) -> Vec<Attribute> {
    let defined = &definitions.attributes;
    match wanted {
        None => defined.values().cloned().collect(),
        Some(ids) => ids.iter().filter_map(|id| defined.get(id)).cloned().collect(),
    }
}
