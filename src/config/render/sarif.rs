//! SARIF 2.1.0, which code hosts and editors read.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{gitlab::fingerprint, uri, visible};
use crate::config::{
    code::Code,
    diagnostic::{Diagnostic, Location, Severity, Source, Suggestion},
};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// All diagnostics as one run. `source` gives a file's text, by its path; without it an edit is left out.
pub fn sarif<'s>(
    diagnostics: &'s [Diagnostic],
    source: impl Fn(&str) -> Option<&'s str>,
) -> Result<String, serde_json::Error> {
    let mut seen = BTreeMap::new();
    let results: Vec<Json> = diagnostics
        .iter()
        .map(|diagnostic| {
            let mut result = result(diagnostic);
            result["partialFingerprints"] = json!({ "dialopsProblem/v1": fingerprint(diagnostic, &mut seen) });
            let edit = diagnostic.suggestion.as_ref();
            if let Some((edit, text)) = edit.and_then(|edit| Some((edit, source(&diagnostic.location.file)?))) {
                result["fixes"] = json!([fix(edit, &Source::new(diagnostic.location.file.clone(), text))]);
            }
            result
        })
        .collect();
    let report = serde_json::to_string_pretty(&json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "dialops check",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": Code::ALL.iter().map(|code| rule(*code)).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    }))?;
    Ok(visible(&report).into_owned())
}

fn rule(code: Code) -> Json {
    json!({
        "id": code.as_str(),
        "name": format!("{code:?}"),
        "shortDescription": { "text": code.about() },
        "help": { "text": format!("`dialops check --explain {code}` tells more.") },
    })
}

fn result(diagnostic: &Diagnostic) -> Json {
    let level = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let mut message = diagnostic.message.clone();
    if let Some(help) = &diagnostic.help {
        message += &format!("; {help}");
    }
    let mut result = json!({
        "ruleId": diagnostic.code.as_str(),
        "ruleIndex": Code::ALL.iter().position(|code| *code == diagnostic.code),
        "level": level,
        "message": { "text": message },
        "locations": [place(&diagnostic.location)],
    });
    if !diagnostic.related.is_empty() {
        let related = diagnostic.related.iter().map(|related| {
            let mut place = place(&related.location);
            place["message"] = json!({ "text": related.label });
            place
        });
        result["relatedLocations"] = related.collect();
    }
    result
}

fn place(location: &Location) -> Json {
    let mut place = json!({ "artifactLocation": { "uri": uri(&location.file) } });
    if location.line > 0 {
        place["region"] = region(location);
    }
    json!({ "physicalLocation": place })
}

fn region(location: &Location) -> Json {
    json!({
        "startLine": location.line,
        "startColumn": location.column,
        "endLine": location.end_line,
        "endColumn": location.end_column,
    })
}

fn fix(edit: &Suggestion, source: &Source<'_>) -> Json {
    json!({
        "description": { "text": edit.message },
        "artifactChanges": [{
            "artifactLocation": { "uri": uri(&source.path) },
            "replacements": [{
                "deletedRegion": region(&source.locate(edit.span)),
                "insertedContent": { "text": edit.text },
            }],
        }],
    })
}
