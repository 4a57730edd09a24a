//! Agents' phones, which pick up by themselves.

use std::{io, time::Duration};

use super::{behaviour::Behaviour, socket::Running, station::Counts};
use crate::clock::Clock;

/// Phones on loopback; they are gone when this is dropped.
#[derive(Debug)]
pub struct Phones(Running);

impl Phones {
    /// Starts the phones; each picks up `after` ringing so long and stays up until it is hung up on.
    pub async fn start(clock: Clock, after: Duration) -> io::Result<Self> {
        let behaviour = move |_: &str, _| Behaviour::Answer { after, talk: None };
        Running::start(Box::new(behaviour), clock).await.map(Self)
    }

    /// The address of the phone called `name`.
    #[must_use]
    pub fn sip_uri(&self, name: &str) -> String {
        format!("sip:{name}@{}", self.0.address())
    }

    /// What they have seen so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.0.counts()
    }
}
