//! Any bytes in place of any file of a configuration: an answer, and one that can be shown.
//!
//! The first byte chooses the file of the sample that the others replace.

#![no_main]
#![allow(dead_code, reason = "the rest of the package uses what this does not")]

#[path = "../../src/config/mod.rs"]
pub mod config;
#[path = "../../src/domain/mod.rs"]
pub mod domain;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use config::{Diagnostic, Settings, SourceFile, load, render, settings::outer_ceilings};
use libfuzzer_sys::fuzz_target;

/// The sample, by path in its repository; new kinds of files are in it by themselves.
fn sample() -> &'static BTreeMap<String, Vec<u8>> {
    static SAMPLE: OnceLock<BTreeMap<String, Vec<u8>>> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/config/exhaustive");
        let (mut files, mut folders) = (BTreeMap::new(), vec![root.clone()]);
        while let Some(folder) = folders.pop() {
            let entries = fs::read_dir(folder).expect("the sample is there");
            for path in entries.map(|entry| entry.expect("it can be listed").path()) {
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let inside = path.strip_prefix(&root).expect("it is inside").to_string_lossy().into_owned();
                    files.insert(inside, fs::read(&path).expect("it can be read"));
                }
            }
        }
        files
    })
}

fuzz_target!(|input: &[u8]| {
    let Some((&choice, bytes)) = input.split_first() else { return };
    let files = sample();
    let target = files.keys().nth(usize::from(choice) % files.len()).expect("there are files");
    let text = std::str::from_utf8(bytes).ok();
    let found = if target.starts_with("campaigns/") {
        configuration(files, target, bytes)
    } else {
        let Some(text) = text else { return };
        Settings::parse(&PathBuf::from(target), text).err().unwrap_or_default()
    };
    judge(&found, target, text);
});

fn configuration(files: &BTreeMap<String, Vec<u8>>, target: &str, bytes: &[u8]) -> Vec<Diagnostic> {
    let sources: Vec<SourceFile<'_>> = files
        .iter()
        .filter_map(|(path, good)| {
            let inside = path.strip_prefix("campaigns/")?;
            Some(SourceFile { path: inside, bytes: if path == target { bytes } else { good } })
        })
        .collect();
    load("campaigns", &sources, &outer_ceilings()).map_or_else(|found| found, |(_, warnings)| warnings)
}

/// Every diagnostic says something, stands in the file, and can be shown; every edit can be made.
fn judge(found: &[Diagnostic], target: &str, text: Option<&str>) {
    assert!(found.len() < 1_000, "{} diagnostics", found.len());
    for diagnostic in found {
        assert!(!diagnostic.message.is_empty());
        let Some(text) = text.filter(|_| *diagnostic.location.file == *target) else { continue };
        if let Some(span) = diagnostic.location.span {
            assert!(text.get(span.range()).is_some(), "{diagnostic:?}");
        }
        if let Some(edit) = &diagnostic.suggestion {
            assert!(text.get(edit.span.range()).is_some(), "{diagnostic:?}");
        }
        let source = |path: &str| text.get(..).filter(|_| path == target);
        assert!(!render::text(diagnostic, source, true).is_empty());
    }
    render::json(found, 1).expect("it can be written");
}
