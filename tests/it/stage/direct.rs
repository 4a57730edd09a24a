//! Until the daemon's API imports contacts: straight into the store, while no daemon runs.

use std::{collections::BTreeMap, path::Path};

use dialops::{
    clock::Clock,
    domain::{
        campaign::{DialPermission, Priority},
        contact::NewContact,
        ids::{CampaignId, CategoryId, CustomerId},
        phone::E164,
    },
    store::{GateSettings, Opener, Store, sqlite::SqliteStore},
};

pub(super) fn import(store: &Path, campaign: &str, contacts: &[(&str, &[String])]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let opener = Opener {
            daemon_version: "0".into(),
            tzdb_version: "0".into(),
            settings_digest: "0".into(),
            pid: 0,
            host: "it".into(),
        };
        let gate = GateSettings { permission: DialPermission::None, caps: BTreeMap::new() };
        let store = SqliteStore::open(store, opener, gate, Clock::system()).await.unwrap();
        let new = |(customer, numbers): &(&str, &[String])| NewContact {
            customer: CustomerId::parse(customer).unwrap(),
            numbers: numbers
                .iter()
                .zip(["mobile", "home", "office"])
                .map(|(n, c)| (CategoryId::parse(c).unwrap(), E164::parse(n).unwrap()))
                .collect(),
            priority: Priority::DEFAULT,
            not_before: None,
            custom_field: None,
        };
        let contacts = contacts.iter().map(new).collect();
        store.import(&CampaignId::parse(campaign).unwrap(), contacts).await.unwrap();
        store.close().await.unwrap();
    });
}
