//! The source against real servers.

mod hostile;

use std::path::{Path, PathBuf};

use dialops::{
    config::settings::Settings,
    domain::ids::Revision,
    gitops::{Source, SourceError},
};

use crate::{
    git_server::{GitServer, Manner},
    repository::{self, Repository},
    ssh_server::SshServer,
    tls::{Forward, Tls},
};

const SPRING: &str = "id = \"spring\"\n";

/// A bare repository behind a server, one that is worked in, and the folder of a daemon.
struct Remote {
    work: Repository,
    folder: tempfile::TempDir,
    server: GitServer,
}

impl Remote {
    fn new() -> Self {
        let work = Repository::new();
        work.write("campaigns/spring.toml", SPRING);
        work.commit("first");
        let folder = tempfile::tempdir().unwrap();
        let bare = folder.path().join("bare/calls.git");
        work.git(["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
        work.git(["remote", "add", "origin", bare.to_str().unwrap()]);
        // What is large goes through in pieces here too, and is not unpacked.
        for (key, value) in [("core.bigFileThreshold", "1m"), ("core.compression", "1"), ("receive.unpackLimit", "1")] {
            work.git(["config", key, value]);
            work.git(["--git-dir", bare.to_str().unwrap(), "config", key, value]);
        }
        let server = GitServer::serve(&folder.path().join("bare"));
        Self { work, folder, server }
    }

    fn bare(&self) -> PathBuf {
        self.folder.path().join("bare/calls.git")
    }

    /// Commits a change and pushes it.
    fn change(&self, text: &str) -> Revision {
        self.work.write("campaigns/spring.toml", text);
        let revision = self.work.commit(text);
        self.push();
        revision
    }

    fn push(&self) {
        self.work.git(["push", "--quiet", "--force", "origin", "main"]);
    }

    /// The source that settings with these lines name.
    fn source(&self, lines: &str) -> Source {
        source(self.folder.path(), &format!("url = \"{}\"\n{lines}", self.server.url("calls.git")))
    }
}

/// The source of settings whose table it is.
fn source(folder: &Path, table: &str) -> Source {
    let text = format!("[source]\n{table}\n");
    let mut settings =
        Settings::parse(&folder.join("dialops.toml"), &text).unwrap_or_else(|faults| panic!("{faults:#?}"));
    Source::new(settings.sources.swap_remove(0), None)
}

async fn told(source: &Source) -> String {
    source.head().await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_branch_is_fetched_and_read_over_http() {
    let remote = Remote::new();
    let source = remote.source("");
    let first = remote.work.head();
    assert_eq!(source.head().await.unwrap(), first);
    let files = source.read(&first).await.unwrap();
    assert_eq!((files.files.len(), &*files.files[0].bytes), (1, SPRING.as_bytes()));
    assert_eq!(remote.server.fetches(), 1);
    assert_eq!(source.head().await.unwrap(), first);
    assert_eq!(remote.server.fetches(), 1, "the same commit is not fetched again");

    let second = remote.change("id = \"summer\"");
    assert_eq!(source.head().await.unwrap(), second);
    assert!(source.descends(&second, &first).await.unwrap());
    assert_eq!(remote.server.fetches(), 2);
}

#[tokio::test]
async fn a_tag_and_a_commit_are_followed() {
    let remote = Remote::new();
    let first = remote.work.head();
    remote.work.git(["tag", "--annotate", "--message", "go", "production"]);
    remote.work.git(["push", "--quiet", "origin", "production"]);
    let second = remote.change("id = \"summer\"");
    let tagged = remote.source("tag = \"production\"");
    assert_eq!(tagged.head().await.unwrap(), first);
    assert_eq!(tagged.head().await.unwrap(), first);
    assert_eq!(remote.server.fetches(), 1);
    let pinned = remote.source(&format!("commit = \"{second}\""));
    assert_eq!(pinned.head().await.unwrap(), second);
    let asked = remote.server.requests();
    assert_eq!(pinned.head().await.unwrap(), second);
    assert_eq!(remote.server.requests(), asked, "a commit that is here needs no server");
    remote.work.git(["tag", "--force", "--annotate", "--message", "on", "production"]);
    remote.work.git(["push", "--quiet", "--force", "origin", "production"]);
    assert_eq!(tagged.head().await.unwrap(), second);
}

#[tokio::test]
async fn a_token_opens_and_is_read_again() {
    let remote = Remote::new();
    let token = remote.folder.path().join("a token'.txt");
    let asks = |token: &str| Manner::Asks { user: "oauth2", token: token.to_owned(), stalls: false };
    remote.server.behave(asks("right"));
    let lines = "username = \"oauth2\"\ntoken = { file = \"a token'.txt\" }";
    let closed = told(&remote.source("")).await;
    assert!(closed.contains("lets nobody in") && closed.contains("check [source] token"), "{closed}");
    let source = remote.source(lines);
    let absent = source.head().await.unwrap_err();
    assert!(matches!(absent, SourceError::Credential { key: "token", .. }), "{absent:?}");
    std::fs::write(&token, "wrong\n").unwrap();
    let wrong = source.head().await.unwrap_err();
    assert!(matches!(wrong, SourceError::AccessRefused { .. }), "{wrong:?}");
    std::fs::write(&token, "right\n").unwrap();
    let first = source.head().await.unwrap();

    remote.server.behave(asks("rotated"));
    assert!(source.head().await.is_err());
    assert_eq!(source.read(&first).await.unwrap().files.len(), 1, "what was fetched is there");
    std::fs::write(&token, "rotated").unwrap();
    let second = remote.change("id = \"summer\"");
    assert_eq!(source.head().await.unwrap(), second);
}

#[tokio::test]
async fn https_needs_a_certificate_that_is_vouched_for() {
    let remote = Remote::new();
    let tls = Tls::before(remote.server.address(), remote.folder.path());
    std::fs::write(remote.folder.path().join("token"), "right").unwrap();
    remote.server.behave(Manner::Asks { user: "dialops", token: "right".to_owned(), stalls: false });
    let url = format!("url = \"{}\"\ntoken = {{ file = \"token\" }}", tls.url("calls.git"));
    let error = source(remote.folder.path(), &url).head().await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().to_lowercase().contains("certificate"), "{error}");
    assert_eq!(remote.server.requests(), 0, "nothing is said to a stranger");
    let known = format!("{url}\nca_file = \"{}\"", tls.certificate().display());
    assert_eq!(source(remote.folder.path(), &known).head().await.unwrap(), remote.work.head());
}

#[tokio::test]
async fn https_goes_through_the_proxy_of_the_settings() {
    let remote = Remote::new();
    let tls = Tls::before(remote.server.address(), remote.folder.path());
    let mut proxy = Forward::start();
    let url = format!("url = \"{}\"\nca_file = \"{}\"", tls.url("calls.git"), tls.certificate().display());
    let through = format!("{url}\nproxy = \"{}\"", proxy.url());
    let first = source(remote.folder.path(), &through).head().await.unwrap();
    assert_eq!(first, remote.work.head());
    let server = tls.url("").trim_start_matches("https://").trim_end_matches('/').to_owned();
    assert_eq!(proxy.asked(), format!("CONNECT {server} HTTP/1.1"));
    // The certificate has to be the server's all the same.
    let stranger = format!("url = \"{}\"\nproxy = \"{}\"", tls.url("calls.git"), proxy.url());
    let error = source(remote.folder.path(), &stranger).head().await.unwrap_err();
    assert!(error.to_string().to_lowercase().contains("certificate"), "{error}");
    drop(proxy);
    let error = source(remote.folder.path(), &through).head().await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn packs_are_put_together_though_they_are_more_than_a_fetch_may_bring() {
    let remote = Remote::new();
    let source = remote.source("max_download_mib = 1");
    for n in 0_u32..52 {
        // Noise, so that it stays as large.
        let mut seed = n.wrapping_mul(2_654_435_761) | 1;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            seed.to_le_bytes()[1]
        })
        .take(40_000)
        .collect();
        remote.work.write(format!("noise/{n}"), noise);
        remote.work.commit(&format!("{n}"));
        remote.push();
        source.head().await.unwrap();
    }
    let packs = std::fs::read_dir(remote.folder.path().join("sources/main.sha1.git/objects/pack")).unwrap().flatten();
    let packs = packs.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "pack"));
    let sizes: Vec<u64> = packs.map(|entry| entry.metadata().unwrap().len()).collect();
    assert!(sizes.len() < 10 && sizes.iter().any(|&size| size > 1 << 20), "{sizes:?}");
    assert_eq!(source.read(&remote.work.head()).await.unwrap().files.len(), 1);
}

