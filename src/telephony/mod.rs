//! Call control: commands in, events out, in the words of `domain::call`.
//!
//! A driver is told what to do with legs and tells what became of them. Commands carry our ids and
//! may be repeated; results come only as events; each leg ends exactly once.

pub mod peer;
pub mod sip;

use tokio::sync::mpsc;

use crate::domain::{
    call::{CallCommand, CallEvent, Destination, LegIdentity},
    ids::LegId,
};

/// Why a driver did not take a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The driver has stopped.
    #[error("the call gateway has stopped")]
    Stopped,
    /// Its queue is full; the command was dropped.
    #[error("the call gateway's queue is full")]
    Full,
}

/// A call-control driver.
pub trait CallGateway: Send + Sync + 'static {
    /// The identifiers that `leg` will have when it is dialled, before anything is sent: they are
    /// stored with the intent.
    fn identity(&self, leg: LegId, destination: &Destination) -> LegIdentity;

    /// Hands over a command; never blocks.
    fn submit(&self, command: CallCommand) -> Result<(), SubmitError>;
}

/// Where a driver's events arrive.
pub type CallEvents = mpsc::Receiver<CallEvent>;
