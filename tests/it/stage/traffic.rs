//! SIPp's own trace, read as calls, and what must hold of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use dialops::http::wire::Attempt;
use jiff::{Timestamp, civil::DateTime, tz::Offset};

/// Line before each message of a trace.
const RULE: &str = "-----------------------------------------------";

/// Calls by Call-ID, as the side that was called saw them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) calls: BTreeMap<String, Call>,
}

/// One call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Call {
    /// User part of the address that was called.
    pub(crate) user: String,
    /// When the first INVITE came; `None` for requests of a call that is not known.
    pub(crate) invited_at: Option<Timestamp>,
    /// Branches of INVITEs that began a dialog: a repeat has the same one.
    pub(crate) branches: BTreeSet<String>,
    /// The final status that was no success.
    pub(crate) refused: Option<u16>,
    /// Whether it rang.
    pub(crate) rang: bool,
    pub(crate) cancelled: bool,
    /// Media address that the INVITE offered.
    pub(crate) offer: Option<String>,
    /// Answers by their tag: forks have one each.
    pub(crate) dialogs: BTreeMap<String, Dialog>,
}

/// An answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Dialog {
    pub(crate) answered_at: Option<Timestamp>,
    pub(crate) acknowledged: bool,
    /// Media address of the answer.
    pub(crate) media: String,
    /// Media addresses that INVITEs within offered, in order, repeats left out.
    pub(crate) offered: Vec<String>,
    /// When the first BYE passed, either way.
    pub(crate) bye_at: Option<Timestamp>,
}

impl Call {
    pub(crate) fn answered(&self) -> bool {
        !self.dialogs.is_empty()
    }

    pub(crate) fn only_dialog(&self) -> &Dialog {
        assert_eq!(self.dialogs.len(), 1, "{self:#?}");
        self.dialogs.values().next().expect("one")
    }

    fn is_over(&self) -> bool {
        let left = self.invited_at.is_some() && self.refused.is_none() && self.dialogs.is_empty();
        !left && self.dialogs.values().all(|dialog| dialog.bye_at.is_some())
    }
}

impl Traffic {
    pub(crate) fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap_or_default();
        let mut traffic = Self::default();
        for part in String::from_utf8_lossy(&bytes).split(RULE).skip(1) {
            traffic.take(part);
        }
        traffic
    }

    /// The calls of one number or agent, oldest first.
    pub(crate) fn of(&self, user: &str) -> Vec<&Call> {
        let mut calls: Vec<&Call> = self.invited().filter(|call| call.user == user).collect();
        calls.sort_by_key(|call| call.invited_at);
        calls
    }

    /// Calls that an INVITE began.
    pub(crate) fn invited(&self) -> impl Iterator<Item = &Call> {
        self.calls.values().filter(|call| call.invited_at.is_some())
    }

    /// Calls that ring or are up.
    pub(crate) fn left_up(&self) -> Vec<String> {
        let up = self.calls.iter().filter(|(_, call)| !call.is_over());
        up.map(|(id, call)| format!("{id} to {}: {call:?}", call.user)).collect()
    }

    fn take(&mut self, part: &str) {
        let Some((when, rest)) = part.split_once('\n') else { return };
        let Some((head, message)) = rest.split_once("\n\n") else { return };
        // What SIPp did not expect it writes down again, without a time.
        let Ok(at) = when.trim().parse::<DateTime>() else { return };
        let at = Offset::UTC.to_timestamp(at).unwrap();
        let received = head.contains("received");
        let Some((first, headers)) = message.split_once("\r\n") else { return };
        let message = Message { first, headers };
        let Some(id) = message.header("Call-ID") else { return };
        let call = self.calls.entry(id.to_owned()).or_default();
        match (first.strip_prefix("SIP/2.0 "), received) {
            (Some(status), false) => call.responded(at, &message, status),
            // Answers to SIPp's own BYE.
            (Some(_), true) => {}
            (None, received) => call.requested(at, &message, received),
        }
    }
}

impl Call {
    fn requested(&mut self, at: Timestamp, message: &Message<'_>, received: bool) {
        let method = message.first.split(' ').next().unwrap_or_default();
        let to = message.tag("To");
        let local = if received { to } else { message.tag("From") };
        let dialog = local.and_then(|tag| self.dialogs.get_mut(tag));
        match (method, dialog) {
            ("INVITE", None) if to.is_none() => {
                self.invited_at.get_or_insert(at);
                self.user = user_of(message.first).to_owned();
                self.branches.insert(message.branch().to_owned());
                self.offer = message.media();
            }
            ("INVITE", Some(dialog)) => {
                let media = message.media().unwrap_or_default();
                if dialog.offered.last() != Some(&media) {
                    dialog.offered.push(media);
                }
            }
            ("ACK", Some(dialog)) => dialog.acknowledged = true,
            ("BYE", Some(dialog)) => {
                dialog.bye_at.get_or_insert(at);
            }
            ("CANCEL", _) => self.cancelled = true,
            _ => {}
        }
    }

