//! Signatures of commits, made by the programs that people sign with.

mod daemon;
mod keys;

use std::path::Path;

use dialops::{
    clock::Clock,
    config::settings::Settings,
    domain::ids::Revision,
    gitops::{Distrust, Since, Source, SourceError, VerifyError},
    telemetry::status::Verification,
};

use self::keys::{Keys, payload, store, with_signatures};
use crate::repository::{self, Repository};

/// Sunday, 9 September 2001.
const LONG_AGO: i64 = 1_000_000_000;

/// 2026-01-01.
const LATELY: i64 = 1_767_225_600;

/// A repository whose commits have to be signed, and people with keys.
struct Signed {
    repository: Repository,
    keys: Keys,
    folder: tempfile::TempDir,
}

impl Signed {
    /// One commit, not signed; `ops` may sign with SSH.
    fn new() -> Self {
        let repository = Repository::new();
        repository.write("campaigns/spring.toml", "id = \"spring\"\n");
        repository.commit("first");
        let signed = Self { repository, keys: Keys::new(), folder: tempfile::tempdir().unwrap() };
        let key = signed.keys.ssh("ops");
        signed.allow(&format!("ops@example.org {key}\n"));
        signed
    }

    fn at(&self) -> &Path {
        self.repository.path()
    }

    fn allow(&self, text: &str) {
        std::fs::write(self.folder.path().join("allowed_signers"), text).unwrap();
    }

    fn ring(&self, people: &[&str]) {
        self.keys.ring(&self.folder.path().join("ring.gpg"), people);
    }

    fn source_at(&self, at: &Path, mode: &str, keys: &str) -> Source {
        let (at, verify) = (at.display(), format!("verify = {{ mode = \"{mode}\", {keys} }}"));
        let text = format!("[source]\nrepository = \"{at}\"\n{verify}\n");
        let settings = Settings::parse(&self.folder.path().join("dialops.toml"), &text);
        Source::new(settings.unwrap_or_else(|faults| panic!("{faults:#?}")).sources.swap_remove(0), None)
    }

    fn source(&self, mode: &str) -> Source {
        let keys = "allowed_signers = { file = \"allowed_signers\" }, keyring = { file = \"ring.gpg\" }";
        let has_ring = self.folder.path().join("ring.gpg").exists();
        self.source_at(
            self.at(),
            mode,
            if has_ring { keys } else { "allowed_signers = { file = \"allowed_signers\" }" },
        )
    }

    /// Commits, signed by Git itself with an SSH key.
    fn commit(&self, key: &str, message: &str) -> Revision {
        let key = format!("user.signingKey={}", self.keys.path(key).display());
        let message = ["commit", "--quiet", "--allow-empty", "--gpg-sign", "--message", message];
        self.repository.git([&["-c", "gpg.format=ssh", "-c", &key][..], &message].concat());
        self.repository.head()
    }

    /// A commit made by hand at a time, signed with SSH.
    fn by_hand(&self, key: &str, seconds: i64) -> Revision {
        let payload = payload(self.at(), self.repository.head().as_str(), seconds, "by hand");
        let signature = self.keys.sign_ssh(key, "git", payload.as_bytes());
        store(self.at(), &with_signatures(&payload, &[("gpgsig", &signature)]))
    }
}

async fn verify(source: &Source, head: &Revision, since: Since<'_>) -> Result<Option<Verification>, VerifyError> {
    source.verify(head, since, Clock::system().now().wall).await
}

/// Who signed.
async fn signer(source: &Source, head: &Revision) -> Verification {
    verify(source, head, Since::Head).await.unwrap().unwrap()
}

/// Why a commit is not trusted.
async fn distrust(source: &Source, head: &Revision) -> Distrust {
    match verify(source, head, Since::Head).await {
        Err(VerifyError::Unverified(unverified)) => unverified.why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn who_signs_with_an_allowed_key_is_told() {
    let signed = Signed::new();
    let source = signed.source("head");
    let head = signed.commit("ops", "signed");
    let by = signer(&source, &head).await;
    assert_eq!((by.method.as_str(), by.signer.as_str()), ("ssh", "ops@example.org"));
    let path = signed.keys.path("ops.pub");
    let listed = std::process::Command::new("ssh-keygen").args(["-l", "-f"]).arg(path).output().unwrap();
    assert!(String::from_utf8(listed.stdout).unwrap().contains(&by.fingerprint), "{by}");
    assert_eq!(verify(&signed.source("none"), &head, Since::Head).await.unwrap(), None);
}

#[tokio::test]
async fn what_is_not_signed_says_who_made_it_and_what_to_do() {
    let signed = Signed::new();
    let head = signed.repository.head();
    // A signed tag is not a signed commit.
    let key = format!("user.signingKey={}", signed.keys.path("ops").display());
    let tag = ["tag", "--sign", "--message", "go", "production"];
    signed.repository.git([&["-c", "gpg.format=ssh", "-c", &key][..], &tag].concat());
    let error = verify(&signed.source("head"), &head, Since::Head).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "commit {} by Ada Operator is not signed; sign it with `git commit --amend --no-edit -S`; the signature of a \
             tag does not count",
            head.short()
        )
    );
    // Nor is a signature in the message one.
    let signature = signed.keys.sign_ssh("ops", "git", b"x");
    let head = signed.repository.commit_index(&format!("looks signed\n\ngpgsig {signature}"));
    assert_eq!(distrust(&signed.source("head"), &head).await, Distrust::Unsigned);
}

