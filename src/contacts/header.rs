//! The header: which column is what.

use std::collections::BTreeMap;

use super::{rules::ImportRules, shown};
use crate::{
    config::suggest,
    domain::{attribute::Attribute, contact::NUMBERS_PER_CONTACT_MAX, ids::CategoryId},
};

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Column {
    Customer,
    /// The nth of these is the nth number.
    Number(CategoryId),
    Attribute(Attribute),
    Priority,
    Timezone,
    NotBefore,
    CustomField,
}

/// Columns that may stand once.
const SINGLE: [(&str, Column); 5] = [
    (CUSTOMER, Column::Customer),
    ("priority", Column::Priority),
    ("timezone", Column::Timezone),
    ("not_before", Column::NotBefore),
    ("custom_field", Column::CustomField),
];

const CUSTOMER: &str = "customer_id";
const NUMBER: &str = "number.";
const ATTRIBUTE: &str = "attr.";

/// What there is, for who has none of it.
const KNOWN: &str = "there are `customer_id`, `number.CATEGORY`, `attr.ID`, `priority`, `timezone`, `not_before` and \
                     `custom_field`";

/// Reads the header, or tells everything that is wrong with it.
pub(super) fn read(names: &[String], rules: &ImportRules) -> Result<Vec<Column>, Vec<String>> {
    let names: Vec<&str> = names.iter().map(|name| name.trim().trim_start_matches('\u{feff}')).collect();
    if !names.iter().any(|name| is_of_a_header(name)) {
        return Err(vec![no_header(&names)]);
    }
    // Beside a number other fields may be a customer's too.
    let data = names.iter().any(|name| shown::looks_like_data(name));
    let (mut columns, mut problems) = (Vec::new(), Vec::new());
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, &name) in names.iter().enumerate() {
        match column(name, rules) {
            Ok(column) => {
                let first = *seen.entry(name).or_insert(index);
                if first != index && !matches!(column, Column::Number(_)) {
                    problems.push(format!("{} stands twice", place(index, name, data)));
                }
                columns.push(column);
            }
            Err(problem) => problems.push(format!("{}{problem}", place(index, name, data))),
        }
    }
    problems.extend(missing(&columns, rules, problems.is_empty()));
    if problems.is_empty() { Ok(columns) } else { Err(problems) }
}

/// What a header lacks, unless columns of it were not understood, and whether it has too many numbers.
fn missing(columns: &[Column], rules: &ImportRules, all_understood: bool) -> Vec<String> {
    let numbers = columns.iter().filter(|column| matches!(column, Column::Number(_))).count();
    if numbers > NUMBERS_PER_CONTACT_MAX {
        return vec![format!("{numbers} columns with numbers; a contact has at most {NUMBERS_PER_CONTACT_MAX}")];
    }
    if !all_understood {
        return Vec::new();
    }
    if !columns.contains(&Column::Customer) {
        return vec!["no column `customer_id`".to_owned()];
    }
    if numbers == 0 {
        return vec!["no column with a number, such as `number.mobile`".to_owned()];
    }
    let stands = |attribute: &Attribute| {
        columns.iter().any(|column| matches!(column, Column::Attribute(known) if known == attribute))
    };
    let missing = rules.attributes.values().filter(|attribute| attribute.required && !stands(attribute));
    missing.map(|attribute| format!("no column `attr.{}`, which is required", attribute.id)).collect()
}

/// Whether a field is a column's name, or one with a slip: a file without a header has none.
fn is_of_a_header(name: &str) -> bool {
    let single = SINGLE.map(|(known, _)| known);
    name.starts_with(NUMBER) || name.starts_with(ATTRIBUTE) || suggest::nearest(name, single).is_some()
}

/// Nothing of the line is repeated: without a header it is a customer's.
fn no_header(names: &[&str]) -> String {
    match names.iter().find_map(|name| separator(name)) {
        Some(separator) => format!("fields are separated by ',', not {separator:?}"),
        None if names.iter().any(|name| shown::looks_like_data(name)) => {
            format!("it names no column and {}; {KNOWN}", shown::HEADER_WANTED)
        }
        None => format!("it names no column, as if the header were missing; {KNOWN}"),
    }
}

fn separator(name: &str) -> Option<char> {
    [';', '\t', '|'].into_iter().find(|&separator| name.contains(separator))
}

/// A column by its name, or by its place if the name could be a customer's.
fn place(index: usize, name: &str, data: bool) -> String {
    let name = shown::name(name).filter(|_| !data);
    format!("column {}", name.unwrap_or_else(|| (index + 1).to_string()))
}

fn column(name: &str, rules: &ImportRules) -> Result<Column, String> {
    if let Some((_, column)) = SINGLE.into_iter().find(|(known, _)| *known == name) {
        return Ok(column);
    }
    if let Some(category) = name.strip_prefix(NUMBER) {
        return rules.category(category).map(Column::Number).map_err(|problem| format!(": {problem}"));
    }
    if let Some(id) = name.strip_prefix(ATTRIBUTE) {
        let attribute = rules.attribute(id).map_err(|problem| format!(": {problem}"))?;
        return Ok(Column::Attribute(attribute.clone()));
    }
    Err(unknown(name))
}