    fn responded(&mut self, at: Timestamp, message: &Message<'_>, status: &str) {
        let status: u16 = status.get(..3).and_then(|code| code.parse().ok()).unwrap_or(0);
        let to_invite = message.header("CSeq").is_some_and(|cseq| cseq.ends_with(" INVITE"));
        if !to_invite {
            return;
        }
        match (status, message.tag("To")) {
            (180 | 183, _) => self.rang = true,
            (200..300, Some(tag)) => {
                let dialog = self.dialogs.entry(tag.to_owned()).or_default();
                dialog.answered_at.get_or_insert(at);
                dialog.media = message.media().unwrap_or_default();
            }
            (300.., _) => self.refused = Some(status),
            _ => {}
        }
    }
}

struct Message<'a> {
    first: &'a str,
    headers: &'a str,
}

impl<'a> Message<'a> {
    fn header(&self, name: &str) -> Option<&'a str> {
        let head = self.headers.split("\r\n\r\n").next()?;
        let found = head.split("\r\n").filter_map(|line| line.split_once(':'));
        found.into_iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    fn tag(&self, name: &str) -> Option<&'a str> {
        let (_, tag) = self.header(name)?.split_once(";tag=")?;
        tag.split(';').next()
    }

    fn branch(&self) -> &'a str {
        let branch = self.header("Via").and_then(|via| via.split_once("branch="));
        branch.map_or("", |(_, branch)| branch.split(';').next().unwrap_or(branch))
    }

    /// Where the peer wants to hear: address and port of its audio.
    fn media(&self) -> Option<String> {
        let (_, body) = self.headers.split_once("\r\n\r\n")?;
        let line = |start: &str| body.lines().find_map(|line| line.trim().strip_prefix(start));
        Some(format!("{}:{}", line("c=IN IP4 ")?, line("m=audio ")?.split(' ').next()?))
    }
}

fn user_of(first: &str) -> &str {
    let (_, rest) = first.split_once("sip:").unwrap_or_default();
    rest.split('@').next().unwrap_or_default()
}

/// Everything that the carrier's trace and the store say against each other, one sentence each: an
/// attempt placed twice, a call that the store does not know, an attempt without an end, a result
/// that the wire does not bear out.
pub(crate) fn disagreements(attempts: &[Attempt], carrier: &Traffic) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut placed: BTreeMap<&str, Vec<&Call>> = BTreeMap::new();
    for (id, call) in &carrier.calls {
        let Some(invited_at) = call.invited_at else { continue };
        if call.branches.len() > 1 {
            wrong.push(format!("{id} was invited anew {} times", call.branches.len()));
        }
        let before = |attempt: &&Attempt| attempt.number == call.user && instant(&attempt.placed_at) <= invited_at;
        match attempts.iter().filter(before).max_by_key(|attempt| instant(&attempt.placed_at)) {
            Some(attempt) => placed.entry(&attempt.attempt).or_default().push(call),
            None => wrong.push(format!("{id} to {} at {invited_at} belongs to no attempt", call.user)),
        }
    }
    for attempt in attempts {
        let calls = placed.get(attempt.attempt.as_str()).map_or(&[][..], Vec::as_slice);
        wrong.extend(
            against(attempt, calls).map(|what| format!("attempt {} to {}: {what}", attempt.attempt, attempt.number)),
        );
    }
    wrong
}

/// What is wrong with one attempt, given its calls at the carrier.
fn against(attempt: &Attempt, calls: &[&Call]) -> Option<String> {
    let Some(result) = attempt.result.as_deref() else { return Some("has no outcome".to_owned()) };
    let call = match calls {
        [] => return (result != "unknown").then(|| format!("is {result}, and its INVITE never left")),
        [call] => *call,
        more => return Some(format!("was placed {} times", more.len())),
    };
    let answered = call.answered();
    let fits = match result {
        "answered" | "abandoned" | "customer_hung_up" => answered,
        // What was not stored yet when the process died.
        "unknown" => true,
        _ => !answered,
    };
    (!fits).then(|| format!("is {result}, but at the carrier it was {call:?}"))
}

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}
