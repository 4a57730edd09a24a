//! JSON Schemas of every kind of file, made from the same tables that read them: draft 2020-12, and a
//! twin in draft 07 for editors.

mod draft07;
mod phrase;

pub(crate) mod extends;

use serde_json::{Map, Value as Json, json};
use toml::de::DeValue;

use super::{
    kinds::condition::{CONDITION_DEFINITION, ConditionTable},
    layout::{self, FileKind},
    read::{Key, Kind},
    tables::{
        agents::AgentsFile, attributes::AttributesFile, business_results::BusinessResultsFile,
        calendars::CalendarsFile, campaign::CampaignFile, categories::CategoriesFile, do_not_call::DoNotCallFile,
        queues::QueuesFile, results::ResultsFile, settings::SettingsFile, simulation::SimulationFile, sms::SmsFile,
        surveys::SurveyFile, template::TemplateFile, tenant::TenantFile,
    },
    version::{self, SCHEMA_VERSION},
};

pub(crate) use phrase::phrase;

/// A text that is made from the tables, and its path in the folder of its like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// `campaign.schema.json`, `draft-07/campaign.schema.json`.
    pub file: String,
    /// Its whole text, with a line end behind it.
    pub text: String,
}

/// A kind of file that people write.
pub(crate) struct FileType {
    /// Names its schema and its page: `campaign`.
    pub(crate) name: &'static str,
    /// Where such files stand, seen from the root of a repository.
    pub(crate) place: String,
    /// Its schema, in draft 2020-12.
    pub(crate) schema: Json,
}

/// All kinds of files: the settings, made-up worlds, and what stands in the folder of campaigns.
pub(crate) fn file_types() -> Vec<FileType> {
    let settings = FileType {
        name: "settings",
        place: "dialops.toml".to_owned(),
        schema: whole("settings", SettingsFile::schema()),
    };
    let simulation = FileType {
        name: "simulation",
        place: format!("campaigns/{}", layout::SIMULATION),
        schema: whole("simulation", SimulationFile::schema()),
    };
    let configuration = FileKind::ALL.iter().map(|&kind| {
        let (name, schema) = named(kind);
        FileType { name, place: format!("campaigns/{}", kind.place()), schema: whole(name, schema) }
    });
    [settings, simulation].into_iter().chain(configuration).collect()
}

fn named(kind: FileKind) -> (&'static str, Json) {
    match kind {
        FileKind::Campaign => ("campaign", extends::campaign(CampaignFile::schema())),
        FileKind::Template => ("template", TemplateFile::schema()),
        FileKind::Tenant => ("tenant", TenantFile::schema()),
        FileKind::Queues => ("queues", QueuesFile::schema()),
        FileKind::Agents => ("agents", AgentsFile::schema()),
        FileKind::Attributes => ("attributes", AttributesFile::schema()),
        FileKind::Categories => ("categories", CategoriesFile::schema()),
        FileKind::BusinessResults => ("business-results", BusinessResultsFile::schema()),
        FileKind::Calendars => ("calendars", CalendarsFile::schema()),
        FileKind::Results => ("results", ResultsFile::schema()),
        FileKind::Sms => ("sms", SmsFile::schema()),
        FileKind::Survey => ("survey", SurveyFile::schema()),
        FileKind::DoNotCall => ("do-not-call", DoNotCallFile::schema()),
    }
}

/// The schemas of all kinds of files, each in both drafts.
#[must_use]
pub fn documents() -> Vec<Document> {
    let both = |file: FileType| {
        let text = |schema: &Json| format!("{schema:#}\n");
        let name = format!("{}.schema.json", file.name);
        let twin = Document { file: format!("draft-07/{name}"), text: text(&draft07::twin(&file.schema)) };
        [Document { file: name, text: text(&file.schema) }, twin]
    };
    file_types().into_iter().flat_map(both).collect()
}

