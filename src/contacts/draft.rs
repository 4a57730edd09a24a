//! A contact as it is read, field by field, with everything that is wrong with it.
//!
//! A reason never repeats a value: reasons may be shown where customers' data may not.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date};
use rlibphonenumber::{
    PHONE_NUMBER_UTIL,
    enums::{PhoneNumberFormat, Region},
};
use secrecy::{ExposeSecret, SecretString};

use super::{keyring::Place, rules::ImportRules};
use crate::domain::{
    attribute::{Attribute, AttributeType, AttributeValue, Attributes, Number, TEXT_LENGTH_MAX},
    campaign::Priority,
    contact::{ContactEdit, NUMBERS_PER_CONTACT_MAX, NewContact},
    ids::{AttributeId, CampaignId, CategoryId, CustomerId, not_a_step},
    phone::E164,
    zone::ContactZone,
};

/// Longest `custom_field`, in characters (SPEC §2).
const CUSTOM_FIELD_MAX: usize = 200;

/// Rules and where numbers in national form belong.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) rules: &'a ImportRules,
    /// Whose contacts they are, to bind encrypted values to it.
    pub(super) campaign: &'a CampaignId,
    pub(super) region: Region,
    /// What stands before an attribute's id, to tell where a problem is.
    pub(super) attribute_prefix: &'static str,
}

