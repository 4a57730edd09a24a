//! What an import is held to.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{keyring::Keyring, shown};
use crate::{
    config::suggest,
    domain::{
        attribute::Attribute,
        campaign::Definitions,
        ids::{AttributeId, CategoryId},
    },
};

/// What the tenant defines, as far as an import needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportRules {
    /// Where numbers in national form belong, ISO 3166-1 alpha-2.
    pub region: String,
    /// Attributes that contacts may have.
    pub attributes: BTreeMap<AttributeId, Attribute>,
    /// Categories that numbers may have; none defined allows any.
    pub categories: BTreeSet<CategoryId>,
    /// What encrypts values; without it contacts with encrypted attributes are refused.
    pub keys: Option<Arc<Keyring>>,
}

impl ImportRules {
    /// The rules of the generation in force.
    #[must_use]
    pub fn of(definitions: &Definitions, keys: Option<Arc<Keyring>>) -> Self {
        Self {
            region: definitions.tenant.region.clone(),
            attributes: definitions.attributes.clone(),
            categories: definitions.categories.keys().cloned().collect(),
            keys,
        }
    }

    /// The rules for whoever dials from memory: what is encrypted is held under a key that nobody has.
    #[must_use]
    pub fn in_memory(definitions: &Definitions) -> Self {
        Self::of(definitions, Some(Arc::new(Keyring::thrown_away())))
    }

    /// The attribute of that id, or why there is none.
    pub(super) fn attribute(&self, id: &str) -> Result<&Attribute, String> {
        let found = AttributeId::parse(id).ok().and_then(|id| self.attributes.get(&id));
        found.ok_or_else(|| unknown("attribute", id, self.attributes.keys().map(AttributeId::as_str)))
    }

    /// The category of that id, or what is wrong with it.
    pub(super) fn category(&self, id: &str) -> Result<CategoryId, String> {
        let category = CategoryId::parse(id).map_err(|error| format!("the category after `number.` {error}"))?;
        if self.categories.is_empty() || self.categories.contains(&category) {
            return Ok(category);
        }
        Err(unknown("category", id, self.categories.iter().map(CategoryId::as_str)))
    }
}

fn unknown<'a>(what: &str, id: &str, known: impl Iterator<Item = &'a str>) -> String {
    let none = match shown::name(id) {
        Some(name) => format!("the tenant defines no {what} {name}"),
        None => format!("the tenant defines no such {what}"),
    };
    match suggest::nearest(id, known) {
        Some(meant) => format!("{none}; did you mean {meant:?}?"),
        None => none,
    }
}
