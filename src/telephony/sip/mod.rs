//! The embedded SIP gateway: messages, transactions and legs of our own, over UDP.
//!
//! Everything but `socket` is pure: bytes, commands and time go in, bytes and events come out.
//!
//! | file | what lives there |
//! |---|---|
//! | `header` `uri` `message` `parse` | the grammar, both directions |
//! | `sdp` | the few things done to media descriptions |
//! | `digest` | answers to challenges |
//! | `transaction` `table` `timers` | the four machines, found by branch, driven by deadlines |
//! | `keys` `dialog` `leg` | identifiers, dialogs, and one leg from INVITE to its end |
//! | `endpoint` `bridge` `stateless` | the core of one socket; pairs; answers to strangers |
//! | `settings` `notice` `socket` | what it is told, what it tells of the other sides, and the one actor |

mod bridge;
#[cfg(test)]
mod contract;
pub mod dialog;
pub mod digest;
pub mod endpoint;
#[cfg(test)]
mod fuzz;
pub mod header;
pub mod keys;
pub mod leg;
pub mod message;
pub mod notice;
pub mod parse;
pub mod sdp;
pub mod settings;
pub mod socket;
mod stateless;
pub mod table;
pub mod timers;
pub mod transaction;
pub mod uri;

pub use self::{
    digest::Credential,
    settings::{SipSettings, TrunkSettings},
    socket::{OpenError, SipGateway, spawn},
    transaction::Timing,
};
