//! Pages for browsers, and what machines watch.

use super::operation::{Operation, get, post};
use crate::http::{hooks::Look, page::PageQuery, pause, people::Filled};

pub(super) fn all() -> Vec<Operation> {
    vec![
        get("/", "showStatus", "The status page").query::<PageQuery>().page(),
        get("/pause", "showPause", "The page that pauses all calling").page(),
        post("/pause", "pauseAll", "Pause all calling, by the page's form")
            .form::<pause::Filled>()
            .page()
            .empty_as(303, "All calling is paused; Location is the status page")
            .page_as(422, "What was filled in is wrong; the page says what")
            .page_as(403, "The token is wrong; the page says so")
            .page_as(409, "It can't be paused; the page says why")
            .page_as(500, "The daemon failed; the page says so")
            .page_as(503, "The daemon does not take it now; the page says so")
            .fails(&[403, 415, 422]),
        get("/sign-in", "showSignIn", "The page to sign in").page(),
        post("/sign-in", "signIn", "Sign in, by the page's form")
            .form::<Filled>()
            .page()
            .empty_as(303, "There is a session now, in a cookie; Location is where to go")
            .page_as(403, "The name or the password is wrong; the page says so")
            .page_as(429, "Too many were wrong; `Retry-After` says when to try again")
            .page_as(503, "Too many sign in at once")
            .fails(&[403, 415, 422]),
        post("/sign-out", "signOut", "End the session of who asks").done().fails(&[500, 503]),
        get("/agent", "showDesk", "An agent's page")
            .page()
            .page_as(403, "Who asks is no agent; the page says where to go")
            .empty_as(303, "Nobody has signed in; Location is where to"),
        get("/agent/events", "followDesk", "The sections of an agent's page as they change, as server-sent events")
            .other("text/event-stream")
            .page_as(403, "Who asks is no agent; the page says where to go")
            .empty_as(303, "Nobody has signed in; Location is where to"),
        get("/agent.js", "getDeskScript", "The script of an agent's page").other("text/javascript"),
        post("/hooks/{id}", "takeHook", "A forge tells of a push")
            .more("The signature in its headers is what lets it in; see docs/operations.md.")
            .raw("application/json")
            .json_as::<Look>(202, "It is taken")
            .fails(&[403, 408, 409, 413, 429]),
        get("/-/healthy", "getHealthy", "Whether the process serves requests").plain(),
        get("/-/ready", "getReady", "Whether a commit is in force").plain().plain_as(503, "None is in force yet"),
        get("/metrics", "getMetrics", "Metrics, in the text format of Prometheus").plain().fails(&[500]),
    ]
}
