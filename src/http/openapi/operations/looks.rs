//! How the daemon stands, what is in force and what has happened.

use serde_json::Value as Json;

use super::operation::{Operation, get, post};
use crate::http::{
    journal::{EventsQuery, HistoryQuery},
    sources::Which,
    wire::{
        Status,
        journal::{Events, History},
        plan::{FilesInForce, Live, PlanEvent, PlanRequest},
    },
};

pub(super) fn all() -> Vec<Operation> {
    vec![
        get("/api/openapi.json", "getDescription", "This description").json::<Json>(),
        get("/api/v1/status", "getStatus", "The commit in force, its problems, campaigns and agents")
            .more("Agents are listed by name only for the token of the settings and over the socket.")
            .json::<Status>()
            .empty_as(304, "It is as `If-None-Match` says"),
        get("/api/v1/generation", "getGeneration", "What is in force, for plans")
            .query::<Which>()
            .json::<Live>()
            .fails(&[404]),
        get("/api/v1/files", "getFiles", "The configuration files in force")
            .query::<Which>()
            .json::<FilesInForce>()
            .fails(&[404]),
        post("/api/v1/plan", "plan", "What a set of files would change, and to how many contacts")
            .more("Nothing is changed. The last line is `done` or `failed`.")
            .body::<PlanRequest>()
            .lines::<PlanEvent>()
            .fails(&[404, 409, 415, 422]),
        get("/api/v1/history", "listCommits", "Commits that were handled, newest first")
            .query::<HistoryQuery>()
            .json::<History>(),
        get("/api/v1/events", "listEvents", "What has happened, oldest first")
            .more("Without a cursor these are the newest.")
            .query::<EventsQuery>()
            .json::<Events>(),
    ]
}
