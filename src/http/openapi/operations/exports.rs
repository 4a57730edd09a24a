//! Files of contacts and attempts.

use super::operation::{Operation, delete, get, post};
use crate::http::{
    exports::{Filled, ListQuery},
    wire::exports::{AskExport, ExportList, ExportView},
};

const ONE: &str = "/api/v1/exports/{id}";
const FILE: &str = "/api/v1/exports/{id}/file";

pub(super) fn all() -> Vec<Operation> {
    vec![
        get("/api/v1/exports", "listExports", "Exports, newest first; one's own, or everybody's for an admin")
            .query::<ListQuery>()
            .json::<ExportList>(),
        post("/api/v1/exports", "askExport", "Ask for a file of contacts or attempts")
            .more("It is written in its turn. It holds personal data: whoever asks says why, and for how long it is kept.")
            .body::<AskExport>()
            .json_as::<ExportView>(202, "It is written in its turn")
            .fails(&[404, 409, 429]),
        get(ONE, "showExport", "How far an export has come").json::<ExportView>(),
        delete(ONE, "deleteExport", "Take its file away, or stop what is to become one").done().fails(&[409]),
        get(FILE, "downloadExport", "Its file, whole or a part of it; the audit log has each download")
            .other("text/csv")
            .other("application/x-ndjson")
            .other("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
            .other("application/octet-stream")
            .other_as(206, "text/csv", "The part that `Range` asks for")
            .other_as(206, "application/x-ndjson", "The part that `Range` asks for")
            .other_as(
                206,
                "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
                "The part that `Range` asks for",
            )
            .other_as(206, "application/octet-stream", "The part that `Range` asks for")
            .fails(&[409, 410, 416]),
    ]
}

pub(super) fn pages() -> Vec<Operation> {
    vec![
        get("/exports", "showExports", "The page of exports")
            .page()
            .page_as(403, "The role of who asks does not see it; the page says what does")
            .empty_as(303, "Nobody has signed in; Location is where to"),
        post("/exports", "askExportByForm", "Ask for an export, or take one away, by the page's form")
            .form::<Filled>()
            .page()
            .empty_as(303, "It is done; Location is the page")
            .page_as(400, "What was filled in is wrong; the page says what")
            .page_as(404, "There is no such campaign or export; the page says so")
            .page_as(409, "It can't be; the page says why")
            .page_as(422, "What was filled in can't be; the page says what")
            .page_as(429, "Too many wait; the page says so")
            .fails(&[400, 403, 415, 422]),
    ]
}
