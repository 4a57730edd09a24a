//! The do-not-call lists of `shared/do-not-call.toml`.

use super::Defined;
use crate::{
    config::{
        load::{Commit, InFile},
        tables::do_not_call::{DoNotCallFile, DoNotCallTable},
    },
    domain::do_not_call::DoNotCallList,
};

/// Reads them.
pub(crate) fn do_not_call(file: InFile<DoNotCallFile>, commit: &mut Commit<'_>) -> Defined<DoNotCallList> {
    let InFile { file, value } = file;
    let mut lists = Defined::begin(value.lists.is_none());
    for table in value.lists.map(|list| list.value).unwrap_or_default() {
        let list = table.value;
        lists.take_up(file, list.id.as_ref(), list.name.as_ref(), commit);
        lists.put(definition(list));
    }
    lists
}

fn definition(table: DoNotCallTable) -> Option<DoNotCallList> {
    Some(DoNotCallList { id: table.id?.value, name: table.name?.value, description: table.description.value })
}
