//! The names of results of `shared/results.toml`.

use std::collections::BTreeMap;

use crate::{
    config::{
        code::Code,
        load::{Commit, InFile},
        tables::results::ResultsFile,
    },
    domain::{result_name::ResultName, results::CallResult},
};

/// Reads them; `None` if one of them could not be built.
pub(crate) fn result_names(
    file: InFile<ResultsFile>,
    commit: &mut Commit<'_>,
) -> Option<BTreeMap<CallResult, ResultName>> {
    let InFile { file, value } = file;
    let (mut results, mut names) = (BTreeMap::new(), BTreeMap::new());
    let mut found = BTreeMap::new();
    let mut whole = true;
    for table in value.results?.value {
        let table = table.value;
        if let Some(result) = &table.result {
            let place = InFile { file, value: result.span };
            let message = || format!("result {:?} stands twice in this list", result.value.as_str());
            commit.unique(Code::Repeated, &mut results, result.value.as_str(), place, message);
        }
        if let Some(name) = &table.name {
            let place = InFile { file, value: name.span };
            let message = || format!("two results have the name {:?}", name.value);
            commit.unique(Code::DuplicateName, &mut names, &name.value, place, message);
        }
        match (table.result, table.name) {
            (Some(result), Some(name)) => {
                let group = table.group.map(|group| group.value);
                found.insert(result.value, ResultName { name: name.value, group });
            }
            _ => whole = false,
        }
    }
    whole.then_some(found)
}
