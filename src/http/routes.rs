//! Every route: what it takes to use it, what the audit log calls what it changes, and who serves it.
//!
//! `tests/it/rights.rs` tries each of them as everybody.

use std::sync::Arc;

use axum::{
    extract::DefaultBodyLimit,
    handler::Handler,
    http::Method,
    routing::{self, MethodRouter},
};

use super::{
    access::Right::{self, Desk, Lead, Look, Open, Own, Rule, SignedIn},
    agents, audit, batches, business, campaigns, contacts, customers, deliveries, desk, do_not_call, exports, files,
    health, hooks, journal, listing, openapi, overrides, page as status_page, pages, pause, people, plan,
    questionnaire, reconcile, results,
    state::ServerState,
    statistics, status,
};

/// How long an answer may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// Half a minute.
    Prompt,
    /// As long as it takes.
    Lengthy,
}

/// One of them.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) right: Right,
    /// What the audit log calls it; `None` for what changes nothing, or writes that down itself.
    pub(super) action: Option<&'static str>,
    /// Whether it is a page: who has no session is shown where to get one.
    pub(super) is_page: bool,
    pub(super) pace: Pace,
    /// Whether its body may be of any length, and is never held whole.
    pub(super) streams: bool,
    pub(super) served: MethodRouter<Arc<ServerState>>,
}

/// What serves a method of a path.
struct Served {
    method: Method,
    router: MethodRouter<Arc<ServerState>>,
}

macro_rules! methods {
    ($($name:ident $method:ident),+) => {$(
        fn $name<H: Handler<T, Arc<ServerState>>, T: 'static>(handler: H) -> Served {
            Served { method: Method::$method, router: routing::$name(handler) }
        }
    )+};
}

methods!(get GET, post POST, put PUT, patch PATCH, delete DELETE);

impl Served {
    /// With a body of so many bytes at most.
    fn limited(self, bytes: usize) -> Self {
        Self { router: self.router.layer(DefaultBodyLimit::max(bytes)), ..self }
    }
}

/// One that shows something, or whose form brings what it takes.
fn show(path: &'static str, right: Right, served: Served) -> Route {
    let Served { method, router } = served;
    let (is_page, pace) = (false, Pace::Prompt);
    Route { method, path, right, action: None, is_page, pace, streams: false, served: router }
}

/// One that changes something.
fn change(path: &'static str, right: Right, action: &'static str, served: Served) -> Route {
    Route { action: Some(action), ..show(path, right, served) }
}

/// One that people look at.
fn page(path: &'static str, right: Right, served: Served) -> Route {
    Route { is_page: true, ..show(path, right, served) }
}

impl Route {
    fn lengthy(self) -> Self {
        Self { pace: Pace::Lengthy, ..self }
    }

    /// With a body of any length.
    fn streamed(self) -> Self {
        Self { streams: true, pace: Pace::Lengthy, ..self }
    }

    /// Whether it is a write of the API that an idempotency key tells from others. One whose body is never held whole
    /// can't be compared; imports add nothing twice by themselves.
    pub(super) fn takes_key(&self) -> bool {
        self.action.is_some() && self.path.starts_with("/api/") && !self.streams
    }
}

/// All of them.
pub(super) fn all() -> Vec<Route> {
    let groups = [open(), people(), looks(), questionnaires(), contacts(), exported(), decisions()];
    groups.into_iter().flatten().collect()
}

/// What holds no personal data, and forms that bring what it takes.
fn open() -> Vec<Route> {
    vec![
        show("/", Open, get(status_page::get)),
        show("/pause", Open, get(pause::form)),
        show("/pause", Open, post(pause::post)),
        show("/hooks/{id}", Open, post(hooks::post)),
        show("/-/healthy", Open, get(health::healthy)),
        show("/-/ready", Open, get(health::ready)),
        show("/metrics", Open, get(health::metrics)),
        show("/api/openapi.json", Open, get(openapi::get)),
        show("/api/v1/status", Open, get(status::get)),
        show("/api/v1/generation", Open, get(plan::generation)),
        show("/agent.js", Open, get(desk::script)),
        show("/pages.js", Open, get(pages::script)),
        show("/sign-in", Open, get(people::form)),
        show("/sign-in", Open, post(people::post)),
    ]
}

