//! What a CRM is sent: the seed system's ten names, and ours.

use serde_json::{Map, Value as Json, json};

use crate::{
    domain::{attribute::AttributeValue, campaign::Callback, ids::TenantId, results::CallResult},
    store::{AttemptRecord, DispatchEvent, DispatchFacts},
};

/// The body of a callback.
pub(super) fn body(
    facts: &DispatchFacts,
    (attempt, callback): (&AttemptRecord, &Callback),
    tenant: &TenantId,
    delivery: &str,
) -> Json {
    let DispatchFacts { record, contact, custom_field, .. } = facts;
    // What is told is what was so then: that they were connected, not how it ended since.
    let ended = record.event == DispatchEvent::Ended;
    let number = attempt.number.as_ref().map(|number| number.expose());
    let category = contact.progress.numbers.iter().find(|own| Some(&own.e164) == attempt.number.as_ref());
    let time = |at: Option<jiff::Timestamp>| at.map(|at| at.to_string());
    let when_ended = |value: Json| if ended { value } else { Json::Null };
    let attributes = callback.fields.iter().map(|field| {
        let value = contact.attributes.get(field).map_or(Json::Null, attribute);
        (field.to_string(), value)
    });
    json!({
        "dataId": contact.reference.0.to_string(),
        "taskId": record.campaign.as_str(),
        "sessionId": record.customer.as_str(),
        "calledNo": number,
        "beginTime": attempt.placed_at.to_string(),
        "vdnId": tenant.as_str(),
        "failCode": when_ended(json!(attempt.fail_code)),
        "callId": attempt.attempt.to_string(),
        "filePath": Json::Null,
        "customFiled": custom_field,
        "deliveryId": delivery,
        "event": record.event.as_str(),
        "happenedAt": record.made_at.to_string(),
        "numberIndex": attempt.number_index + 1,
        "category": category.map(|own| own.category.as_str()),
        "callerNumber": attempt.caller_number.expose(),
        "agent": attempt.agent.as_str(),
        "answeredAt": time(attempt.answered_at),
        "connectedAt": time(attempt.connected_at),
        "endedAt": when_ended(json!(time(attempt.ended_at))),
        "result": when_ended(json!(attempt.result.map(CallResult::as_str))),
        "sipStatus": when_ended(json!(attempt.sip_status)),
        "q850": when_ended(json!(attempt.q850)),
        "revision": attempt.revision.as_str(),
        "fields": attributes.collect::<Map<_, _>>(),
    })
}

fn attribute(value: &AttributeValue) -> Json {
    match value {
        AttributeValue::Text(text) => json!(text),
        AttributeValue::Number(number) => json!(number.get()),
        AttributeValue::Date(date) => json!(date.to_string()),
        // `check` refuses it among the fields.
        AttributeValue::Sealed(_) => Json::Null,
    }
}
