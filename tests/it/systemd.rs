//! The unit file: what systemd itself says of it. Skipped with a message where systemd is absent.

use std::{fs, path::Path, process::Command};

const UNIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/dialops.service");

/// Whether `systemd-analyze` was content, and what it said; `None` if it is not there.
fn analyze(args: &[&str], unit: &Path) -> Option<(bool, String)> {
    let output = Command::new("systemd-analyze").args(args).arg(unit).output().ok()?;
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

#[test]
fn the_sandbox_is_tight() {
    // The threshold is the exposure times ten: 1.2 of 10.
    match analyze(&["security", "--offline=true", "--threshold=12"], Path::new(UNIT)) {
        Some((content, said)) => assert!(content, "{said}"),
        None => eprintln!("skipped: no systemd-analyze"),
    }
}

#[test]
fn systemd_understands_every_line() {
    // The copy starts a program that is there; everything else is as shipped.
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("dialops.service");
    fs::write(&copy, fs::read_to_string(UNIT).unwrap().replace("/usr/bin/dialops", "/bin/true")).unwrap();
    match analyze(&["verify"], &copy) {
        Some((content, said)) => assert!(content && !said.contains("dialops.service"), "{said}"),
        None => eprintln!("skipped: no systemd-analyze"),
    }
}
