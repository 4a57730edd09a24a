//! The embedded SIP gateway: messages, transactions and legs of our own, over UDP.
//!
//! Everything but `socket` is pure: bytes, commands and time go in, bytes and events come out.
//!
//! | file | what lives there |
//! |---|---|
//! | `header` `uri` `message` `parse` | the grammar, both directions |
//! | `sdp` | the few things done to media descriptions |

pub mod digest;
pub mod header;
pub mod message;
pub mod parse;
pub mod sdp;
pub mod transaction;
pub mod uri;
