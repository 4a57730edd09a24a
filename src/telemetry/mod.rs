//! Metrics, status values and logging: declared once, rendered elsewhere.

pub mod exchange;
pub mod log;
pub mod metrics;
pub mod process;
pub mod status;