#[tokio::test]
async fn a_key_of_nobody_who_may_does_not_count() {
    let signed = Signed::new();
    let source = signed.source("head");
    let stranger = signed.keys.ssh("eve");
    let head = signed.commit("eve", "signed by a stranger");
    assert!(matches!(distrust(&source, &head).await, Distrust::Unknown { key } if key.starts_with("SHA256:")));
    // The file is read again.
    let ours = std::fs::read_to_string(signed.folder.path().join("allowed_signers")).unwrap();
    signed.allow(&format!("{ours}*@example.net,eve@example.org namespaces=\"git\" {stranger}\n"));
    assert_eq!(signer(&source, &head).await.signer, "*@example.net");
    signed.allow(&format!("{ours}eve@example.org namespaces=\"file,email\" {stranger}\n"));
    assert!(matches!(distrust(&source, &head).await, Distrust::Unknown { .. }));
    signed.allow(&format!("{ours}not a line\n"));
    assert!(matches!(distrust(&source, &head).await, Distrust::Unknown { .. }));
    signed.allow("");
    let error = verify(&source, &head, Since::Head).await.unwrap_err();
    assert!(matches!(error, VerifyError::Source(SourceError::Credential { key: "verify.allowed_signers", .. })));
}

#[tokio::test]
async fn a_key_counts_at_the_time_of_the_commit_and_not_before_its_own() {
    let signed = Signed::new();
    let source = signed.source("head");
    let key = std::fs::read_to_string(signed.keys.path("ops.pub")).unwrap();
    signed.allow(&format!("ops@example.org valid-before=\"20200101\" {key}"));
    let (old, new) = (signed.by_hand("ops", LONG_AGO), signed.by_hand("ops", LATELY));
    assert_eq!(signer(&source, &old).await.signer, "ops@example.org");
    assert!(matches!(distrust(&source, &new).await, Distrust::NotValid { .. }));
    signed.allow(&format!("ops@example.org valid-after=\"20200101\" {key}"));
    assert!(matches!(distrust(&source, &old).await, Distrust::NotValid { .. }));
    assert_eq!(signer(&source, &new).await.signer, "ops@example.org");
    signed.allow(&format!("ops@example.org valid-after=\"21000101\" {key}"));
    let future = signed.by_hand("ops", 4_200_000_000);
    assert!(
        matches!(distrust(&source, &future).await, Distrust::NotValid { .. }),
        "a date in the future opens nothing"
    );
}

#[tokio::test]
async fn only_a_signature_of_the_very_commit_counts() {
    let signed = Signed::new();
    let source = signed.source("head");
    let first = signed.repository.head();
    let one = payload(signed.at(), first.as_str(), LATELY, "one");
    let other = payload(signed.at(), first.as_str(), LATELY, "other");
    let signature = signed.keys.sign_ssh("ops", "git", one.as_bytes());
    let put = |payload: &str, signatures: &[(&str, &str)]| store(signed.at(), &with_signatures(payload, signatures));
    signer(&source, &put(&one, &[("gpgsig", &signature)])).await;
    assert_eq!(distrust(&source, &put(&other, &[("gpgsig", &signature)])).await, Distrust::Bad);
    let file = signed.keys.sign_ssh("ops", "file", one.as_bytes());
    assert_eq!(distrust(&source, &put(&one, &[("gpgsig", &file)])).await, Distrust::Bad, "of another namespace");
    signed.keys.ssh("eve");
    let eves = signed.keys.sign_ssh("eve", "git", one.as_bytes());
    for both in [[("gpgsig", eves.as_str()), ("gpgsig", &signature)], [("gpgsig", &signature), ("gpgsig", &eves)]] {
        assert_eq!(distrust(&source, &put(&one, &both)).await, Distrust::Malformed("it has two signatures"));
    }
    let foreign = put(&one, &[("gpgsig-sha256", &signature)]);
    assert_eq!(distrust(&source, &foreign).await, Distrust::Unsigned, "a signature for ids of the other form");
    signer(&source, &put(&one, &[("gpgsig", &signature), ("gpgsig-sha256", &eves)])).await;
    let x509 = signature.replace("SSH SIGNATURE", "SIGNED MESSAGE");
    assert!(matches!(distrust(&source, &put(&one, &[("gpgsig", &x509)])).await, Distrust::NoKeys { .. }));
    let torn: String = signature.lines().take(3).map(|line| format!("{line}\n")).collect();
    assert_eq!(distrust(&source, &put(&one, &[("gpgsig", &torn)])).await, Distrust::Bad);
}

