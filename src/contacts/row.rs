//! One row: a contact, or everything that is wrong with it.

use jiff::Timestamp;
use rlibphonenumber::{
    PHONE_NUMBER_UTIL,
    enums::{PhoneNumberFormat, Region},
};

use super::header::Column;
use crate::domain::{
    campaign::Priority,
    contact::NewContact,
    ids::{CategoryId, CustomerId},
    phone::E164,
};

/// Longest `custom_field`, in characters (SPEC §2).
const CUSTOM_FIELD_MAX: usize = 200;

/// Reads a row; `region` is where numbers in national form belong. A reason never repeats a number.
pub(super) fn read(columns: &[Column], fields: &[String], region: Region) -> Result<NewContact, String> {
    if fields.len() != columns.len() {
        return Err(format!("has {} fields, the header has {}", fields.len(), columns.len()));
    }
    let mut problems = Vec::new();
    let mut customer = None;
    let (mut priority, mut not_before, mut custom_field) = (Priority::DEFAULT, None, None);
    let mut numbers: Vec<(CategoryId, E164)> = Vec::new();
    for (column, field) in columns.iter().zip(fields) {
        let read = match column {
            Column::Customer => read_customer(field).map(|id| customer = Some(id)),
            Column::Number(category) => read_number(category, field, region, &mut numbers),
            Column::Priority => read_priority(field).map(|value| priority = value),
            Column::NotBefore => read_instant(field).map(|value| not_before = value),
            Column::CustomField => read_custom_field(field).map(|value| custom_field = value),
        };
        problems.extend(read.err());
    }
    if problems.is_empty() && numbers.is_empty() {
        problems.push("has no number".to_owned());
    }
    match customer {
        Some(customer) if problems.is_empty() => Ok(NewContact {
            customer,
            numbers,
            priority,
            not_before,
            timezone: None,
            attributes: Default::default(),
            custom_field,
        }),
        _ => Err(problems.join("; ")),
    }
}

fn read_customer(field: &str) -> Result<CustomerId, String> {
    CustomerId::parse(field).map_err(|error| format!("customer_id: {error}"))
}

fn read_number(
    category: &CategoryId,
    field: &str,
    region: Region,
    numbers: &mut Vec<(CategoryId, E164)>,
) -> Result<(), String> {
    let field = field.trim();
    if field.is_empty() {
        return Ok(());
    }
    let number = e164(field, region).map_err(|error| format!("number.{category}: {error}"))?;
    if let Some((other, _)) = numbers.iter().find(|(_, known)| *known == number) {
        return Err(format!("number.{category}: the same number as number.{other}"));
    }
    numbers.push((category.clone(), number));
    Ok(())
}

fn e164(field: &str, region: Region) -> Result<E164, String> {
    let invalid = || format!("is not a phone number of {region}, nor one with its country code");
    let field: String = field.chars().map(narrow).collect();
    let number = PHONE_NUMBER_UTIL.parse(field, Some(region)).map_err(|_| invalid())?;
    if number.extension.as_ref().is_some_and(|extension| !extension.is_empty()) {
        return Err("has an extension, which can't be dialled".to_owned());
    }
    if !number.is_valid() {
        return Err(invalid());
    }
    E164::parse(&number.format_as(PhoneNumberFormat::E164)).map_err(|_| invalid())
}

/// The ASCII form of a full-width character (U+FF01–U+FF5E), as Chinese input methods write digits.
fn narrow(wide: char) -> char {
    match u32::from(wide) {
        code @ 0xFF01..=0xFF5E => char::from_u32(code - 0xFEE0).unwrap_or(wide),
        _ => wide,
    }
}

fn read_priority(field: &str) -> Result<Priority, String> {
    match field.trim() {
        "" => Ok(Priority::DEFAULT),
        text => text.parse().ok().and_then(Priority::new).ok_or_else(|| "priority: must be 1 to 5, 1 first".to_owned()),
    }
}

fn read_instant(field: &str) -> Result<Option<Timestamp>, String> {
    let wrong = "not_before: must be a time with its offset, for instance 2031-03-03T09:00:00+08:00";
    match field.trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| wrong.to_owned()),
    }
}

fn read_custom_field(field: &str) -> Result<Option<String>, String> {
    let length = field.chars().count();
    if length > CUSTOM_FIELD_MAX {
        return Err(format!("custom_field: has {length} characters, at most {CUSTOM_FIELD_MAX} are kept"));
    }
    Ok((length > 0).then(|| field.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        read(&columns, &fields, region)
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
