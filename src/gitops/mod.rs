//! The source: one commit of a branch, read whole from the object database.
//!
//! [`source`] answers two questions, "which commit is the branch at?" and "what does that commit
//! say?", and never looks at a work tree. A remote repository is fetched into a mirror by the `git`
//! program, which alone talks to networks; libgit2 only reads what is here. [`wake`] gathers everything that asks for a look; a
//! trigger carries no news, so losing one costs at most a poll interval. [`watch`] is the file
//! system's trigger, [`Checkout`] reads commits for `check` and `plan`, [`Later`] is what lies between two
//! commits, [`Source::verify`] judges their signatures, [`author`] writes what the demo commits. Types of `git2` and `notify` stay in here.

mod access;
pub mod author;
mod by_program;
mod checkout;
mod error;
mod lineage;
mod mirror;
mod objects;
mod program;
mod repository;
mod snapshot;
pub mod source;
mod verify;
pub mod wake;
pub mod watch;
pub mod webhook;

pub use checkout::Checkout;
pub use error::{Refusal, RefusalReason, SourceError};
pub use lineage::Later;
pub use snapshot::{CommitFile, CommitFiles};
pub use source::Source;
pub use verify::{Distrust, Since, Unverified, VerifyError};
pub use wake::{Trigger, Wake};
