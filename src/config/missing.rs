//! Files of `shared/` that are not there: one message each, however many places refer to what they would define.

use super::{
    code::Code,
    diagnostic::{Diagnostic, Location},
    load::full_path,
    shared::Absent,
};

/// Places that are shown; the others are counted.
const SHOWN_MAX: usize = 3;

/// Puts one fault of each absent file in the place of those of all references to it; `diagnostics` are sorted.
pub(crate) fn fold(folder: &str, absent: &[Absent], diagnostics: &mut Vec<Diagnostic>) {
    for file in absent {
        let is_reference = |diagnostic: &Diagnostic| diagnostic.code == file.unknown;
        // A single one says it best where it stands.
        if diagnostics.iter().filter(|diagnostic| is_reference(diagnostic)).count() > 1 {
            let references = diagnostics.extract_if(.., |diagnostic| is_reference(diagnostic));
            let fault = missing(folder, file, &references.collect::<Vec<_>>());
            diagnostics.push(fault);
        }
    }
}

fn missing(folder: &str, file: &Absent, references: &[Diagnostic]) -> Diagnostic {
    let path = full_path(folder, file.path.trim_end_matches("/*.toml"));
    let Absent { many, .. } = file;
    let message = format!("nothing is here, and {} places refer to {many} in it", references.len());
    let mut diagnostic = Diagnostic::error(Code::MissingFile, Location::file(&path), message);
    for (index, reference) in references.iter().take(SHOWN_MAX).enumerate() {
        let label = match references.len() - SHOWN_MAX.min(references.len()) {
            more @ 1.. if index + 1 == SHOWN_MAX => format!("and here, and in {more} more places"),
            _ if index == 0 => "refers to it here".to_owned(),
            _ => "and here".to_owned(),
        };
        diagnostic.relate(reference.location.clone(), label);
    }
    diagnostic.help(format!("define the {many} there"));
    diagnostic
}
