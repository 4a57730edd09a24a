//! Templates of text messages: text with gaps such as `{customer_id}`, filled for each contact.

use std::{fmt, ops::Range};

use super::ids::{AttributeId, SmsId};

/// A text message with gaps that are filled for each contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmsTemplate {
    /// Identity.
    pub id: SmsId,
    /// Shown to people.
    pub name: String,
    /// What is sent; never empty.
    pub text: Vec<Part>,
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// As it stands.
    Text(String),
    /// A gap.
    Gap(Gap),
}

/// What a gap is filled with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gap {
    /// The customer's id: `{customer_id}`.
    CustomerId,
    /// What the import gave as `custom_field`: `{custom_field}`.
    CustomField,
    /// The campaign's name: `{campaign}`.
    Campaign,
    /// The tenant's name: `{tenant}`.
    Tenant,
    /// An attribute of the contact: `{attr.tier}`.
    Attribute(AttributeId),
}

impl fmt::Display for Part {
    /// As a template writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(&text.replace('{', "{{").replace('}', "}}")),
            Self::Gap(gap) => write!(f, "{{{gap}}}"),
        }
    }
}

/// What stands before an attribute's id in a gap.
pub const ATTRIBUTE_PREFIX: &str = "attr.";

impl fmt::Display for Gap {
    /// As it is written between the braces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Attribute(id) = self {
            return write!(f, "{ATTRIBUTE_PREFIX}{id}");
        }
        let named = Self::NAMED.iter().find(|(_, gap)| gap == self);
        f.write_str(named.map_or("", |(name, _)| name))
    }
}

impl Gap {
    /// Gaps of every contact, by what is written between the braces.
    pub const NAMED: [(&'static str, Self); 4] = [
        ("customer_id", Self::CustomerId),
        ("custom_field", Self::CustomField),
        ("campaign", Self::Campaign),
        ("tenant", Self::Tenant),
    ];

    fn parse(name: &str) -> Result<Self, SmsError> {
        let unknown = || SmsError::UnknownGap(name.to_owned());
        if let Some(id) = name.strip_prefix(ATTRIBUTE_PREFIX) {
            return AttributeId::parse(id).map(Self::Attribute).map_err(|_| unknown());
        }
        Self::NAMED.into_iter().find(|(known, _)| *known == name).map(|(_, gap)| gap).ok_or_else(unknown)
    }
}

/// What is wrong with a piece of a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SmsError {
    /// A `{` without its `}`.
    #[error("the gap has no closing brace")]
    Unclosed,
    /// A `}` without its `{`.
    #[error("the brace closes no gap")]
    Stray,
    /// Nothing is known that could fill it.
    #[error("nothing fills the gap {{{0}}}")]
    UnknownGap(String),
}

/// A piece of a message, and the bytes of the text that it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where.
    pub range: Range<usize>,
    /// What, or what is wrong with it.
    pub part: Result<Part, SmsError>,
}

/// Cuts a text into its pieces; `{{` and `}}` are braces of the text itself.
#[must_use]
pub fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let (length, part) = if rest.starts_with("{{") || rest.starts_with("}}") {
            (2, Ok(Part::Text(rest[..1].to_owned())))
        } else if let Some(inside) = rest.strip_prefix('{') {
            gap(inside)
        } else if rest.starts_with('}') {
            (1, Err(SmsError::Stray))
        } else {
            let length = rest.find(['{', '}']).unwrap_or(rest.len());
            (length, Ok(Part::Text(rest[..length].to_owned())))
        };
        let range = at..at + length;
        at = range.end;
        match (pieces.last_mut(), part) {
            (Some(Piece { range: last, part: Ok(Part::Text(before)) }), Ok(Part::Text(more))) => {
                before.push_str(&more);
                last.end = range.end;
            }
            (_, part) => pieces.push(Piece { range, part }),
        }
    }
    pieces
}

/// The gap whose opening brace stands before `inside`, and its length with both braces.
fn gap(inside: &str) -> (usize, Result<Part, SmsError>) {
    match inside.find(['{', '}']) {
        Some(end) if inside[end..].starts_with('}') => (end + 2, Gap::parse(&inside[..end]).map(Part::Gap)),
        _ => (1, Err(SmsError::Unclosed)),
    }
}

/// The text of a message, its gaps filled.
#[must_use]
pub fn filled(parts: &[Part], fill: impl Fn(&Gap) -> String) -> String {
    let text = |part: &Part| match part {
        Part::Text(text) => text.clone(),
        Part::Gap(gap) => fill(gap),
    };
    parts.iter().map(text).collect()
}

/// How a message's characters are sent (3GPP TS 23.038).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alphabet {
    /// Seven bits a character, for European languages.
    Gsm7,
    /// Two bytes a character, for all others.
    Ucs2,
}

