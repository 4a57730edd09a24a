//! Pages for supervisors.

use super::operation::{Operation, get};
use crate::http::pages::{ContactQuery, DaysQuery, Filled};

pub(super) fn all() -> Vec<Operation> {
    const NOBODY: &str = "Nobody has signed in; Location is where to";
    const WRONG: &str = "What is asked for is wrong; the page says what";
    const UNKNOWN: &str = "There is no such campaign or contact; the page says so";
    let page = |operation: Operation| {
        let page = operation.page().empty_as(303, NOBODY).page_as(400, WRONG).page_as(404, UNKNOWN).page_as(422, WRONG);
        page.page_as(500, "The daemon failed; the page says so")
            .page_as(503, "The store does not answer; the page says so")
    };
    vec![
        page(get("/campaigns", "showCampaigns", "How all campaigns do, with plots").query::<DaysQuery>()),
        page(get("/campaigns/{campaign}", "showCampaign", "How a campaign does, with plots").query::<DaysQuery>()),
        page(get("/campaigns/{campaign}/contacts", "showContacts", "A campaign's contacts").query::<Filled>()),
        page(get("/campaigns/{campaign}/contacts/{customer}", "showContactPage", "A contact").query::<ContactQuery>()),
        get("/pages.js", "getPagesScript", "The script of these pages").other("text/javascript"),
    ]
}
