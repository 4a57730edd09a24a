//! `shared/results.toml`.

use crate::{
    config::{
        kinds::{choice::Choice, list::List, text::Text},
        table::table,
    },
    domain::results::CallResult,
};

table! {
    /// How people see the results of calls. Rules always use the results' own names, so nothing here changes what
    /// is dialled.
    pub(crate) struct ResultsFile "the file of results" {
        /// One `[[results]]` for each; a result that is not listed is shown by its own name.
        required results: List<ResultTable, 1> => [{ result = "vacant", name = "Number not in use" }],
    }
}

table! {
    /// What people see of a result.
    pub(crate) struct ResultTable "a result" {
        /// The result's own name; each may be listed once.
        required result: Choice<CallResult> => "vacant",
        /// Shown in its place; 1 to 50 characters.
        required name: Text<1, 50> => "Number not in use",
        /// Results of one group are counted together in reports; 1 to 50 characters.
        optional group: Text<1, 50> => "Bad number",
    }
}
