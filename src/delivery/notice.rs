//! A notification as a webhook: what is news to a receiver, and the JSON that says it (docs/operations.md).

use std::{collections::BTreeMap, path::Path};

use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::{
    post::{Message, Unsent},
    state::{About, InForce, Situation, Slot, Standing},
};
use crate::{
    config::settings::{NotificationSettings, Topic},
    signing,
};

/// What a receiver was told.
#[derive(Debug)]
pub(super) struct Told {
    situations: BTreeMap<Slot, Situation>,
    /// The commit in force that was told, of each source.
    in_force: BTreeMap<Option<String>, String>,
    began: Timestamp,
}

/// What is news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    Began(Slot, Situation),
    Ended(Slot, Situation),
    InForce(InForce),
}

impl Told {
    /// Nothing yet; what is in force since before `began` is no news.
    pub(super) fn nothing(began: Timestamp) -> Self {
        Self { situations: BTreeMap::new(), in_force: BTreeMap::new(), began }
    }

    /// The next thing that is news; ends go first.
    pub(super) fn next(&self, standing: &Standing, topics: &[Topic]) -> Option<News> {
        let holds = standing.among(topics);
        let ended = self.situations.iter().find(|(key, _)| !holds.contains_key(key));
        let ended = ended.map(|(key, situation)| News::Ended(*key, situation.clone()));
        let began = || {
            let new = |key, now: &Situation| self.situations.get(key).is_none_or(|told| !told.says(now));
            holds.iter().find(|(key, now)| new(key, now)).map(|(key, now)| News::Began(*key, now.clone()))
        };
        let in_force = || {
            let news = |commit: &&InForce| {
                commit.since >= self.began && self.in_force.get(&source_of(commit)) != Some(&commit.revision)
            };
            let told = topics.contains(&Topic::CommitInForce);
            standing.in_force.iter().filter(|_| told).find(news).map(|commit| News::InForce(commit.clone()))
        };
        ended.or_else(began).or_else(in_force)
    }

    /// It is told, or never will be.
    pub(super) fn take(&mut self, news: News) {
        match news {
            News::Began(key, situation) => {
                self.situations.insert(key, situation);
            }
            News::Ended(key, _) => {
                self.situations.remove(&key);
            }
            News::InForce(commit) => {
                self.in_force.insert(source_of(&commit), commit.revision);
            }
        }
    }
}

fn source_of(commit: &InForce) -> Option<String> {
    commit.source.as_ref().map(|source| source.id.clone())
}

/// News, ready to be sent at `now`. Reads the secret.
pub(super) fn message(
    settings: &NotificationSettings,
    credentials: Option<&Path>,
    instance: &str,
    news: &News,
    now: Timestamp,
) -> Result<Message, Unsent> {
    let secret = settings.secret.as_ref().map(|secret| secret.resolve(credentials)).transpose();
    let secret = secret.map_err(|error| Unsent::passing(format!("its secret can't be read: {error}")))?;
    let body = body(instance, news, now).to_string().into_bytes();
    let signature = secret.as_ref().map(|secret| signing::sign(secret.expose_secret().as_bytes(), now, &body));
    let headers = signature.map(|signature| (signing::HEADER.into(), signature)).into_iter().collect();
    Ok(Message { url: settings.url.clone(), headers, secret, known_by: None, body })
}

fn body(instance: &str, news: &News, now: Timestamp) -> Json {
    let (topic, state, since, ended, said) = match news {
        News::Began((key, _), situation) => (key.topic(), "began", situation.since, None, of(situation, "")),
        News::Ended((key, _), situation) => (key.topic(), "ended", situation.since, Some(now), of(situation, "over: ")),
        News::InForce(commit) => {
            let text = format!("commit {} is in force: {}", short(&commit.revision), commit.subject);
            let mut said = json!({ "text": text, "revision": commit.revision });
            say_source(&mut said, commit.source.as_ref());
            (Topic::CommitInForce, "began", commit.since, None, said)
        }
    };
    let mut body = json!({
        "apiVersion": "notification/v1",
        "id": "",
        "instance": instance,
        "event": topic.as_str(),
        "state": state,
        "since": since.to_string(),
    });
    if let (Json::Object(body), Json::Object(said)) = (&mut body, said) {
        body.extend(said);
    }
    // The same news has the same id, however often it is sent.
    let digest = Sha256::digest(body.to_string());
    body["id"] = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect::<String>().into();
    if let Some(ended) = ended {
        body["endedAt"] = ended.to_string().into();
    }
    body
}

