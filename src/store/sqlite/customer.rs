//! What becomes of one contact from outside: it is edited, deleted, erased.

use sqlx::SqliteConnection;

use super::{
    batch,
    contact::{self, Kept},
    fault::{Doing, Fault},
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
async fn idle(conn: &mut SqliteConnection, campaign: &CampaignId, customer: &CustomerId) -> Result<Kept, Fault> {
    let key = contact::campaign_key(conn, campaign).await?;
    let unknown = || StoreError::UnknownCustomer { campaign: campaign.clone(), customer: customer.clone() };
    let found = contact::find(conn, key, customer).await?.ok_or_else(unknown)?;
    let kept = contact::load(conn, found.reference).await?.ok_or_else(unknown)?;
    match kept {
        Kept { live: true, .. } => Err(StoreError::OnCall(customer.clone()).into()),
        kept if kept.contact.progress.numbers.is_empty() => Err(StoreError::Erased(customer.clone()).into()),
        kept => Ok(kept),
    }
}

/// Changes a contact; tells whether that made a difference.
pub(super) async fn edit(
    writer: &mut Writer,
    campaign: &CampaignId,
    customer: &CustomerId,
    change: &ContactEdit,
) -> Result<bool, Fault> {
    let kept = idle(&mut writer.conn, campaign, customer).await?;
    let after = edited(&kept.contact, change);
    if after == kept.contact {
        return Ok(false);
    }
    let rules = writer.rules(campaign);
    let mut all = Statements::default();
    contact::rewrite(&mut all, &rules, &kept, &after);
    writer.write(all, "writing a contact").await?;
    Ok(true)
}

/// Takes away a contact that nobody has called.
pub(super) async fn delete(
    writer: &mut Writer,
    campaign: &CampaignId,
    customer: &CustomerId,
) -> Result<ContactRef, Fault> {
    let rules = writer.rules(campaign);
    let conn = &mut writer.conn;
    let kept = idle(conn, campaign, customer).await?;
    let (id, doing) = (kept.contact.reference.0, "deleting a contact");
    const CALLED: &str = "SELECT EXISTS (SELECT 1 FROM attempt WHERE contact = ?1)";
    if sqlx::query_scalar(CALLED).bind(id).fetch_one(&mut *conn).await.doing(doing)? {
        return Err(StoreError::WasCalled(customer.clone()).into());
    }
    // What is personal, and progress, goes with it.
    sqlx::query("DELETE FROM contact WHERE id = ?1").bind(id).execute(&mut *conn).await.doing(doing)?;
    if let Some(next) = &rules.evaluations.next {
        next.forget(id);
    }
    if let Some(kind) = rules.left_out(&kept.contact, kept.paused_out) {
        contact::count(conn, kept.campaign, (kind, ""), -1).await?;
    }
    let state = contact::state(&kept.contact.progress, false);
    contact::count(conn, kept.campaign, state, -1).await?;
    batch::count(conn, kept.batch, state, -1).await?;
    Ok(kept.contact.reference)
}

/// Takes away what is personal of a contact and of its attempts; both stay for the counts.
pub(super) async fn erase(
    writer: &mut Writer,
    campaign: &CampaignId,
    customer: &CustomerId,
) -> Result<ContactRef, Fault> {
    let kept = idle(&mut writer.conn, campaign, customer).await?;
    let (id, doing) = (kept.contact.reference, "erasing a contact");
    let (conn, pseudonyms) = (&mut writer.conn, &writer.shared.pseudonyms);
    let called = sqlx::query_scalar("SELECT DISTINCT number FROM attempt WHERE contact = ?1").bind(id.0);
    let called: Vec<String> = called.fetch_all(&mut *conn).await.doing(doing)?;
    for number in called.iter().filter_map(|number| row::e164(number).ok()) {
        let query = sqlx::query("UPDATE attempt SET number = ?3 WHERE contact = ?1 AND number = ?2").bind(id.0);
        let query = query.bind(number.expose()).bind(pseudonyms.number(&number));
        query.execute(&mut *conn).await.doing(doing)?;
    }
    // Those of calls that are over, and whose end was never heard.
    const LEGS: &str = "DELETE FROM leg WHERE attempt IN (SELECT id FROM attempt WHERE contact = ?1)";
    const CUSTOM_FIELD: &str = "UPDATE personal SET custom_field = NULL WHERE contact = ?1";
    const NOTES: &str = "UPDATE business_result SET note = NULL WHERE contact = ?1";
    for sql in [LEGS, CUSTOM_FIELD, NOTES] {
        sqlx::query(sql).bind(id.0).execute(&mut *conn).await.doing(doing)?;
    }
    let after = erased(&kept.contact, pseudonyms.customer(id));
    let rules = writer.rules(campaign);
    let mut all = Statements::default();
    contact::rewrite(&mut all, &rules, &kept, &after);
    writer.write(all, doing).await?;
    Ok(id)
}

/// Writes attributes anew, if they still are what they were.
pub(super) async fn reseal(
    conn: &mut SqliteConnection,
    contact: ContactRef,
    before: Option<String>,
    after: Option<String>,
) -> Result<bool, Fault> {
    let query = sqlx::query("UPDATE personal SET attributes = ?3 WHERE contact = ?1 AND attributes IS ?2");
    let query = query.bind(contact.0).bind(before).bind(after);
    Ok(query.execute(conn).await.doing("writing attributes anew")?.rows_affected() > 0)
}
