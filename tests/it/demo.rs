//! `dialops demo`, as a user without a terminal runs it.

use std::process::{Command, Stdio};

/// What a run gave, in a temporary folder of its own.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
    left: Vec<String>,
}

/// Runs the demo; `interrupt_at` sends it SIGINT once a line with that text was said.
fn demo(interrupt_at: Option<&str>) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dialops"));
    command.arg("demo").env("TMPDIR", folder.path()).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    let mut said = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut err = String::new();
    while std::io::BufRead::read_line(&mut said, &mut err).unwrap() > 0 {
        if interrupt_at.is_some_and(|text| err.lines().last().is_some_and(|line| line.contains(text))) {
            rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        }
    }
    let output = child.wait_with_output().unwrap();
    let left = std::fs::read_dir(folder.path()).unwrap();
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err,
        left: left.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect(),
    }
}

/// The number in front of `word` in the line that has `label`.
fn figure(text: &str, label: &str, word: &str) -> u64 {
    let line = text.lines().find(|line| line.trim_start().starts_with(label)).unwrap_or_else(|| panic!("{text}"));
    let before = line.split(word).next().unwrap_or_default().trim_end();
    before.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{line}"))
}

#[test]
fn it_plays_to_the_end_and_leaves_nothing() {
    let started = std::time::Duration::from_secs(60);
    let clock = dialops::clock::Clock::system();
    let ran = demo(None);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.err, ran.out);
    assert!(clock.now().mono < started, "it took longer than a minute:\n{}", ran.err);
    assert_eq!(ran.left, [""; 0]);
    assert!(ran.out.contains("200 customers: "), "{}", ran.out);
    let (carrier, store) = (figure(&ran.out, "INVITEs", "at the carrier"), figure(&ran.out, "INVITEs", "in the store"));
    assert!(carrier > 200 && carrier == store, "{}", ran.out);
    assert!(ran.out.contains("each number as often"), "{}", ran.out);
    assert!(figure(&ran.out, "live calls", "at once") <= 8, "{}", ran.out);
    assert_eq!(figure(&ran.out, "while paused", "INVITEs"), 0);
    assert!(ran.out.contains("$ dialops why spring-offer C-"), "{}", ran.out);
    for said in ["8 signed in", "200 imported", "\"pause\", state = \"paused\": in force after", "held"] {
        assert!(ran.err.contains(said), "{said}: {}", ran.err);
    }
    assert!(!ran.err.contains('\x1b') && !ran.out.contains('\x1b'), "not a terminal:\n{}", ran.err);
}

#[test]
fn broken_off_it_leaves_nothing_either() {
    let ran = demo(Some("imported"));
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    assert!(ran.err.ends_with("error: interrupted\n"), "{}", ran.err);
    assert_eq!(ran.left, [""; 0]);
}