fn of(situation: &Situation, before: &str) -> Json {
    let Situation { until, revision, reason, text, problems, by_hand, .. } = situation;
    let mut said = json!({ "text": format!("{before}{text}"), "reason": reason });
    say_source(&mut said, situation.source.as_ref());
    if let Some(revision) = revision {
        said["revision"] = revision.as_str().into();
    }
    if let Some(until) = until {
        said["until"] = until.to_string().into();
    }
    if !problems.is_empty() {
        said["problems"] = json!(problems);
    }
    if let Some(one) = by_hand {
        let scope = one.order.scope().to_string();
        said["override"] = json!({ "id": one.id.0, "action": one.order.kind(), "campaign": scope, "by": one.by, "reason": one.reason });
    }
    said
}

/// Says which source it is about, where there are several, and whose that is.
fn say_source(said: &mut Json, source: Option<&About>) {
    let Some(About { id, owner }) = source else { return };
    said["source"] = id.as_str().into();
    if let Some(owner) = owner {
        said["owner"] = owner.as_str().into();
    }
}

fn short(revision: &str) -> &str {
    revision.get(..12).unwrap_or(revision)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::state::Key;

    fn at(minute: u32) -> Timestamp {
        format!("2031-03-01T10:{minute:02}:00Z").parse().unwrap()
    }

    fn situation(revision: &str, text: &str) -> Situation {
        Situation {
            source: None,
            since: at(1),
            until: None,
            revision: Some(revision.to_owned()),
            reason: "ValidationFailed".to_owned(),
            text: text.to_owned(),
            problems: Vec::new(),
            by_hand: None,
        }
    }

    fn standing(failed: Option<Situation>, in_force: Option<(&str, u32)>) -> Standing {
        let in_force = in_force.map(|(revision, minute)| InForce {
            source: None,
            revision: revision.to_owned(),
            since: at(minute),
            subject: String::new(),
        });
        Standing {
            situations: failed.map(|failed| ((Key::CommitFailed, 0), failed)).into_iter().collect(),
            in_force: in_force.into_iter().collect(),
        }
    }

    #[test]
    fn each_thing_is_told_once_and_its_end_too() {
        let topics = [Topic::CommitFailed];
        let mut told = Told::nothing(at(0));
        let first = standing(Some(situation("a", "one")), None);
        let news = told.next(&first, &topics).unwrap();
        assert!(matches!(news, News::Began((Key::CommitFailed, _), _)));
        told.take(news);
        assert_eq!(told.next(&standing(Some(situation("a", "in other words")), None), &topics), None);
        let second = told.next(&standing(Some(situation("b", "one")), None), &topics);
        assert!(matches!(second, Some(News::Began(..))), "another commit is news");
        let ended = told.next(&standing(None, None), &topics).unwrap();
        assert!(matches!(&ended, News::Ended(_, situation) if situation.revision.as_deref() == Some("a")));
        told.take(ended);
        assert_eq!(told.next(&standing(None, None), &topics), None);
        assert_eq!(told.next(&first, &[Topic::OverrideActive]), None);
    }

    #[test]
    fn what_was_in_force_before_is_no_news() {
        let topics = [Topic::CommitInForce];
        let mut told = Told::nothing(at(5));
        assert_eq!(told.next(&standing(None, Some(("a", 4))), &topics), None);
        let now = standing(None, Some(("b", 5)));
        assert_eq!(told.next(&now, &[Topic::CommitFailed]), None);
        let news = told.next(&now, &topics).unwrap();
        told.take(news);
        assert_eq!(told.next(&now, &topics), None);
    }

    #[test]
    fn the_same_news_has_the_same_id() {
        let began = News::Began((Key::CommitFailed, 0), situation("a", "one"));
        let ended = News::Ended((Key::CommitFailed, 0), situation("a", "one"));
        let id = |news: &News, minute| body("prod-a", news, at(minute))["id"].clone();
        assert_eq!(id(&ended, 1), id(&ended, 2));
        assert_ne!(id(&began, 1), id(&ended, 1));
        let body = body("prod-a", &ended, at(7));
        assert_eq!((&body["text"], &body["endedAt"]), (&json!("over: one"), &json!("2031-03-01T10:07:00Z")));
    }
}
