//! Metrics, status values and logging: declared once, rendered elsewhere.

pub mod status;
