//! Rotation: values under another key are written anew under the current one, slice by slice.

use secrecy::ExposeSecret;

use super::keyring::{Keyring, Place};
use crate::{
    domain::{
        attribute::AttributeValue,
        contact::Contact,
        ids::{CampaignId, CustomerId},
    },
    store::{Store, StoreError},
};

/// Contacts of one slice.
const SLICE: u32 = 500;

/// What became of a slice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rotated {
    /// Contacts whose values were written anew.
    pub rewritten: u64,
    /// Contacts with a value that can't be read, for instance under a key that is not set.
    pub unreadable: u64,
    /// The last contact of the slice; `None` once there are no more.
    pub last: Option<CustomerId>,
}

/// Brings the values of the next contacts of a campaign under the current key.
pub async fn rotate(
    store: &dyn Store,
    keys: &Keyring,
    campaign: &CampaignId,
    after: Option<&CustomerId>,
) -> Result<Rotated, StoreError> {
    let contacts = store.contacts_page(campaign, after, SLICE).await?;
    let full = u32::try_from(contacts.len()).is_ok_and(|read| read >= SLICE);
    let mut rotated = Rotated::default();
    for contact in &contacts {
        match anew(keys, contact) {
            Anew::Same => {}
            Anew::Unreadable => rotated.unreadable += 1,
            Anew::Changed(after) => {
                // One that was edited meanwhile is under the current key, or is found by the next rotation.
                rotated.rewritten += u64::from(store.reseal(contact, after).await?);
            }
        }
    }
    rotated.last = contacts.last().filter(|_| full).map(|contact| contact.customer.clone());
    Ok(rotated)
}

enum Anew {
    Same,
    Unreadable,
    Changed(crate::domain::attribute::Attributes),
}

fn anew(keys: &Keyring, contact: &Contact) -> Anew {
    let mut after = contact.attributes.clone();
    for (attribute, value) in &mut after {
        let AttributeValue::Sealed(sealed) = value else { continue };
        if sealed.key == keys.current() {
            continue;
        }
        let place = Place { campaign: &contact.campaign, customer: &contact.customer, attribute };
        let Ok(opened) = keys.open(place, sealed) else { return Anew::Unreadable };
        *sealed = keys.seal(place, opened.expose_secret());
    }
    if after == contact.attributes { Anew::Same } else { Anew::Changed(after) }
}
