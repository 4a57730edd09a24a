//! Calendars of special days, shared by campaigns.

use super::{days::Days, ids::CalendarId};

/// Days that are unlike others, such as public holidays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// Identity.
    pub id: CalendarId,
    /// Shown to people.
    pub name: String,
    /// The days.
    pub days: Days,
}
