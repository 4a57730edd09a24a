//! The reference for people, in Markdown: a page for each kind of file, made from its schema and so from
//! the tables that read it, and a page of all codes.

use std::fmt::Write;

use serde_json::{Map, Value as Json};

use super::{
    code::Code,
    schema::{Document, FileType, file_types, phrase},
};

/// All pages.
#[must_use]
pub fn pages() -> Vec<Document> {
    let files = file_types();
    let mut pages = vec![
        Document { file: "README.md".to_owned(), text: contents(&files) },
        Document { file: "codes.md".to_owned(), text: codes() },
    ];
    pages.extend(files.iter().map(|file| Document { file: format!("{}.md", file.name), text: page(file) }));
    pages
}

/// What every page starts with, so that nobody edits one.
const MADE: &str =
    "<!-- Made by `dialops schema --reference --write docs/reference`; edit the tables in src/config instead. -->";

fn contents(files: &[FileType]) -> String {
    let mut text = format!("# Reference\n\n{MADE}\n\n");
    text += "| file | what it holds |\n|---|---|\n";
    for file in files {
        let about = file.schema["description"].as_str().unwrap_or_default();
        line(&mut text, format_args!("| [`{}`]({}.md) | {} |", file.place, file.name, cell(about)));
    }
    text += "\nEvery key is shown with its type, what stands when it is left out, and an example. A key that is not\n\
             here is an error. What the files say of each other (ids, queues, dates, ceilings) `dialops check`\n\
             holds them to; [codes.md](codes.md) lists everything it can say. Editors read the same from\n\
             [the schemas](../../schemas).\n";
    text
}

fn codes() -> String {
    let mut text = format!("# Codes\n\n{MADE}\n\n");
    text += "What `dialops check` can say. A code stays what it is, so scripts may match it.\n\n";
    text += "| code | meaning |\n|---|---|\n";
    for code in Code::ALL {
        line(&mut text, format_args!("| `{code}` | {} |", cell(code.about())));
    }
    text
}

fn page(file: &FileType) -> String {
    let about = file.schema["description"].as_str().unwrap_or_default();
    let mut page = Page { text: format!("# `{}`\n\n{MADE}\n\n{about}\n\n", file.place), file, told: Vec::new() };
    let (json, twin) = (format!("{}.schema.json", file.name), format!("draft-07/{}.schema.json", file.name));
    line(
        &mut page.text,
        format_args!(
            "Schemas: [{json}](../../schemas/{json}), [{twin}](../../schemas/{twin}). [All files](README.md).\n"
        ),
    );
    page.table("", &file.schema);
    page.text.truncate(page.text.trim_end().len());
    page.text.push('\n');
    page.text
}

/// One page while it is written.
struct Page<'a> {
    text: String,
    file: &'a FileType,
    /// Definitions that have their section already; they may hold themselves.
    told: Vec<String>,
}

