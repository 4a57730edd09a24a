//! Servers and repositories that mean harm: an error in time, and what was fetched before is there.

use std::{path::Path, time::Duration};

use dialops::{
    clock::Clock,
    domain::ids::Revision,
    gitops::{RefusalReason, SourceError},
};

use super::Remote;
use crate::{git_server::Manner, repository};

#[tokio::test]
async fn a_server_that_repeats_the_token_does_not_give_it_away() {
    let remote = Remote::new();
    std::fs::write(remote.folder.path().join("token"), "s3cr3t-0123").unwrap();
    remote.server.behave(Manner::Repeats);
    let error = remote.source("token = { file = \"token\" }").head().await.unwrap_err();
    let all = format!("{error} {error:?}");
    assert!(all.contains("you sent dialops:***") && !all.contains("s3cr3t"), "{all}");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (remote, other) = (Remote::new(), Remote::new());
    remote.server.behave(Manner::Redirects(format!("http://{}", other.server.address())));
    let error = remote.source("").head().await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error:?}");
    assert_eq!(other.server.requests(), 0);
}

/// Processes whose command line has this text.
fn running(text: &str) -> usize {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.filter(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(text)
    })
    .count()
}

/// Whether none is left soon, long before the server would give up.
async fn ends(text: &str) -> bool {
    for _ in 0..100 {
        if running(text) == 0 {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

#[tokio::test]
async fn a_server_that_stalls_is_left_and_nothing_of_the_fetch_stays() {
    let remote = Remote::new();
    let source = remote.source("timeout = \"3s\"");
    let first = source.head().await.unwrap();
    let second = remote.change("id = \"summer\"");
    remote.server.behave(Manner::Stalls);
    let clock = Clock::system();
    let began = clock.now().mono;
    let error = source.head().await.unwrap_err();
    let took = clock.now().mono - began;
    assert!(matches!(error, SourceError::TimedOut { seconds: 3, .. }), "{error:?}");
    assert!(took < Duration::from_secs(8), "{took:?}");
    assert!(ends(&remote.server.url("calls.git")).await, "a program of the fetch goes on");
    assert_eq!(source.read(&first).await.unwrap().files.len(), 1);

    // Who waits no longer ends it too.
    let waited = tokio::time::timeout(Duration::from_secs(1), source.head()).await;
    assert!(waited.is_err());
    assert!(ends(&remote.server.url("calls.git")).await, "a fetch that nobody waits for goes on");
    remote.server.behave(Manner::Serves);
    assert_eq!(source.head().await.unwrap(), second);
}

/// Nothing but the file that the settings name has the token, while a fetch is under way.
#[tokio::test]
async fn a_token_is_nobodys_argument_variable_or_file() {
    let remote = Remote::new();
    let token = "s3cr3t-that-nobody-shows";
    std::fs::write(remote.folder.path().join("token"), token).unwrap();
    remote.server.behave(Manner::Asks { user: "dialops", token: token.to_owned(), stalls: true });
    let source = remote.source("token = { file = \"token\" }");
    let fetching = tokio::spawn(async move { source.head().await });
    while remote.server.fetches() == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let url = remote.server.url("calls.git");
    let mut seen = 0;
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains(&url) {
            let variables = std::fs::read(process.path().join("environ")).unwrap_or_default();
            assert!(String::from_utf8_lossy(&variables).contains("DIALOPS_TOKEN_FILE="));
            for bytes in [line, variables] {
                assert!(!String::from_utf8_lossy(&bytes).contains(token), "{}", process.path().display());
            }
            seen += 1;
        }
    }
    assert!(seen >= 2, "git and its helper for HTTP: {seen}");
    let found = std::process::Command::new("grep")
        .args(["--recursive", "--files-with-matches", token])
        .arg(remote.folder.path())
        .output()
        .unwrap();
    let found = String::from_utf8(found.stdout).unwrap();
    assert_eq!(found.trim(), remote.folder.path().join("token").to_str().unwrap());
    fetching.abort();
}

/// All bytes below a folder.
fn bytes_in(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    entries
        .map(|entry| {
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() { bytes_in(&entry.path()) } else { metadata.len() }
        })
        .sum()
}

#[tokio::test]
async fn a_server_that_never_ends_is_cut_off() {
    let remote = Remote::new();
    let source = remote.source("max_download_mib = 8\nmax_memory_mib = 128");
    let first = source.head().await.unwrap();
    let before = bytes_in(&remote.folder.path().join("sources"));
    remote.change("id = \"summer\"");
    for _ in 0..2 {
        remote.server.behave(Manner::Endless);
        let error = source.head().await.unwrap_err();
        assert!(matches!(error, SourceError::TooLarge { .. }), "{error:?}");
        assert!(error.to_string().contains("max_download_mib"), "{error}");
    }
    remote.server.behave(Manner::EndlessRefs);
    let error = source.head().await.unwrap_err();
    assert!(matches!(error, SourceError::TooLarge { .. }), "{error:?}");
    assert_eq!(source.read(&first).await.unwrap().files.len(), 1);
    remote.server.behave(Manner::Serves);
    source.head().await.unwrap();
    let after = bytes_in(&remote.folder.path().join("sources"));
    assert!(after < before + 100_000, "what was cut off is cleared away: {before} bytes, then {after}");
}

#[tokio::test]
async fn a_corrupt_pack_changes_nothing() {
    let remote = Remote::new();
    let source = remote.source("");
    let first = source.head().await.unwrap();
    let second = remote.change("id = \"summer\"");
    remote.server.behave(Manner::Corrupts);
    let error = source.head().await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error:?}");
    assert_eq!(source.read(&first).await.unwrap().files.len(), 1);
    remote.server.behave(Manner::Serves);
    assert_eq!(source.head().await.unwrap(), second);
    assert_eq!(source.read(&second).await.unwrap().files.len(), 1);
}

#[tokio::test]
async fn many_refs_and_refs_in_a_circle_do_no_harm() {
    let remote = Remote::new();
    let first = remote.work.head();
    let packed: String = (0..100_000).map(|n| format!("{first} refs/heads/team/{n:06}\n")).collect();
    let packed = format!("# pack-refs with: peeled fully-peeled sorted \n{first} refs/heads/main\n{packed}");
    std::fs::write(remote.bare().join("packed-refs"), packed).unwrap();
    std::fs::write(remote.bare().join("refs/heads/a"), "ref: refs/heads/b\n").unwrap();
    std::fs::write(remote.bare().join("refs/heads/b"), "ref: refs/heads/a\n").unwrap();
    assert_eq!(remote.source("").head().await.unwrap(), first);
    let circle = remote.source("branch = \"a\"").head().await.unwrap_err();
    assert!(matches!(circle, SourceError::RefMissing { any: true, .. }), "{circle:?}");
    let local = repository::source(remote.bare(), "a", "campaigns").head().await.unwrap_err();
    assert!(!local.is_of_commit(), "{local:?}");
}

/// Has the branch be at a commit that is made by hand.
fn by_hand(remote: &Remote, tree: &str, who: &str) -> Revision {
    let parent = remote.work.head();
    let commit = format!("tree {tree}\nparent {parent}\nauthor {who}\ncommitter {who}\n\nby hand\n");
    let make = ["hash-object", "-t", "commit", "-w", "--stdin", "--literally"];
    let id = remote.work.git_reading(make, commit.as_bytes());
    remote.work.git(["update-ref", "refs/heads/main", &id]);
    remote.push();
    Revision::parse(&id).unwrap()
}

/// Stores a tree of these modes, names and ids, whatever they are.
fn tree(remote: &Remote, entries: &[(&str, &str, &str)]) -> String {
    let mut bytes = Vec::new();
    for (mode, name, id) in entries {
        bytes.extend(format!("{mode} {name}\0").bytes());
        bytes.extend((0..id.len()).step_by(2).map(|at| u8::from_str_radix(&id[at..at + 2], 16).unwrap()));
    }
    remote.work.git_reading(["hash-object", "-t", "tree", "-w", "--stdin", "--literally"], &bytes)
}

const WHO: &str = "Ada <ada@example.org> 1900000000 +0000";

#[tokio::test]
async fn objects_that_are_malformed_end_the_fetch() {
    let remote = Remote::new();
    let source = remote.source("");
    let first = source.head().await.unwrap();
    let campaigns = remote.work.git(["rev-parse", "HEAD:campaigns"]);
    let twice = tree(&remote, &[("40000", "campaigns", &campaigns), ("40000", "campaigns", &campaigns)]);
    let unsorted = tree(&remote, &[("40000", "x", &campaigns), ("40000", "campaigns", &campaigns)]);
    for (bad, flaw) in [(twice, "duplicateEntries"), (unsorted, "treeNotSorted")] {
        by_hand(&remote, &bad, WHO);
        let error = source.head().await.unwrap_err();
        assert!(matches!(error, SourceError::Malformed { .. }) && !error.is_passing(), "{error:?}");
        assert!(error.to_string().contains(flaw) && error.reason() == "ObjectMalformed", "{error}");
        assert_eq!(source.read(&first).await.unwrap().files.len(), 1);
        remote.work.git(["update-ref", "refs/heads/main", first.as_str()]);
    }
    let next = remote.change("id = \"summer\"");
    assert_eq!(source.head().await.unwrap(), next);
}

#[tokio::test]
async fn flaws_that_do_no_harm_stop_nothing() {
    let remote = Remote::new();
    let source = remote.source("");
    source.head().await.unwrap();
    let campaigns = remote.work.git(["rev-parse", "HEAD:campaigns"]);
    let blob = remote.work.blob(b"[submodule \"x\"]\nurl = -u./payload\npath = ../x\n");
    // Elsewhere than the campaigns are, so that nobody reads it.
    let odd = tree(&remote, &[("0100664", "..", &blob), ("100644", ".git", &blob)]);
    let entries =
        [("100644", ".gitmodules", blob.as_str()), ("40000", "campaigns", &campaigns), ("040000", "odd", &odd)];
    let whole = tree(&remote, &entries);
    for who in ["Ada <ada@example.org> 1900000000 +00800", "<> 01900000000 +0000", "Ada<ada> 1900000000 +0000"] {
        by_hand(&remote, &whole, who);
    }
    let head = by_hand(&remote, &whole, WHO);
    assert_eq!(source.head().await.unwrap(), head);
    assert_eq!(source.read(&head).await.unwrap().files.len(), 1);
}

/// Writes a pack of a small file, and of a delta that makes 512 MiB of it; the ids of what it makes and of the small one.
const DELTA_BOMB: &str = r#"
import hashlib, struct, sys, zlib

def varint(number):
    out = []
    while True:
        out.append((number & 127) | (128 if number > 127 else 0))
        number >>= 7
        if not number:
            return bytes(out)

def entry(kind, size):
    last, size, out = (kind << 4) | (size & 15), size >> 4, []
    while size:
        out.append(last | 128)
        last, size = size & 127, size >> 7
    return bytes(out + [last])

piece = 0xffff
base, times = bytes(piece), (512 << 20) // piece
delta = varint(piece) + varint(piece * times) + bytes([0x80 | 0x10 | 0x20, 0xff, 0xff]) * times
pack = b'PACK' + struct.pack('>II', 2, 2) + entry(3, piece) + zlib.compress(base, 9)
pack += entry(7, len(delta)) + hashlib.sha1(b'blob %d\0' % piece + base).digest() + zlib.compress(delta, 9)
open(sys.argv[1], 'wb').write(pack + hashlib.sha1(pack).digest())
whole = hashlib.sha1(b'blob %d\0' % (piece * times))
for _ in range(times):
    whole.update(base)
print(whole.hexdigest(), hashlib.sha1(b'blob %d\0' % piece + base).hexdigest())
"#;

/// What goes through in pieces is refused by its size; what has to be made as a whole ends the fetch.
#[tokio::test]
async fn a_delta_that_makes_512_mib_ends_the_fetch() {
    let remote = Remote::new();
    let source = remote.source("");
    let first = source.head().await.unwrap();
    let pack = remote.folder.path().join("bomb.pack");
    let made = std::process::Command::new("python3").args(["-c", DELTA_BOMB]).arg(&pack).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let ids = String::from_utf8(made.stdout).unwrap();
    let (bomb, small) = ids.trim().split_once(' ').unwrap();
    let bytes = std::fs::read(&pack).unwrap();
    assert!(bytes.len() < 648 << 10, "it travels in {} bytes", bytes.len());
    for at in [remote.work.path().to_owned(), remote.bare()] {
        repository::git(&at, ["index-pack", "--stdin"], &bytes);
    }
    let inner = tree(&remote, &[("100644", "bomb.toml", bomb), ("100644", "small", small)]);
    by_hand(&remote, &tree(&remote, &[("40000", "campaigns", &inner)]), WHO);
    let clock = Clock::system();
    let began = clock.now().mono;
    let error = source.head().await.unwrap_err();
    assert!(matches!(error, SourceError::TooLarge { .. }), "{error:?}");
    assert!(error.to_string().contains("max_memory_mib"), "{error}");
    assert!(clock.now().mono - began < Duration::from_secs(60));
    assert_eq!(source.read(&first).await.unwrap().files.len(), 1);
}

/// Commits a file of 512 MiB that packs into half a MiB.
fn bomb(remote: &Remote, path: &str) -> Revision {
    let sparse = remote.folder.path().join("sparse");
    std::fs::File::create(&sparse).unwrap().set_len(512 << 20).unwrap();
    let blob = remote.work.git(["hash-object", "-w", sparse.to_str().unwrap()]);
    remote.work.stage("100644", &blob, path);
    let revision = remote.work.commit_index("bomb");
    remote.push();
    revision
}

#[tokio::test]
async fn a_file_of_512_mib_goes_through_in_little_memory_and_is_refused() {
    let remote = Remote::new();
    let source = remote.source("max_memory_mib = 128");
    let first = source.head().await.unwrap();
    let revision = bomb(&remote, "campaigns/bomb.toml");
    assert_eq!(source.head().await.unwrap(), revision);
    match source.read(&revision).await {
        Err(SourceError::Refused { refusals, .. }) => {
            assert_eq!(refusals[0].reason, RefusalReason::TooLarge { bytes: 512 << 20 });
        }
        other => panic!("not refused: {other:?}"),
    }
    assert_eq!(source.read(&first).await.unwrap().files.len(), 1);
}

#[tokio::test]
async fn a_commit_of_512_mib_ends_the_fetch() {
    let remote = Remote::new();
    let source = remote.source("");
    let first = source.head().await.unwrap();
    let tree = remote.work.git(["rev-parse", "HEAD^{tree}"]);
    let who = "Ada <ada@example.org> 1900000000 +0000";
    let mut commit = format!("tree {tree}\nparent {first}\nauthor {who}\ncommitter {who}\n\n").into_bytes();
    commit.resize(512 << 20, b' ');
    let arguments = ["hash-object", "-t", "commit", "-w", "--stdin"];
    let id = remote.work.git_reading(arguments, &commit);
    remote.work.git(["update-ref", "refs/heads/main", &id]);
    remote.push();
    let error = source.head().await.unwrap_err();
    assert!(matches!(error, SourceError::TooLarge { .. }), "{error:?}");
    assert!(error.to_string().contains("max_memory_mib"), "{error}");
    assert_eq!(source.read(&first).await.unwrap().files.len(), 1);
}
