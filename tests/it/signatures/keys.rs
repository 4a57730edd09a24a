//! People's keys, and commits that they sign: with `git` itself, or byte by byte where Git would not.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use dialops::domain::ids::Revision;

use crate::repository;

/// SSH and OpenPGP keys, in a folder that goes away with them.
pub(crate) struct Keys {
    folder: tempfile::TempDir,
}

impl Keys {
    pub(crate) fn new() -> Self {
        let keys = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(keys.home()).unwrap();
        keys
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn home(&self) -> PathBuf {
        self.path("gnupg")
    }

    /// Makes an SSH key; its public half.
    pub(crate) fn ssh(&self, name: &str) -> String {
        let path = self.path(name);
        self.run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path.to_str().unwrap()], b"");
        std::fs::read_to_string(path.with_extension("pub")).unwrap().trim().to_owned()
    }

    /// Makes an OpenPGP key; its fingerprint. It expires at that time, or never.
    pub(crate) fn openpgp(&self, person: &str, made: &str, expires: &str) -> String {
        let made =
            ["--faked-system-time", made, "--passphrase", "", "--quick-gen-key", person, "ed25519", "sign", expires];
        self.gpg(&made, b"");
        let listed = String::from_utf8(self.gpg(&["--with-colons", "--list-keys", person], b"")).unwrap();
        let line = listed.lines().find(|line| line.starts_with("fpr:")).unwrap();
        line.split(':').nth(9).unwrap().to_owned()
    }

    /// Revokes an OpenPGP key.
    pub(crate) fn revoke(&self, fingerprint: &str) {
        let made = std::fs::read_to_string(self.home().join(format!("openpgp-revocs.d/{fingerprint}.rev"))).unwrap();
        self.gpg(&["--import"], made.replace("\n:-----BEGIN", "\n-----BEGIN").as_bytes());
    }

    /// Writes these OpenPGP keys as a ring.
    pub(crate) fn ring(&self, file: &Path, people: &[&str]) {
        std::fs::write(file, self.gpg(&[&["--export"], people].concat(), b"")).unwrap();
    }

    pub(crate) fn gpg(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        self.run(
            "gpg",
            &[&["--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback"], arguments].concat(),
            input,
        )
    }

    /// A detached signature of OpenPGP, as text.
    pub(crate) fn sign_openpgp(&self, signer: &str, payload: &[u8], more: &[&str]) -> String {
        let arguments = [more, &["--passphrase", "", "--armor", "--detach-sign", "--local-user", signer]].concat();
        String::from_utf8(self.gpg(&arguments, payload)).unwrap()
    }

    /// A detached signature of SSH, as text.
    pub(crate) fn sign_ssh(&self, key: &str, namespace: &str, payload: &[u8]) -> String {
        let key = self.path(key);
        let arguments = ["-q", "-Y", "sign", "-n", namespace, "-f", key.to_str().unwrap()];
        String::from_utf8(self.run("ssh-keygen", &arguments, payload)).unwrap()
    }

    fn run(&self, program: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let mut child = Command::new(program)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.folder.path())
            .env("GNUPGHOME", self.home())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.run("gpgconf", &["--kill", "all"], b"");
    }
}

/// A commit that is made by hand on top of `parent`, with the tree of that one's.
pub(crate) fn payload(at: &Path, parent: &str, seconds: i64, message: &str) -> String {
    let tree = repository::git(at, ["rev-parse", &format!("{parent}^{{tree}}")], b"");
    let who = format!("Eve <eve@example.org> {seconds} +0000");
    format!("tree {tree}\nparent {parent}\nauthor {who}\ncommitter {who}\n\n{message}\n")
}

/// The commit with a header for each of these signatures.
pub(crate) fn with_signatures(payload: &str, signatures: &[(&str, &str)]) -> String {
    let (headers, message) = payload.split_once("\n\n").unwrap();
    let header = |(name, signature): &(&str, &str)| format!("\n{name} {}", signature.trim_end().replace('\n', "\n "));
    format!("{headers}{}\n\n{message}", signatures.iter().map(header).collect::<String>())
}

/// Stores a commit, whatever it says, and has `main` be at it.
pub(crate) fn store(at: &Path, commit: &str) -> Revision {
    let id = repository::git(at, ["hash-object", "-t", "commit", "-w", "--stdin", "--literally"], commit.as_bytes());
    repository::git(at, ["update-ref", "refs/heads/main", &id], b"");
    Revision::parse(&id).unwrap()
}
