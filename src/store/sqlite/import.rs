//! Bulk import: a few statements for hundreds of rows.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::SqliteConnection;

use super::{
    batch::{self, Opened},
    contact::{self, Rules, column},
    evaluate,
    fault::{Doing, Fault},
};
use crate::{
    domain::{
        campaign::Campaign,
        contact::{Contact, NewContact, Progress},
        ids::{BatchId, CampaignId, ContactRef},
        order::Standing,
    },
    store::{
        ImportOutcome, attributes,
        row::{self, micros},
    },
};

/// Rows of one statement.
const ROWS_PER_STATEMENT: usize = 500;

/// What tells two contacts of one customer apart.
#[derive(PartialEq, Eq)]
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
pub(super) async fn import(
    conn: &mut SqliteConnection,
    campaign: &CampaignId,
    batch: &BatchId,
    rules: Rules<'_>,
    contacts: &[NewContact],
) -> Result<ImportOutcome, Fault> {
    let key = contact::campaign_key(conn, campaign).await?;
    let mut outcome = ImportOutcome::default();
    if contacts.is_empty() {
        return Ok(outcome);
    }
    let batch = batch::open(conn, key, batch, rules.now).await?;
    for (chunk, rows) in contacts.chunks(ROWS_PER_STATEMENT).enumerate() {
        let mut known = existing(conn, key, rows).await?;
        let mut added = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            let content = Content::of(row);
            match known.get(row.customer.as_str()) {
                None => {
                    known.insert(row.customer.as_str().to_owned(), content);
                    added.push(row);
                }
                Some(known) if *known == content => outcome.unchanged += 1,
                Some(_) => outcome.conflicting.push(chunk * ROWS_PER_STATEMENT + index),
            }
        }
        outcome.added += u64::try_from(added.len()).unwrap_or(u64::MAX);
        insert(conn, campaign, (key, &batch), rules, &added).await?;
    }
    if rules.defined.is_none() && outcome.added > 0 {
        evaluate::begin(conn, key).await?;
    }
    Ok(outcome)
}

/// Those of `rows` that are there, by customer.
async fn existing(
    conn: &mut SqliteConnection,
    campaign: i64,
    rows: &[NewContact],
) -> Result<BTreeMap<String, Content>, Fault> {
    const SQL: &str = "SELECT c.customer_id, c.priority, c.not_before, p.numbers, p.custom_field, p.timezone, \
                       p.attributes \
                       FROM json_each(?2) j CROSS JOIN contact c ON c.campaign = ?1 AND c.customer_id = j.value \
                       CROSS JOIN personal p ON p.contact = c.id";
    let customers: Vec<&str> = rows.iter().map(|row| row.customer.as_str()).collect();
    let query = sqlx::query(SQL).bind(campaign).bind(json!(customers).to_string());
    let mut known = BTreeMap::new();
    for row in query.fetch_all(conn).await.doing("looking for imported contacts")? {
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

async fn insert(
    conn: &mut SqliteConnection,
    campaign: &CampaignId,
    (key, batch): (i64, &Opened),
    rules: Rules<'_>,
    rows: &[&NewContact],
) -> Result<(), Fault> {
    let doing = "importing contacts";
    let Some(count) = i64::try_from(rows.len()).ok().filter(|&count| count > 0) else { return Ok(()) };
    const NEXT_ID: &str = "UPDATE store SET next_contact = next_contact + ?1 RETURNING next_contact - ?1";
    let first_id: i64 = sqlx::query_scalar(NEXT_ID).bind(count).fetch_one(&mut *conn).await.doing(doing)?;
    const NEXT_ORDER: &str = "UPDATE campaign SET next_order = next_order + ?2 WHERE id = ?1 RETURNING next_order - ?2";
    let first_order = sqlx::query_scalar(NEXT_ORDER).bind(key).bind(count);
    let first_order: i64 = first_order.fetch_one(&mut *conn).await.doing(doing)?;
    let (mut values, mut zones, mut filtered_out) = (Vec::new(), Vec::new(), 0);
    for (n, row) in (0..).zip(rows) {
        let left_out = rules.defined.is_some_and(|campaign| !campaign.matches(&row.attributes));
        filtered_out += i64::from(left_out);
        let contact = contact(campaign, row, first_id + n, first_order + n);
        let standing = rules.standing(&contact, left_out || batch.paused);
        values.push(value(row, &contact, &standing, rules.defined, left_out));
        zones.extend(standing.zone);
    }
    contact::know_zones(conn, zones.iter()).await?;
    let values = Value::Array(values).to_string();
    const CONTACTS: &str = "INSERT INTO contact (id, campaign, customer_id, priority, import_order, not_before, \
                            version, attempts, fresh_at, wakes_at, filtered_out, fresh_round, sorted, changes_at, \
                            zone, batch, paused_out) SELECT value ->> 0, ?2, \
                            value ->> 1, value ->> 2, value ->> 3, value ->> 4, 1, 0, value ->> 5, value ->> 6, \
                            value ->> 7, value ->> 12, unhex(value ->> 13), value ->> 14, \
                            coalesce((SELECT id FROM zone WHERE name = value ->> 15), 0), ?3, ?4 FROM json_each(?1)";
    let contacts = sqlx::query(CONTACTS).bind(&values).bind(key).bind(batch.key).bind(batch.paused);
    contacts.execute(&mut *conn).await.doing(doing)?;
    const PERSONAL: &str = "INSERT INTO personal (contact, numbers, custom_field, timezone, attributes) \
                            SELECT value ->> 0, value ->> 8, value ->> 9, value ->> 10, value ->> 11 \
                            FROM json_each(?1)";
    sqlx::query(PERSONAL).bind(&values).execute(&mut *conn).await.doing(doing)?;
    if filtered_out > 0 {
        contact::count(conn, key, (contact::FILTERED_OUT, ""), filtered_out).await?;
    }
    if batch.paused && filtered_out < count {
        contact::count(conn, key, (contact::PAUSED_OUT, ""), count - filtered_out).await?;
    }
    batch::grow(conn, batch.key, first_id, first_id + count - 1).await?;
    contact::count(conn, key, (contact::OPEN, contact::FRESH), count).await
}

fn contact(campaign: &CampaignId, row: &NewContact, id: i64, import_order: i64) -> Contact {
    Contact {
        reference: ContactRef(id),
        campaign: campaign.clone(),
        customer: row.customer.clone(),
        priority: row.priority,
        import_order,
        not_before: row.not_before,
        timezone: row.timezone.clone(),
        attributes: row.attributes.clone(),
        version: 1,
        progress: Progress::fresh(&row.numbers),
    }
}

fn value(
    row: &NewContact,
    contact: &Contact,
    standing: &Standing,
    defined: Option<&Campaign>,
    filtered_out: bool,
) -> Value {
    let content = Content::of(row);
    json!([
        contact.reference.0,
        row.customer.as_str(),
        content.priority,
        contact.import_order,
        content.not_before,
        standing.fresh.map(|(at, _)| micros(at)),
        contact::wakes_at(standing),
        filtered_out,
        content.numbers,
        content.custom_field,
        content.timezone,
        content.attributes,
        standing.fresh.map_or(0, |(_, round)| round),
        contact::sorted(defined, contact),
        standing.changes_at.map(micros),
        standing.zone,
    ])
}
