//! The forms that webhooks have: how each is signed, what marks one call, and what it tells.
//!
//! A call is marked by what is signed, as whoever replays it can change everything else. Ids of deliveries
//! mark it too: they are the same when a server sends a call again.

use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::CLOCKS_APART_MAX;
use crate::{
    config::settings::HookKind,
    signing::{self, Given, from_hex, is_signed},
};

/// What begins a signing token of the Standard Webhooks, which GitLab signs by.
const SIGNING_TOKEN: &str = "whsec_";

/// A call as it came.
pub struct Delivery<'a> {
    /// The header of that name, in whatever case.
    pub header: &'a dyn Fn(&str) -> Option<&'a str>,
    /// Its body.
    pub body: &'a [u8],
}

impl<'a> Delivery<'a> {
    fn header(&self, name: &'static str) -> Result<&'a str, Fault> {
        (self.header)(name).ok_or(Fault::Missing(name))
    }

    /// The first of these headers that is there.
    fn first_of(&self, names: &[&'static str]) -> Result<&'a str, Fault> {
        let found = names.iter().find_map(|name| (self.header)(name));
        found.ok_or_else(|| Fault::Missing(names.first().copied().unwrap_or_default()))
    }
}

/// Why a call is not of who it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("there is no `{0}`; compare `kind` of the settings with who calls, and set the secret there too")]
    Missing(&'static str),
    #[error("`{0}` does not have its form")]
    Form(&'static str),
    #[error("the secret is not the one of the settings, or the body was changed on its way")]
    Wrong,
    #[error("it was signed {0} s before or after this machine's time: an old call, or a clock that is off")]
    Time(u64),
    #[error("the signing token of the settings is not `whsec_` and Base64")]
    Token,
}

/// Checks who a call is of: what it is marked by.
pub(super) fn check(
    kind: HookKind,
    secret: &[u8],
    delivery: &Delivery<'_>,
    now: Timestamp,
) -> Result<Vec<[u8; 32]>, Fault> {
    match kind {
        HookKind::GitHub => {
            let signature = delivery.header("X-Hub-Signature-256")?;
            let tag = signature.strip_prefix("sha256=").ok_or(Fault::Form("X-Hub-Signature-256"))?;
            of_body(secret, tag, delivery, "X-Hub-Signature-256", &["X-GitHub-Delivery"])
        }
        HookKind::Gitea => {
            let tag = delivery.first_of(&["X-Gitea-Signature", "X-Forgejo-Signature"])?;
            let ids = ["X-Gitea-Delivery", "X-Forgejo-Delivery"];
            of_body(secret, tag, delivery, "X-Gitea-Signature", &ids)
        }
        HookKind::GitLab => match std::str::from_utf8(secret).ok().and_then(|s| s.strip_prefix(SIGNING_TOKEN)) {
            Some(key) => standard(key, delivery, now),
            None => with_token(secret, delivery),
        },
        HookKind::Generic => {
            let given = Given::parse(delivery.header(signing::HEADER)?).ok_or(Fault::Form(signing::HEADER))?;
            if !given.is_of(secret, delivery.body) {
                return Err(Fault::Wrong);
            }
            in_time(given.at, now)?;
            Ok(vec![given.tag])
        }
    }
}

/// A body that is signed as it is.
fn of_body(
    secret: &[u8],
    tag: &str,
    delivery: &Delivery<'_>,
    name: &'static str,
    ids: &[&'static str],
) -> Result<Vec<[u8; 32]>, Fault> {
    let tag = from_hex(tag).ok_or(Fault::Form(name))?;
    if !is_signed(secret, &[delivery.body], &tag) {
        return Err(Fault::Wrong);
    }
    let id = delivery.first_of(ids).ok().map(|id| Sha256::digest(id).into());
    Ok([tag].into_iter().chain(id).collect())
}

/// GitLab's older form: the secret itself comes along, so that only the id tells one call from another.
fn with_token(secret: &[u8], delivery: &Delivery<'_>) -> Result<Vec<[u8; 32]>, Fault> {
    let token = delivery.header("X-Gitlab-Token")?;
    // Digests have one length, so the time tells nothing of the secret's.
    if !bool::from(Sha256::digest(token).ct_eq(&Sha256::digest(secret))) {
        return Err(Fault::Wrong);
    }
    Ok(delivery.header("Idempotency-Key").ok().map(|id| Sha256::digest(id).into()).into_iter().collect())
}

/// GitLab's signed form, that of the Standard Webhooks: over id, time and body.
fn standard(key: &str, delivery: &Delivery<'_>, now: Timestamp) -> Result<Vec<[u8; 32]>, Fault> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let key = STANDARD.decode(key).map_err(|_| Fault::Token)?;
    let (id, at) = (delivery.header("webhook-id")?, delivery.header("webhook-timestamp")?);
    let seconds = signing::seconds(at).ok_or(Fault::Form("webhook-timestamp"))?;
    let signed = [id.as_bytes(), b".", at.as_bytes(), b".", delivery.body];
    // There are several while a secret is being changed.
    let given = delivery.header("webhook-signature")?.split(' ').filter_map(|one| one.strip_prefix("v1,"));
    let tags = given.filter_map(|tag| STANDARD.decode(tag).ok()?.try_into().ok());
    let tag = tags.into_iter().find(|tag| is_signed(&key, &signed, tag)).ok_or(Fault::Wrong)?;
    in_time(seconds, now)?;
    Ok(vec![tag, Sha256::digest(id).into()])
}

fn in_time(at: i64, now: Timestamp) -> Result<(), Fault> {
    let apart = now.as_second().abs_diff(at);
    if apart <= CLOCKS_APART_MAX.as_secs() { Ok(()) } else { Err(Fault::Time(apart)) }
}

/// What a call tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// A push, and to what if it says so.
    Push { reference: Option<String> },
    /// Nothing of a push.
    Other,
}

/// What a call tells; what can't be told counts as a push of anything.
pub(super) fn news(kind: HookKind, delivery: &Delivery<'_>) -> News {
    let (names, pushes): (&[&'static str], &[&str]) = match kind {
        HookKind::GitHub => (&["X-GitHub-Event"], &["push"]),
        HookKind::Gitea => (&["X-Gitea-Event", "X-Forgejo-Event"], &["push"]),
        HookKind::GitLab => (&["X-Gitlab-Event"], &["Push Hook", "Tag Push Hook", "System Hook"]),
        HookKind::Generic => (&[], &[]),
    };
    if delivery.first_of(names).is_ok_and(|event| !pushes.contains(&event)) {
        return News::Other;
    }
    let body: Option<Body> = serde_json::from_slice(delivery.body).ok();
    News::Push { reference: body.and_then(|body| body.reference) }
}

/// The one key of a body that counts.
#[derive(Deserialize)]
struct Body {
    #[serde(rename = "ref")]
    reference: Option<String>,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const NOW: i64 = 1_900_000_000;
    const BODY: &str = r#"{"ref": "refs/heads/main", "commits": []}"#;

    struct Call {
        headers: BTreeMap<String, String>,
        body: Vec<u8>,
    }

    impl Call {
        fn of<const N: usize>(headers: [(&str, &str); N], body: &str) -> Self {
            let headers = headers.into_iter().map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
            Self { headers, body: body.as_bytes().to_vec() }
        }

        fn with<T>(&self, look: impl FnOnce(&Delivery<'_>) -> T) -> T {
            let header = |name: &str| self.headers.get(&name.to_lowercase()).map(String::as_str);
            look(&Delivery { header: &header, body: &self.body })
        }

        fn check(&self, kind: HookKind, secret: &str) -> Result<Vec<[u8; 32]>, Fault> {
            let now = Timestamp::from_second(NOW).unwrap();
            self.with(|delivery| check(kind, secret.as_bytes(), delivery, now))
        }

        fn news(&self, kind: HookKind) -> News {
            self.with(|delivery| news(kind, delivery))
        }
    }

    /// The example of GitHub's documentation.
    #[test]
    fn github_signs_the_body() {
        let secret = "It's a Secret to Everybody";
        let tag = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let call = Call::of([("X-Hub-Signature-256", tag), ("X-GitHub-Delivery", "d1")], "Hello, World!");
        assert_eq!(call.check(HookKind::GitHub, secret).unwrap().len(), 2);
        assert_eq!(call.check(HookKind::GitHub, "another"), Err(Fault::Wrong));
        let bare = Call::of([("X-Hub-Signature-256", &tag[7..])], "Hello, World!");
        assert_eq!(bare.check(HookKind::GitHub, secret), Err(Fault::Form("X-Hub-Signature-256")));
        let unsigned = Call::of([("X-Hub-Signature", "sha1=00")], "Hello, World!");
        assert_eq!(unsigned.check(HookKind::GitHub, secret), Err(Fault::Missing("X-Hub-Signature-256")));
    }

    /// The example of the Standard Webhooks' documentation.
    #[test]
    fn gitlab_signs_id_time_and_body() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let body = r#"{"test": 2432232314}"#;
        let signature = "v1,aaaa v1a,x v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let call = |at| {
            let id = ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek");
            Call::of([id, ("webhook-timestamp", at), ("webhook-signature", signature)], body)
        };
        let at = Timestamp::from_second(1_614_265_330).unwrap();
        let check = |call: Call, secret: &str, now| {
            call.with(|delivery| check(HookKind::GitLab, secret.as_bytes(), delivery, now))
        };
        assert_eq!(check(call("1614265330"), secret, at).unwrap().len(), 2);
        assert_eq!(check(call("1614265331"), secret, at), Err(Fault::Wrong));
        assert_eq!(check(call("01614265330"), secret, at), Err(Fault::Form("webhook-timestamp")));
        let later = at + jiff::SignedDuration::from_secs(301);
        assert_eq!(check(call("1614265330"), secret, later), Err(Fault::Time(301)));
        assert_eq!(check(call("1614265330"), "whsec_%", at), Err(Fault::Token));
    }

    #[test]
    fn gitlab_sends_its_token_along() {
        let call = Call::of([("X-Gitlab-Token", "t0ken"), ("Idempotency-Key", "k1")], BODY);
        assert_eq!(call.check(HookKind::GitLab, "t0ken").unwrap().len(), 1);
        for wrong in ["t0ke", "t0kens", ""] {
            assert_eq!(call.check(HookKind::GitLab, wrong), Err(Fault::Wrong));
        }
    }

    #[test]
    fn a_generic_call_is_good_for_five_minutes() {
        for (at, good) in [(0, true), (300, true), (-300, true), (301, false), (-301, false)] {
            let signed = Timestamp::from_second(NOW + at).unwrap();
            let signature = signing::sign(b"s3cret", signed, BODY.as_bytes());
            let call = Call::of([(signing::HEADER, &signature)], BODY);
            assert_eq!(call.check(HookKind::Generic, "s3cret").is_ok(), good, "{at}");
            assert_eq!(call.check(HookKind::Generic, "secret"), Err(Fault::Wrong), "an old one tells no more");
        }
    }

    #[test]
    fn news_are_of_a_push_or_of_nothing() {
        let push = |reference: Option<&str>| News::Push { reference: reference.map(ToOwned::to_owned) };
        let github = |event, body| Call::of([("X-GitHub-Event", event)], body).news(HookKind::GitHub);
        assert_eq!(github("push", BODY), push(Some("refs/heads/main")));
        assert_eq!(github("ping", BODY), News::Other);
        assert_eq!(github("push", "payload=%7B%7D"), push(None), "a form");
        assert_eq!(Call::of([], "").news(HookKind::GitHub), push(None));
        assert_eq!(Call::of([], r#"{"ref": "main"}"#).news(HookKind::Generic), push(Some("main")));
        let gitlab = |event| Call::of([("X-Gitlab-Event", event)], BODY).news(HookKind::GitLab);
        assert_eq!(gitlab("Tag Push Hook"), push(Some("refs/heads/main")));
        assert_eq!(gitlab("Issue Hook"), News::Other);
        assert_eq!(Call::of([("X-Forgejo-Event", "create")], BODY).news(HookKind::Gitea), News::Other);
    }
}
