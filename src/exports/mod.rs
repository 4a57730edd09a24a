//! Exports: contacts and attempts out into files, by jobs that people ask for (ADR 24).
//!
//! A job reads short pages behind all other work of the store, and writes into a folder beside it, which nobody else may
//! read. A file gets its name once it is whole and on the disk, and is served only while the store says that it is
//! there. So what a daemon leaves that was killed is nothing that anybody could get.
//!
//! | file | what |
//! |---|---|
//! | `columns` | the columns, and what of a row stands in each |
//! | `cell` | values, and how a spreadsheet is kept from taking one for a formula |
//! | `csv` `jsonl` `xlsx` | how rows are written |
//! | `sink` | where they go: hashed, and encrypted if that is wanted |
//! | `spool` | the folder |
//! | `write` | one file, from its rows to its name |
//! | `jobs` | what requests and jobs share |
//! | `run` | the loop that begins them and takes files away |

mod cell;
mod columns;
mod csv;
mod jobs;
mod jsonl;
mod run;
mod sink;
mod spool;
mod write;
mod xlsx;

pub use self::{
    cell::{guarded, unguarded},
    jobs::{Jobs, Progress},
    run::{Parts, run},
    sink::{RecipientError, check_recipient},
    spool::Spool,
};
