//! `shared/queues.toml`.

use crate::{
    config::{
        kinds::{
            list::List,
            text::{Slug, Text},
        },
        table::table,
    },
    domain::ids::QueueId,
};

table! {
    /// Skill queues: named groups of agents.
    pub(crate) struct QueuesFile "the file of queues" {
        /// One `[[queues]]` for each.
        required queues: List<QueueTable, 1> => [{ id = "sales", name = "Sales" }],
    }
}

table! {
    /// A skill queue.
    pub(crate) struct QueueTable "a queue" {
        /// Identity: 1 to 64 of a-z, 0-9 and '-', unique.
        required id: Slug<QueueId> => "sales",
        /// Shown to people; 1 to 100 characters.
        required name: Text<1, 100> => "Sales",
    }
}
