//! JSON Schemas (draft 2020-12) of every kind of file, made from the same tables that read them.

pub(crate) mod extends;

use serde_json::{Map, Value as Json, json};
use toml::de::DeValue;

use super::{
    kinds::condition::{CONDITION_DEFINITION, ConditionTable},
    read::{Key, Kind},
    tables::{
        agents::AgentsFile, campaign::CampaignFile, queues::QueuesFile, settings::SettingsFile, template::TemplateFile,
        tenant::TenantFile,
    },
    version::{self, SCHEMA_VERSION},
};

/// A schema and the name of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// `campaign.schema.json`.
    pub file: &'static str,
    /// Its whole text, with a line end behind it.
    pub text: String,
}

/// The schemas of all kinds of files.
#[must_use]
pub fn documents() -> Vec<Document> {
    vec![
        document("agents.schema.json", "dialops agents", AgentsFile::schema()),
        document("campaign.schema.json", "dialops campaign", extends::campaign(CampaignFile::schema())),
        document("queues.schema.json", "dialops queues", QueuesFile::schema()),
        document("settings.schema.json", "dialops settings", SettingsFile::schema()),
        document("template.schema.json", "dialops template", TemplateFile::schema()),
        document("tenant.schema.json", "dialops tenant", TenantFile::schema()),
    ]
}

/// A whole file: its table and what every file may have.
fn document(file: &'static str, title: &str, schema: Json) -> Document {
    let mut whole = Map::new();
    whole.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    whole.insert("title".to_owned(), json!(title));
    // A condition holds conditions, so its schema stands once and is referred to.
    let recursive = schema.to_string().contains(&format!("#/$defs/{CONDITION_DEFINITION}"));
    if let Json::Object(schema) = schema {
        whole.extend(schema);
    }
    if recursive {
        whole.insert("$defs".to_owned(), json!({ CONDITION_DEFINITION: ConditionTable::schema() }));
    }
    whole["properties"][version::KEY] =
        json!({ "type": "integer", "const": SCHEMA_VERSION, "description": version::ABOUT });
    Document { file, text: format!("{:#}\n", Json::Object(whole)) }
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
        kind["description"] = json!(key.about);
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
