//! Where a survey goes on after a question.

use serde_json::{Value as Json, json};
use toml::de::DeValue;

use super::text::Slug;
use crate::{
    config::{
        diagnostic::Span,
        read::{At, Kind, Reader},
        syntax::Node,
    },
    domain::ids::QuestionId,
};

/// The id of a question, or `end`; or a table of these by answer.
pub(crate) struct Goto;

/// What a `goto` says, before it is known which questions there are.
#[derive(Debug, Clone)]
pub(crate) enum Jump {
    /// There, whatever the answer is.
    Always(At<QuestionId>),
    /// There for these answers.
    ByAnswer(Vec<(At<String>, At<QuestionId>)>),
}

impl Kind for Goto {
    type Value = Jump;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Jump> {
        match node.get_ref() {
            DeValue::Table(table) => {
                let jumps = table.iter().filter_map(|(answer, target)| {
                    let span = Some(Span::from(answer.span()));
                    let answer = At { value: answer.get_ref().to_string(), span };
                    Some((answer, reader.value::<Slug<QuestionId>>(target)?))
                });
                Some(Jump::ByAnswer(jumps.collect()))
            }
            DeValue::String(_) => reader.value::<Slug<QuestionId>>(node).map(Jump::Always),
            DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_) => {
                reader.wrong_type(node, "the id of a question, \"end\", or a table of these by answer");
                None
            }
        }
    }

    fn schema() -> Json {
        let target = Slug::<QuestionId>::schema();
        json!({ "oneOf": [target, { "type": "object", "additionalProperties": target }] })
    }

    fn show(value: &Jump) -> Json {
        match value {
            Jump::Always(target) => json!(target.value.as_str()),
            Jump::ByAnswer(jumps) => Json::Object(
                jumps.iter().map(|(answer, target)| (answer.value.clone(), json!(target.value.as_str()))).collect(),
            ),
        }
    }
}
