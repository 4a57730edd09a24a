//! Contacts: a customer's numbers and how far each has been tried.

mod edit;

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};

use super::{
    attribute::Attributes,
    business::{Business, BusinessKey},
    campaign::Priority,
    ids::{CampaignId, CategoryId, ContactRef, CustomerId},
    phone::E164,
    results::CallResult,
    zone::ContactZone,
};

pub use self::edit::{ContactEdit, edit, erased};

/// What `listed_until` is where no passing of time releases a number.
pub const HELD_FOR_GOOD: Timestamp = Timestamp::constant(253_370_764_800, 0);

/// Most numbers of one contact.
pub const NUMBERS_PER_CONTACT_MAX: usize = 16;

/// A contact as an import gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewContact {
    /// Unique in the campaign.
    pub customer: CustomerId,
    /// 1 to [`NUMBERS_PER_CONTACT_MAX`] numbers, in index order, no repeats.
    pub numbers: Vec<(CategoryId, E164)>,
    /// 1 first.
    pub priority: Priority,
    /// Not dialled before this instant.
    pub not_before: Option<Timestamp>,
    /// The customer's own zone.
    pub timezone: Option<ContactZone>,
    /// What is known of the customer.
    pub attributes: Attributes,
    /// Carried back unchanged in callbacks and exports; at most 200 characters.
    pub custom_field: Option<String>,
}

/// A contact with its numbers and progress, as the engine and the gate see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Handle in the store.
    pub reference: ContactRef,
    /// Whose contact.
    pub campaign: CampaignId,
    /// The customer.
    pub customer: CustomerId,
    /// 1 first.
    pub priority: Priority,
    /// Position in the import.
    pub import_order: i64,
    /// Not dialled before this instant.
    pub not_before: Option<Timestamp>,
    /// The customer's own zone.
    pub timezone: Option<ContactZone>,
    /// What is known of the customer, for filters.
    pub attributes: Attributes,
    /// Rises by one with every change; a decision on an older version is refused as stale.
    pub version: u32,
    /// How far it has come.
    pub progress: Progress,
}

/// How far a contact has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Its numbers by index.
    pub numbers: Vec<Number>,
    /// In a `sequence` pass: the index (from 0) after which the pass goes on.
    pub pass: Option<u8>,
    /// INVITEs that left for it (frequency ledger of `max_attempts_per_contact`).
    pub attempts: u32,
    /// Set once none of its numbers will be tried by the result policy; a business result may still
    /// have scheduled a call.
    pub ended: Option<ContactEnd>,
    /// What business results have brought about.
    pub business: Business,
}

/// One number of a contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    /// Its category.
    pub category: CategoryId,
    /// The number.
    pub e164: E164,
    /// Whether it has been tried at all, faults included.
    pub tried: bool,
    /// When its next try is due, once it has been tried.
    pub due_at: Option<Timestamp>,
    /// Skipped until then by a cap; an untried number stays untried.
    pub held_until: Option<Timestamp>,
    /// Skipped until then by a do-not-call list, [`HELD_FOR_GOOD`] if its entry has no expiry; an
    /// untried number stays untried.
    pub listed_until: Option<Timestamp>,
    /// Different local days with a counted try.
    pub days: u32,
    /// The newest of those days.
    pub last_day: Option<Date>,
    /// Counted tries on that day.
    pub tries_on_last_day: u32,
    /// Further calls that each result has led to (policies by result).
    pub retries: BTreeMap<CallResult, u32>,
    /// Faults in a row (results that are not the customer's).
    pub faults: u32,
    /// How the last try ended.
    pub last_result: Option<CallResult>,
    /// The caller number it was last called from, kept on retries while still listed.
    pub caller_number: Option<E164>,
    /// Set once this number will not be tried again.
    pub ended: Option<NumberEnd>,
}

/// Why a number is not tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NumberEnd {
    /// The customer was reached on it.
    Reached,
    /// Its days and attempts are spent.
    BudgetSpent,
}

impl NumberEnd {
    /// The name used in tables and output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reached => "reached",
            Self::BudgetSpent => "budget_spent",
        }
    }

    /// The end of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Reached, Self::BudgetSpent].into_iter().find(|end| end.as_str() == name)
    }
}