#[tokio::test]
async fn a_branch_that_vanishes_is_told_as_such() {
    let remote = Remote::new();
    let source = remote.source("");
    let first = source.head().await.unwrap();
    source.pin(&first).await.unwrap();
    remote.work.git(["push", "--quiet", "origin", "main:maintenance"]);
    remote.work.git(["--git-dir", remote.bare().to_str().unwrap(), "update-ref", "-d", "refs/heads/main"]);
    let url = remote.server.url("calls.git");
    assert_eq!(
        told(&source).await,
        format!(
            "branch \"main\" is not in repository {url}; did you mean \"maintenance\"? Correct [source] branch in the settings"
        )
    );
    assert_eq!(source.read(&first).await.unwrap().files.len(), 1);
    let tag = told(&remote.source("tag = \"v1\"")).await;
    assert_eq!(tag, format!("tag \"v1\" is not in repository {url}; it has no tag yet: create one first"));
    let odd = told(&remote.source("branch = \"a..b\"")).await;
    assert_eq!(odd, "\"a..b\" can't be the name of a branch; correct [source] branch in the settings");
}

#[tokio::test]
async fn a_rewritten_branch_does_not_descend_and_the_pinned_commit_stays() {
    let remote = Remote::new();
    let source = remote.source("");
    let first = source.head().await.unwrap();
    source.pin(&first).await.unwrap();
    remote.work.git(["checkout", "--quiet", "--orphan", "other"]);
    let rewritten = remote.work.commit("rewritten");
    remote.work.git(["push", "--quiet", "--force", "origin", "other:main"]);
    assert_eq!(source.head().await.unwrap(), rewritten);
    assert!(!source.descends(&rewritten, &first).await.unwrap());
    // The mirror is put together often enough to see it.
    for n in 0..51 {
        remote.work.commit(&format!("{n}"));
        remote.work.git(["push", "--quiet", "origin", "other:main"]);
        source.head().await.unwrap();
    }
    let packs = std::fs::read_dir(remote.folder.path().join("sources/main.sha1.git/objects/pack")).unwrap().count();
    assert!(packs < 50, "{packs} files of packs");
    assert_eq!(source.read(&first).await.unwrap().files.len(), 1);
}

