//! The pure core: whom to call when, as values in and values out.
//!
//! No IO, no async, no clock, no global randomness, no hash-ordered maps, no serde derives; time is
//! an argument and effects are data. Nothing here refers to the rest of the crate.

pub mod agent;
pub mod attribute;
pub mod audit;
pub mod backoff;
pub mod business;
pub mod business_result;
pub mod calendar;
pub mod call;
pub mod campaign;
pub mod category;
pub mod contact;
pub mod days;
pub mod dice;
pub mod do_not_call;
pub mod drift;
pub mod due;
pub mod engine;
pub mod export;
pub mod facts;
pub mod filter;
pub mod gate;
pub mod generation;
pub mod guards;
pub mod ids;
pub mod intent;
pub mod kept;
pub mod now;
pub mod order;
pub mod overrides;
pub mod person;
pub mod phone;
pub mod plan;
pub mod policy;
pub mod reason;
pub mod region;
pub mod result_name;
pub mod results;
pub mod retry;
pub mod sms;
pub mod special_days;
pub mod statistics;
pub mod survey;
pub mod tenant;
pub mod zone;