/// A value of an attribute, as it was given.
#[derive(Debug, Clone, Copy)]
pub(super) enum Given<'a> {
    Text(&'a str),
    /// As JSON writes it.
    Number(&'a str),
}

/// A contact as far as it has been read.
pub(super) struct Draft<'a> {
    context: Context<'a>,
    problems: Vec<String>,
    customer: Option<CustomerId>,
    numbers: Vec<(CategoryId, E164)>,
    priority: Priority,
    not_before: Option<Timestamp>,
    timezone: Option<ContactZone>,
    attributes: Attributes,
    /// Attributes that have a value, a bad one included.
    given: BTreeSet<AttributeId>,
    /// Attributes that are told to have none.
    without: BTreeSet<AttributeId>,
    /// Values that are to be encrypted.
    secrets: BTreeMap<AttributeId, SecretString>,
    custom_field: Option<String>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(context: Context<'a>) -> Self {
        Self {
            context,
            problems: Vec::new(),
            customer: None,
            numbers: Vec::new(),
            priority: Priority::DEFAULT,
            not_before: None,
            timezone: None,
            attributes: Attributes::new(),
            given: BTreeSet::new(),
            without: BTreeSet::new(),
            secrets: BTreeMap::new(),
            custom_field: None,
        }
    }

    /// Notes something that is wrong.
    pub(super) fn problem(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    /// The contact, or everything that is wrong with it.
    pub(super) fn finish(mut self) -> Result<NewContact, String> {
        for attribute in self.context.rules.attributes.values() {
            if attribute.required && !self.given.contains(&attribute.id) {
                self.problems.push(format!("{}{}: is required", self.context.attribute_prefix, attribute.id));
            }
        }
        if self.problems.is_empty() && self.numbers.is_empty() {
            self.problem("has no number");
        }
        self.check_count();
        self.seal();
        match self.customer {
            Some(customer) if self.problems.is_empty() => Ok(NewContact {
                customer,
                numbers: self.numbers,
                priority: self.priority,
                not_before: self.not_before,
                timezone: self.timezone,
                attributes: self.attributes,
                custom_field: self.custom_field,
            }),
            _ => Err(self.problems.join("; ")),
        }
    }

    /// Encrypts what is to be encrypted, for this customer.
    fn seal(&mut self) {
        let (Some(keys), Some(customer)) = (&self.context.rules.keys, &self.customer) else { return };
        for (attribute, secret) in std::mem::take(&mut self.secrets) {
            let place = Place { campaign: self.context.campaign, customer, attribute: &attribute };
            let sealed = AttributeValue::Sealed(keys.seal(place, secret.expose_secret()));
            self.attributes.insert(attribute, sealed);
        }
    }

    fn check_count(&mut self) {
        if self.numbers.len() > NUMBERS_PER_CONTACT_MAX {
            let count = self.numbers.len();
            self.problem(format!("has {count} numbers, at most {NUMBERS_PER_CONTACT_MAX} are kept"));
        }
    }

    /// The edit of what is `named`, or everything that is wrong with it.
    pub(super) fn finish_edit(
        mut self,
        customer: &CustomerId,
        named: impl Fn(&str) -> bool,
    ) -> Result<ContactEdit, String> {
        self.customer = Some(customer.clone());
        self.seal();
        if named("numbers") && self.numbers.is_empty() && self.problems.is_empty() {
            self.problem("numbers: must have at least one");
        }
        self.check_count();
        let required = |id: &&AttributeId| self.context.rules.attributes.get(*id).is_some_and(|known| known.required);
        let missing: Vec<AttributeId> = self.without.iter().filter(required).cloned().collect();
        for id in missing {
            self.problems.push(format!("{}{id}: is required", self.context.attribute_prefix));
        }
        if !self.problems.is_empty() {
            return Err(self.problems.join("; "));
        }
        Ok(ContactEdit {
            numbers: named("numbers").then_some(self.numbers),
            set: self.attributes,
            unset: self.without,
            priority: named("priority").then_some(self.priority),
            not_before: named("not_before").then_some(self.not_before),
            timezone: named("timezone").then_some(self.timezone),
        })
    }

    /// Notes that an attribute is told to have no value.
    pub(super) fn without(&mut self, attribute: &Attribute) {
        self.without.insert(attribute.id.clone());
    }

    pub(super) fn customer(&mut self, text: &str) {
        match (CustomerId::parse(text), not_a_step(text)) {
            (Ok(customer), Ok(())) => self.customer = Some(customer),
            (Err(error), _) => self.problem(format!("customer_id: {error}")),
            (Ok(_), Err(error)) => self.problem(format!("customer_id: {error}")),
        }
    }

    pub(super) fn number(&mut self, category: &CategoryId, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        match e164(text, self.context.region) {
            Ok(number) => match self.numbers.iter().find(|(_, known)| *known == number) {
                Some((other, _)) => {
                    let problem = format!("number.{category}: the same number as number.{other}");
                    self.problem(problem);
                }
                None => self.numbers.push((category.clone(), number)),
            },
            Err(error) => self.problem(format!("number.{category}: {error}")),
        }
    }

    pub(super) fn priority(&mut self, text: &str) {
        match text.trim() {
            "" => {}
            text => match text.parse().ok().and_then(Priority::new) {
                Some(priority) => self.priority = priority,
                None => self.problem("priority: must be 1 to 5, 1 first"),
            },
        }
    }

    pub(super) fn not_before(&mut self, text: &str) {
        match text.trim() {
            "" => {}
            text => match text.parse() {
                Ok(at) => self.not_before = Some(at),
                Err(_) => {
                    self.problem("not_before: must be a time with its offset, for instance 2031-03-03T09:00:00+08:00");
                }
            },
        }
    }

    pub(super) fn timezone(&mut self, text: &str) {
        match text.trim() {
            "" => {}
            text => match ContactZone::parse(text) {
                Some(zone) => self.timezone = Some(zone),
                None => self.problem("timezone: must be an IANA time zone such as Asia/Shanghai"),
            },
        }
    }

    pub(super) fn custom_field(&mut self, text: &str) {
        let length = text.chars().count();
        if length > CUSTOM_FIELD_MAX {
            self.problem(format!("custom_field: has {length} characters, at most {CUSTOM_FIELD_MAX} are kept"));
        }
        self.custom_field = (length > 0).then(|| text.to_owned());
    }

    /// Takes a value; an empty text is a missing one.
    pub(super) fn attribute(&mut self, attribute: &Attribute, given: Given<'_>) {
        if matches!(given, Given::Text(text) if text.trim().is_empty()) {
            self.without(attribute);
            return;
        }
        self.given.insert(attribute.id.clone());
        if attribute.kind == AttributeType::Encrypted && self.context.rules.keys.is_some() {
            let (Given::Text(text) | Given::Number(text)) = given;
            if let Err(problem) = within_length(text) {
                let prefix = self.context.attribute_prefix;
                self.problem(format!("{prefix}{}: {problem}", attribute.id));
            }
            self.secrets.insert(attribute.id.clone(), text.to_owned().into());
            return;
        }
        match value(attribute.kind, given) {
            Ok(value) => {
                self.attributes.insert(attribute.id.clone(), value);
            }
            Err(problem) => {
                let prefix = self.context.attribute_prefix;
                self.problem(format!("{prefix}{}: {problem}", attribute.id));
            }
        }
    }
}

fn value(kind: AttributeType, given: Given<'_>) -> Result<AttributeValue, String> {
    const NUMBER: &str = "must be a decimal number such as -12.5";
    match (kind, given) {
        (AttributeType::String, Given::Text(text)) => {
            within_length(text).map(|()| AttributeValue::Text(text.to_owned()))
        }
        (AttributeType::String, Given::Number(_)) => Err("must be a text".to_owned()),
        (AttributeType::Number, Given::Text(text)) => {
            Number::parse(&narrowed(text)).map(AttributeValue::Number).ok_or_else(|| NUMBER.to_owned())
        }
        (AttributeType::Number, Given::Number(text)) => {
            Number::parse(text).map(AttributeValue::Number).ok_or_else(|| NUMBER.to_owned())
        }
        (AttributeType::Date, Given::Text(text)) => date(&narrowed(text)).map(AttributeValue::Date),
        (AttributeType::Date, Given::Number(_)) => date("").map(AttributeValue::Date),
        (AttributeType::Encrypted, Given::Text(_) | Given::Number(_)) => {
            Err("no key is set for encrypted attributes; set `[store] attribute_key` in dialops.toml".to_owned())
        }
    }
}

fn within_length(text: &str) -> Result<(), String> {
    match text.chars().count() {
        length if length > TEXT_LENGTH_MAX => {
            Err(format!("has {length} characters, at most {TEXT_LENGTH_MAX} are kept"))
        }
        _ => Ok(()),
    }
}

/// A date of the one form `2031-03-04`; the parser knows others.
fn date(text: &str) -> Result<Date, String> {
    let form = text.len() == 10 && text.bytes().enumerate().all(|(i, b)| (i == 4 || i == 7) == (b == b'-'));
    let date = if form { text.parse().ok() } else { None };
    date.ok_or_else(|| "must be a date such as 2031-03-04".to_owned())
}

/// A number of a region, or with its country code, or what is wrong with it.
pub(super) fn e164(field: &str, region: Region) -> Result<E164, String> {
    let invalid = || format!("is not a phone number of {region}, nor one with its country code");
    let number = PHONE_NUMBER_UTIL.parse(narrowed(field), Some(region)).map_err(|_| invalid())?;
    if number.extension.as_ref().is_some_and(|extension| !extension.is_empty()) {
        return Err("has an extension, which can't be dialled".to_owned());
    }
    if !number.is_valid() {
        return Err(invalid());
    }
    E164::parse(&number.format_as(PhoneNumberFormat::E164)).map_err(|_| invalid())
}

/// The text with full-width characters (U+FF01–U+FF5E) in their ASCII form, as Chinese input methods
/// write digits.
fn narrowed(text: &str) -> String {
    let narrow = |wide: char| match u32::from(wide) {
        code @ 0xFF01..=0xFF5E => char::from_u32(code - 0xFEE0).unwrap_or(wide),
        _ => wide,
    };
    text.trim().chars().map(narrow).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_parsed_by_their_type() {
        use AttributeType::{Date, Encrypted, Number, String};
        fn text(kind: AttributeType, text: &str) -> Result<AttributeValue, std::string::String> {
            value(kind, Given::Text(text))
        }
        assert_eq!(text(String, " two  words "), Ok(AttributeValue::Text(" two  words ".to_owned())));
        assert_eq!(text(Number, " －12．50 "), value(Number, Given::Number("-12.5")));
        assert_eq!(text(Date, "2031-03-04"), Ok(AttributeValue::Date("2031-03-04".parse().unwrap())));
        assert!(text(String, &"好".repeat(TEXT_LENGTH_MAX)).is_ok());
        assert!(text(String, &"好".repeat(TEXT_LENGTH_MAX + 1)).unwrap_err().contains("1001"));
        for (kind, bad) in [
            (Number, "1,5"),
            (Number, "1e3"),
            (Date, "2031-3-4"),
            (Date, "20310304"),
            (Date, "2031-02-30"),
            (Date, "2031-03-04T09:00:00"),
            (Date, "20310304T1"),
            (Encrypted, "x"),
        ] {
            let problem = text(kind, bad).unwrap_err();
            assert!(problem.contains("such as") || problem.contains("encrypted"), "{bad}: {problem}");
        }
        assert!(value(String, Given::Number("1")).is_err() && value(Date, Given::Number("20310304")).is_err());
        assert!(value(Number, Given::Number("1e300")).is_err() && value(Number, Given::Number("1E3")).is_err());
    }
}
