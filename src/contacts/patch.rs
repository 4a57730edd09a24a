//! An edit as JSON: what it names is changed, `null` takes a value away.

use super::{
    draft::{Context, Draft},
    import,
    object::{self, Value},
    rules::ImportRules,
};
use crate::domain::{
    contact::ContactEdit,
    ids::{CampaignId, CustomerId},
};

/// Keys of an edit.
const KEYS: [&str; 5] = ["numbers", "attributes", "priority", "timezone", "not_before"];

/// Reads an edit, held to `rules` as an import is; or everything that is wrong with it.
pub fn edit(
    text: &str,
    (campaign, customer): (&CampaignId, &CustomerId),
    rules: &ImportRules,
) -> Result<ContactEdit, String> {
    let region = import::region(rules).map_err(|error| error.to_string())?;
    let context = Context { rules, campaign, region, attribute_prefix: "attributes." };
    let members = object::open(text)?;
    let mut draft = Draft::new(context);
    let members = object::once(&mut draft, "", members);
    let named: Vec<String> = members.iter().map(|(key, _)| key.clone()).collect();
    for (key, raw) in members {
        object::field(&mut draft, context, &key, Value::of(raw), &KEYS);
    }
    draft.finish_edit(customer, |key| named.iter().any(|named| named == key))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::{
        attribute::{Attribute, AttributeType, AttributeValue},
        ids::AttributeId,
    };

    fn rules() -> ImportRules {
        let attribute = |id: &str, required| {
            let id = AttributeId::parse(id).unwrap();
            let (name, kind) = (id.to_string(), AttributeType::String);
            (id.clone(), Attribute { id, name, kind, required, shown: true, editable: false, masked: false })
        };
        let attributes = BTreeMap::from([attribute("tier", true), attribute("city", false)]);
        ImportRules { region: "CN".to_owned(), attributes, ..ImportRules::default() }
    }

    fn edit(text: &str, rules: &ImportRules) -> Result<ContactEdit, String> {
        let (campaign, customer) = (CampaignId::parse("spring").unwrap(), CustomerId::parse("c1").unwrap());
        super::edit(text, (&campaign, &customer), rules)
    }

    #[test]
    fn what_is_named_is_changed_and_null_takes_away() {
        let text = r#"{"numbers":[{"category":"home","number":"13800000001"}],"attributes":{"tier":"gold","city":null},
                       "priority":1,"timezone":null,"not_before":"2031-03-03T09:00:00+08:00"}"#;
        let change = edit(text, &rules()).unwrap();
        assert_eq!(change.numbers.unwrap()[0].1.expose(), "+8613800000001");
        let tier = AttributeId::parse("tier").unwrap();
        assert_eq!(change.set.get(&tier), Some(&AttributeValue::Text("gold".to_owned())));
        assert_eq!(change.unset.iter().map(AttributeId::as_str).collect::<Vec<_>>(), ["city"]);
        assert_eq!((change.priority.unwrap().get(), change.timezone), (1, Some(None)));
        assert_eq!(change.not_before, Some(Some("2031-03-03T01:00:00Z".parse().unwrap())));
        assert_eq!(edit("{}", &rules()), Ok(ContactEdit::default()));
    }

    #[test]
    fn what_is_wrong_is_told_without_repeating_it() {
        for (text, problem) in [
            ("[]", "must be a JSON object"),
            (r#"{"numbers":[]}"#, "numbers: must have at least one"),
            (r#"{"numbers":[{"category":"mobile","number":"12345"}]}"#, "number.mobile: is not a phone number of CN"),
            (r#"{"attributes":{"tier":null}}"#, "attributes.tier: is required"),
            (r#"{"attributes":{"teir":"x"}}"#, "did you mean \"tier\""),
            (r#"{"priority":9}"#, "priority: must be 1 to 5"),
            (r#"{"customer_id":"c2"}"#, "key \"customer_id\" is not known"),
        ] {
            let told = edit(text, &rules()).unwrap_err();
            assert!(told.contains(problem) && !told.contains("12345"), "{text}: {told}");
        }
    }
}