#[tokio::test]
async fn what_was_fetched_outlives_the_server() {
    let Remote { work, folder, server } = Remote::new();
    let (url, address) = (server.url("calls.git"), server.address());
    let table = format!("url = \"{url}\"");
    let first = source(folder.path(), &table).head().await.unwrap();
    source(folder.path(), &table).pin(&first).await.unwrap();
    drop(server);
    let gone = source(folder.path(), &table);
    let error = gone.head().await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error:?}");
    assert_eq!(gone.read(&first).await.unwrap().files.len(), 1);
    let _server = GitServer::again(address, &folder.path().join("bare"));
    assert_eq!(gone.head().await.unwrap(), work.head());
}

#[tokio::test]
async fn a_repository_of_this_machine_is_fetched_by_its_address() {
    let remote = Remote::new();
    let url = format!("url = \"file://{}\"", remote.bare().display());
    let source = source(remote.folder.path(), &url);
    let first = source.head().await.unwrap();
    assert_eq!(source.read(&first).await.unwrap().files.len(), 1);
}

#[tokio::test]
async fn ssh_needs_the_right_key_and_the_pinned_server() {
    let remote = Remote::new();
    let ssh = SshServer::start();
    let hosts = remote.folder.path().join("known hosts");
    ssh.pin("host", &hosts);
    let with_key = |key: &str| {
        let (url, key) = (ssh.url(&remote.bare()), ssh.path(key));
        let table = format!(
            "url = \"{url}\"\nssh_key = {{ file = \"{}\" }}\nknown_hosts = {{ file = \"known hosts\" }}",
            key.display()
        );
        source(remote.folder.path(), &table)
    };
    let first = remote.work.head();
    let right = with_key("client");
    assert_eq!(right.head().await.unwrap(), first);
    assert_eq!(right.read(&first).await.unwrap().files.len(), 1);

    let stranger = with_key("stranger").head().await.unwrap_err();
    assert!(matches!(stranger, SourceError::AccessRefused { .. }), "{stranger:?}");
    ssh.pin("stranger", &hosts);
    let changed = right.head().await.unwrap_err();
    assert!(matches!(changed, SourceError::HostKey { .. }), "{changed:?}");
    std::fs::write(&hosts, "# nobody\n").unwrap();
    let unknown = right.head().await.unwrap_err();
    assert!(matches!(unknown, SourceError::HostKey { .. }), "{unknown:?}");
    assert_eq!(right.read(&first).await.unwrap().files.len(), 1);
}

