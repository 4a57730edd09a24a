//! The other side for `dialops demo`: a carrier and agents' phones that speak real SIP over UDP.
//!
//! Only the demo uses it. Tests have real peers, for this one shares our grammar and would agree with
//! our own mistakes. Everything but `socket` is pure: datagrams and time go in, datagrams come out.
//!
//! | file | what lives there |
//! |---|---|
//! | `behaviour` | what a called number does |
//! | `serving` `call` `station` | one INVITE's responses · one call · all calls of a socket |
//! | `socket` | the one task of a socket |
//! | `carrier` `phones` | what the demo starts |

pub mod behaviour;
mod call;
pub mod carrier;
pub mod phones;
mod serving;
mod socket;
mod station;

pub use behaviour::{Behaviour, Refusal};
pub use carrier::Carrier;
pub use phones::Phones;
pub use station::Counts;
