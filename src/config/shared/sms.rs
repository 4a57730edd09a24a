//! The templates of text messages of `shared/sms.toml`.

use super::Defined;
use crate::{
    config::{
        code::Code,
        load::{Commit, InFile},
        read::At,
        tables::sms::{SmsFile, SmsTable},
    },
    domain::{
        attribute::{Attribute, AttributeType},
        ids::AttributeId,
        sms::{ATTRIBUTE_PREFIX, Alphabet, Gap, Part, SmsTemplate, length},
    },
};

/// Reads them.
pub(crate) fn sms(
    file: InFile<SmsFile>,
    attributes: Option<&Defined<Attribute>>,
    commit: &mut Commit<'_>,
) -> Defined<SmsTemplate> {
    let InFile { file, value } = file;
    let mut templates = Defined::begin(value.sms.is_none());
    for table in value.sms.map(|list| list.value).unwrap_or_default() {
        let template = table.value;
        templates.take_up(file, template.id.as_ref(), template.name.as_ref(), commit);
        for part in template.text.iter().flat_map(|text| &text.value) {
            if let (Part::Gap(Gap::Attribute(id)), Some(attributes)) = (&part.value, attributes) {
                check_attribute(&At { value: id.clone(), span: part.span }, attributes, file, commit);
            }
        }
        note_length(file, template.text.as_ref(), commit);
        templates.put(definition(template));
    }
    templates
}

/// Reports a gap whose attribute is not there, or may not be sent.
fn check_attribute(id: &At<AttributeId>, attributes: &Defined<Attribute>, file: usize, commit: &mut Commit<'_>) {
    let place = InFile { file, value: id.span };
    let gap = |id: &str| format!("{{{ATTRIBUTE_PREFIX}{id}}}");
    // An escape may hide the gap; then there is no telling what to replace.
    let editable = commit.text(&place) == gap(id.value.as_str());
    let quote = |meant: &str| editable.then(|| gap(meant));
    if !attributes.has_as(id, file, quote, commit) {
        return;
    }
    let Some(attribute) = attributes.by_id.get(&id.value) else { return };
    if attribute.kind == AttributeType::Encrypted {
        let defined = attributes.place(&id.value).map(|place| commit.locate(place));
        let message = format!("attribute {:?} is encrypted, and a text message is not", id.value.as_str());
        let diagnostic = commit.error(Code::AttributeEncrypted, &place, message).label("would leave the store");
        if let Some(defined) = defined {
            diagnostic.relate(defined, "defined here");
        }
    }
}

/// Says when a text is sent as several messages, which cost as many.
fn note_length(file: usize, text: Option<&At<Vec<At<Part>>>>, commit: &mut Commit<'_>) {
    let Some(At { value: parts, span }) = text else { return };
    let parts: Vec<Part> = parts.iter().map(|part| part.value.clone()).collect();
    let (alphabet, messages) = length(&parts);
    if messages < 2 {
        return;
    }
    let (one, joined) = alphabet.units();
    let why = match alphabet {
        Alphabet::Gsm7 => "its letters are sent in 7 bits each",
        Alphabet::Ucs2 => "it has letters beyond the 7-bit alphabet",
    };
    let message = format!("`text` takes at least {messages} messages without what fills its gaps");
    let help = format!("{why}: one message holds {one} of them, and each of several {joined}");
    commit.note(Code::SmsLength, &InFile { file, value: *span }, message).label("long").help(help);
}

fn definition(table: SmsTable) -> Option<SmsTemplate> {
    let text = table.text?.value.into_iter().map(|part| part.value).collect();
    Some(SmsTemplate { id: table.id?.value, name: table.name?.value, text })
}