#[tokio::test]
async fn a_repository_of_sha_256_is_fetched_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let bare = folder.path().join("bare/calls.git");
    let git = |arguments: &[&str]| repository::git(&bare, arguments, b"");
    std::fs::create_dir_all(&bare).unwrap();
    git(&["init", "--quiet", "--bare", "--object-format=sha256", "--initial-branch=main", "."]);
    let commit = |text: &str, parents: &[&str]| {
        let blob = repository::git(&bare, ["hash-object", "-w", "--stdin"], text.as_bytes());
        let inner = repository::git(&bare, ["mktree"], format!("100644 blob {blob}\tspring.toml\n").as_bytes());
        let tree = repository::git(&bare, ["mktree"], format!("040000 tree {inner}\tcampaigns\n").as_bytes());
        let id = git(&[&["commit-tree", "-m", "Pause spring", &tree], parents].concat());
        git(&["update-ref", "refs/heads/main", &id]);
        Revision::parse(&id).unwrap()
    };
    let first = commit(SPRING, &[]);
    let server = GitServer::serve(&folder.path().join("bare"));
    let remote = source(folder.path(), &format!("url = \"{}\"", server.url("calls.git")));
    let local = repository::source(&bare, "main", "campaigns");
    for followed in [&remote, &local] {
        assert_eq!(followed.head().await.unwrap(), first);
        let files = followed.read(&first).await.unwrap();
        assert_eq!((files.author.as_str(), files.subject.as_str()), ("Ada Operator", "Pause spring"));
        assert_eq!(
            (files.files[0].path.as_str(), &*files.files[0].bytes),
            ("campaigns/spring.toml", SPRING.as_bytes())
        );
        followed.pin(&first).await.unwrap();
    }
    let second = commit("id = \"summer\"", &["-p", first.as_str()]);
    let other = commit("id = \"other\"", &[]);
    git(&["update-ref", "refs/heads/main", second.as_str()]);
    for followed in [&remote, &local] {
        assert_eq!(followed.head().await.unwrap(), second);
        assert!(followed.descends(&second, &first).await.unwrap());
        assert!(!followed.descends(&first, &second).await.unwrap());
        let sha1 = Revision::parse(&"1".repeat(40)).unwrap();
        assert!(!followed.descends(&second, &sha1).await.unwrap());
    }
    assert!(!local.descends(&other, &first).await.unwrap());
    let near = repository::source(&bare, "mian", "campaigns").head().await.unwrap_err().to_string();
    assert!(near.contains("did you mean \"main\"?"), "{near}");
}

#[tokio::test]
async fn what_a_partial_clone_lacks_is_fetched_as_it_is_read() {
    let remote = Remote::new();
    remote.work.git(["--git-dir", remote.bare().to_str().unwrap(), "config", "uploadpack.allowFilter", "true"]);
    let clone = remote.folder.path().join("partial");
    let url = remote.server.url("calls.git");
    remote.work.git(["clone", "--quiet", "--no-checkout", "--filter=blob:none", &url, clone.to_str().unwrap()]);
    let source = repository::source(&clone, "main", "campaigns");
    let first = source.head().await.unwrap();
    assert_eq!(&*source.read(&first).await.unwrap().files[0].bytes, SPRING.as_bytes());
}
