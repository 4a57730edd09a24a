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

use crate::domain::gate::Caps;

pub use self::{
    machine::Halt,
    record::{Attempt, CampaignHold, Refusal, RefusedEvent, Rule},
};

/// Contacts that the engine asks for at once: few, since the facts answer at once.
const PAGE: u32 = 8;

/// A trunk and a tenant without limits.
const NO_CAPS: Caps = Caps {
    tenant_calls: u32::MAX,
    tenant_calls_per_second: u32::MAX,
    trunk_calls: u32::MAX,
    trunk_calls_per_second: u32::MAX,
};
