//! Campaigns whose files are gone, and commits that were let in.

use super::*;
use crate::{
    domain::campaign::KeptFile,
    domain::ids::SourceId,
    store::{FileChanges, FilesOf, StoredFiles, file_digest},
    telemetry::status::Verification,
};

on_both_stores!(
    a_removed_campaign_keeps_its_contacts_until_it_is_back,
    commits_that_were_in_force_or_approved_are_known,
    what_was_planned_against_another_commit_changes_nothing,
    kept_files_last_and_attempts_name_their_commits,
    who_signed_a_commit_is_kept,
    files_are_kept_once_all_of_them_are_written
);

fn revision(digit: char) -> Revision {
    Revision::parse(&digit.to_string().repeat(40)).unwrap()
}

async fn a_removed_campaign_keeps_its_contacts_until_it_is_back(mut world: World) {
    let (spring, summer) = (campaign("spring"), campaign("summer"));
    world.apply(&[&spring, &summer]).await;
    world.import(&spring, contacts(2)).await;
    let ready = world.ready(&spring).await;
    let since = world.now();
    let remove = CampaignChange::Remove { id: spring.id.clone() };
    world.store.apply(generation(7, &[&summer]), vec![remove], Against::Whatever).await.unwrap();
    assert_eq!(world.refusal(&ready[0], 0).await, Hold::Retired);
    let stored = |world: &World| {
        let store = Arc::clone(&world.store);
        async move {
            let row = store.campaigns().await.unwrap().into_iter().find(|row| row.id.as_str() == "spring").unwrap();
            (row.desired, row.removed_at, row.retired)
        }
    };
    assert_eq!(stored(&world).await, (DesiredState::Paused, Some(since), false));
    world.wait(Duration::from_secs(60));
    let retire = CampaignChange::Retire { id: spring.id.clone() };
    world.store.apply(generation(7, &[&summer]), vec![retire], Against::Whatever).await.unwrap();
    assert_eq!(stored(&world).await, (DesiredState::Paused, Some(since), true));
    world.apply(&[&spring, &summer]).await;
    assert_eq!(stored(&world).await, (DesiredState::Running, None, false));
    while world.store.evaluate().await.unwrap().is_some() {}
    assert_eq!(world.customers(&spring).await, ["c1", "c2"]);
    let unknown = CampaignChange::Remove { id: campaign_id("unknown") };
    assert!(world.store.apply(generation(9, &[&summer]), vec![unknown], Against::Whatever).await.is_err());
}

async fn commits_that_were_in_force_or_approved_are_known(mut world: World) {
    let spring = campaign("spring");
    let first = world.apply(&[&spring]).await.revision.clone();
    world.apply(&[&spring]).await;
    assert!(world.store.is_approved(&first).await.unwrap(), "it was in force");
    assert!(!world.store.is_approved(&revision('c')).await.unwrap());
    world.store.approve(&revision('c'), "uid 0").await.unwrap();
    world.store.approve(&revision('c'), "uid 1").await.unwrap();
    world.crash().await;
    assert!(world.store.is_approved(&revision('c')).await.unwrap());
    assert!(!world.store.is_approved(&revision('d')).await.unwrap());
}

async fn what_was_planned_against_another_commit_changes_nothing(mut world: World) {
    let (spring, summer) = (campaign("spring"), campaign("summer"));
    let nothing = Against::Revision(None);
    world.store.apply(generation(1, &[&spring]), vec![put(&spring.id)], nothing).await.unwrap();
    let first = generation(1, &[]).revision.clone();
    let second = generation(2, &[&spring, &summer]);
    for wrong in [None, Some(&revision('c'))] {
        let refused = world.store.apply(second.clone(), vec![put(&summer.id)], Against::Revision(wrong)).await;
        let Err(crate::store::StoreError::Moved { planned, found }) = refused else { panic!("{refused:?}") };
        assert_eq!((planned.as_ref(), found.as_ref()), (wrong, Some(&first)));
        assert_eq!(world.store.campaigns().await.unwrap().len(), 1);
        assert_eq!(world.store.applied().await.unwrap().unwrap().0, first);
    }
    world.store.apply(second.clone(), vec![put(&summer.id)], Against::Revision(Some(&first))).await.unwrap();
    world.crash().await;
    assert_eq!(world.store.applied().await.unwrap().unwrap().0, second.revision);
}