#[tokio::test]
async fn openpgp_counts_by_the_keys_of_the_ring() {
    let signed = Signed::new();
    let fingerprint = signed.keys.openpgp("Ada Operator <ada@example.org>", "20250101T000000", "never");
    signed.keys.openpgp("Old One <old@example.org>", "20200101T000000", "20200301T000000");
    let lost = signed.keys.openpgp("Lost One <lost@example.org>", "20250101T000000", "never");
    signed.keys.openpgp("Eve <eve@example.org>", "20250101T000000", "never");
    let people = ["ada@example.org", "old@example.org", "lost@example.org"];
    signed.ring(&people);
    let source = signed.source("head");
    let payload = payload(signed.at(), signed.repository.head().as_str(), LATELY, "by hand");
    let put = |signature: &str| store(signed.at(), &with_signatures(&payload, &[("gpgsig", signature)]));
    let sign = |who: &str, more: &[&str]| signed.keys.sign_openpgp(who, payload.as_bytes(), more);
    let ada = sign("ada@example.org", &[]);
    let by = signer(&source, &put(&ada)).await;
    assert_eq!(by.to_string(), format!("Ada Operator <ada@example.org> (openpgp, {fingerprint})"));

    let old = put(&sign("old@example.org", &["--faked-system-time", "20200201T000000"]));
    assert!(matches!(distrust(&source, &old).await, Distrust::NotValid { .. }));
    let eve = put(&sign("eve@example.org", &[]));
    assert!(matches!(distrust(&source, &eve).await, Distrust::Unknown { .. }));
    let lost_one = put(&sign("lost@example.org", &[]));
    assert_eq!(signer(&source, &lost_one).await.fingerprint, lost);
    signed.keys.revoke(&lost);
    signed.ring(&people);
    assert!(matches!(distrust(&source, &lost_one).await, Distrust::Revoked { .. }));
    let weak = put(&sign("ada@example.org", &["--digest-algo", "SHA1", "--allow-weak-digest-algos"]));
    assert!(matches!(distrust(&source, &weak).await, Distrust::Weak { .. }));
    let other = signed.keys.sign_openpgp("ada@example.org", b"something else", &[]);
    assert_eq!(distrust(&source, &put(&other)).await, Distrust::Bad);
    // A stranger's beside a good one.
    let both = format!("{}{}", ada, sign("eve@example.org", &[]));
    assert!(matches!(distrust(&source, &put(&both)).await, Distrust::Malformed(_)));

    std::fs::write(signed.folder.path().join("ring.gpg"), signed.keys.gpg(&["--armor", "--export"], b"")).unwrap();
    let error = verify(&source, &put(&ada), Since::Head).await.unwrap_err();
    assert!(error.to_string().contains("without --armor"), "{error}");
    let ssh_alone = signed.source_at(signed.at(), "head", "allowed_signers = { file = \"allowed_signers\" }");
    assert_eq!(distrust(&ssh_alone, &put(&ada)).await, Distrust::NoKeys { method: "with OpenPGP" });
}

