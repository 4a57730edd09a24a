//! The one integration binary: real peers, real files, the real daemon.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests")]

mod check;
mod cli;
mod http;
mod schema;
mod served;
mod systemd;
