//! Who is let in, and who changed what.

use super::operation::{Operation, delete, get, post, put};
use crate::http::{
    audit::AuditQuery,
    people::PeopleQuery,
    wire::people::{AuditPage, IssueToken, MakePerson, PeopleList, SetPassword, Token},
};

const PERSON: &str = "/api/v1/people/{person}";

pub(super) fn all() -> Vec<Operation> {
    vec![
        get("/api/v1/people", "listPeople", "Everybody with an account, by id")
            .query::<PeopleQuery>()
            .json::<PeopleList>(),
        put(PERSON, "makePerson", "Make an account, or give it another role").body::<MakePerson>().done(),
        delete(PERSON, "removePerson", "Take an account away, and what lets the person in").done(),
        put("/api/v1/people/{person}/password", "setPassword", "Give somebody another password")
            .body::<SetPassword>()
            .done(),
        post("/api/v1/people/{person}/tokens", "issueToken", "Issue a token, which is shown this once")
            .optional_body::<IssueToken>()
            .json::<Token>(),
        post("/api/v1/people/{person}/sign-out", "signOutEverywhere", "End the sessions and tokens of a person").done(),
        get("/api/v1/audit", "listAudit", "Who changed what, oldest first")
            .more("Without a cursor these are the newest.")
            .query::<AuditQuery>()
            .json::<AuditPage>(),
    ]
}
