//! Customers and their numbers.

use super::{
    campaigns::LINES,
    operation::{Operation, delete, get, patch, post},
};
use crate::http::{
    contacts::ImportQuery,
    do_not_call,
    wire::{
        ImportEvent,
        business::{BusinessResultSet, SetBusinessResult},
        contacts::{
            ContactList, ContactListQuery, EditContact, Edited, Erase, Erased, ListedContact, RotateKey, RotatedKey,
        },
        do_not_call::{ListEvent, Lists, RemoveEntry},
        results::{ContactDetail, ContactQuery},
    },
};

const CONTACTS: &str = "/api/v1/campaigns/{campaign}/contacts";
const CONTACT: &str = "/api/v1/campaigns/{campaign}/contacts/{customer}";
const RESULTS: &str = "/api/v1/campaigns/{campaign}/contacts/{customer}/business-results";

/// What imports say of themselves.
const IMPORT: &str = "The body is CSV, or one JSON object a line with the media type `application/x-ndjson`, of any \
                      length. What is wrong with the whole is told by the status; after the first stored row by the \
                      last line, which is `done` or `failed`. Rows that are in stay in and are not added twice, so \
                      the same body may be sent again; an Idempotency-Key is not looked at.";

pub(super) fn all() -> Vec<Operation> {
    vec![
        get(CONTACTS, "listContacts", "A campaign's contacts by customer; those of a batch as they came in")
            .more(LINES)
            .query::<ContactListQuery>()
            .json::<ContactList>()
            .lines::<ListedContact>()
            .fails(&[422]),
        get(CONTACT, "showContact", "A contact with all its numbers and all its attempts")
            .more("Numbers and attributes are masked unless asked otherwise.")
            .query::<ContactQuery>()
            .json::<ContactDetail>(),
        post(CONTACTS, "importContacts", "Import contacts into a batch of a campaign")
            .more(IMPORT)
            .query::<ImportQuery>()
            .raw("text/csv")
            .raw("application/x-ndjson")
            .lines::<ImportEvent>()
            .fails(&[409]),
        patch(CONTACT, "editContact", "Change a contact that is not in a call")
            .more("What is left out stays as it is.")
            .body::<EditContact>()
            .json::<Edited>(),
        delete(CONTACT, "deleteContact", "Take away a contact that was never called").done(),
        post(RESULTS, "setBusinessResult", "Set what a conversation with a customer achieved")
            .body::<SetBusinessResult>()
            .json::<BusinessResultSet>(),
        post("/api/v1/erasures", "eraseCustomer", "Take away everything personal of a customer")
            .more("In one campaign or in all. Calls that ring are cancelled; a conversation is waited for by nobody.")
            .body::<Erase>()
            .json::<Erased>()
            .fails(&[404]),
        post(
            "/api/v1/attributes/rotate-key",
            "rotateKey",
            "Bring encrypted values of some contacts under the current key",
        )
        .more("To be asked again with what `next` says, until that is null.")
        .body::<RotateKey>()
        .json::<RotatedKey>(),
    ]
}

pub(super) fn do_not_call() -> Vec<Operation> {
    vec![
        get("/api/v1/do-not-call", "listDoNotCallLists", "Every do-not-call list that is defined or has entries")
            .json::<Lists>(),
        get("/api/v1/do-not-call/{list}", "getDoNotCallList", "All entries of a list, by number")
            .more("The last line is `done` or `failed`.")
            .lines::<ListEvent>(),
        post("/api/v1/do-not-call/{list}", "importDoNotCall", "Import numbers into a list")
            .more(IMPORT)
            .query::<do_not_call::ImportQuery>()
            .raw("text/csv")
            .raw("application/x-ndjson")
            .lines::<ImportEvent>()
            .fails(&[409, 422]),
        post("/api/v1/do-not-call/{list}/remove", "removeDoNotCall", "Take a number off a list")
            .body::<RemoveEntry>()
            .done(),
    ]
}
