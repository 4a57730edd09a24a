//! The files of `systemd/`: what systemd's own programs say of them, and the daemon under what they ask for.
//! Skipped with a message where systemd is absent.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Command,
};

use dialops::config::Settings;

use crate::stage::{Campaign, Stage, number};

const UNIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/dialops.service");
const SYSUSERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/dialops.sysusers.conf");
const TMPFILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/dialops.tmpfiles.conf");

/// Whether a program of systemd's was content, and what it said; `None` if it is not there.
fn asked(program: &str, args: &[&str]) -> Option<(bool, String)> {
    let Ok(output) = Command::new(program).args(args).output() else {
        eprintln!("skipped: no {program}");
        return None;
    };
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

/// The values of a key of the unit, in order; commented-out ones if the key begins with `#`.
fn values<'u>(unit: &'u str, key: &str) -> Vec<&'u str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

#[test]
fn the_sandbox_is_tight() {
    // The threshold is the exposure times ten: 1.2 of 10.
    let question = ["security", "--offline=true", "--threshold=12", UNIT];
    let Some((content, said)) = asked("systemd-analyze", &question) else { return };
    assert!(content, "{said}");
    let left: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("✗ ")?.split("  ").next()).collect();
    let wanted = [
        // The gateway is the network; whom it talks to, trunks and agents' files say.
        "PrivateNetwork=",
        "RestrictAddressFamilies=~AF_(INET|INET6)",
        "RestrictAddressFamilies=~AF_UNIX",
        "IPAddressDeny=",
        // See the unit.
        "PrivateUsers=",
        // Git and its transports come from the system.
        "RootDirectory=/RootImage=",
        // What `ProtectClock=` itself allows.
        "DeviceAllow=",
    ];
    assert!(left.iter().all(|name| wanted.contains(name)), "{left:#?}");
}

#[test]
fn systemd_understands_every_line() {
    // The copy starts a program that is there; everything else is as shipped.
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("dialops.service");
    let unit = fs::read_to_string(UNIT).unwrap().replace("/usr/bin/dialops", "/bin/true");
    // What is commented out is for people to take up, so it has to be right as well.
    let examples = ["LoadCredential", "LoadCredentialEncrypted", "ReadWritePaths"];
    let all = examples.iter().fold(unit.clone(), |unit, key| unit.replace(&format!("#{key}="), &format!("{key}=")));
    assert!(examples.iter().all(|key| values(&all, key).len() > values(&unit, key).len()), "{all}");
    for text in [unit, all] {
        fs::write(&copy, text).unwrap();
        // The manual need not be installed here.
        let question = ["verify", "--man=no", copy.to_str().unwrap()];
        let Some((content, said)) = asked("systemd-analyze", &question) else { return };
        assert!(content && !said.contains("dialops.service"), "{said}");
    }
}

#[test]
fn its_user_and_its_folders_are_made() {
    let root = tempfile::tempdir().unwrap();
    let at = format!("--root={}", root.path().display());
    let credentials = root.path().join("etc/dialops/credentials");
    fs::create_dir_all(&credentials).unwrap();
    fs::write(credentials.join("api-token"), "secret").unwrap();
    let Some((content, said)) = asked("systemd-sysusers", &["--dry-run", &at, SYSUSERS]) else { return };
    assert!(content && said.contains("Creating user 'dialops'"), "{said}");
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root makes users and gives files away");
        return;
    }
    let (content, said) = asked("systemd-sysusers", &[&at, SYSUSERS]).unwrap();
    assert!(content, "{said}");
    let users = fs::read_to_string(root.path().join("etc/passwd")).unwrap();
    let user = users.lines().find(|line| line.starts_with("dialops:")).unwrap();
    assert!(user.ends_with(":dialops daemon:/var/lib/dialops:/usr/sbin/nologin"), "{user}");

    let (content, said) = asked("systemd-tmpfiles", &["--create", &at, TMPFILES]).unwrap();
    assert!(content && said.is_empty(), "{said}");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&root.path().join("etc/dialops")), 0o755);
    assert_eq!((mode(&credentials), mode(&credentials.join("api-token"))), (0o700, 0o600));
}

/// Each system call of a set of systemd's, `@system-service` and the like.
fn expanded(sets: &BTreeMap<&str, Vec<&str>>, name: &str, calls: &mut BTreeSet<String>) {
    match sets.get(name) {
        Some(members) => members.iter().for_each(|member| expanded(sets, member, calls)),
        None => assert!(calls.insert(name.to_owned()) || !name.starts_with('@'), "{name}"),
    }
}

