//! What others are told: the state of commits beside them on their server, and what needs a person.
//!
//! Nothing here is a queue. The [`Outbox`] has the newest state of the last commits, `state` says how things
//! stand, and one task for each receiver brings to it what differs from what it was last told; so a receiver
//! that is slow or gone costs a task that waits, and hears of how things stand when it is back. The loops only
//! leave values behind, and never wait.

mod alerts;
mod commit_status;
mod courier;
pub mod dispatch;
mod notice;
mod outbox;
mod post;
mod reach;
mod run;
mod state;
mod trust;

pub use outbox::{Outbox, Outcome};
pub use run::{Parts, run};
