//! Cursors: where a list goes on. To clients they are opaque.

use std::fmt::Display;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// The list of attempts of a campaign.
pub const RESULTS: &str = "results";
/// The list of contacts of a campaign, by customer.
pub const CONTACTS: &str = "contacts";

/// Questionnaires of a campaign.
pub const ANSWERS: &str = "answers";

/// Exports, newest first.
pub const EXPORTS: &str = "exports";

/// The audit log.
pub const AUDIT: &str = "audit";

/// A cursor of a list, behind a position in it.
#[must_use]
pub fn behind(list: &str, position: impl Display) -> String {
    URL_SAFE_NO_PAD.encode(format!("{list}:{position}"))
}

/// The position that a cursor of a list is behind; `None` if it is none of this list.
#[must_use]
pub fn position(list: &str, cursor: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    Some(text.strip_prefix(list)?.strip_prefix(':')?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_of_its_list() {
        let cursor = behind(CONTACTS, "C-1 ü:7");
        assert_eq!(position(CONTACTS, &cursor).as_deref(), Some("C-1 ü:7"));
        assert_eq!(position(RESULTS, &cursor), None);
        assert_eq!(position("contact", &cursor), None);
        for wrong in ["", "x", "C-1", "=", "____"] {
            assert_eq!(position(CONTACTS, wrong), None, "{wrong}");
        }
    }
}
