//! One row: a contact, or everything that is wrong with it.

use super::{
    draft::{Context, Draft, Given},
    header::Column,
};
use crate::domain::contact::NewContact;

/// Reads a row.
pub(super) fn read(columns: &[Column], fields: &[String], context: Context<'_>) -> Result<NewContact, String> {
    if fields.len() != columns.len() {
        return Err(format!("has {} fields, the header has {}", fields.len(), columns.len()));
    }
    let mut draft = Draft::new(context);
    for (column, field) in columns.iter().zip(fields) {
        match column {
            Column::Customer => draft.customer(field),
            Column::Number(category) => draft.number(category, field),
            Column::Attribute(attribute) => draft.attribute(attribute, Given::Text(field)),
            Column::Priority => draft.priority(field),
            Column::Timezone => draft.timezone(field),
            Column::NotBefore => draft.not_before(field),
            Column::CustomField => draft.custom_field(field),
        }
    }
    draft.finish()
}

#[cfg(test)]
mod tests {
    use rlibphonenumber::enums::Region;

    use super::*;
    use crate::{
        contacts::rules::ImportRules,
        domain::{
            campaign::Priority,
            ids::{CampaignId, CategoryId},
        },
    };

    fn row(fields: &[&str], region: Region) -> Result<NewContact, String> {
        let category = |name| Column::Number(CategoryId::parse(name).unwrap());
        let columns = [
            Column::Customer,
            category("mobile"),
            category("home"),
            Column::Priority,
            Column::NotBefore,
            Column::CustomField,
        ];
        let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
        let (rules, spring) = (ImportRules::default(), CampaignId::parse("spring").unwrap());
        read(&columns, &fields, Context { rules: &rules, campaign: &spring, region, attribute_prefix: "attr." })
    }

    fn numbers(mobile: &str, home: &str, region: Region) -> Result<Vec<String>, String> {
        let contact = row(&["c1", mobile, home, "", "", ""], region)?;
        Ok(contact.numbers.iter().map(|(category, number)| format!("{category} {}", number.expose())).collect())
    }

    #[test]
    fn a_whole_row() {
        let fields = ["c 1", " 138 0000 0001 ", "(028) 8000 0001", "1", "2031-03-03T09:00:00+08:00", "a\nb"];
        let contact = row(&fields, Region::CN).unwrap();
        assert_eq!(contact.customer.as_str(), "c 1");
        assert_eq!(contact.priority.get(), 1);
        assert_eq!(contact.not_before, Some("2031-03-03T01:00:00Z".parse().unwrap()));
        assert_eq!(contact.custom_field.as_deref(), Some("a\nb"));
        assert_eq!(contact.numbers[1].1.expose(), "+862880000001");
        let plain = row(&["c1", "13800000001", "", "", "", ""], Region::CN).unwrap();
        assert_eq!((plain.priority, plain.not_before, plain.custom_field), (Priority::DEFAULT, None, None));
    }

    #[test]
    fn national_and_international_forms_give_one_number() {
        for text in
            ["13800000001", "+8613800000001", "+86 138-0000-0001", "008613800000001", "＋８６１３８０００００００１"]
        {
            assert_eq!(numbers(text, "", Region::CN), Ok(vec!["mobile +8613800000001".to_owned()]), "{text}");
        }
        assert_eq!(numbers("", "030 901820", Region::DE).unwrap(), ["home +4930901820"]);
        assert_eq!(numbers("+1 212 555 0123", "", Region::DE).unwrap(), ["mobile +12125550123"]);
    }

    #[test]
    fn everything_wrong_is_told_and_no_number_repeated() {
        let fields = ["", "13800000001", "+8613800000001", "9", "tomorrow", &"x".repeat(201)];
        let problems = row(&fields, Region::CN).unwrap_err();
        for part in
            ["customer_id: must", "number.home: the same number as number.mobile", "priority:", "not_before:", "201"]
        {
            assert!(problems.contains(part), "{part}: {problems}");
        }
        for bad in ["12345", "not a number", "+999123456789", "138000000", "+86138000000011111", "1380000"] {
            let problem = numbers(bad, "", Region::CN).unwrap_err();
            assert!(problem.starts_with("number.mobile: is not a phone number of CN"), "{bad}: {problem}");
        }
        assert!(numbers("13800000001 ext. 12", "", Region::CN).unwrap_err().contains("extension"));
        assert_eq!(numbers("", " ", Region::CN).unwrap_err(), "has no number");
        assert_eq!(row(&["c1", "13800000001"], Region::CN).unwrap_err(), "has 2 fields, the header has 6");
    }
}
