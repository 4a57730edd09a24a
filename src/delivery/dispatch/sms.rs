//! What a customer who was not reached is sent, to which number, and when.

use jiff::{Timestamp, tz::TimeZone};
use rlibphonenumber::{PHONE_NUMBER_UTIL, enums::PhoneNumberType};
use serde_json::Value as Json;

use crate::{
    config::settings::{SMS_GAPS, SmsSettings},
    domain::{
        attribute::AttributeValue,
        calendar::CallingHours,
        campaign::{Campaign, Definitions},
        contact::Number,
        phone::E164,
        results::CallResult,
        sms::{Gap, SmsTemplate, filled},
        tenant::Tenant,
    },
    store::DispatchFacts,
};

/// When a text message may be sent that is due at `now`; `now` itself if that is now.
pub(super) fn opens_at(tenant: &Tenant, now: Timestamp) -> Timestamp {
    let windows = tenant.sms.windows.clone();
    // `check` has refused what can't be read; without windows it is always.
    let hours = TimeZone::get(&tenant.timezone).ok();
    let hours = hours.and_then(|zone| CallingHours::new(&tenant.timezone, zone, windows).ok());
    let opens = hours.map_or(Some(now), |hours| hours.at_home().next_open(now));
    opens.unwrap_or(Timestamp::MAX)
}

/// The number that can take a text message: the first that is no landline, on no do-not-call list, and known to be
/// nobody's.
pub(super) fn number(facts: &DispatchFacts) -> Option<&E164> {
    let listed = |index: usize| facts.listed.get(index).copied().unwrap_or(false);
    let numbers = facts.contact.progress.numbers.iter().enumerate();
    let mut good = numbers.filter(|(index, number)| !listed(*index) && is_somebodys(number) && takes(&number.e164));
    good.next().map(|(_, number)| &number.e164)
}

fn is_somebodys(number: &Number) -> bool {
    const NOBODYS: [CallResult; 4] =
        [CallResult::Vacant, CallResult::NumberChanged, CallResult::InvalidNumber, CallResult::FaxOrModem];
    number.last_result.is_none_or(|result| !NOBODYS.contains(&result))
}

/// Whether it may be a mobile phone's, by its region's plan of numbers.
fn takes(number: &E164) -> bool {
    let Ok(parsed) = PHONE_NUMBER_UTIL.parse(number.expose(), None) else { return false };
    use PhoneNumberType::{FixedLineOrMobile, Mobile, PersonalNumber};
    matches!(PHONE_NUMBER_UTIL.get_number_type(&parsed), Mobile | FixedLineOrMobile | PersonalNumber)
}

/// The text for a contact.
pub(super) fn text(template: &SmsTemplate, campaign: &Campaign, tenant: &Tenant, facts: &DispatchFacts) -> String {
    filled(&template.text, |gap| match gap {
        Gap::CustomerId => facts.contact.customer.as_str().to_owned(),
        Gap::CustomField => facts.custom_field.clone().unwrap_or_default(),
        Gap::Campaign => campaign.name.clone(),
        Gap::Tenant => tenant.name.clone(),
        Gap::Attribute(id) => facts.contact.attributes.get(id).and_then(AttributeValue::text).unwrap_or_default(),
    })
}

/// The template of a campaign, if both are in force.
pub(super) fn template<'d>(
    definitions: &'d Definitions,
    facts: &DispatchFacts,
) -> Option<(&'d Campaign, &'d SmsTemplate)> {
    let campaign = definitions.campaigns.get(&facts.record.campaign)?;
    let template = definitions.sms.get(campaign.failure_sms.as_ref()?)?;
    Some((campaign, template))
}

/// What the gateway is sent.
pub(super) fn body(settings: &SmsSettings, number: &E164, text: &str, id: &str) -> Json {
    let [number_gap, text_gap, id_gap] = SMS_GAPS;
    fill(&settings.body, &[(number_gap, number.expose()), (id_gap, id), (text_gap, text)])
}

