//! Metrics, status values and logging: declared once, rendered elsewhere.

mod drift;
pub mod failures;
pub mod log;
pub mod metrics;
pub mod process;
pub mod status;
