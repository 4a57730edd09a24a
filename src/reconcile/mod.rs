//! Loop 1: brings the store to what the newest good commit asks for.
//!
//! [`run`] is level-triggered: whatever woke it, it asks which commit the branch is at, and if that
//! is not the one in force, reads it, checks it, plans ([`crate::domain::plan`]) and applies. What
//! fails leaves the commit in force as it is and says so in status; nothing is retried inside, the
//! next wake starts over with the newest commit.

mod check;
mod conditions;
mod digest;
mod isolate;
mod journal;
mod rows;
mod run;

pub use check::{Checked, Load, Rejected, check};
pub use digest::digest;
pub use run::{FollowedSource, Reconcile, run};
