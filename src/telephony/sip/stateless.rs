//! Answers to requests outside of dialogs and to broken ones. They keep no state, and are the same
//! for every repeat, so a stranger can neither fill our memory nor get more than one short answer to
//! each of his messages.

use super::{
    dialog::ALLOW,
    header::Name,
    message::{Message, Method},
    settings::Shared,
    uri::Uri,
};

/// A response with that status.
#[must_use]
pub(super) fn answer(shared: &Shared, request: &Message, status: u16) -> Message {
    let branch = request.via().map(|via| via.branch().to_owned()).unwrap_or_default();
    let tag = shared.key.answer_tag(request.call_id(), &branch);
    let mut response = Message::respond_to(request, status, Some(&tag));
    match status {
        200 if request.method() == Some(&Method::Options) => {
            response.push(Name::Allow, ALLOW);
            response.push(Name::Accept, "application/sdp");
        }
        405 | 501 => response.push(Name::Allow, ALLOW),
        _ => {}
    }
    response.push(Name::Server, &shared.user_agent);
    response
}

/// Refuses a request that requires an extension: we have none (§8.2.2.3).
#[must_use]
pub(super) fn refuse_extensions(shared: &Shared, request: &Message) -> Option<Message> {
    let required: Vec<&[u8]> = request.list(Name::Require).collect();
    if required.is_empty() {
        return None;
    }
    let mut response = answer(shared, request, 420);
    response.push_bytes(Name::Unsupported, &required.join(&b", "[..]));
    Some(response)
}

/// The answer to a request that is in none of our dialogs (§8.2, §12.2.2).
#[must_use]
pub(super) fn outside(shared: &Shared, request: &Message) -> Message {
    let inside = !request.to_tag().is_empty();
    let status = match request.method() {
        Some(Method::Other(_)) => 501,
        _ if inside => 481,
        Some(Method::Options | Method::Invite) if Uri::parse(request.uri()).is_none() => 416,
        Some(Method::Options) => 200,
        // Nobody here can be called.
        Some(Method::Invite) => 404,
        Some(Method::Bye | Method::Update | Method::Prack) => 481,
        _ => 405,
    };
    answer(shared, request, status)
}
