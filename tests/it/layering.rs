//! Imports go down only, and the core is pure: read off the `use` lines and paths of every file.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Each module's row; modules on one row never import each other, but for what `ALSO` allows.
const ROWS: &[(&str, u32)] = &[
    ("domain", 0),
    ("clock", 1),
    ("config", 1),
    ("control", 1),
    ("signing", 1),
    ("sim", 1),
    ("telemetry", 1),
    ("gitops", 2),
    ("store", 2),
    ("telephony", 2),
    ("contacts", 3),
    ("delivery", 3),
    ("exports", 3),
    ("dialer", 4),
    ("http", 4),
    ("reconcile", 4),
    ("app", 5),
    ("cli", 6),
    ("main", 6),
    ("lib", 6),
];

/// Sideways imports that the design names.
const ALSO: &[(&str, &str)] = &[("sim", "config"), ("exports", "contacts")];

/// What the pure core may not touch.
const IMPURE: &[&str] = &[
    "tokio",
    "rusqlite",
    "serde",
    "schemars",
    "tracing",
    "reqwest",
    "axum",
    "git2",
    "notify",
    "rand::",
    "getrandom",
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "HashMap",
    "HashSet",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "crate::clock",
    "crate::config",
    "crate::store",
    "crate::telephony",
];

fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                files.push((path.strip_prefix(&root).unwrap().to_owned(), text));
            }
        }
    }
    assert!(files.len() > 50, "the sources were not found");
    files
}

fn module_of(path: &Path) -> String {
    let first = path.iter().next().unwrap().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// The code lines of a file, comments cut off.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(|line| line.split("//").next().unwrap_or_default())
}

/// Modules named right after `crate::`, also inside `use crate::{ … }`.
fn imported(text: &str) -> Vec<String> {
    let code: Vec<&str> = code(text).collect();
    let code = code.join("\n");
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut word = String::new();
            let mut fresh = true;
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => fresh = true,
                    c if depth == 0 && fresh && (c.is_alphanumeric() || c == '_') => word.push(c),
                    c if depth == 0 && fresh && c.is_whitespace() && word.is_empty() => {}
                    _ if depth == 0 && fresh => {
                        found.push(std::mem::take(&mut word));
                        fresh = false;
                    }
                    _ => {}
                }
                if c == ',' && depth == 0 && !word.is_empty() {
                    found.push(std::mem::take(&mut word));
                }
            }
            if !word.is_empty() {
                found.push(word);
            }
        } else {
            found.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    found
}

#[test]
fn imports_go_down_only() {
    let rows: BTreeMap<&str, u32> = ROWS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let module = module_of(&path);
        let own = *rows.get(module.as_str()).unwrap_or_else(|| panic!("src/{module} has no row: enter it in ROWS"));
        for other in imported(&text) {
            let Some(row) = rows.get(other.as_str()) else { continue };
            let allowed = ALSO.contains(&(module.as_str(), other.as_str()));
            if other != module && *row >= own && !allowed {
                wrong.push(format!("src/{} (row {own}) imports {other} (row {row})", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "imports must go down:\n{}", wrong.join("\n"));
}

#[test]
fn the_core_is_pure() {
    let mut wrong = Vec::new();
    for (path, text) in sources().into_iter().filter(|(path, _)| path.starts_with("domain")) {
        for (line, text) in code(&text).enumerate() {
            for impure in IMPURE.iter().filter(|impure| text.contains(**impure)) {
                wrong.push(format!("src/{}:{} names {impure}", path.display(), line + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "the core has no IO, clock or hash order:\n{}", wrong.join("\n"));
}

#[test]
fn no_test_file_is_forgotten() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let main = fs::read_to_string(folder.join("main.rs")).unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        let Some(module) = name.strip_suffix(".rs") else { continue };
        assert!(
            module == "main" || main.contains(&format!("mod {module};")),
            "tests/it/main.rs has no `mod {module};`"
        );
    }
}