async fn kept_files_last_and_attempts_name_their_commits(mut world: World) {
    let (spring, summer) = (campaign("spring"), campaign("summer"));
    let first = world.apply(&[&spring, &summer]).await.revision.clone();
    world.import(&spring, contacts(1)).await;
    world.import(&summer, vec![contact("s1", &["+8613900000001"])]).await;
    assert!(world.store.kept_files().await.unwrap().is_empty());

    let mut second = (*generation(7, &[&spring, &summer])).clone();
    let kept = KeptFile::Of { revision: first.clone(), bytes: b"id = 1"[..].into() };
    second.kept.files = BTreeMap::from([("a.toml".to_owned(), kept), ("b.toml".to_owned(), KeptFile::LeftOut)]);
    second.kept.campaigns = BTreeMap::from([(spring.id.clone(), first.clone())]);
    let second = Arc::new(second);
    world.store.apply(Arc::clone(&second), vec![put(&spring.id)], Against::Whatever).await.unwrap();
    assert_eq!(world.store.campaigns().await.unwrap()[0].revision, first);
    for (campaign, revision) in [(&spring, &first), (&summer, &second.revision)] {
        let ready = world.ready(campaign).await.remove(0);
        let (_, recorded) = world.place(&ready, 0).await;
        let records = world.store.attempts(&campaign.id, None, 9).await.unwrap();
        assert_eq!((&recorded.revision, &records[0].revision), (revision, revision));
    }
    world.crash().await;
    assert_eq!(world.store.kept_files().await.unwrap(), second.kept.files);
    assert_eq!(world.store.applied().await.unwrap().unwrap().0, second.revision);
    world.apply(&[&spring, &summer]).await;
    assert!(world.store.kept_files().await.unwrap().is_empty());
}

async fn who_signed_a_commit_is_kept(mut world: World) {
    let by = |signer: &str| Verification {
        method: "openpgp".to_owned(),
        signer: signer.to_owned(),
        fingerprint: "197B6593E5882DF0F4E76C902B73EB7200531692".to_owned(),
    };
    world.store.set_verified(&revision('c'), &by("Ada")).await.unwrap();
    world.store.set_verified(&revision('c'), &by("Eve")).await.unwrap();
    world.crash().await;
    assert_eq!(world.store.verified(&revision('c')).await.unwrap(), Some(by("Ada")));
    assert_eq!(world.store.verified(&revision('d')).await.unwrap(), None);
}

async fn files_are_kept_once_all_of_them_are_written(mut world: World) {
    let put = |path: &str, text: &str| (path.to_owned(), Some(Arc::from(text.as_bytes())));
    let of = |digit| {
        let (source, folder) = (SourceId::main(), "campaigns".to_owned());
        vec![FilesOf { source, revision: revision(digit), folder }]
    };
    assert_eq!(world.store.files().await.unwrap(), None);
    world.apply(&[&campaign("spring")]).await;
    let first =
        FileChanges { changed: vec![put("campaigns/a.toml", "a = 1"), put("campaigns/b.toml", "b")], complete: vec![] };
    world.store.put_files(first).await.unwrap();
    assert_eq!(world.store.files().await.unwrap(), None, "more is to come");
    let gone = ("campaigns/b.toml".to_owned(), None);
    let last = FileChanges { changed: vec![put("campaigns/c.toml", "c"), gone], complete: of('a') };
    world.store.put_files(last).await.unwrap();
    world.crash().await;
    let expected = [("campaigns/a.toml", "a = 1"), ("campaigns/c.toml", "c")];
    let files = expected.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
    let stored = StoredFiles { sources: of('a'), files: files.into(), edited: Vec::new() };
    assert_eq!(world.store.files().await.unwrap(), Some(stored));
    let digests = expected.map(|(path, text)| (path.to_owned(), file_digest(text.as_bytes())));
    assert_eq!(world.store.file_digests().await.unwrap(), digests.into());
    let next = FileChanges { changed: vec![put("campaigns/a.toml", "a = 2")], complete: of('b') };
    world.store.put_files(next).await.unwrap();
    let stored = world.store.files().await.unwrap().unwrap();
    assert_eq!((stored.sources, stored.files["campaigns/a.toml"].as_slice()), (of('b'), b"a = 2".as_slice()));
}
