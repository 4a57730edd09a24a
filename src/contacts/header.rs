//! The header: which column is what.

use std::collections::BTreeMap;

use crate::{
    config::suggest,
    domain::{contact::NUMBERS_PER_CONTACT_MAX, ids::CategoryId},
};

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Column {
    Customer,
    /// The nth of these is the nth number.
    Number(CategoryId),
    Priority,
    NotBefore,
    CustomField,
}

/// Columns that may stand once.
const SINGLE: [(&str, Column); 4] = [
    (CUSTOMER, Column::Customer),
    ("priority", Column::Priority),
    ("not_before", Column::NotBefore),
    ("custom_field", Column::CustomField),
];

const CUSTOMER: &str = "customer_id";
const NUMBER: &str = "number.";

/// Reads the header, or tells everything that is wrong with it.
pub(super) fn read(names: &[String]) -> Result<Vec<Column>, Vec<String>> {
    let (mut columns, mut problems) = (Vec::new(), Vec::new());
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, name) in names.iter().enumerate() {
        let name = name.trim().trim_start_matches('\u{feff}');
        match column(name) {
            Ok(column) => {
                let first = *seen.entry(name).or_insert(index);
                if first != index && !matches!(column, Column::Number(_)) {
                    problems.push(format!("column {name:?} stands twice"));
                }
                columns.push(column);
            }
            Err(problem) => problems.push(problem),
        }
    }
    let numbers = columns.iter().filter(|column| matches!(column, Column::Number(_))).count();
    if problems.is_empty() && !columns.contains(&Column::Customer) {
        problems.push("no column `customer_id`".to_owned());
    }
    if problems.is_empty() && numbers == 0 {
        problems.push("no column with a number, such as `number.mobile`".to_owned());
    }
    if numbers > NUMBERS_PER_CONTACT_MAX {
        problems.push(format!("{numbers} columns with numbers; a contact has at most {NUMBERS_PER_CONTACT_MAX}"));
    }
    if problems.is_empty() { Ok(columns) } else { Err(problems) }
}

fn column(name: &str) -> Result<Column, String> {
    if let Some((_, column)) = SINGLE.into_iter().find(|(known, _)| *known == name) {
        return Ok(column);
    }
    if let Some(category) = name.strip_prefix(NUMBER) {
        let wrong = |error| format!("column {name:?}: the category after `number.` {error}");
        return CategoryId::parse(category).map(Column::Number).map_err(wrong);
    }
    Err(unknown(name))
}

fn unknown(name: &str) -> String {
    if let Some(separator) = [';', '\t', '|'].into_iter().find(|&separator| name.contains(separator)) {
        return format!("column {name:?} is not known: fields are separated by ',', not {separator:?}");
    }
    let meant = match name.split_once('.') {
        Some((word, category)) if suggest::nearest(word, ["number"]).is_some() => Some(format!("{NUMBER}{category}")),
        _ => suggest::nearest(name, SINGLE.map(|(known, _)| known)).map(str::to_owned),
    };
    match meant {
        Some(meant) => format!("column {name:?} is not known; did you mean `{meant}`?"),
        None => format!(
            "column {name:?} is not known; there are `customer_id`, `number.CATEGORY`, `priority`, `not_before` and \
             `custom_field`"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> Result<Vec<Column>, String> {
        let names: Vec<String> = text.split(',').map(str::to_owned).collect();
        read(&names).map_err(|problems| problems.join("\n"))
    }

    fn number(category: &str) -> Column {
        Column::Number(CategoryId::parse(category).unwrap())
    }

    #[test]
    fn columns_in_any_order_numbers_repeatable() {
        let columns = header("\u{feff}customer_id, number.mobile ,number.home,number.mobile,priority,custom_field");
        let expected = vec![
            Column::Customer,
            number("mobile"),
            number("home"),
            number("mobile"),
            Column::Priority,
            Column::CustomField,
        ];
        assert_eq!(columns.unwrap(), expected);
        assert_eq!(header("not_before,number.home,customer_id").unwrap().len(), 3);
    }

    #[test]
    fn every_problem_at_once_with_what_was_meant() {
        let problems = header("customer_di,nubmer.mobile,number.Home,Priority,colour,priority,priority").unwrap_err();
        let problems: Vec<&str> = problems.lines().collect();
        assert_eq!(problems.len(), 6, "{problems:#?}");
        assert!(problems[0].ends_with("did you mean `customer_id`?"));
        assert!(problems[1].ends_with("did you mean `number.mobile`?"));
        assert!(problems[2].contains("may only have a-z"));
        assert!(problems[3].ends_with("did you mean `priority`?"));
        assert!(problems[4].contains("`number.CATEGORY`"));
        assert!(problems[5].contains("stands twice"));
    }

    #[test]
    fn what_must_be_there() {
        assert_eq!(header("number.mobile").unwrap_err(), "no column `customer_id`");
        assert!(header("customer_id").unwrap_err().contains("`number.mobile`"));
        assert!(header("customer_id;number.mobile").unwrap_err().contains("separated by ','"));
        let many = format!("customer_id{}", ",number.mobile".repeat(NUMBERS_PER_CONTACT_MAX + 1));
        assert!(header(&many).unwrap_err().contains("at most 16"));
    }
}
