//! Shares of a whole.

use serde_json::{Value as Json, json};
use toml::de::DeValue;

use crate::{
    config::{
        code::Code,
        diagnostic::Span,
        read::{Kind, Reader},
        syntax::Node,
    },
    domain::tenant::PerMille,
};

/// A share of a whole, `0%` to `100%`, with at most one decimal.
pub(crate) struct Share;

impl Kind for Share {
    type Value = PerMille;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<PerMille> {
        const EXPECTED: &str = "a share such as \"3%\" or \"2.5%\"";
        let span = Span::from(node.span());
        if let DeValue::Integer(_) | DeValue::Float(_) = node.get_ref() {
            let meant = format!("{}%", reader.source.slice(span));
            let diagnostic = reader.wrong_type(node, EXPECTED);
            if parse(&meant).is_some() {
                diagnostic.suggest("did you mean per cent?", span, format!("{meant:?}"));
            }
            return None;
        }
        let text = reader.text(node, EXPECTED)?;
        let share = parse(text);
        if share.is_none() {
            let diagnostic = reader.fault(Code::Share, node, "must be a share");
            diagnostic.label(format!("expected {EXPECTED}, from \"0%\" to \"100%\""));
            let meant = format!("{}%", text.replace(',', ".").trim_end_matches(['%', ' ']));
            if parse(&meant).is_some() {
                diagnostic.suggest(format!("did you mean {meant:?}?"), span, format!("{meant:?}"));
            }
        }
        share
    }

    fn schema() -> Json {
        json!({ "type": "string", "pattern": r"^(100(\.0)?|(0|[1-9][0-9]?)(\.[0-9])?)%$" })
    }

    fn show(value: &PerMille) -> Json {
        let (whole, tenth) = (value.0 / 10, value.0 % 10);
        json!(if tenth == 0 { format!("{whole}%") } else { format!("{whole}.{tenth}%") })
    }
}

/// Thousandths of a text such as `2.5%`.
fn parse(text: &str) -> Option<PerMille> {
    let number = text.strip_suffix('%')?;
    let (whole, tenth) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str, most| (1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole, 3) || !digits(tenth, 1) || (whole.len() > 1 && whole.starts_with('0')) {
        return None;
    }
    let thousandths = whole.parse::<u16>().ok()? * 10 + tenth.parse::<u16>().ok()?;
    (thousandths <= 1000).then_some(PerMille(thousandths))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_one_form() {
        for (text, thousandths) in
            [("0%", 0), ("3%", 30), ("2.5%", 25), ("99.9%", 999), ("100%", 1000), ("100.0%", 1000)]
        {
            assert_eq!(parse(text), Some(PerMille(thousandths)), "{text}");
        }
        for bad in ["", "%", "3", "3 %", "03%", "2.55%", ".5%", "2.%", "100.1%", "101%", "-1%", "+1%"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(Share::show(&PerMille(25)), json!("2.5%"));
    }
}
