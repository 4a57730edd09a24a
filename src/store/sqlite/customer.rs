//! What becomes of one contact from outside: it is edited, deleted, erased.

use rusqlite::Connection;

use super::{
    batch,
    contact::{self, Kept},
    dispatch, exports,
    fault::{Doing, Fault},
    keyed, questionnaire, sql,
    statements::Statements,
    writer::Writer,
};
use crate::{
    domain::{
        contact::{ContactEdit, edit as edited, erased},
        ids::{CampaignId, ContactRef, CustomerId},
    },
    store::{StoreError, row},
};

/// A contact that is not in a call.
fn idle(conn: &Connection, campaign: &CampaignId, customer: &CustomerId) -> Result<Kept, Fault> {
    let key = contact::campaign_key(conn, campaign)?;
    let unknown = || StoreError::UnknownCustomer { campaign: campaign.clone(), customer: customer.clone() };
    let found = contact::find(conn, key, customer)?.ok_or_else(unknown)?;
    let kept = contact::load(conn, found.reference)?.ok_or_else(unknown)?;
    match kept {
        Kept { live: true, .. } => Err(StoreError::OnCall(customer.clone()).into()),
        kept if kept.contact.progress.numbers.is_empty() => Err(StoreError::Erased(customer.clone()).into()),
        kept => Ok(kept),
    }
}

/// Changes a contact; tells whether that made a difference.
pub(super) fn edit(
    writer: &mut Writer,
    campaign: &CampaignId,
    customer: &CustomerId,
    change: &ContactEdit,
) -> Result<bool, Fault> {
    let kept = idle(&writer.conn, campaign, customer)?;
    let after = edited(&kept.contact, change);
    if after == kept.contact {
        return Ok(false);
    }
    let rules = writer.rules(campaign);
    let mut all = Statements::default();
    contact::rewrite(&mut all, &rules, &kept, &after);
    all.execute(&writer.conn, "writing a contact")?;
    Ok(true)
}

/// Takes away a contact that nobody has called.
pub(super) fn delete(writer: &mut Writer, campaign: &CampaignId, customer: &CustomerId) -> Result<ContactRef, Fault> {
    let rules = writer.rules(campaign);
    let conn = &writer.conn;
    let kept = idle(conn, campaign, customer)?;
    let (id, doing) = (kept.contact.reference.0, "deleting a contact");
    const CALLED: &str = "SELECT EXISTS (SELECT 1 FROM attempt WHERE contact = ?1)";
    if sql::query_scalar(CALLED).bind(id).fetch_one(conn).doing(doing)? {
        return Err(StoreError::WasCalled(customer.clone()).into());
    }
    exports::withdraw(conn, kept.contact.reference, rules.now)?;
    // What is personal, and progress, goes with it.
    sql::query("DELETE FROM contact WHERE id = ?1").bind(id).execute(conn).doing(doing)?;
    if let Some(next) = &rules.evaluations.next {
        next.forget(id);
    }
    if let Some(kind) = rules.left_out(&kept.contact, kept.paused_out) {
        contact::count(conn, kept.campaign, (kind, ""), -1)?;
    }
    let state = contact::state(&kept.contact.progress, false);
    contact::count(conn, kept.campaign, state, -1)?;
    batch::count(conn, kept.batch, state, -1)?;
    Ok(kept.contact.reference)
}

/// Takes away what is personal of a contact and of its attempts; both stay for the counts.
pub(super) fn erase(writer: &mut Writer, campaign: &CampaignId, customer: &CustomerId) -> Result<ContactRef, Fault> {
    let kept = idle(&writer.conn, campaign, customer)?;
    let (id, doing) = (kept.contact.reference, "erasing a contact");
    let (conn, pseudonyms) = (&writer.conn, &writer.shared.pseudonyms);
    let called = sql::query_scalar("SELECT DISTINCT number FROM attempt WHERE contact = ?1").bind(id.0);
    let called: Vec<String> = called.fetch_all(conn).doing(doing)?;
    for number in called.iter().filter_map(|number| row::e164(number).ok()) {
        let query = sql::query("UPDATE attempt SET number = ?3 WHERE contact = ?1 AND number = ?2").bind(id.0);
        let query = query.bind(number.expose()).bind(pseudonyms.number(&number));
        query.execute(conn).doing(doing)?;
    }
    // Those of calls that are over, and whose end was never heard.
    const LEGS: &str = "DELETE FROM leg WHERE attempt IN (SELECT id FROM attempt WHERE contact = ?1)";
    const CUSTOM_FIELD: &str = "UPDATE personal SET custom_field = NULL WHERE contact = ?1";
    const NOTES: &str = "UPDATE business_result SET note = NULL WHERE contact = ?1";
    for sql in [LEGS, CUSTOM_FIELD, NOTES] {
        sql::query(sql).bind(id.0).execute(conn).doing(doing)?;
    }
    let after = erased(&kept.contact, pseudonyms.customer(id));
    let rules = writer.rules(campaign);
    exports::withdraw(&writer.conn, id, rules.now)?;
    let mut all = Statements::default();
    contact::rewrite(&mut all, &rules, &kept, &after);
    questionnaire::erase(conn, &mut all, id)?;
    dispatch::erase(&mut all, id, rules.now);
    all.execute(&writer.conn, doing)?;
    keyed::forget_answers(&writer.conn)?;
    Ok(id)
}

/// Writes attributes anew of those that still are what they were; how many.
pub(super) fn reseal(
    conn: &Connection,
    contacts: Vec<(ContactRef, Option<String>, Option<String>)>,
) -> Result<u64, Fault> {
    const SQL: &str = "UPDATE personal SET attributes = ?3 WHERE contact = ?1 AND attributes IS ?2";
    let mut written = 0;
    for (contact, before, after) in contacts {
        let query = sql::query(SQL).bind(contact.0).bind(before).bind(after);
        written += query.execute(conn).doing("writing attributes anew")?;
    }
    Ok(written)
}
