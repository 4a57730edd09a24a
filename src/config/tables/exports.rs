//! `[exports]`.

use crate::{
    config::{
        kinds::{duration::Lasting, number::Whole, text::FilePath},
        table::table,
    },
    domain::export::LONGEST,
};

table! {
    /// Files of contacts and attempts that people ask for.
    pub(crate) struct ExportsTable "`exports`" {
        /// The folder that they lie in, which only the daemon's user may read; `exports` beside the store unless it is set.
        optional folder: FilePath => "/var/lib/dialops/exports",
        /// The longest that one is kept.
        default(LONGEST) longest: Lasting<60, 31_536_000> => "7d",
        /// How many are written at once; others wait.
        default(2) at_once: Whole<1, 16> => 2,
    }
}
