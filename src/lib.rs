//! Outbound call campaigns as code: a daemon that follows a Git branch and dials.
//!
//! Imports go down only:
//!
//! | row | modules |
//! |---|---|
//! | 0 | [`domain`]: the pure core |
//! | 1 | [`config`] [`clock`] [`control`] [`signing`] [`telemetry`] · [`sim`], which uses `config` |
//! | 2 | [`gitops`] [`store`] [`telephony`] |
//! | 3 | [`contacts`] [`delivery`] · [`exports`], which uses `contacts` (on the `Store` trait) |
//! | 4 | [`reconcile`] [`dialer`] [`http`] |
//! | 5–6 | [`app`] · [`cli`], `main` |
//!
//! A test reads the `use` lines and holds this (`tests/it/layering.rs`).

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod contacts;
pub mod control;
pub mod delivery;
pub mod dialer;
pub mod domain;
pub mod exports;
pub mod gitops;
pub mod http;
pub mod reconcile;
pub mod signing;
pub mod sim;
pub mod store;
pub mod telemetry;
pub mod telephony;
