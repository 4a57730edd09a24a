//! The one integration binary: real peers, real files, the real daemon.

mod sip;