fn fill(value: &Json, gaps: &[(&str, &str)]) -> Json {
    match value {
        Json::String(template) => Json::String(fill_text(template, gaps)),
        Json::Array(items) => items.iter().map(|item| fill(item, gaps)).collect(),
        Json::Object(fields) => fields.iter().map(|(name, field)| (name.clone(), fill(field, gaps))).collect(),
        Json::Null | Json::Bool(_) | Json::Number(_) => value.clone(),
    }
}

/// Fills gaps in one pass: what fills one is not looked at for others.
fn fill_text(template: &str, gaps: &[(&str, &str)]) -> String {
    let (mut text, mut rest) = (String::new(), template);
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        let found = gaps.iter().find(|(gap, _)| from.starts_with(gap));
        let (with, length) = found.map_or(("{", 1), |(gap, with)| (*with, gap.len()));
        text.push_str(with);
        rest = &from[length..];
    }
    text + rest
}

/// Whether the gateway's answer says that it took the message.
pub(super) fn is_taken(settings: &SmsSettings, answer: &[u8]) -> bool {
    let Some((field, wanted)) = &settings.success else { return true };
    let answer: Option<Json> = serde_json::from_slice(answer).ok();
    answer.as_ref().and_then(|answer| answer.pointer(field)).is_some_and(|found| match found {
        Json::String(found) => found == wanted,
        found => serde_json::from_str(wanted).is_ok_and(|wanted: Json| *found == wanted),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::{calendar::Window, ids::TenantId};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn hours_are_the_tenants() {
        let mut tenant = Tenant::new(TenantId::parse("acme").unwrap(), "Acme", "Asia/Shanghai", "CN");
        let night = at("2031-03-03T22:00:00+08:00");
        assert_eq!(opens_at(&tenant, night), night);
        tenant.sms.windows = vec![Window::parse("09:00-20:00").unwrap()];
        assert_eq!(opens_at(&tenant, night), at("2031-03-04T09:00:00+08:00"));
        assert_eq!(opens_at(&tenant, at("2031-03-03T19:59:59+08:00")), at("2031-03-03T19:59:59+08:00"));
        assert_eq!(opens_at(&tenant, at("2031-03-03T20:00:00+08:00")), at("2031-03-04T09:00:00+08:00"));
    }

    #[test]
    fn only_what_may_be_a_mobile_phone_takes_text_messages() {
        let takes = |text: &str| takes(&E164::parse(text).unwrap());
        assert!(takes("+8613800000001") && takes("+4915112345678") && takes("+12025550123"));
        assert!(!takes("+862150000001") && !takes("+493012345678"));
    }

    fn gateway(body: Json, success: Option<(&str, &str)>) -> SmsSettings {
        SmsSettings {
            url: "http://sms.example.net/".to_owned(),
            headers: Vec::new(),
            body,
            success: success.map(|(field, value)| (field.to_owned(), value.to_owned())),
            allow_networks: Vec::new(),
            at_once: 1,
            ca_file: None,
        }
    }

    #[test]
    fn gaps_of_the_body_are_filled_and_what_fills_them_is_no_gap() {
        let settings =
            gateway(json!({ "to": ["{number}"], "m": { "t": "<{text}>", "{id}": "{id} {x}" }, "n": 1 }), None);
        let number = E164::parse("+8613800000001").unwrap();
        let filled = body(&settings, &number, "say \"{number}\" {id}\n", "7");
        let wanted =
            json!({ "to": ["+8613800000001"], "m": { "t": "<say \"{number}\" {id}\n>", "{id}": "7 {x}" }, "n": 1 });
        assert_eq!(filled, wanted);
    }

    #[test]
    fn an_answer_says_whether_it_was_taken() {
        let taken = |success, answer: &str| is_taken(&gateway(json!("x"), success), answer.as_bytes());
        assert!(taken(None, "no JSON"));
        for good in ["{\"code\":0}", "{\"code\":\"0\"}"] {
            assert!(taken(Some(("/code", "0")), good), "{good}");
        }
        for bad in ["", "{}", "{\"code\":1}", "{\"code\":0", "[0]"] {
            assert!(!taken(Some(("/code", "0")), bad), "{bad}");
        }
    }
}