/// Who is let in, agents, and who changed what.
fn people() -> Vec<Route> {
    vec![
        change("/sign-out", SignedIn, "sign_out", post(people::leave)),
        page("/agent", Desk, get(desk::page)),
        page("/agent/events", Desk, get(desk::events)).lengthy(),
        show("/api/v1/people", Rule, get(people::list)),
        change("/api/v1/people/{person}", Rule, "person.make", put(people::make)),
        change("/api/v1/people/{person}", Rule, "person.remove", delete(people::remove)),
        change("/api/v1/people/{person}/password", Rule, "person.password", put(people::set_password)),
        change("/api/v1/people/{person}/tokens", Rule, "person.token", post(people::token)),
        change("/api/v1/people/{person}/sign-out", Rule, "person.sign_out", post(people::sign_out_everywhere)),
        show("/api/v1/audit", Rule, get(audit::list)),
        show("/api/v1/agents", Lead, get(agents::list)),
        change("/api/v1/agents/{agent}", Own, "agent.set", put(agents::set)),
        change("/api/v1/agents/{agent}/hang-up", Own, "agent.hang_up", post(agents::hang_up)),
        change("/api/v1/agents/{agent}/result", Own, "business_result.set", post(business::of_call)),
    ]
}

/// How campaigns stand, and what is known of them.
fn looks() -> Vec<Route> {
    vec![
        page("/campaigns", Look, get(pages::campaigns)),
        page("/campaigns/{campaign}", Look, get(pages::campaign)),
        page("/campaigns/{campaign}/contacts", Lead, get(pages::contacts)),
        page("/campaigns/{campaign}/contacts/{customer}", Lead, get(pages::contact)),
        show("/campaigns/{campaign}/contacts/{customer}", Open, post(pages::mark)),
        show("/api/v1/history", Look, get(journal::history)),
        show("/api/v1/events", Look, get(journal::events)),
        show("/api/v1/files", Lead, get(files::get)),
        show("/api/v1/campaigns/{campaign}/results", Lead, get(results::list)).lengthy(),
        show("/api/v1/campaigns/{campaign}/statistics", Look, get(statistics::of_campaign)),
        show("/api/v1/statistics", Look, get(statistics::of_all)),
        show("/api/v1/campaigns/{campaign}/tally", Look, get(campaigns::tally)),
        show("/api/v1/campaigns/{campaign}/batches", Lead, get(batches::list)),
        show("/api/v1/campaigns/{campaign}/batches/{batch}", Lead, get(batches::show)),
        show("/api/v1/campaigns/{campaign}/why", Look, get(campaigns::campaign_why)),
        show("/api/v1/campaigns/{campaign}/contacts/{customer}/why", Lead, get(campaigns::contact_why)),
        show("/api/v1/campaigns/{campaign}/contacts", Lead, get(listing::list)).lengthy(),
        show("/api/v1/do-not-call", Look, get(do_not_call::lists)),
        show("/api/v1/do-not-call/{list}", Lead, get(do_not_call::entries)).lengthy(),
        show("/api/v1/deliveries", Lead, get(deliveries::list)),
        show("/api/v1/overrides", Look, get(overrides::list)).lengthy(),
        show("/api/v1/plan", Lead, post(plan::post).limited(plan::BODY_BYTES_MAX)).lengthy(),
    ]
}

