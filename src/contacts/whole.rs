//! A whole file of contacts at once, for those who dial from memory.

use tokio::io::AsyncRead;

use super::{
    contact_rows::ContactRows,
    import::{self, ImportError},
    rows::{ImportFormat, Rows},
    rules::ImportRules,
};
use crate::domain::{contact::NewContact, ids::CampaignId};

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Read {
    /// The good rows.
    pub contacts: Vec<NewContact>,
    /// Each bad row's line, from 1, and what is wrong with it.
    pub rejected: Vec<(u64, String)>,
}

/// Reads every contact of `source` for `campaign`, held to `rules`.
pub async fn read(
    campaign: &CampaignId,
    rules: &ImportRules,
    format: ImportFormat,
    source: impl AsyncRead + Unpin,
) -> Result<Read, ImportError> {
    let region = import::region(rules)?;
    let (mut rows, names) = Rows::open(format, source).await?;
    let mut contacts = ContactRows::new(campaign, rules, region, names).map_err(ImportError::Header)?;
    let mut read = Read::default();
    while let Some(row) = rows.next().await.map_err(ImportError::Read)? {
        match contacts.read(&row) {
            Ok(contact) => read.contacts.push(contact),
            Err(reason) => read.rejected.push((row.line, reason)),
        }
    }
    Ok(read)
}
