//! The one integration binary: real peers, real files, the real daemon.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests")]

mod business;
mod calendars;
mod check;
mod ci;
mod cli;
mod config_fixtures;
mod contacts;
mod daemon;
mod definitions;
mod demo;
mod do_not_call;
mod faults;
mod filters;
mod gitops;
mod hostile;
mod hours;
mod http;
mod kill;
mod layering;
mod limits;
mod loader;
mod oracle;
mod phones;
mod plan;
mod policies;
mod random_cases;
mod reconcile;
mod reference;
mod repository;
mod rounds;
mod schema;
mod served;
mod shown;
mod simulate;
mod sip;
mod stage;
mod store;
mod systemd;
mod template;
mod validators;
mod why;
mod worked_cases;
