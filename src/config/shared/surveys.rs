//! The surveys of `shared/surveys`.

use std::collections::BTreeMap;

use super::{Defined, questions::questions};
use crate::{
    config::{
        code::Code,
        load::{Commit, InFile},
        read::At,
        tables::surveys::{SurveyFile, VersionTable},
    },
    domain::survey::{Survey, SurveyVersion},
};

/// Reads them; `gaps` if some file could not be read.
pub(crate) fn surveys(files: Vec<InFile<SurveyFile>>, gaps: bool, commit: &mut Commit<'_>) -> Defined<Survey> {
    if files.is_empty() && !gaps {
        return Defined::default();
    }
    let mut surveys = Defined::begin(gaps);
    for InFile { file, value: survey } in files {
        surveys.take_up(file, survey.id.as_ref(), survey.name.as_ref(), commit);
        surveys.put(definition(file, survey, commit));
    }
    surveys
}

fn definition(file: usize, survey: SurveyFile, commit: &mut Commit<'_>) -> Option<Survey> {
    let tables = survey.versions?.value;
    let mut whole = unique_numbers(file, &tables, commit);
    let mut versions = BTreeMap::new();
    for At { value: table, .. } in tables {
        let questions = table.questions.and_then(|list| questions(file, list.value, commit));
        match (table.version, table.state, questions) {
            (Some(number), Some(state), Some(questions)) => {
                versions.insert(number.value.get(), SurveyVersion { state: state.value, questions });
            }
            _ => whole = false,
        }
    }
    let versions = whole.then_some(versions);
    Some(Survey { id: survey.id?.value, name: survey.name?.value, kind: survey.r#type?.value, versions: versions? })
}

/// Reports versions that have the number of another, and tells whether all differ.
fn unique_numbers(file: usize, versions: &[At<VersionTable>], commit: &mut Commit<'_>) -> bool {
    let mut seen = BTreeMap::new();
    let mut differ = true;
    for number in versions.iter().filter_map(|version| version.value.version.as_ref()) {
        let place = InFile { file, value: number.span };
        let message = || format!("two versions have the number {}", number.value);
        differ &= commit.unique(Code::DuplicateVersion, &mut seen, &number.value.to_string(), place, message);
    }
    differ
}
