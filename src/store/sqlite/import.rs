//! Bulk import: a few statements for hundreds of rows.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use serde_json::json;

use super::{
    batch::{self, Opened},
    contact::{self, Entered, Rules, column},
    fault::{Doing, Fault},
    sql,
};
use crate::{
    domain::{
        contact::{Contact, NewContact},
        ids::{BatchId, CampaignId, ContactRef},
    },
    store::{
        ImportOutcome, attributes,
        row::{self, micros},
    },
};

/// Rows that are looked for in one statement.
const ROWS_PER_STATEMENT: usize = 500;

/// A contact that is to be imported, with its columns, which are made before the writer has it.
#[derive(Debug)]
pub(super) struct Row {
    contact: NewContact,
    content: Content,
}

impl Row {
    /// One that may be there already.
    pub(super) fn new(contact: NewContact) -> Self {
        Self { content: Content::of(&contact), contact }
    }
}

/// What tells two contacts of one customer apart.
#[derive(Debug, PartialEq, Eq)]
struct Content {
    priority: u8,
    not_before: Option<i64>,
    timezone: Option<String>,
    attributes: Option<String>,
    numbers: String,
    custom_field: Option<String>,
}

impl Content {
    fn of(contact: &NewContact) -> Self {
        Self {
            priority: contact.priority.get(),
            not_before: contact.not_before.map(micros),
            timezone: contact.timezone.as_ref().map(|zone| zone.name().to_owned()),
            attributes: attributes::text(&contact.attributes),
            numbers: row::numbers_text(contact.numbers.iter().map(|(category, number)| (category, number))),
            custom_field: contact.custom_field.clone(),
        }
    }
}

/// Adds contacts that are not there yet.
pub(super) fn import(
    conn: &Connection,
    campaign: &CampaignId,
    batch: &BatchId,
    rules: &Rules,
    rows: &[Row],
) -> Result<ImportOutcome, Fault> {
    let key = contact::campaign_key(conn, campaign)?;
    let mut outcome = ImportOutcome::default();
    if rows.is_empty() {
        return Ok(outcome);
    }
    let batch = batch::open(conn, key, batch, rules.now)?;
    for (chunk, rows) in rows.chunks(ROWS_PER_STATEMENT).enumerate() {
        let known = existing(conn, key, rows)?;
        let (mut added, mut seen): (Vec<&Row>, BTreeMap<&str, &Content>) = (Vec::new(), BTreeMap::new());
        for (index, row) in rows.iter().enumerate() {
            let (customer, content) = (row.contact.customer.as_str(), &row.content);
            let new = || seen.get(customer).copied();
            match known.get(customer).or_else(new).map(|before| before == content) {
                None => {
                    seen.insert(customer, content);
                    added.push(row);
                }
                Some(true) => outcome.unchanged += 1,
                Some(false) => outcome.conflicting.push(chunk * ROWS_PER_STATEMENT + index),
            }
        }
        outcome.added += u64::try_from(added.len()).unwrap_or(u64::MAX);
        insert(conn, campaign, (key, &batch), rules, &added)?;
    }
    Ok(outcome)
}

/// Those of `rows` that are there, by customer.
fn existing(conn: &Connection, campaign: i64, rows: &[Row]) -> Result<BTreeMap<String, Content>, Fault> {
    const SQL: &str = "SELECT c.customer_id, c.priority, c.not_before, p.numbers, p.custom_field, p.timezone, \
                       p.attributes \
                       FROM json_each(?2) j CROSS JOIN contact c ON c.campaign = ?1 AND c.customer_id = j.value \
                       CROSS JOIN personal p ON p.contact = c.id";
    let customers: Vec<&str> = rows.iter().map(|row| row.contact.customer.as_str()).collect();
    let query = sql::query(SQL).bind(campaign).bind(json!(customers).to_string());
    let mut known = BTreeMap::new();
    for row in query.fetch_all(conn).doing("looking for imported contacts")? {
        let content = Content {
            priority: column(&row, 1)?,
            not_before: column(&row, 2)?,
            timezone: column(&row, 5)?,
            attributes: column(&row, 6)?,
            numbers: column(&row, 3)?,
            custom_field: column(&row, 4)?,
        };
        known.insert(column(&row, 0)?, content);
    }
    Ok(known)
}

fn insert(
    conn: &Connection,
    campaign: &CampaignId,
    (key, batch): (i64, &Opened),
    rules: &Rules,
    rows: &[&Row],
) -> Result<(), Fault> {
    let doing = "importing contacts";
    let Some(count) = i64::try_from(rows.len()).ok().filter(|&count| count > 0) else { return Ok(()) };
    const NEXT_ID: &str = "UPDATE store SET next_contact = next_contact + ?1 RETURNING next_contact - ?1";
    let first_id: i64 = sql::query_scalar(NEXT_ID).bind(count).fetch_one(conn).doing(doing)?;
    const NEXT_ORDER: &str = "UPDATE campaign SET next_order = next_order + ?2, last_contact = ?3 + ?2 - 1, \
                              first_contact = coalesce(first_contact, ?3) WHERE id = ?1 RETURNING next_order - ?2";
    let first_order = sql::query_scalar(NEXT_ORDER).bind(key).bind(count).bind(first_id);
    let first_order: i64 = first_order.fetch_one(conn).doing(doing)?;
    let numbered = (0..).zip(rows);
    let contacts: Vec<Contact> = numbered
        .map(|(n, row)| Contact::new(ContactRef(first_id + n), campaign, first_order + n, &row.contact))
        .collect();
    write(conn, (key, batch), &contacts, rows)?;
    let paused_out = batch.paused;
    let entered = |contact| Entered { campaign: key, rules, contact, stood: 0, live: false, paused_out };
    let entered: Vec<Entered<'_>> = contacts.iter().map(entered).collect();
    contact::enter_all(conn, &entered)?;
    let mut left_out: BTreeMap<&'static str, i64> = BTreeMap::new();
    for kind in contacts.iter().filter_map(|contact| rules.left_out(contact, paused_out)) {
        *left_out.entry(kind).or_default() += 1;
    }
    for (kind, count) in left_out {
        contact::count(conn, key, (kind, ""), count)?;
    }
    batch::grow(conn, batch.key, first_id, first_id + count - 1)?;
    contact::count(conn, key, (contact::OPEN, contact::FRESH), count)
}

/// Writes the rows of new contacts.
fn write(conn: &Connection, (key, batch): (i64, &Opened), contacts: &[Contact], rows: &[&Row]) -> Result<(), Fault> {
    const CONTACT: &str = "INSERT INTO contact (id, campaign, customer_id, priority, import_order, not_before, batch, \
                           paused_out, version, attempts) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1, 0)";
    const PERSONAL: &str = "INSERT INTO personal (contact, numbers, custom_field, timezone, attributes) \
                            VALUES (?1, ?2, ?3, ?4, ?5)";
    let doing = "importing contacts";
    let mut insert = conn.prepare_cached(CONTACT).doing(doing)?;
    let mut personal = conn.prepare_cached(PERSONAL).doing(doing)?;
    for (Contact { reference, customer, import_order, .. }, row) in contacts.iter().zip(rows) {
        let Content { priority, not_before, timezone, attributes, numbers, custom_field } = &row.content;
        let (key, customer, batch_key, paused) = (key, customer.as_str(), batch.key, batch.paused);
        let hot = params![reference.0, key, customer, priority, import_order, not_before, batch_key, paused];
        insert.execute(hot).doing(doing)?;
        personal.execute(params![reference.0, numbers, custom_field, timezone, attributes]).doing(doing)?;
    }
    Ok(())
}
