//! Metrics, status values and logging: declared once, rendered elsewhere.

mod campaign_series;
mod drift;
pub mod exchange;
mod exports;
pub mod failures;
pub mod log;
pub mod metrics;
pub mod outbox;
pub mod process;
pub mod source_series;
pub mod status;
