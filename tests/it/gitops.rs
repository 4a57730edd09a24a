//! The source against real repositories.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _, path::Path, sync::Arc, time::Duration};

use dialops::{
    config::settings::SourceSettings,
    domain::ids::Revision,
    gitops::{CommitFiles, Refusal, RefusalReason, Source, SourceError, Trigger, Wake, watch},
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::repository::{self, Repository};

const SPRING: &str = "id = \"spring\"\n";

async fn read_head(source: &Source) -> Result<CommitFiles, SourceError> {
    source.read(&source.head().await?).await
}

/// Reads the newest commit, which must be refused.
async fn refused(source: &Source) -> Vec<Refusal> {
    match read_head(source).await {
        Err(SourceError::Refused { refusals, .. }) => refusals,
        other => panic!("not refused: {other:?}"),
    }
}

fn paths(files: &CommitFiles) -> Vec<&str> {
    files.files.iter().map(|file| file.path.as_str()).collect()
}

#[tokio::test]
async fn a_commit_is_read_whole_and_the_work_tree_never() {
    let repository = Repository::new();
    repository.write("campaigns/spring.toml", SPRING);
    repository.write("campaigns/shared/tenant.toml", "id = \"acme\"\n");
    repository.write("campaigns/README.md", "for people");
    repository.write("elsewhere/other.toml", "");
    let revision = repository.commit("campaigns: spring\n\nWith a body.");
    repository.write("campaigns/spring.toml", "not committed");
    repository.write("campaigns/summer.toml", "not committed");

    let source = repository.source("main", "campaigns");
    assert_eq!(source.head().await.unwrap(), revision);
    let files = source.read(&revision).await.unwrap();
    assert_eq!(paths(&files), ["campaigns/shared/tenant.toml", "campaigns/spring.toml"]);
    assert_eq!(&*files.files[1].bytes, SPRING.as_bytes());
    assert_eq!((files.author.as_str(), files.subject.as_str()), ("Ada Operator", "campaigns: spring"));
    assert_eq!(files.prefix, "campaigns");

    let whole = repository.source("main", "");
    assert_eq!(read_head(&whole).await.unwrap().files.len(), 3);
}

#[tokio::test]
async fn unchanged_blobs_are_not_read_again() {
    let repository = Repository::new();
    repository.write("a.toml", "a = 1");
    repository.write("b.toml", "b = 1");
    repository.commit("one");
    let source = repository.source("main", "");
    let first = read_head(&source).await.unwrap();
    repository.write("b.toml", "b = 2");
    repository.commit("two");
    let second = read_head(&source).await.unwrap();
    assert!(Arc::ptr_eq(&first.files[0].bytes, &second.files[0].bytes));
    assert_eq!(&*second.files[1].bytes, b"b = 2");
}

#[tokio::test]
async fn bare_linked_and_packed_repositories_are_read() {
    let repository = Repository::new();
    repository.write("spring.toml", SPRING);
    let revision = repository.commit("spring");
    repository.git(["branch", "team/sales"]);
    let elsewhere = tempfile::tempdir().unwrap();
    let (bare, linked) = (elsewhere.path().join("bare.git"), elsewhere.path().join("linked"));
    repository.git(["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
    repository.git(["worktree", "add", "--quiet", "--detach", linked.to_str().unwrap()]);
    repository.git(["gc", "--quiet"]);
    repository.git(["pack-refs", "--all"]);
    assert!(!repository.path().join(".git/refs/heads/main").exists(), "the ref is packed");
    repository.git(["symbolic-ref", "refs/heads/alias", "refs/heads/main"]);

    for (path, branch) in [
        (repository.path(), "main"),
        (repository.path(), "team/sales"),
        (repository.path(), "alias"),
        (&repository.path().join(".git"), "main"),
        (&bare, "main"),
        (&linked, "main"),
    ] {
        let source = repository::source(path, branch, "");
        assert_eq!(source.head().await.unwrap(), revision, "{} {branch}", path.display());
        assert_eq!(paths(&source.read(&revision).await.unwrap()), ["spring.toml"]);
    }
}

#[tokio::test]
async fn links_and_submodules_are_refused_all_at_once() {
    let repository = Repository::new();
    repository.write("ok.toml", SPRING);
    repository.git(["add", "ok.toml"]);
    let target = repository.blob(b"../../secrets.toml");
    repository.stage("120000", &target, "link.toml");
    repository.stage("120000", &target, "folder/not-even-toml");
    repository.stage("160000", "1111111111111111111111111111111111111111", "vendored");
    repository.commit_index("links");
    let source = repository.source("main", "");
    let refusals = refused(&source).await;
    let told: Vec<_> = refusals.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "folder/not-even-toml is a symbolic link, which is never followed; commit a copy of the file",
            "link.toml is a symbolic link, which is never followed; commit a copy of the file",
            "vendored is a submodule, which is never read; commit its files",
        ]
    );
    // The folder itself may be a link, too.
    let linked = repository.source("main", "link.toml/below");
    assert_eq!(refused(&linked).await[0].reason, RefusalReason::Symlink);
}

#[tokio::test]
async fn a_large_blob_is_refused_without_being_read() {
    let repository = Repository::new();
    repository.write("ok.toml", SPRING);
    let large = std::fs::File::create(repository.path().join("large.toml")).unwrap();
    large.set_len(100 * 1024 * 1024).unwrap();
    repository.commit("large");
    // Nothing but its header is left: whoever reads more than that, fails.
    let oid = repository.git(["rev-parse", "HEAD:large.toml"]);
    let object = repository.path().join(".git/objects").join(&oid[..2]).join(&oid[2..]);
    let head = std::fs::read(&object).unwrap()[..128].to_vec();
    std::fs::remove_file(&object).unwrap();
    std::fs::write(&object, head).unwrap();

    let refusals = refused(&repository.source("main", "")).await;
    assert_eq!(refusals.len(), 1);
    assert_eq!(refusals[0].reason, RefusalReason::TooLarge { bytes: 104_857_600 });
    let told = refusals[0].to_string();
    assert!(told.starts_with("large.toml has 104857600 bytes, the limit is 262144; split it"), "{told}");
}

#[tokio::test]
async fn odd_names_are_refused_and_odd_contents_are_passed_on() {
    let repository = Repository::new();
    repository.write("latin.toml", b"name = \"Gr\xfc\xdfe\"");
    repository.commit("contents");
    let source = repository.source("main", "");
    assert_eq!(&*read_head(&source).await.unwrap().files[0].bytes, b"name = \"Gr\xfc\xdfe\"");

    repository.write(Path::new(OsStr::from_bytes(b"gr\xfc\xdfe.toml")), SPRING);
    repository.write("bell\u{7}.toml", SPRING);
    repository.commit("names");
    let refusals = refused(&source).await;
    assert_eq!(refusals.len(), 2);
    assert!(refusals.iter().all(|refusal| refusal.reason == RefusalReason::Name));
    assert_eq!(
        refusals[0].to_string(),
        "bell\\u{7}.toml has a name that is not printable UTF-8; rename it",
        "a control character never reaches a terminal"
    );
}

#[tokio::test]
async fn names_that_differ_by_case_only_are_refused() {
    let repository = Repository::new();
    let blob = repository.blob(SPRING.as_bytes());
    repository.stage("100644", &blob, "Spring.toml");
    repository.stage("100644", &blob, "spring.toml");
    repository.commit_index("case");
    let refusals = refused(&repository.source("main", "")).await;
    assert_eq!(
        refusals[0].to_string(),
        "spring.toml differs from Spring.toml by upper and lower case only; rename one"
    );
}

#[tokio::test]
async fn too_deep_and_too_many_are_refused() {
    let repository = Repository::new();
    let blob = repository.blob(SPRING.as_bytes());
    let deep = "a/".repeat(16) + "x.toml";
    repository.stage("100644", &blob, &deep);
    repository.commit_index("16 deep");
    let source = repository.source("main", "");
    assert_eq!(read_head(&source).await.unwrap().files.len(), 1);
    repository.stage("100644", &blob, &("a/".repeat(17) + "x.toml"));
    repository.commit_index("17 deep");
    assert_eq!(refused(&source).await[0].reason, RefusalReason::TooDeep);

    let mut index = String::new();
    for n in 0..20_001 {
        index.push_str(&format!("100644 {blob}\tmany/{n}.toml\n"));
    }
    repository.git(["rm", "--quiet", "-r", "--cached", "."]);
    repository.git_reading(["update-index", "--add", "--index-info"], index.as_bytes());
    repository.commit_index("many");
    let refusals = refused(&source).await;
    assert_eq!((refusals.len(), &refusals[0].reason), (1, &RefusalReason::TooMany));
}

/// Ten folders, each with ten times the same folder, sixteen deep: 10^16 folders in 17 objects.
#[tokio::test]
async fn an_endless_tree_ends() {
    let repository = Repository::new();
    let mut tree = repository.git_reading(["mktree"], b"");
    for _ in 0..16 {
        let entries: String = (0..10).map(|n| format!("040000 tree {tree}\t{n}\n")).collect();
        tree = repository.git_reading(["mktree"], entries.as_bytes());
    }
    let commit = repository.git(["commit-tree", "-m", "bomb", &tree]);
    repository.git(["update-ref", "refs/heads/main", &commit]);
    let refusals = refused(&repository.source("main", "")).await;
    assert_eq!(refusals[0].reason, RefusalReason::TooMany);
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let repository = Repository::new();
    let at = repository.path().display().to_string();
    let told = async |source: Source| read_head(&source).await.unwrap_err().to_string();

    let empty = told(repository.source("main", "")).await;
    assert_eq!(
        empty,
        format!("branch \"main\" is not in repository {at}; it has no branch yet: commit something first")
    );
    repository.write("campaigns/notes.txt", "");
    let revision = repository.commit("no campaign yet");
    repository.git(["branch", "maintenance"]);
    assert_eq!(
        told(repository.source("mian", "")).await,
        format!(
            "branch \"mian\" is not in repository {at}; did you mean \"main\" or \"maintenance\"? Correct [source] branch in the settings"
        )
    );
    assert_eq!(
        told(repository.source("release", "")).await,
        format!("branch \"release\" is not in repository {at}; correct [source] branch in the settings, or create it")
    );
    assert_eq!(
        told(repository.source("no such..name", "")).await,
        "\"no such..name\" can't be the name of a branch; correct [source] branch in the settings"
    );
    for prefix in ["campaigns", "campains", "campaigns/notes.txt"] {
        assert_eq!(
            told(repository.source("main", prefix)).await,
            format!(
                "commit {} has no configuration file under \"{prefix}\"; commit some, or correct [source] path in the settings",
                revision.short()
            )
        );
    }
    let absent = repository.path().join("absent");
    assert_eq!(
        told(repository::source(&absent, "main", "")).await,
        format!("repository {at}/absent does not exist; create it, or correct [source] repository in the settings")
    );
    let folder = told(repository::source(repository.path().join("campaigns"), "main", "")).await;
    assert!(folder.starts_with(&format!("{at}/campaigns is not a Git repository")), "{folder}");
}

#[tokio::test]
async fn a_repository_of_another_kind_is_named() {
    let repository = Repository::new();
    repository.commit("first");
    repository.git(["config", "core.repositoryFormatVersion", "1"]);
    repository.git(["config", "extensions.unheardOf", "true"]);
    let error = repository.source("main", "").head().await.unwrap_err();
    assert!(matches!(error, SourceError::Unsupported { .. }), "{error}: {error:?}");
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_refused() {
    let repository = Repository::new();
    let blob = repository.blob(SPRING.as_bytes());
    let raw: Vec<u8> =
        (0..blob.len()).step_by(2).map(|at| u8::from_str_radix(&blob[at..at + 2], 16).unwrap()).collect();
    let names = ["", ".", "..", "a/../../b.toml"];
    let tree: Vec<u8> =
        names.iter().flat_map(|name| [format!("100644 {name}\0").as_bytes(), raw.as_slice()].concat()).collect();
    let tree = repository.git_reading(["hash-object", "-t", "tree", "-w", "--literally", "--stdin"], &tree);
    let commit = repository.git(["commit-tree", "-m", "way out", &tree]);
    repository.git(["update-ref", "refs/heads/main", &commit]);
    let refusals = refused(&repository.source("main", "")).await;
    assert_eq!(refusals.len(), names.len(), "{refusals:?}");
    assert!(refusals.iter().all(|refusal| refusal.reason == RefusalReason::Path), "{refusals:?}");
}

/// Only root can give a repository away, and a machine may allow every owner: then there is nothing
/// to see here.
#[tokio::test]
async fn a_repository_of_another_owner_is_named() {
    let repository = Repository::new();
    repository.commit("first");
    let (git, stranger) = (repository.path().join(".git"), Some(54_321));
    if std::os::unix::fs::chown(&git, stranger, stranger).is_err() {
        return;
    }
    std::os::unix::fs::chown(repository.path(), stranger, stranger).unwrap();
    let Err(error) = repository.source("main", "").head().await else { return };
    let at = repository.path().display();
    assert_eq!(
        error.to_string(),
        format!(
            "repository {at} belongs to another user; run the daemon as its owner, or allow it with `git config --system --add safe.directory {at}`"
        )
    );
}

#[tokio::test]
async fn a_missing_object_is_named() {
    let repository = Repository::new();
    repository.write("spring.toml", SPRING);
    let revision = repository.commit("spring");
    let oid = repository.git(["rev-parse", "HEAD:spring.toml"]);
    std::fs::remove_file(repository.path().join(".git/objects").join(&oid[..2]).join(&oid[2..])).unwrap();
    let source = repository.source("main", "");
    let told = source.read(&revision).await.unwrap_err().to_string();
    assert!(told.starts_with(&format!("spring.toml of commit {} is missing from the repository", revision.short())));
    let unknown = Revision::parse(&"1".repeat(40)).unwrap();
    assert!(matches!(source.read(&unknown).await, Err(SourceError::ObjectMissing { .. })));
}

#[tokio::test]
async fn the_pinned_commit_outlives_the_branch_and_gc() {
    let repository = Repository::new();
    repository.write("spring.toml", SPRING);
    let first = repository.commit("first");
    repository.write("spring.toml", "id = \"summer\"");
    let applied = repository.commit("second");
    let source = repository.source("main", "");
    assert!(source.descends(&applied, &first).await.unwrap());
    assert!(!source.descends(&first, &applied).await.unwrap());
    source.pin(&first).await.unwrap();
    source.pin(&applied).await.unwrap();

    repository.git(["checkout", "--quiet", "--orphan", "other"]);
    let head = repository.commit("rewritten");
    repository.git(["branch", "--force", "main", "other"]);
    repository.git(["reflog", "expire", "--expire=now", "--all"]);
    repository.git(["gc", "--quiet", "--prune=now"]);
    assert_eq!(source.head().await.unwrap(), head);
    assert!(!source.descends(&head, &applied).await.unwrap());
    assert_eq!(source.read(&applied).await.unwrap().files.len(), 1);

    source.pin(&head).await.unwrap();
    repository.git(["gc", "--quiet", "--prune=now"]);
    assert!(matches!(source.read(&applied).await, Err(SourceError::ObjectMissing { .. })));
    assert!(!source.descends(&head, &applied).await.unwrap(), "lost is not followed");
}

/// What the watch needs to run, with a poll that never comes.
fn watching(source: Source) -> (Arc<Wake>, tokio_util::sync::DropGuard) {
    let (wake, shutdown) = (Arc::new(Wake::default()), CancellationToken::new());
    tokio::spawn(watch::run(source, Arc::clone(&wake), shutdown.clone()));
    (wake, shutdown.drop_guard())
}

/// Waits for the wakes that follow the start, and then for quiet.
async fn settle(wake: &Wake) {
    while timeout(Duration::from_millis(300), wake.next()).await.is_ok() {}
}

#[tokio::test]
async fn a_commit_wakes_within_a_second_and_looking_wakes_nobody() {
    let repository = Repository::new();
    repository.write("spring.toml", SPRING);
    repository.commit("one");
    let bare = tempfile::tempdir().unwrap();
    let bare_path = bare.path().join("bare.git");
    repository.git(["clone", "--quiet", "--bare", ".", bare_path.to_str().unwrap()]);

    let second = Duration::from_secs(1);
    let source = repository.source("main", "");
    let (wake, _running) = watching(source.clone());
    let (bare_wake, _bare_running) = watching(repository::source(&bare_path, "main", ""));
    settle(&wake).await;
    settle(&bare_wake).await;

    repository.write("spring.toml", "id = \"summer\"");
    repository.commit("two");
    assert!(timeout(second, wake.next()).await.unwrap().has(Trigger::Watch));
    settle(&wake).await;
    for _ in 0..3 {
        read_head(&source).await.unwrap();
    }
    assert!(timeout(Duration::from_millis(300), wake.next()).await.is_err(), "our own reading wakes us");

    assert!(timeout(Duration::from_millis(10), bare_wake.next()).await.is_err());
    repository.git(["push", "--quiet", bare_path.to_str().unwrap(), "main"]);
    assert!(timeout(second, bare_wake.next()).await.unwrap().has(Trigger::Watch));

    // Nothing but packed-refs changes when a packed branch is deleted.
    repository.git(["branch", "gone"]);
    repository.git(["pack-refs", "--all"]);
    settle(&wake).await;
    repository.git(["branch", "--delete", "gone"]);
    assert!(timeout(second, wake.next()).await.unwrap().has(Trigger::Watch));
}

#[tokio::test]
async fn a_repository_that_comes_later_is_watched_from_the_next_poll() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("later");
    let (wake, shutdown) = (Arc::new(Wake::default()), CancellationToken::new());
    let _stopped = shutdown.clone().drop_guard();
    let settings = repository::source(&path, "main", "").settings().clone();
    let source = Source::new(SourceSettings { poll: Duration::from_millis(100), ..settings }, None);
    tokio::spawn(watch::run(source, Arc::clone(&wake), shutdown));
    for round in 0..2 {
        repository::git(folder.path(), ["init", "--quiet", "--initial-branch=main", path.to_str().unwrap()], b"");
        let watched = async {
            loop {
                let _ = repository::git(&path, ["commit", "--quiet", "--allow-empty", "--message", "x"], b"");
                if wake.next().await.has(Trigger::Watch) {
                    return;
                }
            }
        };
        timeout(Duration::from_secs(10), watched).await.unwrap_or_else(|_| panic!("not watched in round {round}"));
        std::fs::remove_dir_all(&path).unwrap();
    }
}
