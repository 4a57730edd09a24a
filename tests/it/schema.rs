//! The JSON Schemas: up to date, complete, and never stricter than the parser, as a validator that is
//! not ours judges (check-jsonschema from PyPI, which `tests/run` installs).

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command as Process,
};

use clap::Parser;
use dialops::{cli::schema, config::schema::documents};
use serde_json::Value as Json;

use crate::config_fixtures::{FIXTURES, Files, faults, files};

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    args: schema::Args,
}

fn run(args: &[&str]) -> (u8, String) {
    let args = Command::parse_from([&["schema"], args].concat()).args;
    let mut err = Vec::new();
    let exit = schema::run(args, &mut Vec::new(), &mut err).unwrap();
    (exit, String::from_utf8(err).unwrap())
}

#[test]
fn the_committed_schemas_are_up_to_date() {
    assert_eq!(run(&["--check", "schemas"]), (0, "6 schemas in schemas are up to date\n".to_owned()));
}

#[test]
fn a_stale_schema_is_named_with_its_first_difference() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    assert_eq!(run(&["--write", path]).0, 0);
    assert_eq!(run(&["--check", path]).0, 0);
    let file = folder.path().join("tenant.schema.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("dialops tenant", "a tenant")).unwrap();
    let (exit, err) = run(&["--check", path]);
    assert_eq!(exit, 2);
    assert!(err.contains("tenant.schema.json:3 is stale: it has `\"title\": \"a tenant\",`"), "{err}");
    fs::remove_file(&file).unwrap();
    assert!(run(&["--check", path]).1.contains("tenant.schema.json cannot be read"));
}

/// The schema that a file of a repository goes with.
fn schema_of(path: &str) -> &'static str {
    match path {
        "dialops.toml" | "dialops.example.toml" => "settings.schema.json",
        "campaigns/shared/tenant.toml" => "tenant.schema.json",
        "campaigns/shared/queues.toml" => "queues.schema.json",
        "campaigns/shared/agents.toml" => "agents.schema.json",
        path if path.starts_with("campaigns/templates/") => "template.schema.json",
        _ => "campaign.schema.json",
    }
}

/// Validates files with check-jsonschema; what it says of those that it refuses.
fn refused(by_schema: &BTreeMap<&str, Vec<PathBuf>>) -> String {
    let installed = Path::new("target/venv/bin/check-jsonschema");
    let program = if installed.exists() { installed } else { Path::new("check-jsonschema") };
    let mut refused = String::new();
    for (schema, files) in by_schema {
        let done = Process::new(program)
            .args(["--schemafile", &format!("schemas/{schema}")])
            .args(files)
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}; `tests/run` installs it", program.display()));
        if !done.status.success() {
            refused += &String::from_utf8_lossy(&[done.stdout, done.stderr].concat());
        }
    }
    refused
}

#[test]
fn the_examples_and_the_exhaustive_sample_hold_to_the_schemas() {
    let mut by_schema: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let example = files(Path::new("campaigns")).into_keys().map(|path| format!("campaigns/{path}"));
    for path in example.chain(["dialops.example.toml".to_owned()]) {
        let text = fs::read_to_string(&path).unwrap();
        let named = text.lines().next().unwrap().strip_prefix("#:schema ").unwrap();
        let named = Path::new(&path).parent().unwrap().join(named).canonicalize().unwrap();
        assert_eq!(named.file_name().unwrap(), schema_of(&path), "{path} names another schema");
        by_schema.entry(schema_of(&path)).or_default().push(PathBuf::from(path));
    }
    let sample = Path::new(FIXTURES).join("exhaustive");
    for path in files(&sample).into_keys() {
        by_schema.entry(schema_of(&path)).or_default().push(sample.join(path));
    }
    assert_eq!(refused(&by_schema), "");
}

