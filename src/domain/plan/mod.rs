//! The plan: what has to change for a commit to be in force, and what that comes to.
//!
//! [`plan()`] gives the steps, [`meaning`] says in words what a changed setting brings about, and
//! [`impact`] tells for each contact whether a new definition calls it earlier, later or never.

pub mod impact;
pub mod meaning;
mod steps;

pub use steps::{Action, Actual, Desired, Leaving, Plan, Verb, plan, verb};
