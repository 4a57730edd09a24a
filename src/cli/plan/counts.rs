//! Counts of contacts, as the daemon tells them: line by line, within a time limit.

use std::{collections::BTreeMap, pin::Pin, time::Duration};

use reqwest::{Body, Response};

use super::{
    Counted, Plan,
    side::{Place, Side},
};
use crate::{
    cli::{
        client::Client,
        output::{Exit, Failure},
    },
    domain::ids::Revision,
    http::wire::plan::{CampaignCounts, PlanEvent, PlanRequest},
};

/// Counts on their way.
pub(super) struct Counts<'a> {
    client: &'a Client,
    within: Duration,
    state: State,
    /// The daemon would not take the files.
    refused: Option<Failure>,
}

/// How far they are.
enum State {
    /// To be asked for.
    Unasked(PlanRequest),
    /// The daemon is counting.
    Coming { response: Response, read: Vec<u8>, deadline: Pin<Box<tokio::time::Sleep>> },
    /// There are no more; why, if some are missing.
    Over(Option<String>),
}

impl<'a> Counts<'a> {
    /// Asks for nothing yet.
    pub(super) fn ask(
        plan: &Plan,
        place: &Place,
        client: &'a Client,
        (source, within): (Option<&str>, Duration),
    ) -> Self {
        let state = if plan.comparison.is_empty() {
            // Nothing is to be counted; but without a daemon nobody has said so.
            State::Over(plan.live.as_ref().err().cloned())
        } else if within.is_zero() {
            State::Over(Some("none were asked for".to_owned()))
        } else {
            request(plan, place, source).map_or_else(|why| State::Over(Some(why)), State::Unasked)
        };
        Self { client, within, state, refused: None }
    }

    /// Counts of the next campaign; `None` once there are no more.
    pub(super) async fn next(&mut self) -> Option<CampaignCounts> {
        loop {
            match &mut self.state {
                State::Unasked(request) => {
                    let body = serde_json::to_vec(request).unwrap_or_default();
                    let mut deadline = Box::pin(tokio::time::sleep(self.within));
                    let asking = self.client.upload(&["plan"], &[], "application/json", Body::from(body));
                    self.state = tokio::select! {
                        answer = asking => match answer {
                            Ok(response) => State::Coming { response, read: Vec::new(), deadline },
                            Err(failure) => self.failed(failure),
                        },
                        () = &mut deadline => late(self.within),
                    };
                }
                State::Coming { response, read, deadline } => {
                    if let Some(line) = line(read) {
                        match serde_json::from_slice(&line) {
                            Ok(PlanEvent::Structure(_)) => {}
                            Ok(PlanEvent::Counts(counts)) => return Some(counts),
                            Ok(PlanEvent::Done) => self.state = State::Over(None),
                            Ok(PlanEvent::Failed(body)) => self.state = State::Over(Some(body.detail)),
                            Err(error) => {
                                let why = format!("the daemon's answer is not what this version expects: {error}");
                                self.state = State::Over(Some(why));
                            }
                        }
                        continue;
                    }
                    let piece = tokio::select! {
                        piece = response.chunk() => piece,
                        () = deadline => {
                            self.state = late(self.within);
                            continue;
                        }
                    };
                    match piece {
                        Ok(Some(piece)) => read.extend_from_slice(&piece),
                        Ok(None) => self.state = State::Over(Some("the daemon broke off".to_owned())),
                        Err(error) => self.state = State::Over(Some(self.client.unreachable(&error).message)),
                    }
                }
                State::Over(_) => return None,
            }
        }
    }

    fn failed(&mut self, failure: Failure) -> State {
        let why = failure.message.clone();
        if failure.exit == Exit::BadInput {
            self.refused = Some(failure);
        }
        State::Over(Some(why))
    }

    /// All of them.
    pub(super) async fn all(&mut self) -> Counted {
        let mut campaigns = Vec::new();
        while let Some(counts) = self.next().await {
            campaigns.push(counts);
        }
        Counted { campaigns, missing: self.missing().map(str::to_owned) }
    }

    /// Why some or all are missing.
    pub(super) fn missing(&self) -> Option<&str> {
        match &self.state {
            State::Over(missing) => missing.as_deref(),
            State::Unasked(_) | State::Coming { .. } => None,
        }
    }

    /// What the daemon has against the files, if it would not take them.
    pub(super) fn refused(self) -> Option<Failure> {
        self.refused
    }
}

fn late(within: Duration) -> State {
    State::Over(Some(format!("not all came within {} s; --counts-within waits longer", within.as_secs())))
}

/// The first whole line of what was read.
fn line(read: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = read.iter().position(|byte| *byte == b'\n')?;
    Some(read.drain(..=end).collect())
}

/// How the plan's files differ from those in force; else why the daemon is not asked.
fn request(plan: &Plan, place: &Place, source: Option<&str>) -> Result<PlanRequest, String> {
    let live = plan.live.as_ref().map_err(Clone::clone)?;
    let revision = live.revision.as_deref().and_then(Revision::parse);
    let revision = revision.ok_or("the daemon has nothing in force yet, so it has no contacts")?;
    let side = [&plan.from, &plan.to].into_iter().find(|side| side.name.revision() == Some(&revision));
    let read;
    let side = match side {
        Some(side) => side,
        None => {
            read = Side::in_force(place, &revision, live).map_err(|failure| failure.message)?;
            &read
        }
    };
    let in_force: BTreeMap<&str, &[u8]> = side.files().collect();
    let planned: BTreeMap<&str, &[u8]> = plan.to.files().collect();
    let mut files = BTreeMap::new();
    for (&path, &bytes) in &planned {
        if in_force.get(path) != Some(&bytes) {
            files.insert(path.to_owned(), Some(String::from_utf8_lossy(bytes).into_owned()));
        }
    }
    let gone = in_force.keys().filter(|path| !planned.contains_key(*path));
    files.extend(gone.map(|path| ((*path).to_owned(), None)));
    if files.is_empty() {
        return Err("what the plan leads to is in force already".to_owned());
    }
    Ok(PlanRequest { source: source.map(str::to_owned), base: revision.to_string(), files })
}
