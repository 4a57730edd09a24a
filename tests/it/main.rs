//! The one integration binary: real peers, real files, the real daemon.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod gitops;
mod reconcile;
mod repository;
