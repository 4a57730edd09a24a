//! Rotation: values under another key are written anew under the current one, slice by slice.

use secrecy::ExposeSecret;

use super::keyring::{Keyring, Place};
use crate::{
    domain::{
        attribute::{AttributeValue, Attributes},
        contact::Contact,
        ids::{CampaignId, CustomerId},
    },
    store::{Resealed, Store, StoreError},
};

/// Contacts of one slice.
const SLICE: u32 = 500;

/// Contacts that are written in one transaction: few, since intents wait meanwhile.
const WRITTEN_AT_ONCE: usize = 200;

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
    let (mut rotated, mut changed) = (Rotated::default(), Vec::new());
    for contact in &contacts {
        match anew(keys, contact) {
            Anew::Same => {}
            Anew::Unreadable => rotated.unreadable += 1,
            Anew::Changed(after) => {
                changed.push(Resealed { contact: contact.reference, before: contact.attributes.clone(), after });
            }
        }
    }
    for piece in changed.chunks(WRITTEN_AT_ONCE) {
        // One that was edited meanwhile is under the current key, or is found by the next rotation.
        rotated.rewritten += store.reseal(piece.to_vec()).await?;
    }
    rotated.last = contacts.last().filter(|_| full).map(|contact| contact.customer.clone());
    Ok(rotated)
}

enum Anew {
    Same,
    Unreadable,
    Changed(Attributes),
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