/// Why a contact is not dialled again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContactEnd {
    /// `answered` on one of its numbers.
    Reached,
    /// All its numbers have ended.
    NotReached,
    /// `max_attempts_per_contact` is used up.
    AttemptsSpent,
    /// A result of `results.no_retry`; final.
    NoRetry,
    /// Its personal data was erased before it had ended.
    Erased,
    /// A business result whose rule says `stop`; final.
    Stopped,
}

impl ContactEnd {
    /// Every end.
    pub const ALL: [Self; 6] =
        [Self::Reached, Self::NotReached, Self::AttemptsSpent, Self::NoRetry, Self::Stopped, Self::Erased];

    /// The name used in tables and output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reached => "reached",
            Self::NotReached => "not_reached",
            Self::AttemptsSpent => "attempts_spent",
            Self::NoRetry => "no_retry",
            Self::Erased => "erased",
            Self::Stopped => "stopped",
        }
    }

    /// The end of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.as_str() == name)
    }
}

/// How far a contact has come, as people count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContactStage {
    /// Nobody has called it.
    Fresh,
    /// It has been called or is being called, and may be called again.
    InProgress,
    /// Nothing more will be tried.
    Ended(ContactEnd),
}

impl Contact {
    /// A contact that comes into a campaign.
    #[must_use]
    pub fn new(reference: ContactRef, campaign: &CampaignId, import_order: i64, new: &NewContact) -> Self {
        Self {
            reference,
            campaign: campaign.clone(),
            customer: new.customer.clone(),
            priority: new.priority,
            import_order,
            not_before: new.not_before,
            timezone: new.timezone.clone(),
            attributes: new.attributes.clone(),
            version: 1,
            progress: Progress::fresh(&new.numbers),
        }
    }
}

impl Progress {
    /// A contact nobody has called yet.
    #[must_use]
    pub fn fresh(numbers: &[(CategoryId, E164)]) -> Self {
        Self {
            numbers: numbers.iter().map(|(category, e164)| Number::fresh(category.clone(), e164.clone())).collect(),
            pass: None,
            attempts: 0,
            ended: None,
            business: Business::default(),
        }
    }

    /// Whether nothing more will be tried.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.ended.is_some() && self.business.scheduled.is_none()
    }

    /// Whether nothing more will be tried although the customer was not reached.
    #[must_use]
    pub fn is_not_reached(&self) -> bool {
        let not_reached = self.ended.is_some_and(|end| match end {
            ContactEnd::NotReached | ContactEnd::AttemptsSpent | ContactEnd::NoRetry => true,
            ContactEnd::Reached | ContactEnd::Erased | ContactEnd::Stopped => false,
        });
        not_reached && self.is_over()
    }

    /// How far it has come; `live` is whether it is in a call.
    #[must_use]
    pub fn stage(&self, live: bool) -> ContactStage {
        match self.ended {
            Some(end) if self.is_over() => ContactStage::Ended(end),
            None if !live && self.attempts == 0 => ContactStage::Fresh,
            Some(_) | None => ContactStage::InProgress,
        }
    }

    /// The ledger that a call of a number goes by: the number's own, or that of the call which `rule` has
    /// scheduled; `None` if there is no such call.
    #[must_use]
    pub fn tries(&self, number: usize, rule: Option<&BusinessKey>) -> Option<&Number> {
        let Some(rule) = rule else { return self.numbers.get(number) };
        let call = self.business.scheduled.as_ref();
        call.filter(|call| call.rule == *rule && call.number == number).map(|call| &call.tries)
    }

    /// The same ledger, to write to.
    pub fn tries_mut(&mut self, number: usize, rule: Option<&BusinessKey>) -> Option<&mut Number> {
        let Some(rule) = rule else { return self.numbers.get_mut(number) };
        let call = self.business.scheduled.as_mut();
        call.filter(|call| call.rule == *rule && call.number == number).map(|call| &mut call.tries)
    }
}

impl Number {
    /// A number nobody has called yet.
    #[must_use]
    pub fn fresh(category: CategoryId, e164: E164) -> Self {
        Self {
            category,
            e164,
            tried: false,
            due_at: None,
            held_until: None,
            listed_until: None,
            days: 0,
            last_day: None,
            tries_on_last_day: 0,
            retries: BTreeMap::new(),
            faults: 0,
            last_result: None,
            caller_number: None,
            ended: None,
        }
    }
}
