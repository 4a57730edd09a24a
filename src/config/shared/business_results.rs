//! The business results of `shared/business-results.toml`.

use std::collections::BTreeMap;

use super::Defined;
use crate::{
    config::{
        code::Code,
        load::{Commit, InFile},
        read::At,
        tables::business_results::{BusinessResultTable, BusinessResultsFile, SubResultTable},
    },
    domain::{business_result::BusinessResult, ids::SubResultId},
};

/// Reads them.
pub(crate) fn business_results(file: InFile<BusinessResultsFile>, commit: &mut Commit<'_>) -> Defined<BusinessResult> {
    let InFile { file, value } = file;
    let mut results = Defined::begin(value.business_results.is_none());
    for table in value.business_results.map(|list| list.value).unwrap_or_default() {
        let result = table.value;
        results.take_up(file, result.id.as_ref(), result.name.as_ref(), commit);
        let differ = unique_sub_results(file, &result.sub_results.value, commit);
        results.put(definition(result).filter(|_| differ));
    }
    results
}

/// Reports sub-results that have what another has, and tells whether all ids differ.
fn unique_sub_results(file: usize, sub_results: &[At<SubResultTable>], commit: &mut Commit<'_>) -> bool {
    let mut differ = true;
    let (mut ids, mut names) = (BTreeMap::new(), BTreeMap::new());
    for At { value: sub_result, .. } in sub_results {
        if let Some(id) = &sub_result.id {
            let place = InFile { file, value: id.span };
            let message = || format!("two sub-results have the id {:?}", id.value.as_str());
            differ &= commit.unique(Code::DuplicateId, &mut ids, id.value.as_str(), place, message);
        }
        if let Some(name) = &sub_result.name {
            let place = InFile { file, value: name.span };
            let message = || format!("two sub-results have the name {:?}", name.value);
            commit.unique(Code::DuplicateName, &mut names, &name.value, place, message);
        }
    }
    differ
}

fn definition(table: BusinessResultTable) -> Option<BusinessResult> {
    let sub_results: Option<BTreeMap<SubResultId, String>> = table
        .sub_results
        .value
        .into_iter()
        .map(|At { value, .. }| Some((value.id?.value, value.name?.value)))
        .collect();
    Some(BusinessResult {
        id: table.id?.value,
        name: table.name?.value,
        sub_results: sub_results?,
        schedules_callback: table.schedules_callback.value,
        counts_as_goal: table.counts_as_goal.value,
    })
}