/// What was asked in calls, and what was answered.
fn questionnaires() -> Vec<Route> {
    const OF_CALL: &str = "/api/v1/agents/{agent}/questionnaire";
    const OF_ATTEMPT: &str = "/api/v1/attempts/{attempt}/questionnaire";
    const COMPLETE: &str = "/api/v1/attempts/{attempt}/questionnaire/complete";
    const SAVE: &str = "questionnaire.save";
    const COMPLETED: &str = "questionnaire.complete";
    const LONG: usize = questionnaire::BODY_BYTES_MAX;
    vec![
        show(OF_CALL, Own, get(questionnaire::of_call)),
        change(OF_CALL, Own, SAVE, put(questionnaire::save_of_call).limited(LONG)),
        change(
            "/api/v1/agents/{agent}/questionnaire/complete",
            Own,
            COMPLETED,
            post(questionnaire::complete_of_call).limited(LONG),
        ),
        show(OF_ATTEMPT, Lead, get(questionnaire::of_attempt)),
        change(OF_ATTEMPT, Lead, SAVE, put(questionnaire::save_of_attempt).limited(LONG)),
        change(COMPLETE, Lead, COMPLETED, post(questionnaire::complete_of_attempt).limited(LONG)),
        show("/api/v1/campaigns/{campaign}/questionnaire/answers", Lead, get(questionnaire::list)).lengthy(),
        show("/api/v1/campaigns/{campaign}/questionnaire/counts", Lead, get(questionnaire::counts)).lengthy(),
    ]
}

/// Customers and their numbers.
fn contacts() -> Vec<Route> {
    const CONTACT: &str = "/api/v1/campaigns/{campaign}/contacts/{customer}";
    const RESULTS: &str = "/api/v1/campaigns/{campaign}/contacts/{customer}/business-results";
    vec![
        change("/api/v1/campaigns/{campaign}/contacts", Rule, "contacts.import", post(contacts::import)).streamed(),
        change("/api/v1/campaigns/{campaign}/batches/{batch}", Lead, "batch.pause", put(batches::pause)),
        show(CONTACT, Lead, get(results::contact)),
        change(CONTACT, Lead, "contact.edit", patch(customers::edit)),
        change(CONTACT, Rule, "contact.delete", delete(customers::delete)),
        change(RESULTS, Lead, "business_result.set", post(business::set)),
        change("/api/v1/erasures", Rule, "contact.erase", post(customers::erase)),
        change("/api/v1/attributes/rotate-key", Rule, "attributes.rotate_key", post(customers::rotate_key)),
        change("/api/v1/do-not-call/{list}", Rule, "do_not_call.import", post(do_not_call::import)).streamed(),
        change("/api/v1/do-not-call/{list}/remove", Rule, "do_not_call.remove", post(do_not_call::remove)),
    ]
}

/// Files of contacts and attempts. A form brings what it takes.
fn exported() -> Vec<Route> {
    vec![
        page("/exports", Lead, get(exports::form)),
        show("/exports", Open, post(exports::post)),
        show("/api/v1/exports", Lead, get(exports::list)),
        change("/api/v1/exports", Lead, "export.ask", post(exports::make)),
        show("/api/v1/exports/{id}", Lead, get(exports::show)),
        change("/api/v1/exports/{id}", Lead, "export.delete", delete(exports::delete)).lengthy(),
        change("/api/v1/exports/{id}/file", Lead, "export.download", get(exports::download)).lengthy(),
    ]
}

/// What people decide against the files, or for a commit.
fn decisions() -> Vec<Route> {
    vec![
        change("/api/v1/overrides", Lead, "override.make", post(overrides::make)).lengthy(),
        change("/api/v1/overrides/{id}", Lead, "override.end", delete(overrides::end_now)).lengthy(),
        change("/api/v1/approvals", Rule, "commit.approve", post(reconcile::approve)).lengthy(),
        change("/api/v1/reconcile", Rule, "reconcile", post(reconcile::post)).lengthy(),
        change("/api/v1/deliveries/retry", Lead, "delivery.retry", post(deliveries::retry)).lengthy(),
        change("/api/v1/deliveries/drop", Lead, "delivery.drop", post(deliveries::drop_some)).lengthy(),
    ]
}
