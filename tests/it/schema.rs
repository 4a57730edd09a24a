//! The JSON Schemas: up to date, complete, and never stricter than the parser, as validators that are
//! not ours judge.

use std::{fs, path::Path};

use clap::Parser;
use dialops::{
    cli::schema,
    config::{code::Code, diagnostic::Severity, schema::documents},
};
use serde_json::Value as Json;

use crate::{
    config_fixtures::{FIXTURES, Files, faults, files},
    validators::{BySchema, Draft, Validator, schema_of},
};

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
    assert_eq!(run(&["--check", "schemas"]), (0, "31 schemas in schemas are up to date\n".to_owned()));
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
    assert_eq!(run(&["--write", path]).0, 0);
    fs::write(folder.path().join("draft-07/cities.schema.json"), "{}").unwrap();
    let (exit, err) = run(&["--check", path]);
    assert!(exit == 2 && err.contains("draft-07/cities.schema.json belongs to no kind of file"), "{err}");
}

#[test]
fn the_exhaustive_sample_uses_every_option_and_every_word() {
    let sample = files(&Path::new(FIXTURES).join("exhaustive"));
    // A template has the tables of a campaign.
    let own = |file: &str| !file.contains('/') && file != "template.schema.json";
    for document in documents().iter().filter(|document| own(&document.file)) {
        let schema: Json = serde_json::from_str(&document.text).unwrap();
        let of_this_kind =
            sample.iter().filter(|(path, _)| document.file == format!("{}.schema.json", schema_of(path)));
        let parsed: Vec<toml::Value> =
            of_this_kind.map(|(_, bytes)| toml::from_str(std::str::from_utf8(bytes).unwrap()).unwrap()).collect();
        assert!(!parsed.is_empty(), "no sample of {}", document.file);
        let mut walk = Walk { whole: &schema, missing: Vec::new(), open: Vec::new() };
        walk.value(&schema, &parsed.iter().collect::<Vec<_>>(), "");
        walk.missing
            .retain(|missing| !IDLE.iter().any(|word| missing.ends_with(&format!("by_result.result = \"{word}\""))));
        // There is one tenant, which has one word of each.
        walk.missing.retain(|missing| missing != ".agents.hold = \"off_hook\"");
        // Every file may have it, and some do.
        walk.missing.retain(|missing| missing != ".schema_version");
        assert!(walk.missing.is_empty(), "{}: the sample lacks {:#?}", document.file, walk.missing);
    }
}

/// Walks a schema beside all the values of a sample that stand where it holds.
struct Walk<'a> {
    whole: &'a Json,
    /// Keys and words that no value has.
    missing: Vec<String>,
    /// Definitions that are being looked into: those that hold themselves end there.
    open: Vec<&'a str>,
}

impl<'a> Walk<'a> {
    fn value(&mut self, schema: &'a Json, values: &[&toml::Value], at: &str) {
        if let Some(name) = schema["$ref"].as_str().and_then(|target| target.strip_prefix("#/$defs/")) {
            if !self.open.contains(&name) {
                self.open.push(name);
                let mut all = Vec::new();
                values.iter().for_each(|value| with_inner(value, &mut all));
                self.value(&self.whole["$defs"][name], &all, at);
                self.open.pop();
            }
            return;
        }
        for choice in ["oneOf", "anyOf", "allOf"] {
            for inner in schema[choice].as_array().into_iter().flatten() {
                self.choice(inner, values, at);
            }
        }
        for word in schema["enum"].as_array().into_iter().flatten() {
            if !values.iter().any(|value| value.as_str() == word.as_str()) {
                self.missing.push(format!("{at} = {word}"));
            }
        }
        if schema["items"].is_object() {
            let inner: Vec<_> = values.iter().filter_map(|value| value.as_array()).flatten().collect();
            self.value(&schema["items"], &inner, at);
        }
        self.table(schema, values, at);
    }

