//! What a campaign takes from its template: its own keys win, tables merge key by key, lists and
//! tables that hold a choice replace whole (SPEC §1.2).

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::config::{diagnostic::Span, syntax::Node};

/// Keys of a campaign that never come from a template: identity and dates.
const NOT_INHERITED: [&str; 7] = ["schema_version", "id", "name", "description", "starts_at", "ends_at", "extends"];

/// Tables that hold a choice; `*` is any key.
const WHOLE: [&[&str]; 4] =
    [&["results", "global"], &["results", "by_category", "*"], &["calling", "filter"], &["callback", "signing_secret"]];

/// A key that says which of its neighbours mean something.
struct Choice {
    table: &'static str,
    key: &'static str,
    /// Whether this value of the campaign's own leaves `others` of the template behind.
    leaves: fn(&str) -> bool,
    others: &'static [&'static str],
}

const CHOICES: [Choice; 4] = [
    Choice { table: "calling", key: "order", leaves: |_| true, others: &["rounds", "others"] },
    Choice { table: "results", key: "policy", leaves: |word| word == "global", others: &["by_category"] },
    Choice { table: "results", key: "policy", leaves: |word| word == "by_category", others: &["global", "no_retry"] },
    Choice {
        table: "calling_hours",
        key: "timezone",
        leaves: |word| word != "contact",
        others: &["fallback_timezone"],
    },
];

/// Whether a campaign takes a key of the file itself from its template.
pub(crate) fn is_inherited(key: &str) -> bool {
    !NOT_INHERITED.contains(&key)
}

/// Whether a campaign's own table at this path replaces the template's as a whole.
pub(super) fn is_whole(path: &[&str]) -> bool {
    let matches = |rule: &&[&str]| rule.len() == path.len() && rule.iter().zip(path).all(|(r, p)| *r == "*" || r == p);
    WHOLE.iter().any(matches)
}

/// Whether a key of the template stays behind, by what the campaign's own table at `path` says;
/// `own` gives the text of one of its keys.
pub(super) fn stays_behind<'o>(path: &[&str], key: &str, own: impl Fn(&str) -> Option<&'o str>) -> bool {
    match path {
        [] => !is_inherited(key),
        [table] => CHOICES.iter().any(|choice| {
            choice.table == *table && choice.others.contains(&key) && own(choice.key).is_some_and(choice.leaves)
        }),
        _ => false,
    }
}

/// Adds to a campaign's tree what its template's has.
pub(super) fn merge<'a>(own: &mut DeTable<'a>, template: &DeTable<'a>) {
    merge_at(&mut Vec::new(), own, template);
}

fn merge_at<'a, 'p>(path: &mut Vec<&'p str>, own: &mut DeTable<'a>, template: &'p DeTable<'a>) {
    for (key, node) in template {
        let name = key.get_ref().as_ref();
        if stays_behind(path, name, |own_key| own.get(own_key)?.get_ref().as_str()) {
            continue;
        }
        path.push(name);
        match (own.get_mut(name).map(Spanned::get_mut), node.get_ref()) {
            (None, _) => drop(own.insert(key.clone(), node.clone())),
            (Some(DeValue::Table(own)), DeValue::Table(template)) if !is_whole(path) => merge_at(path, own, template),
            (Some(_), _) => {}
        }
        path.pop();
    }
}

/// A template's tree with spans that tell that they are of a template.
pub(super) fn of_template<'a>(table: &DeTable<'a>) -> DeTable<'a> {
    let mut shifted = DeTable::new();
    for (key, node) in table {
        shifted.insert(Spanned::new(range(key.span()), key.get_ref().clone()), node_of_template(node));
    }
    shifted
}

fn node_of_template<'a>(node: &Node<'a>) -> Node<'a> {
    let value = match node.get_ref() {
        DeValue::Table(table) => DeValue::Table(of_template(table)),
        DeValue::Array(items) => DeValue::Array(items.iter().map(node_of_template).collect()),
        value @ (DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)) => value.clone(),
    };
    Spanned::new(range(node.span()), value)
}

fn range(span: std::ops::Range<usize>) -> std::ops::Range<usize> {
    Span::from(span).of_template().range()
}