/// What the unit's filter lets through.
fn let_through(unit: &str, listing: &str) -> BTreeSet<String> {
    let mut sets: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut set = "";
    for line in listing.lines().filter(|line| !line.trim_start().starts_with('#') && !line.is_empty()) {
        match line.strip_prefix("    ") {
            Some(member) => sets.entry(set).or_default().push(member),
            None => set = line,
        }
    }
    let mut calls = BTreeSet::new();
    for filter in values(unit, "SystemCallFilter") {
        let mut named = BTreeSet::new();
        filter.trim_start_matches('~').split(' ').for_each(|name| expanded(&sets, name, &mut named));
        match filter.starts_with('~') {
            true => calls.retain(|call| !named.contains(call)),
            false => calls.extend(named),
        }
    }
    calls
}

/// A trace's summary: the calls that were made.
fn made(summary: &str) -> BTreeSet<&str> {
    let rows = summary.lines().filter(|line| line.trim_start().starts_with(|c: char| c.is_ascii_digit()));
    rows.filter_map(|row| row.split_whitespace().next_back()).filter(|call| *call != "total").collect()
}

#[test]
fn the_daemon_makes_no_system_call_that_its_filter_refuses() {
    let Some((_, listing)) = asked("systemd-analyze", &["syscall-filter"]) else { return };
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign::default());
    let trace = stage.path("trace");
    let daemon = stage.run_under(&["strace", "-D", "-f", "-c", "-S", "name", "-o", trace.to_str().unwrap()]);
    stage.import_numbers(&[number::quick(1)]);
    stage.sign_in(&["a1"]);
    stage.until("the call is over", || stage.results().iter().any(|attempt| attempt.ended_at.is_some()));
    stage.commit(&Campaign { state: "paused", ..Campaign::default() });
    stage.cli(&["reconcile"]);
    daemon.stop();
    stage.until("the trace is whole", || fs::read_to_string(&trace).is_ok_and(|text| text.contains("total")));
    let trace = fs::read_to_string(&trace).unwrap();
    let calls = made(&trace);
    assert!(calls.contains("fdatasync") && calls.contains("recvfrom"), "{trace}");
    let mut refused: Vec<&str> = Vec::new();
    let allowed = let_through(&fs::read_to_string(UNIT).unwrap(), &listing);
    // SQLite gives its files to the owner of the first one, and asks for that only as root. Threads for long work make
    // themselves nicer, and go on where they may not.
    let tolerated = ["fchown", "setpriority"];
    refused.extend(calls.into_iter().filter(|call| !allowed.contains(*call) && !tolerated.contains(call)));
    assert!(refused.is_empty(), "{refused:?}");
}

#[test]
fn the_example_settings_fit_the_unit() {
    let unit = fs::read_to_string(UNIT).unwrap();
    let text = fs::read_to_string("dialops.example.toml").unwrap();
    let settings = Settings::parse(Path::new("/etc/dialops/dialops.toml"), &text).unwrap();
    let [state] = values(&unit, "StateDirectory")[..] else { panic!("{unit}") };
    let [runtime] = values(&unit, "RuntimeDirectory")[..] else { panic!("{unit}") };
    assert!(settings.store.starts_with(Path::new("/var/lib").join(state)), "{settings:?}");
    assert!(settings.http.socket.starts_with(Path::new("/run").join(runtime)), "{settings:?}");
    let user = fs::read_to_string(SYSUSERS).unwrap();
    assert!(user.contains(&format!("\nu {} - ", values(&unit, "User")[0])), "{user}");
}

#[test]
fn a_secret_is_taken_from_where_systemd_puts_it() {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign::default());
    stage.settings(|text| text.replace(r#"{ file = "token" }"#, r#"{ credential = "api-token" }"#));
    let unit = fs::read_to_string(UNIT).unwrap();
    assert!(values(&unit, "#LoadCredential").iter().any(|value| value.starts_with("api-token:")), "{unit}");
    let credentials = stage.path("credentials");
    fs::create_dir(&credentials).unwrap();
    fs::write(credentials.join("api-token"), "stage\n").unwrap();
    let daemon = stage.run_under(&["env", &format!("CREDENTIALS_DIRECTORY={}", credentials.display())]);
    assert_eq!(daemon.get("/api/v1/agents").unwrap().0, 200);
    daemon.stop();
}
