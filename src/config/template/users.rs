//! Which campaigns use a template, told with each of its faults.

use std::{collections::BTreeMap, sync::Arc};

use crate::config::{
    diagnostic::{Diagnostic, Related},
    load::{Commit, InFile},
    tables::campaign::CampaignFile,
};

use super::Templates;

/// Campaigns that are shown with a fault of their template.
const SHOWN_MAX: usize = 3;

/// The users of each template, by its file.
pub(crate) struct Users(BTreeMap<usize, Of>);

/// The users of one template: how many campaigns, and the first of them.
#[derive(Default)]
struct Of {
    count: usize,
    shown: Vec<Related>,
}

impl Users {
    /// Who uses which template; `campaigns` are sorted by path.
    pub(crate) fn new(templates: &Templates<'_>, campaigns: &[InFile<Arc<CampaignFile>>], commit: &Commit<'_>) -> Self {
        let mut users: BTreeMap<usize, Of> = BTreeMap::new();
        for InFile { file, value } in campaigns {
            let Some(template) = templates.file_of(value) else { continue };
            let of = users.entry(template).or_default();
            of.count += 1;
            if of.shown.len() < SHOWN_MAX {
                let place = InFile { file: *file, value: value.extends.as_ref().and_then(|extends| extends.span) };
                let campaign =
                    value.id.as_ref().map_or(String::new(), |id| format!("campaign {:?} ", id.value.as_str()));
                let label = format!("used by {campaign}here");
                of.shown.push(Related { location: commit.locate(&place), label });
            }
        }
        Self(users)
    }

    /// Adds the users of a template to what is wrong with it.
    pub(crate) fn relate(self, templates: &Templates<'_>, diagnostics: &mut [Diagnostic]) {
        let by_path: BTreeMap<&Arc<str>, &Of> =
            self.0.iter().filter_map(|(file, of)| Some((templates.path(*file)?, of))).collect();
        for diagnostic in diagnostics {
            let Some(of) = by_path.get(&diagnostic.location.file) else { continue };
            let more = of.count - of.shown.len();
            diagnostic.related.extend(of.shown.iter().cloned());
            if let Some(last) = diagnostic.related.last_mut().filter(|_| more > 0) {
                last.label += &format!(", and by {more} more");
            }
        }
    }
}
