//! The number categories of `shared/categories.toml`.

use super::Defined;
use crate::{
    config::{
        load::{Commit, InFile},
        tables::categories::{CategoriesFile, CategoryTable},
    },
    domain::category::Category,
};

/// Reads them.
pub(crate) fn categories(file: InFile<CategoriesFile>, commit: &mut Commit<'_>) -> Defined<Category> {
    let InFile { file, value } = file;
    let mut categories = Defined::begin(value.categories.is_none());
    for table in value.categories.map(|list| list.value).unwrap_or_default() {
        let category = table.value;
        categories.take_up(file, category.id.as_ref(), category.name.as_ref(), commit);
        categories.put(definition(category));
    }
    categories
}

fn definition(table: CategoryTable) -> Option<Category> {
    Some(Category { id: table.id?.value, name: table.name?.value })
}
