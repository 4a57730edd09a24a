//! Meaning: what a changed setting brings about, in one short sentence.

use jiff::{Timestamp, tz::TimeZone};

use crate::domain::campaign::{Campaign, DesiredState};

/// What it means that the setting at `key` of a campaign is another one; `None` where old and new
/// value say it all.
#[must_use]
pub fn meaning(key: &str, before: &Campaign, after: &Campaign) -> Option<String> {
    match key {
        "state" => Some(match after.desired {
            DesiredState::Paused => "places no new calls; live ones finish".to_owned(),
            DesiredState::Running => "may dial again".to_owned(),
        }),
        "starts_at" => Some(moved("may dial from", before.starts_at, after.starts_at, after)),
        "ends_at" => Some(moved("dials until", before.ends_at, after.ends_at, after)),
        "calling_hours.windows" => windows(before, after),
        "calling_hours.timezone" => Some(format!("reads its windows in {}", after.hours.timezone())),
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

/// When the day's calls begin and end, if that changes.
fn windows(before: &Campaign, after: &Campaign) -> Option<String> {
    let ((was_from, was_to), (from, to)) = (day(before)?, day(after)?);
    let timezone = after.hours.timezone();
    match (was_from == from, was_to == to) {
        (true, true) => None,
        (false, true) => Some(format!("dials from {from} {timezone} instead of {was_from}")),
        (true, false) => Some(format!("dials until {to} {timezone} instead of {was_to}")),
        (false, false) => Some(format!("dials from {from} to {to} {timezone} instead of {was_from} to {was_to}")),
    }
}

/// The start of the first window of an ordinary day and the end of the last.
fn day(campaign: &Campaign) -> Option<(String, String)> {
    let windows = campaign.hours.windows();
    let (first, last) = (windows.iter().min()?.to_string(), windows.iter().max()?.to_string());
    Some((first.split_once('-')?.0.to_owned(), last.split_once('-')?.1.to_owned()))
}