impl<'a> Page<'a> {
    /// Writes the keys of a table, then a section for each table below it.
    fn table(&mut self, path: &str, table: &'a Json) {
        let required: Vec<&str> = table["required"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
        let mut inner = Vec::new();
        self.text += "| key | type | if it is left out | what it says | example |\n|---|---|---|---|---|\n";
        for (key, schema) in table["properties"].as_object().into_iter().flatten() {
            let at = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let tables = self.tables(&at, schema);
            self.row(key, schema, required.contains(&key.as_str()), tables.first().map(|(at, _)| at.as_str()));
            inner.extend(tables.into_iter().map(|(at, table)| (at, schema, table)));
        }
        if let Json::Object(_) = &table["additionalProperties"] {
            let schema = &table["additionalProperties"];
            let at = format!("{path}.NAME");
            let tables = self.tables(&at, schema);
            self.row("NAME", schema, false, tables.first().map(|(at, _)| at.as_str()));
            inner.extend(tables.into_iter().map(|(at, table)| (at, schema, table)));
        }
        self.text.push('\n');
        for (at, schema, table) in inner {
            self.section(&at, schema, table);
        }
    }

    fn row(&mut self, key: &str, schema: &Json, required: bool, section: Option<&str>) {
        let kind = cell(&phrase(self.resolve(schema)));
        let kind = section.map_or_else(|| kind.clone(), |at| format!("[{kind}](#{})", anchor(at)));
        let left_out = match (&schema["default"], required) {
            (_, true) => "**required**".to_owned(),
            (Json::Null, false) => "nothing".to_owned(),
            (Json::Object(keys), false) if keys.is_empty() => "its keys' defaults".to_owned(),
            (default, false) => code(default, schema),
        };
        let about = cell(schema["description"].as_str().unwrap_or_default());
        let example = schema["examples"].get(0).map_or_else(String::new, |example| code(example, schema));
        line(&mut self.text, format_args!("| `{key}` | {kind} | {left_out} | {about} | {example} |"));
    }

    fn section(&mut self, at: &str, schema: &Json, table: &'a Json) {
        line(&mut self.text, format_args!("## {}\n", heading(at)));
        let about = table["description"].as_str().or(schema["description"].as_str()).unwrap_or_default();
        line(&mut self.text, format_args!("{about}\n"));
        self.table(at, table);
    }

    /// Follows a reference to a definition of the file.
    fn resolve<'s>(&'s self, schema: &'s Json) -> &'s Json {
        let target = schema["$ref"].as_str().and_then(|target| target.strip_prefix("#/$defs/"));
        target.map_or(schema, |name| &self.file.schema["$defs"][name])
    }

    /// The tables that a value may be or hold, each with the path of its section.
    fn tables(&mut self, at: &str, schema: &'a Json) -> Vec<(String, &'a Json)> {
        if let Some(name) = schema["$ref"].as_str().and_then(|target| target.strip_prefix("#/$defs/")) {
            if self.told.iter().any(|told| told == name) {
                return Vec::new();
            }
            self.told.push(name.to_owned());
            return self.tables(at, &self.file.schema["$defs"][name]);
        }
        let has_keys = |object: &Map<String, Json>| {
            object.contains_key("properties") || object.get("additionalProperties").is_some_and(Json::is_object)
        };
        if schema.as_object().is_some_and(has_keys) {
            return vec![(at.to_owned(), schema)];
        }
        let choices = ["oneOf", "anyOf"].iter().filter_map(|word| schema[*word].as_array()).flatten();
        let mut found: Vec<_> = choices.flat_map(|choice| self.tables(at, choice)).collect();
        if schema["items"].is_object() {
            found.extend(self.tables(&format!("{at}[]"), &schema["items"]));
        }
        found
    }
}

/// `results.global`, and `[[trunks]]` for a list of tables.
fn heading(at: &str) -> String {
    match at.strip_suffix("[]") {
        Some(list) => format!("`[[{}]]`", list.replace("[]", "")),
        None => format!("`[{}]`", at.replace("[]", "")),
    }
}

/// The anchor that a heading gets: lowercase, without punctuation.
fn anchor(at: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, '_' | '-');
    heading(at).to_lowercase().chars().filter(kept).collect()
}

/// A value as TOML, in the middle of a line.
fn code(value: &Json, schema: &Json) -> String {
    // A backtick in a value would end the code.
    format!("`{}`", cell(&toml(value, schema)).replace('`', "'"))
}

fn toml(value: &Json, schema: &Json) -> String {
    match value {
        Json::String(text) if schema["format"] == "date-time" => text.clone(),
        Json::String(text) => toml::Value::from(text.as_str()).to_string(),
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| toml(item, &schema["items"])).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(object) => {
            let known = schema["properties"].as_object();
            let mut entries: Vec<_> = object.iter().collect();
            entries.sort_by_key(|(key, _)| known.and_then(|known| known.keys().position(|known| known == *key)));
            let inner = |key: &String| known.and_then(|known| known.get(key)).unwrap_or(&Json::Null);
            let entries: Vec<String> =
                entries.into_iter().map(|(key, value)| format!("{key} = {}", toml(value, inner(key)))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => value.to_string(),
    }
}

/// A text for a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace("\n\n- ", "<br>").replace("\n- ", "<br>").replace('\n', " ")
}

fn line(text: &mut String, written: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _never = writeln!(text, "{written}");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_shown_as_toml() {
        for (value, schema, shown) in [
            (json!("2031-03-01T09:00:00+08:00"), json!({ "format": "date-time" }), "2031-03-01T09:00:00+08:00"),
            (json!(["a", 1, true]), json!({}), "[\"a\", 1, true]"),
            (json!({ "a": 1 }), json!({}), "{ a = 1 }"),
            (json!("a \"b\""), json!({}), "'a \"b\"'"),
        ] {
            assert_eq!(toml(&value, &schema), shown);
        }
    }

    #[test]
    fn a_definition_that_holds_itself_has_one_section() {
        let schema = json!({
            "description": "A test.",
            "properties": { "filter": { "$ref": "#/$defs/filter", "description": "Who." } },
            "$defs": { "filter": {
                "title": "filter",
                "type": "object",
                "description": "A filter.",
                "properties": { "not": { "$ref": "#/$defs/filter", "description": "Not so." } },
            } },
        });
        let page = page(&FileType { name: "test", place: "test.toml".to_owned(), schema });
        assert!(page.contains("| `filter` | [filter](#filter) | nothing | Who. |"), "{page}");
        assert_eq!(page.matches("\n## ").count(), 1, "{page}");
        assert!(page.contains("| `not` | filter | nothing | Not so. |"), "{page}");
    }
}
