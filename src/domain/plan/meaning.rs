//! Meaning: what a changed setting brings about, in one short sentence.

use jiff::{Timestamp, tz::TimeZone};

use crate::domain::{
    calendar::{self, Window},
    campaign::{Campaign, DesiredState},
    reason::Hold,
};

/// What keeps a campaign from every call until its file says something else, beside `paused`; one that has
/// expired stays so, whatever its file says.
#[must_use]
pub fn holds(has_expired: bool, campaign: &Campaign, now: Timestamp) -> Vec<Hold> {
    let expired = (has_expired || now >= campaign.ends_at).then_some(Hold::Expired);
    let settings = campaign.not_dialled_yet();
    let not_dialled = (!settings.is_empty()).then_some(Hold::NotDialledYet { settings });
    expired.into_iter().chain(not_dialled).collect()
}

/// What it means at `now` that the setting at `key` of a campaign is another one; `None` where old and new
/// value say it all, and where it means nothing, since the campaign dials no more.
#[must_use]
pub fn meaning(key: &str, before: &Campaign, after: &Campaign, has_expired: bool, now: Timestamp) -> Option<String> {
    match key {
        "ends_at" if has_expired => {
            Some("has no effect: the campaign has expired, which is final; give it a new `id`".to_owned())
        }
        "ends_at" if after.ends_at <= now => {
            Some("has passed: it expires, and no contact is called any more".to_owned())
        }
        _ if has_expired || after.ends_at <= now => None,
        "state" => Some(match after.desired {
            DesiredState::Paused => "places no new calls; live ones finish".to_owned(),
            DesiredState::Running => "may dial again".to_owned(),
        }),
        "starts_at" => Some(moved("may dial from", before.starts_at, after.starts_at, after)),
        "ends_at" => Some(moved("dials until", before.ends_at, after.ends_at, after)),
        "calling_hours.windows" => windows(before, after),
        "calling_hours.timezone" if after.hours.is_in_contact_zone() => {
            let fallback = after.hours.timezone();
            Some(format!("reads its windows in each contact's own zone, or its number's, else in {fallback}"))
        }
        "calling_hours.timezone" => Some(format!("reads its windows in {} for all contacts", after.hours.timezone())),
        "calling_hours.fallback_timezone" if after.hours.is_in_contact_zone() => {
            Some(format!("reads its windows in {} where a contact's zone is not known", after.hours.timezone()))
        }
        "skill_queue" => {
            Some(format!("agents of {} take its calls, those of {} don't", after.skill_queue, before.skill_queue))
        }
        "priority" => Some(if after.priority < before.priority {
            "free agents serve it earlier".to_owned()
        } else {
            "free agents serve it later".to_owned()
        }),
        "caller_numbers" => Some("retries keep their caller number while it is listed".to_owned()),
        "results.global.max_days" | "results.global.max_attempts_per_day" => {
            Some("what was counted stays counted, and a number that has ended stays ended".to_owned())
        }
        "results.policy" | "results.by_category" | "results.global.by_result" => {
            Some("what was counted stays counted, and due times that are set stay".to_owned())
        }
        "limits.per_number.attempts" | "limits.per_number.days" | "limits.per_number.after_conversation_days" => {
            Some("counts calls of all campaigns to a number; which contacts wait for it is not counted here".to_owned())
        }
        "results.global.retry_interval" => Some("holds from the next try on; due times that are set stay".to_owned()),
        _ => None,
    }
}

fn moved(what: &str, before: Timestamp, after: Timestamp, campaign: &Campaign) -> String {
    let timezone = campaign.hours.timezone();
    let zone = TimeZone::get(timezone).unwrap_or(TimeZone::UTC);
    let local = |at: Timestamp| zone.to_datetime(at).strftime("%Y-%m-%d %H:%M").to_string();
    format!("{what} {} {timezone} instead of {}", local(after), local(before))
}

/// When an ordinary day's calls begin and end, if that changes; with the gaps between them if there are any.
fn windows(before: &Campaign, after: &Campaign) -> Option<String> {
    let (was, is) = (calendar::joined(before.hours.windows()), calendar::joined(after.hours.windows()));
    let timezone = if after.hours.is_in_contact_zone() { "in the contact's zone" } else { after.hours.timezone() };
    if was == is {
        return None;
    }
    let ([one], [other]) = (was.as_slice(), is.as_slice()) else {
        return Some(format!("dials {} {timezone} instead of {}", listed(&is), listed(&was)));
    };
    let ((was_from, was_to), (from, to)) = (ends(*one)?, ends(*other)?);
    Some(match (was_from == from, was_to == to) {
        (false, true) => format!("dials from {from} {timezone} instead of {was_from}"),
        (true, _) => format!("dials until {to} {timezone} instead of {was_to}"),
        (false, false) => format!("dials from {from} to {to} {timezone} instead of {was_from} to {was_to}"),
    })
}

/// `09:00-11:30, 12:00-13:00 and 14:00-20:00`
fn listed(windows: &[Window]) -> String {
    let texts: Vec<String> = windows.iter().map(ToString::to_string).collect();
    match texts.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

/// The start and the end of a window.
fn ends(window: Window) -> Option<(String, String)> {
    let text = window.to_string();
    let (from, to) = text.split_once('-')?;
    Some((from.to_owned(), to.to_owned()))
}