/// A table's schema as a document of its own.
fn whole(name: &str, mut schema: Json) -> Json {
    let mut definitions = Map::new();
    lift_definitions(&mut schema, &mut definitions);
    let mut whole = Map::new();
    whole.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    // A condition holds conditions, so its schema stands once and is referred to.
    if schema.to_string().contains(&format!("#/$defs/{CONDITION_DEFINITION}")) {
        definitions.insert(CONDITION_DEFINITION.to_owned(), ConditionTable::schema());
    }
    whole.insert("title".to_owned(), json!(format!("dialops {name}")));
    if let Json::Object(schema) = schema {
        whole.extend(schema.into_iter().filter(|(key, _)| key != "title"));
    }
    if !definitions.is_empty() {
        whole.insert("$defs".to_owned(), Json::Object(definitions));
    }
    // What every file may have.
    whole["properties"][version::KEY] =
        json!({ "type": "integer", "const": SCHEMA_VERSION, "description": version::ABOUT });
    Json::Object(whole)
}

/// Moves the definitions that kinds bring along to where `#/$defs/…` finds them.
fn lift_definitions(schema: &mut Json, definitions: &mut Map<String, Json>) {
    match schema {
        Json::Object(object) => {
            if let Some(Json::Object(found)) = object.shift_remove("$defs") {
                for (name, mut schema) in found {
                    lift_definitions(&mut schema, definitions);
                    definitions.insert(name, schema);
                }
            }
            object.values_mut().for_each(|inner| lift_definitions(inner, definitions));
        }
        Json::Array(items) => items.iter_mut().for_each(|inner| lift_definitions(inner, definitions)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// Builds the schema of a table, key by key.
pub(crate) struct Object {
    about: &'static str,
    properties: Map<String, Json>,
    required: Vec<&'static str>,
}

impl Object {
    pub(crate) fn new(about: &'static str) -> Self {
        Self { about, properties: Map::new(), required: Vec::new() }
    }

    /// Adds a key: its kind, what its documentation says, and what stands when it is left out.
    pub(crate) fn key(&mut self, key: &Key, mut kind: Json, required: bool, default: Json) {
        kind["title"] = json!(phrase(&kind));
        kind["description"] = json!(described(key.about, &kind));
        if required {
            self.required.push(key.name);
        }
        if !default.is_null() {
            kind["default"] = default;
        }
        if let Some(example) = key.example.and_then(example) {
            kind["examples"] = json!([example]);
        }
        self.properties.insert(key.name.to_owned(), kind);
    }

    pub(crate) fn finish(self) -> Json {
        json!({
            "type": "object",
            "description": self.about,
            "properties": self.properties,
            "required": self.required,
            "additionalProperties": false,
        })
    }
}

/// A key's documentation, and what each of its words means: editors show one text only.
fn described(about: &str, kind: &Json) -> String {
    let words = kind["enum"].as_array().into_iter().flatten();
    let meanings = kind["x-taplo"]["docs"]["enumValues"].as_array().into_iter().flatten();
    let lines: Vec<String> = words
        .zip(meanings)
        .filter_map(|(word, meaning)| Some(format!("- `{}`: {}", word.as_str()?, meaning.as_str()?)))
        .collect();
    if lines.is_empty() { about.to_owned() } else { format!("{about}\n\n{}", lines.join("\n")) }
}

/// An example, given as TOML, as JSON.
fn example(text: &str) -> Option<Json> {
    DeValue::parse(text).ok().map(|value| to_json(value.get_ref()))
}

fn to_json(value: &DeValue<'_>) -> Json {
    match value {
        DeValue::String(text) => json!(text),
        DeValue::Integer(number) => json!(i64::from_str_radix(number.as_str(), number.radix()).ok()),
        DeValue::Float(number) => json!(number.as_str().parse::<f64>().ok()),
        DeValue::Boolean(yes) => json!(yes),
        DeValue::Datetime(time) => json!(time.to_string()),
        DeValue::Array(items) => items.iter().map(|item| to_json(item.get_ref())).collect(),
        DeValue::Table(table) => {
            table.iter().map(|(key, value)| (key.get_ref().to_string(), to_json(value.get_ref()))).collect()
        }
    }
}
