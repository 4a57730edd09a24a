//! What is said of each route, by what it is about.

mod agents;
mod campaigns;
mod contacts;
mod decisions;
mod exports;
mod looks;
mod pages;
mod people;
mod questionnaires;
mod supervisors;

use super::operation::{self, Operation};

/// The groups, in the order in which they are shown.
pub(super) const TAGS: [(&str, &str); 10] = [
    ("daemon", "How the daemon stands, what is in force and what has happened"),
    ("campaigns", "How campaigns stand, their results and batches"),
    ("contacts", "Customers: imported, listed, edited, erased"),
    ("do-not-call", "Numbers that are not called"),
    ("agents", "Agents, and the calls that they are in"),
    ("questionnaires", "What agents ask customers, and what was answered"),
    ("exports", "Files of contacts and attempts"),
    ("decisions", "What people decide against the files, or for a commit; what others are told"),
    ("people", "Who is let in, and who changed what"),
    ("pages", "Pages for browsers, and what machines watch"),
];

/// All of them.
pub(super) fn all() -> Vec<Operation> {
    let groups = [
        ("daemon", looks::all()),
        ("campaigns", campaigns::all()),
        ("contacts", contacts::all()),
        ("do-not-call", contacts::do_not_call()),
        ("agents", agents::all()),
        ("questionnaires", questionnaires::all()),
        ("exports", exports::all()),
        ("decisions", decisions::all()),
        ("people", people::all()),
        ("pages", pages::all()),
        ("pages", exports::pages()),
        ("pages", supervisors::all()),
    ];
    groups.into_iter().flat_map(|(tag, group)| group.into_iter().map(|one| one.tagged(tag))).collect()
}
