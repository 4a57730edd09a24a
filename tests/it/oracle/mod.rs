//! What the dialling rules ask for, said a second time: a plain and slow simulator over the case folders of
//! `tests/fixtures/cases`, written from the specification alone and sharing no line with the product's engine.
//!
//! Where the specification leaves a choice, a comment that starts with `READING:` says which one is taken.

mod book;
mod business;
mod case;
mod definition;
mod filter;
mod gate;
mod hours;
mod order;
mod place;
pub(crate) mod random;
mod reading;
mod settle;
mod simulation;
mod zones;

use std::path::Path;

use jiff::Timestamp;

/// Whole seconds since 1970 in UTC. Nothing in a case is finer than a second.
pub(crate) type Second = i64;

/// A call that the rules ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// When the INVITE leaves.
    pub(crate) at: Timestamp,
    /// The campaign's id.
    pub(crate) campaign: String,
    /// The contact.
    pub(crate) customer_id: String,
    /// The number that is called.
    pub(crate) number: String,
    /// Its category.
    pub(crate) category: String,
    /// The number that the customer sees.
    pub(crate) caller_number: String,
    /// The agent who is held for it.
    pub(crate) agent: String,
    /// How it ends, as the script says.
    pub(crate) result: String,
}

/// The calls that the case in `folder` leads to, in the order in which they are placed. `shared` is the folder of
/// the shared files that the campaigns refer to.
pub(crate) fn expected(folder: &Path, shared: &Path) -> Vec<Attempt> {
    let case = case::Case::read(folder, shared);
    simulation::Simulation::new(case).run().attempts()
}
