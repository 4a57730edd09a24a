//! `dialops contacts edit|delete|erase`: what becomes of one contact.

use serde_json::Value;

use super::{
    client::Client,
    output::{Exit, Failure, note},
    text::clean_line,
};
use crate::http::wire::contacts::{EditContact, Edited, Erase as Erasure, Erased, GivenNumber, RotateKey, RotatedKey};

/// Change a contact that is not in a call; what is not named stays as it is
///
/// Numbers that stay keep how far they have come. An empty value takes an attribute, the time zone or
/// not-before away.
#[derive(Debug, clap::Args)]
pub(super) struct Edit {
    /// The campaign's id
    campaign: String,
    /// The customer's id
    customer: String,
    /// One of all its numbers, in the order of calling; replaces those that it has
    #[arg(long = "number", value_name = "CATEGORY=NUMBER", value_parser = pair)]
    numbers: Vec<(String, String)>,
    /// An attribute's value
    #[arg(long = "attr", value_name = "ID=VALUE", value_parser = pair)]
    attributes: Vec<(String, String)>,
    /// 1 to 5, 1 first
    #[arg(long)]
    priority: Option<String>,
    /// The customer's own IANA time zone
    #[arg(long)]
    timezone: Option<String>,
    /// A time with its offset before which the customer is not called
    #[arg(long, value_name = "TIME")]
    not_before: Option<String>,
}

/// Take away everything personal of a customer for good; counts stay
///
/// A call that rings is cancelled. In a conversation nothing is erased; repeat it after the call. Files that
/// were imported, and their reject files, are yours to delete.
#[derive(Debug, clap::Args)]
pub(super) struct Erase {
    /// The customer's id
    customer: String,
    /// Only in this campaign
    #[arg(long)]
    campaign: Option<String>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = pair.ok_or_else(|| "must be written NAME=VALUE".to_owned())?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Edits.
pub(super) async fn edit(args: Edit, client: &Client) -> Result<Exit, Failure> {
    let Edit { campaign, customer, numbers, attributes, priority, timezone, not_before } = args;
    let value = |text: String| if text.is_empty() { Value::Null } else { Value::String(text) };
    let numbers: Vec<GivenNumber> =
        numbers.into_iter().map(|(category, number)| GivenNumber { category, number }).collect();
    let change = EditContact {
        numbers: (!numbers.is_empty()).then_some(numbers),
        attributes: attributes.into_iter().map(|(id, text)| (id, value(text))).collect(),
        priority: priority.map(Value::String),
        timezone: timezone.map(value),
        not_before: not_before.map(value),
    };
    if change == EditContact::default() {
        let hint = "name what to change, for instance --priority 1";
        return Err(Failure { exit: Exit::Usage, message: "nothing to change".to_owned(), hint: hint.to_owned() });
    }
    let Edited { changed } = client.patch(&["campaigns", &campaign, "contacts", &customer], &change).await?;
    let is = if changed { "changed" } else { "was so already" };
    note(format_args!("{campaign}, customer {}: {is}", clean_line(&customer)));
    Ok(Exit::Ok)
}

/// Deletes.
pub(super) async fn delete(campaign: &str, customer: &str, client: &Client) -> Result<Exit, Failure> {
    client.delete(&["campaigns", campaign, "contacts", customer]).await?;
    note(format_args!("{campaign}, customer {}: deleted", clean_line(customer)));
    Ok(Exit::Ok)
}

/// Erases.
pub(super) async fn erase(Erase { customer, campaign }: Erase, client: &Client) -> Result<Exit, Failure> {
    let shown = clean_line(&customer);
    let Erased { campaigns, log_emptied } = client.post_json(&["erasures"], &Erasure { customer, campaign }).await?;
    note(format_args!("customer {shown}: erased in {}", campaigns.join(", ")));
    if log_emptied {
        return Ok(Exit::Ok);
    }
    let error = "the store's log still has what was erased: something reads from it all the time";
    Err(Failure::failed(
        error,
        "close what has the store open (a backup, a database shell) and restart the daemon, which empties it",
    ))
}

/// Rotates, slice by slice.
pub(super) async fn rotate_key(client: &Client) -> Result<Exit, Failure> {
    let (mut rewritten, mut unreadable, mut after) = (0, 0, None);
    let key = loop {
        let slice: RotatedKey = client.post_json(&["attributes", "rotate-key"], &RotateKey { after }).await?;
        rewritten += slice.rewritten;
        unreadable += slice.unreadable;
        after = slice.next;
        if after.is_none() {
            break slice.key;
        }
    };
    note(format_args!("{rewritten} contacts written anew under key {key}"));
    if unreadable == 0 {
        return Ok(Exit::Ok);
    }
    let error = format!("{unreadable} contacts have values under a key that is not set");
    Err(Failure::failed(error, "set that key as `[store] previous_attribute_key`, restart the daemon and repeat this"))
}
