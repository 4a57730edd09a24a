//! Alerts for Prometheus' Alertmanager: what holds, again and again, and once more when it is over.
//!
//! Each has an end that is a few minutes off and moves on with each time it is sent; so an alert of a daemon
//! that is gone ends by itself.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use super::{
    post::Message,
    state::{Key, Situation, Slot},
};
use crate::config::settings::NotificationSettings;

/// How often what holds is sent again, as Prometheus does.
pub(super) const AGAIN_EVERY: Duration = Duration::from_secs(60);

/// How long an alert outlives the last time it was sent: four times.
const OUTLIVES: SignedDuration = SignedDuration::from_secs(240);

/// What holds and what has ended, as one message.
pub(super) fn message(settings: &NotificationSettings, alerts: &[Json]) -> Message {
    let url = format!("{}/api/v2/alerts", settings.url);
    Message { url, headers: Vec::new(), secret: None, known_by: None, body: json!(alerts).to_string().into_bytes() }
}

/// Alerts of what holds at `now`, and ends of what was told and holds no more.
pub(super) fn alerts(
    instance: &str,
    holds: &BTreeMap<Slot, Situation>,
    told: &BTreeMap<Slot, Situation>,
    now: Timestamp,
) -> Vec<Json> {
    let soon = now.checked_add(OUTLIVES).unwrap_or(now);
    let end = |situation: &Situation| situation.until.map_or(soon, |until| until.min(soon));
    let going = holds.iter().map(|((key, _), situation)| alert(instance, *key, situation, end(situation)));
    let over = told.iter().filter(|(key, _)| !holds.contains_key(key));
    going.chain(over.map(|((key, _), situation)| alert(instance, *key, situation, now.max(situation.since)))).collect()
}

fn alert(instance: &str, key: Key, situation: &Situation, ends_at: Timestamp) -> Json {
    let (name, severity, summary) = match key {
        Key::CommitFailed => ("DialopsCommitFailed", "warning", "the newest commit is not in force"),
        Key::CommitWaits => {
            ("DialopsCommitWaits", "warning", "the newest commit waits for somebody, or for a freeze to end")
        }
        Key::SourceUnreadable => ("DialopsSourceUnreadable", "warning", "the repository can't be read"),
        Key::Drift => ("DialopsDriftDetected", "warning", "the store or a call differs from the commit in force"),
        Key::Override(_) => ("DialopsOverrideActive", "info", "somebody has decided against the files for a while"),
    };
    // Labels say which alert it is, so nothing that changes stands there.
    let mut labels = json!({ "alertname": name, "severity": severity, "instance": instance });
    if let Some(one) = &situation.by_hand {
        labels["override"] = one.id.to_string().into();
        labels["action"] = one.order.kind().into();
        labels["campaign"] = one.order.scope().to_string().into();
    } else {
        labels["reason"] = situation.reason.as_str().into();
    }
    if let Some(source) = &situation.source {
        labels["source"] = source.id.as_str().into();
    }
    let mut annotations = json!({ "summary": summary, "description": situation.text });
    if let Some(owner) = situation.source.as_ref().and_then(|source| source.owner.as_deref()) {
        annotations["owner"] = owner.into();
    }
    if let Some(revision) = &situation.revision {
        annotations["revision"] = revision.as_str().into();
    }
    json!({
        "labels": labels,
        "annotations": annotations,
        "startsAt": situation.since.to_string(),
        "endsAt": ends_at.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_ends_later_and_what_is_over_ends_now() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let situation = |until: Option<&str>| Situation {
            source: None,
            since: at("2031-03-01T10:00:00Z"),
            until: until.map(at),
            revision: None,
            reason: "x".to_owned(),
            text: String::new(),
            problems: Vec::new(),
            by_hand: None,
        };
        let told =
            BTreeMap::from([((Key::CommitFailed, 0), situation(None)), ((Key::CommitWaits, 0), situation(None))]);
        let holds = BTreeMap::from([
            ((Key::CommitWaits, 0), situation(None)),
            ((Key::SourceUnreadable, 0), situation(Some("2031-03-01T10:06:00Z"))),
        ]);
        let alerts = alerts("a", &holds, &told, at("2031-03-01T10:05:00Z"));
        let ends: Vec<_> = alerts.iter().map(|alert| (&alert["labels"]["alertname"], &alert["endsAt"])).collect();
        let expected = [
            ("DialopsCommitWaits", "2031-03-01T10:09:00Z"),
            ("DialopsSourceUnreadable", "2031-03-01T10:06:00Z"),
            ("DialopsCommitFailed", "2031-03-01T10:05:00Z"),
        ];
        let expected = expected.map(|(name, end)| (json!(name), json!(end)));
        assert_eq!(ends, expected.iter().map(|(name, end)| (name, end)).collect::<Vec<_>>());
    }
}
