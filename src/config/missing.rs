//! Files of `shared/` that are not there: one message each, however many places refer to what they would define.

use super::{
    code::Code,
    diagnostic::{Diagnostic, Location, sort},
    load::full_path,
    shared::Absent,
};

/// Places that are shown; the others are counted.
const SHOWN_MAX: usize = 3;

/// Puts one fault of each absent file in the place of those of all references to it.
pub(crate) fn fold(folder: &str, absent: &[Absent], diagnostics: &mut Vec<Diagnostic>) {
    for file in absent {
        let mut references: Vec<_> = diagnostics.extract_if(.., |diagnostic| diagnostic.code == file.unknown).collect();
        sort(&mut references);
        // A single one says it best where it stands.
        if references.len() > 1 {
            references = vec![missing(folder, file, &references)];
        }
        diagnostics.append(&mut references);
    }
}

fn missing(folder: &str, file: &Absent, references: &[Diagnostic]) -> Diagnostic {
    let path = full_path(folder, file.path.trim_end_matches("/*.toml"));
    let Absent { many, .. } = file;
    let message = format!("nothing is here, and {} places refer to {many} in it", references.len());
    let mut diagnostic = Diagnostic::error(Code::MissingFile, Location::file(&path), message);
    let more = references.len().saturating_sub(SHOWN_MAX);
    for (index, reference) in references.iter().take(SHOWN_MAX).enumerate() {
        let label = match index {
            _ if more > 0 && index + 1 == SHOWN_MAX => format!("and here, and in {more} more places"),
            0 => "refers to it here".to_owned(),
            _ => "and here".to_owned(),
        };
        diagnostic.relate(reference.location.clone(), label);
    }
    diagnostic.help(format!("define the {many} there"));
    diagnostic
}
