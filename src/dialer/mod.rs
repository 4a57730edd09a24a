//! Loop 2: turns everything that happens into inputs of the engine, and its effects into acts.
//!
//! One task owns the engine. Whatever comes in (a generation, an event from the wire, an answer of
//! the store, a command, a timer) is one step; effects go to the store and the gateway in the order
//! in which the engine gave them. Only placing a call waits for the store; connecting and hanging up
//! never do.

mod agents;
pub mod crash;
mod drift;
mod recovery;
mod run;
mod status;
mod stuck;
mod unwritten;

pub use run::{Dialer, DialerError, run};
