//! `dialops results show CAMPAIGN CUSTOMER`: a contact with all its numbers and attempts, as text.

use super::{
    results::came_of_it,
    text::{Table, clean, or_dash, seconds_between, short_revision},
};
use crate::http::wire::{
    Attempt,
    business::BusinessResultView,
    questionnaire::{FilledView, QuestionnaireView},
    results::ContactDetail,
};

/// What is known of a contact; times are as the daemon tells them, in UTC.
pub(super) fn lines(detail: &ContactDetail) -> Vec<String> {
    let mut lines = vec![
        format!("{} · {}: {}, {} calls placed", detail.campaign, clean(&detail.customer), detail.state, detail.calls),
        format!("  batch     {}, priority {}", clean(&detail.batch), detail.priority),
    ];
    lines.extend(detail.timezone.as_ref().map(|zone| format!("  zone      {zone}, as imported")));
    for (id, value) in &detail.attributes {
        lines.push(format!("  {id}  {}", clean(value)));
    }
    lines.push(String::new());
    lines.extend(numbers(detail).lines("  "));
    lines.push(String::new());
    if detail.attempts.is_empty() {
        lines.push("  never called".to_owned());
    } else {
        lines.extend(attempts(&detail.attempts).lines("  "));
    }
    if !detail.business_results.is_empty() {
        lines.push(String::new());
        lines.extend(business_results(detail).lines("  "));
    }
    for asked in &detail.questionnaires {
        lines.extend(answers(asked));
    }
    lines.push(String::new());
    lines.push(next(detail));
    lines
}

fn numbers(detail: &ContactDetail) -> Table {
    let mut table = Table::new(&["NUMBER", "CATEGORY", "LAST RESULT", "DUE AT", "ENDED"]);
    for number in &detail.numbers {
        table.row([
            format!("{}. {}", number.index, number.number),
            number.category.clone(),
            or_dash(number.last_result.as_deref()),
            or_dash(number.due_at.as_deref()),
            or_dash(number.ended.as_deref()),
        ]);
    }
    table
}

fn attempts(attempts: &[Attempt]) -> Table {
    let mut table = Table::new(&[
        "ATTEMPT",
        "PLACED AT",
        "RANG",
        "ANSWERED",
        "TALK",
        "NUMBER",
        "SHOWN",
        "AGENT",
        "RESULT",
        "CODE",
        "SIP",
        "Q.850",
        "BUSINESS",
        "COMMIT",
    ]);
    for attempt in attempts {
        let after = |at: &Option<String>| seconds_between(Some(&attempt.placed_at), at.as_deref());
        table.row([
            attempt.attempt.clone(),
            attempt.placed_at.clone(),
            after(&attempt.rang_at),
            after(&attempt.answered_at),
            seconds_between(attempt.connected_at.as_deref(), attempt.ended_at.as_deref()),
            attempt.number.clone(),
            attempt.caller_number.clone(),
            attempt.agent.clone(),
            attempt.result.clone().unwrap_or_else(|| "live".to_owned()),
            or_dash(attempt.fail_code.as_deref()),
            or_dash(attempt.sip_status.map(|status| status.to_string()).as_deref()),
            or_dash(attempt.q850.map(|cause| cause.to_string()).as_deref()),
            or_dash(attempt.business_result.as_deref()),
            short_revision(&attempt.revision).to_owned(),
        ]);
    }
    table
}

fn business_results(detail: &ContactDetail) -> Table {
    let header = ["SET AT", "BUSINESS RESULT", "BY", "FOR", "AGENT", "CALLBACK", "GOAL", "WHAT CAME OF IT", "NOTE"];
    let mut table = Table::new(&header);
    for set in &detail.business_results {
        let sub_result = set.achieved.sub_result.as_ref().map(|sub| format!("/{sub}")).unwrap_or_default();
        table.row([
            set.at.clone(),
            format!("{}{sub_result}", set.achieved.result),
            set.by.clone(),
            or_dash(set.attempt.as_deref()),
            or_dash(set.agent.as_deref()),
            or_dash(callback(set).as_deref()),
            if set.goal { "yes" } else { "-" }.to_owned(),
            came_of_it(set.outcome.as_deref()).to_owned(),
            or_dash(set.note.as_deref()),
        ]);
    }
    table
}

/// When the customer wants to be called, and by whom.
fn callback(set: &BusinessResultView) -> Option<String> {
    let at = set.callback_at.as_ref()?;
    Some(set.callback_agent.as_ref().map_or_else(|| at.clone(), |agent| format!("{at} by {agent}")))
}

/// What an attempt has asked, and what was answered; nothing of one in which nobody could be asked.
fn answers(asked: &QuestionnaireView) -> Vec<String> {
    let filled = &asked.filled;
    if filled.connected_at.is_none() && filled.changed_at.is_none() {
        return Vec::new();
    }
    let FilledView { attempt, survey, version, state, .. } = filled;
    let title = format!("QUESTIONNAIRE OF {attempt}: {survey}, version {version}, {state}");
    let mut table = Table::new(&[&title]);
    if !filled.answers.is_empty() {
        for (question, answer) in asked.asked() {
            let answer = or_dash(answer.map(ToString::to_string).as_deref());
            table.row([format!("  {} ({}): {answer}", question.text, question.id)]);
        }
    }
    [String::new()].into_iter().chain(table.lines("  ")).collect()
}

fn next(detail: &ContactDetail) -> String {
    let held = detail.hold.as_ref().map(|hold| format!(", held: {}", clean(&hold.message))).unwrap_or_default();
    match (&detail.live, &detail.next) {
        (Some(live), _) => format!("  live  number {}, {} since {}", live.number_index, live.state, live.since),
        (None, Some(next)) => {
            let from = next.ready_at.as_ref().map(|at| format!(" from {at}")).unwrap_or_default();
            format!("  next  number {} ({}){from}{held}", next.number_index, next.kind)
        }
        (None, None) => format!("  next  nothing{held}"),
    }
}
