//! The attributes of `shared/attributes.toml`.

use super::Defined;
use crate::{
    config::{
        code::Code,
        load::{Commit, InFile},
        tables::attributes::{AttributeTable, AttributesFile},
    },
    domain::attribute::{ATTRIBUTES_MAX, Attribute},
};

/// Reads them.
pub(crate) fn attributes(file: InFile<AttributesFile>, commit: &mut Commit<'_>) -> Defined<Attribute> {
    let InFile { file, value } = file;
    let mut attributes = Defined::begin(value.attributes.is_none());
    let tables = value.attributes.map(|list| list.value).unwrap_or_default();
    if let Some(extra) = tables.get(ATTRIBUTES_MAX) {
        let message = format!("{} attributes, and a tenant has at most {ATTRIBUTES_MAX}", tables.len());
        commit.error(Code::TooManyItems, &InFile { file, value: extra.span }, message).label("one too many");
    }
    for table in tables {
        let attribute = table.value;
        attributes.take_up(file, attribute.id.as_ref(), attribute.name.as_ref(), commit);
        attributes.put(definition(attribute));
    }
    attributes
}

fn definition(table: AttributeTable) -> Option<Attribute> {
    Some(Attribute {
        id: table.id?.value,
        name: table.name?.value,
        kind: table.r#type?.value,
        required: table.required.value,
        shown: table.shown.value,
        editable: table.editable.value,
        masked: table.masked.value,
    })
}
