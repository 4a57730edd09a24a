//! Virtual worlds: the daemon's own engine and its facts, with customers, agents and time made up.
//!
//! The store answers at once, agents and customers do what a world says, and time jumps from event to
//! event, so that days of dialling take seconds and the same world gives the same calls. Nothing here
//! reads a file or a clock.

pub mod case;
mod machine;
pub mod made;
mod outside;
mod record;

pub use self::{
    machine::Halt,
    record::{Attempt, CampaignHold, Refusal, RefusedEvent, Rule},
};