fn unknown(name: &str) -> String {
    if let Some(separator) = separator(name) {
        return format!(" is not known: fields are separated by ',', not {separator:?}");
    }
    if shown::looks_like_data(name) {
        return format!(" {}; {KNOWN}", shown::HEADER_WANTED);
    }
    let meant = match name.split_once('.').filter(|_| shown::name(name).is_some()) {
        Some((word, category)) if suggest::nearest(word, ["number"]).is_some() => Some(format!("{NUMBER}{category}")),
        Some((word, id)) if suggest::nearest(word, ["attr", "attribute"]).is_some() => Some(format!("{ATTRIBUTE}{id}")),
        _ => suggest::nearest(name, SINGLE.map(|(known, _)| known)).map(str::to_owned),
    };
    match meant {
        Some(meant) => format!(" is not known; did you mean `{meant}`?"),
        None => format!(" is not known; {KNOWN}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{attribute::AttributeType, ids::AttributeId};

    fn header(text: &str) -> Result<Vec<Column>, String> {
        held_to(text, &ImportRules::default())
    }

    fn held_to(text: &str, rules: &ImportRules) -> Result<Vec<Column>, String> {
        let names: Vec<String> = text.split(',').map(str::to_owned).collect();
        read(&names, rules).map_err(|problems| problems.join("\n"))
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
    fn what_the_tenant_defines() {
        let attribute = |id: &str, required| Attribute {
            id: AttributeId::parse(id).unwrap(),
            name: id.to_owned(),
            kind: AttributeType::String,
            required,
            shown: true,
            editable: false,
            masked: false,
        };
        let (tier, city) = (attribute("tier", true), attribute("home_city", false));
        let rules = ImportRules {
            attributes: [tier.clone(), city.clone()].into_iter().map(|known| (known.id.clone(), known)).collect(),
            categories: [CategoryId::parse("mobile").unwrap()].into(),
            ..ImportRules::default()
        };
        let columns = held_to("customer_id,attr.home_city,number.mobile,attr.tier,timezone", &rules).unwrap();
        assert_eq!(columns[1], Column::Attribute(city));
        assert_eq!(columns[3..], [Column::Attribute(tier), Column::Timezone]);
        let missing = held_to("customer_id,number.mobile", &rules).unwrap_err();
        assert_eq!(missing, "no column `attr.tier`, which is required");
        let problems =
            held_to("customer_id,number.moblie,attr.teir,attr.x,atr.tier,attr.tier,attr.tier", &rules).unwrap_err();
        let problems: Vec<&str> = problems.lines().collect();
        assert_eq!(problems.len(), 5, "{problems:#?}");
        assert!(problems[0].ends_with("no category \"moblie\"; did you mean \"mobile\"?"), "{problems:#?}");
        assert!(problems[1].ends_with("no attribute \"teir\"; did you mean \"tier\"?"), "{problems:#?}");
        assert!(problems[2].ends_with("no attribute \"x\""), "{problems:#?}");
        assert!(problems[3].ends_with("did you mean `attr.tier`?"), "{problems:#?}");
        assert!(problems[4].contains("stands twice"), "{problems:#?}");
    }

    /// A file without a header, and one with data among its names: none of it is repeated.
    #[test]
    fn what_could_be_data_is_not_repeated() {
        for row in ["c1,13800000001,Anna", "C-1;13800000001", "anna.schmidt,13800000001", "\u{feff}13800000001"] {
            let problem = header(row).unwrap_err();
            assert!(problem.contains("names no column") || problem.contains("separated by"), "{problem}");
            assert!(!["13800", "c1", "C-1", "nna"].iter().any(|data| problem.contains(data)), "{problem}");
        }
        let problems =
            header("customer_id,number.13800000001,attr.x1380,13800000002,number.mobile,nubmer.138,c;138").unwrap_err();
        let problems: Vec<&str> = problems.lines().collect();
        assert_eq!(problems.len(), 4, "{problems:#?}");
        assert!(!problems.iter().any(|problem| problem.contains("138")), "{problems:#?}");
        assert!(problems[1].contains("looks like data: a header row is wanted"), "{problems:#?}");
        assert!(header("c1,13800000001,Anna").unwrap_err().contains("looks like data: a header row is wanted"));
        let beside = header("customer_id,Schmidt,13800000001").unwrap_err();
        assert!(beside.starts_with("column 2 is not known") && !beside.contains("Schmidt"), "{beside}");
        for (problem, place) in problems.iter().zip(["column 3: ", "column 4 ", "column 6 ", "column 7 "]) {
            assert!(problem.starts_with(place), "{problem}");
        }
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