#[test]
fn the_exhaustive_sample_has_every_key() {
    let sample = files(&Path::new(FIXTURES).join("exhaustive"));
    for document in documents() {
        let schema: Json = serde_json::from_str(&document.text).unwrap();
        let files = sample.iter().filter(|(path, _)| schema_of(path) == document.file);
        let files: Vec<toml::Value> = files.map(|(_, bytes)| toml::from_slice(bytes).unwrap()).collect();
        let mut missing = Vec::new();
        every_key(&schema, &files.iter().collect::<Vec<_>>(), "", &mut missing);
        // A secret has one of its keys.
        missing.retain(|key| !key.contains(".token.") && !key.contains("password."));
        assert!(missing.is_empty(), "{}: {missing:?}", document.file);
    }
}

/// Collects the schema's keys that no value of the sample has.
fn every_key(schema: &Json, values: &[&toml::Value], at: &str, missing: &mut Vec<String>) {
    for choice in schema["oneOf"].as_array().into_iter().flatten() {
        every_key(choice, values, at, missing);
    }
    if let Some(items) = schema.get("items") {
        let inner: Vec<_> = values.iter().filter_map(|value| value.as_array()).flatten().collect();
        every_key(items, &inner, at, missing);
    }
    for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
        let at = format!("{at}.{key}");
        let inner: Vec<_> = values.iter().filter_map(|value| value.get(key)).collect();
        if inner.is_empty() {
            missing.push(at);
        } else {
            every_key(schema, &inner, &at, missing);
        }
    }
}

/// Values that stand on an edge of some rule.
const VALUES: [&str; 37] = [
    "\"\"",
    "\" \"",
    "\"x\"",
    "'a-1'",
    "\"\"\"running\"\"\"",
    "\"春\"",
    "\"CN\"",
    "\"0s\"",
    "\"5s\"",
    "\"120s\"",
    "\"2m\"",
    "\"999999999d\"",
    "\"366d\"",
    "\"+1234\"",
    "\"+123456789012345\"",
    "\"Etc/GMT+8\"",
    "\"UTC\"",
    "\"00:00-24:00\"",
    "[\"00:00-24:00\"]",
    "[\"23:59-00:00\"]",
    "[]",
    "{}",
    "true",
    "0",
    "1",
    "+5",
    "0x5",
    "1_0",
    "100",
    "1.0",
    "2031-03-01T00:00:00z",
    "2031-03-01 00:00:00.123456789-12:00",
    "2031-03-01",
    "\"sip:a@b\"",
    "\"sip:a@[::1]:1\"",
    "\"[::1]:65535\"",
    "\"a/b\"",
];

/// Slight changes of a file: each value by each of [`VALUES`], each line away or twice, each character
/// away.
fn mutants(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let with_line =
        |index: usize, line: &[&str]| [&lines[..index], line, &lines[index + 1..], &[""]].concat().join("\n");
    let mut mutants = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        mutants.push(with_line(index, &[]));
        mutants.push(with_line(index, &[line, line]));
        if let Some((key, _)) = line.split_once(" = ") {
            mutants.extend(VALUES.iter().map(|value| with_line(index, &[&format!("{key} = {value}")])));
        }
        for (at, character) in line.char_indices() {
            mutants.push(with_line(index, &[&format!("{}{}", &line[..at], &line[at + character.len_utf8()..])]));
        }
    }
    mutants
}

/// Nothing that the parser accepts is refused by the schema.
#[test]
fn the_schemas_are_never_stricter_than_the_parser() {
    let sample = files(&Path::new(FIXTURES).join("exhaustive"));
    let folder = tempfile::tempdir().unwrap();
    let mut accepted: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut count = 0;
    for (path, bytes) in &sample {
        for (number, mutant) in mutants(std::str::from_utf8(bytes).unwrap()).into_iter().enumerate() {
            let mut mutated: Files = sample.clone();
            mutated.insert(path.clone(), mutant.clone().into_bytes());
            if faults(&mutated).is_empty() {
                let file = folder.path().join(format!("{}.{number}.toml", path.replace('/', "_")));
                fs::write(&file, mutant).unwrap();
                accepted.entry(schema_of(path)).or_default().push(file);
            }
            count += 1;
        }
    }
    let taken: usize = accepted.values().map(Vec::len).sum();
    assert!(count > 4_000 && taken > 400, "{taken} of {count} mutants accepted");
    assert_eq!(refused(&accepted), "");
}
