//! What it means that an attribute is another one.

use crate::{
    config::difference::{Difference, Shown},
    domain::{
        campaign::{Campaign, Definitions},
        ids::AttributeId,
    },
};

/// What a difference in `attributes.toml` brings about, where that helps people.
pub(super) fn meaning(difference: &Difference, now: &Definitions) -> Option<String> {
    let (id, key) = difference.key.strip_prefix("attributes[")?.split_once(']')?;
    match key {
        "" if difference.to.is_none() => {
            Some("contacts imported so far keep their values of it, and imports may not have it any more".to_owned())
        }
        ".required" => Some(match difference.to.as_ref()?.value.as_bool()? {
            true => "imports refuse contacts without it; those imported so far stay".to_owned(),
            false => "imports take contacts without it".to_owned(),
        }),
        ".type" => another_type(id, difference, now),
        _ => None,
    }
}

/// A stored value keeps the type that it was imported with, and one of another type makes a comparison false.
fn another_type(id: &str, difference: &Difference, now: &Definitions) -> Option<String> {
    let word = |shown: &Option<Shown>| shown.as_ref().and_then(|shown| shown.value.as_str().map(str::to_owned));
    let (from, to) = (word(&difference.from)?, word(&difference.to)?);
    let stay = match (from.as_str(), to.as_str()) {
        ("encrypted", _) => "contacts imported so far have no value of it".to_owned(),
        (_, "encrypted") => {
            format!("contacts imported so far keep its {from} values unencrypted, and this version imports no new ones")
        }
        _ => format!("contacts imported so far keep its {from} values, and comparisons take those for missing"),
    };
    let id = AttributeId::parse(id).ok()?;
    let users = |uses: &dyn Fn(&Campaign) -> bool| -> Vec<String> {
        now.campaigns.values().filter(|campaign| uses(campaign)).map(|campaign| campaign.id.to_string()).collect()
    };
    let filters = users(&|campaign| campaign.filter.as_ref().is_some_and(|filter| filter.attributes().contains(&&id)));
    let sorts = users(&|campaign| campaign.sort.iter().any(|key| key.attribute == id));
    let uses = [("filter", filters), ("sort", sorts)].into_iter().filter(|(_, users)| !users.is_empty());
    let uses: Vec<String> = uses.map(|(what, users)| format!("in the {what} of {}", users.join(", "))).collect();
    let uses =
        if uses.is_empty() { "no filter or sort has it".to_owned() } else { format!("it is {}", uses.join(" and ")) };
    Some(format!("{stay}; {uses}"))
}
