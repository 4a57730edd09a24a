//! The queues of `shared/queues.toml`.

use super::Defined;
use crate::{
    config::{
        load::{Commit, InFile},
        tables::queues::{QueueTable, QueuesFile},
    },
    domain::campaign::Queue,
};

/// Reads them.
pub(crate) fn queues(file: InFile<QueuesFile>, commit: &mut Commit<'_>) -> Defined<Queue> {
    let InFile { file, value } = file;
    let mut queues = Defined::begin(value.queues.is_none());
    for table in value.queues.map(|list| list.value).unwrap_or_default() {
        let queue = table.value;
        queues.take_up(file, queue.id.as_ref(), queue.name.as_ref(), commit);
        queues.put(definition(queue));
    }
    queues
}

fn definition(table: QueueTable) -> Option<Queue> {
    Some(Queue { id: table.id?.value, name: table.name?.value })
}