#[tokio::test]
async fn every_commit_since_counts_those_of_a_merge_too() {
    let signed = Signed::new();
    let first = signed.commit("ops", "first");
    signed.repository.git(["checkout", "--quiet", "-b", "side"]);
    let side = signed.repository.commit_index("not signed");
    signed.repository.git(["checkout", "--quiet", "main"]);
    signed.commit("ops", "second");
    let key = format!("user.signingKey={}", signed.keys.path("ops").display());
    let merge = ["merge", "--quiet", "--no-ff", "--gpg-sign", "--message", "merged", "side"];
    signed.repository.git([&["-c", "gpg.format=ssh", "-c", &key][..], &merge].concat());
    let merged = signed.repository.head();
    signer(&signed.source("head"), &merged).await;
    verify(&signed.source("head"), &merged, Since::Commit(&first)).await.unwrap();
    let every = signed.source("every");
    let error = verify(&every, &merged, Since::Commit(&first)).await.unwrap_err();
    let told =
        format!("commit {} by Ada Operator, which commit {} brings, is not signed", side.short(), merged.short());
    assert!(error.to_string().starts_with(&told), "{error}");
    signer(&every, &merged).await;
    verify(&every, &merged, Since::Commit(&side)).await.unwrap();
    verify(&every, &merged, Since::Commit(&merged)).await.unwrap();
    // An earlier one, as a pin names it.
    verify(&every, &first, Since::Commit(&merged)).await.unwrap();

    let clone = signed.folder.path().join("shallow");
    let url = format!("file://{}", signed.at().display());
    signed.repository.git(["clone", "--quiet", "--depth=1", &url, clone.to_str().unwrap()]);
    let shallow = signed.source_at(&clone, "every", "allowed_signers = { file = \"allowed_signers\" }");
    match verify(&shallow, &merged, Since::Commit(&first)).await {
        Err(VerifyError::Unverified(unverified)) => assert_eq!(unverified.why, Distrust::HistoryMissing),
        other => panic!("{other:?}"),
    }

    // What it says is to be done helps.
    let said = error.to_string();
    let advice: Vec<&str> = said.split('`').nth(1).unwrap().split(' ').skip(1).collect();
    assert_eq!(advice[0], "rebase", "{said}");
    signed.repository.git([&["-c", "gpg.format=ssh", "-c", &key, "-c", "core.editor=true"][..], &advice].concat());
    let signed_anew = signed.repository.head();
    assert_ne!(signed_anew, merged);
    verify(&every, &signed_anew, Since::Commit(&first)).await.unwrap();
}

#[tokio::test]
async fn too_many_commits_are_told() {
    let signed = Signed::new();
    let first = signed.commit("ops", "first");
    let mut commits = String::new();
    for n in 0..1_001 {
        let from = if n == 0 { format!("from {first}\n") } else { String::new() };
        commits += &format!("commit refs/heads/main\ncommitter A <a@b> {LATELY} +0000\ndata 1\nx{from}\n");
    }
    signed.repository.git_reading(["fast-import", "--quiet", "--force"], commits.as_bytes());
    let unsigned = signed.repository.head();
    match verify(&signed.source("every"), &unsigned, Since::Commit(&first)).await {
        Err(VerifyError::Unverified(unverified)) => assert_eq!(unverified.why, Distrust::TooMany { most: 1_000 }),
        other => panic!("{other:?}"),
    }
}

/// Also by the `git` program alone, and whatever a ref says that stands in for a commit.
#[tokio::test]
async fn commits_of_sha_256_are_verified_and_nothing_stands_in_for_them() {
    let signed = Signed::new();
    let bare = signed.folder.path().join("calls.git");
    std::fs::create_dir(&bare).unwrap();
    let git = |arguments: &[&str], input: &str| repository::git(&bare, arguments, input.as_bytes());
    git(&["init", "--quiet", "--bare", "--object-format=sha256", "--initial-branch=main", "."], "");
    let tree = |text: &str| {
        let blob = git(&["hash-object", "-w", "--stdin"], text);
        let inner = git(&["mktree"], &format!("100644 blob {blob}\tspring.toml\n"));
        git(&["mktree"], &format!("040000 tree {inner}\tcampaigns\n"))
    };
    let root = git(&["commit-tree", "-m", "root", &tree("id = \"spring\"\n")], "");
    let payload = payload(&bare, &root, LATELY, "signed");
    let signature = signed.keys.sign_ssh("ops", "git", payload.as_bytes());
    let head = store(&bare, &with_signatures(&payload, &[("gpgsig-sha256", &signature)]));
    let source = signed.source_at(&bare, "every", "allowed_signers = { file = \"allowed_signers\" }");
    assert_eq!(signer(&source, &head).await.signer, "ops@example.org");
    let next = git(&["commit-tree", "-m", "next", "-p", head.as_str(), &tree("id = \"autumn\"\n")], "");
    let next = Revision::parse(&next).unwrap();
    let since = verify(&source, &next, Since::Commit(&head)).await.unwrap_err();
    assert!(since.to_string().contains("is not signed"), "{since}");

    git(&["replace", head.as_str(), next.as_str()], "");
    let files = source.read(&head).await.unwrap();
    assert_eq!(&*files.files[0].bytes, b"id = \"spring\"\n");
    assert_eq!(signer(&source, &head).await.signer, "ops@example.org");
}