    /// One of several forms: some value must have its type.
    fn choice(&mut self, schema: &'a Json, values: &[&toml::Value], at: &str) {
        let Some(kind) = schema["type"].as_str() else { return self.value(schema, values, at) };
        let of_this_type: Vec<_> = values.iter().copied().filter(|value| has_type(value, kind)).collect();
        if of_this_type.is_empty() {
            self.missing.push(format!("{at} as a {kind}"));
        } else {
            self.value(schema, &of_this_type, at);
        }
    }

    fn table(&mut self, schema: &'a Json, values: &[&toml::Value], at: &str) {
        let known = schema["properties"].as_object();
        for (key, schema) in known.into_iter().flatten() {
            let at = format!("{at}.{key}");
            let inner: Vec<_> = values.iter().filter_map(|value| value.get(key)).collect();
            if inner.is_empty() {
                self.missing.push(at);
            } else {
                self.value(schema, &inner, &at);
            }
        }
        let others = &schema["additionalProperties"];
        if others.is_object() {
            let tables = values.iter().filter_map(|value| value.as_table()).flatten();
            let is_other = |key: &String| known.is_none_or(|known| !known.contains_key(key));
            let inner: Vec<_> = tables.filter(|(key, _)| is_other(key)).map(|(_, value)| value).collect();
            self.value(others, &inner, &format!("{at}.NAME"));
        }
    }
}

/// A value and all tables in it, at any depth.
fn with_inner<'v>(value: &'v toml::Value, all: &mut Vec<&'v toml::Value>) {
    if let Some(table) = value.as_table() {
        all.push(value);
        table.values().for_each(|inner| with_inner(inner, all));
    }
    value.as_array().into_iter().flatten().for_each(|inner| with_inner(inner, all));
}

/// Words that a rule by result may have and that never have an effect there.
const IDLE: [&str; 5] = ["answered", "network_failure", "carrier_congestion", "agent_lost", "unknown"];

fn has_type(value: &toml::Value, kind: &str) -> bool {
    match kind {
        "string" => value.is_str() || value.is_datetime(),
        "integer" => value.is_integer(),
        "number" => value.is_integer() || value.is_float(),
        "boolean" => value.is_bool(),
        "array" => value.is_array(),
        "object" => value.is_table(),
        _ => panic!("no TOML type is called {kind}"),
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
/// Whether `check` takes the files; what only TOML 1.1 knows the validators need not know.
fn accepts(files: &Files) -> bool {
    faults(files).iter().all(|fault| fault.severity != Severity::Error && fault.code != Code::NewerSyntax)
}

#[test]
fn the_schemas_are_never_stricter_than_the_parser() {
    let sample = files(&Path::new(FIXTURES).join("exhaustive"));
    let folder = tempfile::tempdir().unwrap();
    let mut accepted = BySchema::new();
    let mut count = 0;
    for (path, bytes) in &sample {
        for (number, mutant) in mutants(std::str::from_utf8(bytes).unwrap()).into_iter().enumerate().step_by(8) {
            let mut mutated: Files = sample.clone();
            // All settings of the sample are read in turn as this machine's.
            let place = if path.starts_with("dialops.") { "dialops.toml" } else { path };
            mutated.insert(place.to_owned(), mutant.clone().into_bytes());
            if accepts(&mutated) {
                let file = folder.path().join(format!("{}.{number}.toml", path.replace('/', "_")));
                fs::write(&file, mutant).unwrap();
                accepted.entry(schema_of(path)).or_default().push(file);
            }
            count += 1;
        }
    }
    let taken: usize = accepted.values().map(Vec::len).sum();
    assert!(count > 3_000 && taken > 400, "{taken} of {count} mutants accepted");
    for (validator, draft) in Validator::ALL.into_iter().flat_map(|v| Draft::ALL.map(|draft| (v, draft))) {
        assert_eq!(validator.refuses(draft, &accepted), None, "{validator:?} {draft:?}");
    }
}
