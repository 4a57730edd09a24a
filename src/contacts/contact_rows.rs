//! Rows as contacts, each customer once.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
};

use rlibphonenumber::enums::Region;

use super::{
    draft::Context,
    header, object, row,
    rows::{Content, Row},
    rules::ImportRules,
};
use crate::domain::{
    contact::NewContact,
    ids::{CampaignId, CustomerId},
};

/// Customers whose line is remembered, to tell of a repetition by its line (16 bytes each). Beyond
/// them the store still sees a repetition: as unchanged, or as differing from what is there.
const LINES_REMEMBERED: usize = 1_000_000;

/// Reads the rows of one file as contacts.
pub(super) struct ContactRows<'a> {
    columns: Vec<header::Column>,
    context: Context<'a>,
    lines: Lines,
}

impl<'a> ContactRows<'a> {
    /// For contacts of `campaign`, of a file with these columns, `None` where it has no header; or what is wrong with them.
    pub(super) fn new(
        campaign: &'a CampaignId,
        rules: &'a ImportRules,
        region: Region,
        names: Option<Vec<String>>,
    ) -> Result<Self, Vec<String>> {
        let attribute_prefix = if names.is_some() { "attr." } else { "attributes." };
        let columns = names.map(|names| header::read(&names, rules)).transpose()?.unwrap_or_default();
        Ok(Self { columns, context: Context { rules, campaign, region, attribute_prefix }, lines: Lines::default() })
    }

    /// The contact of a row, or why there is none.
    pub(super) fn read(&mut self, row: &Row) -> Result<NewContact, String> {
        let contact = match row.content.as_ref().map_err(Clone::clone)? {
            Content::Fields(fields) => row::read(&self.columns, fields, self.context)?,
            Content::Line => object::read(&row.raw, self.context)?,
        };
        self.lines.only_once(contact, row.line)
    }
}

/// On which line each customer stood first.
#[derive(Default)]
struct Lines {
    hasher: RandomState,
    lines: HashMap<u64, u32>,
}

impl Lines {
    /// The contact, unless its customer stood on an earlier line.
    fn only_once(&mut self, contact: NewContact, line: u64) -> Result<NewContact, String> {
        match self.first(&contact.customer, line) {
            Some(first) => Err(format!("customer_id: stands on line {first} already")),
            None => Ok(contact),
        }
    }

    /// The earlier line of `customer`; remembers this one if there is none.
    fn first(&mut self, customer: &CustomerId, line: u64) -> Option<u32> {
        let hash = self.hasher.hash_one(customer);
        if let Some(first) = self.lines.get(&hash) {
            return Some(*first);
        }
        if self.lines.len() < LINES_REMEMBERED {
            self.lines.insert(hash, u32::try_from(line).unwrap_or(u32::MAX));
        }
        None
    }
}