impl Alphabet {
    /// Units that one message has, and each of several that are joined.
    #[must_use]
    pub fn units(self) -> (usize, usize) {
        match self {
            Self::Gsm7 => (160, 153),
            Self::Ucs2 => (70, 67),
        }
    }
}

/// Characters of the GSM 7-bit default alphabet beside ASCII's letters, digits and most signs.
const GSM_SIGNS: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà";

/// Characters of its extension table, which take two units each.
const GSM_EXTENDED: &str = "^{}\\[~]|€";

/// The alphabet of what stands between the gaps, and how many messages it takes by itself.
#[must_use]
pub fn length(parts: &[Part]) -> (Alphabet, usize) {
    let fixed = || {
        parts.iter().flat_map(|part| match part {
            Part::Text(text) => text.chars(),
            Part::Gap(_) => "".chars(),
        })
    };
    let seven_bits = |c: char| match c {
        _ if c.is_ascii_alphanumeric() || GSM_SIGNS.contains(c) => Some(1),
        _ if GSM_EXTENDED.contains(c) => Some(2),
        _ => None,
    };
    let (alphabet, units) = match fixed().map(seven_bits).sum::<Option<usize>>() {
        Some(units) => (Alphabet::Gsm7, units),
        None => (Alphabet::Ucs2, fixed().map(char::len_utf16).sum()),
    };
    let (one, joined) = alphabet.units();
    (alphabet, if units <= one { 1 } else { units.div_ceil(joined) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<Part> {
        pieces(text).into_iter().map(|piece| piece.part.unwrap()).collect()
    }

    fn text(text: &str) -> Part {
        Part::Text(text.to_owned())
    }

    #[test]
    fn gaps_and_braces() {
        let tier = Gap::Attribute(AttributeId::parse("tier").unwrap());
        assert_eq!(
            parts("Dear {customer_id}, {{as}} {attr.tier}"),
            [text("Dear "), Part::Gap(Gap::CustomerId), text(", {as} "), Part::Gap(tier)]
        );
        assert_eq!(parts("{campaign}{tenant}"), [Part::Gap(Gap::Campaign), Part::Gap(Gap::Tenant)]);
        assert_eq!(parts(""), []);
        let template = "{{a}} {customer_id}{custom_field} {campaign} {tenant} {attr.tier}";
        assert_eq!(parts(template).iter().map(Part::to_string).collect::<String>(), template);
    }

    #[test]
    fn what_fills_a_gap_is_no_gap() {
        let fill = |gap: &Gap| format!("<{gap}> {{tenant}}");
        assert_eq!(filled(&parts("{{a}} {customer_id}."), fill), "{a} <customer_id> {tenant}.");
    }

    #[test]
    fn each_fault_has_its_place() {
        let faults = |text: &str| -> Vec<_> {
            pieces(text).into_iter().filter_map(|piece| Some((piece.range, piece.part.err()?))).collect()
        };
        let unknown = |name: &str| SmsError::UnknownGap(name.to_owned());
        assert_eq!(faults("春 {name} x"), [(4..10, unknown("name"))]);
        assert_eq!(
            faults("{} {attr.} {attr.X}"),
            [(0..2, unknown("")), (3..10, unknown("attr.")), (11..19, unknown("attr.X"))]
        );
        assert_eq!(faults("a { b"), [(2..3, SmsError::Unclosed)]);
        assert_eq!(faults("{customer_id {tenant}"), [(0..1, SmsError::Unclosed)]);
        assert_eq!(faults("a } b"), [(2..3, SmsError::Stray)]);
    }

    #[test]
    fn pieces_cover_the_text() {
        proptest::proptest!(|(text in "[{}a春.]{0,20}")| {
            let mut at = 0;
            for piece in pieces(&text) {
                proptest::prop_assert_eq!(piece.range.start, at);
                at = piece.range.end;
            }
            proptest::prop_assert_eq!(at, text.len());
        });
    }

    #[test]
    fn lengths_are_counted_as_networks_do() {
        let length = |template: &str| length(&parts(template));
        assert_eq!(length(&"a".repeat(160)), (Alphabet::Gsm7, 1));
        assert_eq!(length(&"a".repeat(161)), (Alphabet::Gsm7, 2));
        assert_eq!(length(&"€".repeat(81)), (Alphabet::Gsm7, 2));
        assert_eq!(length(&"a".repeat(307)), (Alphabet::Gsm7, 3));
        assert_eq!(length(&"春".repeat(70)), (Alphabet::Ucs2, 1));
        assert_eq!(length(&"春".repeat(71)), (Alphabet::Ucs2, 2));
        assert_eq!(length(&("春".to_owned() + &"a".repeat(134))), (Alphabet::Ucs2, 3));
        assert_eq!(length(""), (Alphabet::Gsm7, 1));
    }
}
