//! The carrier: customers' numbers behind one socket.

use std::{io, net::SocketAddr};

use super::{behaviour::Behaviour, socket::Running, station::Counts};
use crate::clock::Clock;

/// A carrier on loopback; it is gone when this is dropped.
#[derive(Debug)]
pub struct Carrier(Running);

impl Carrier {
    /// Starts a carrier; `behaviour` says what a number does on its nth call, from 1.
    pub async fn start(
        clock: Clock,
        behaviour: impl FnMut(&str, u64) -> Behaviour + Send + 'static,
    ) -> io::Result<Self> {
        Running::start(Box::new(behaviour), clock).await.map(Self)
    }

    /// Where it takes calls.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// What it has seen so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.0.counts()
    }
}
