//! `dialops check`: every fixture's messages, the example, and what a file system can hold.

mod base;
mod explain;
mod fix;
mod formats;
mod positions;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command as Process,
};

use dialops::config::{Diagnostic, code::Code, explain::Example, render};

use crate::config_fixtures::{FIXTURES, Files, faults, files, write};

/// The program, as if no CI ran it.
fn dialops() -> Process {
    let mut program = Process::new(env!("CARGO_BIN_EXE_dialops"));
    program.env_remove("GITHUB_ACTIONS").env_remove("GITLAB_CI");
    program
}

/// Runs `check`; gives the exit code, standard output and standard error.
fn run(args: &[&str]) -> (i32, String, String) {
    ended(dialops().args(["check", "--color", "never"]).args(args))
}

fn ended(program: &mut Process) -> (i32, String, String) {
    let done = program.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
}

/// A repository's files in a folder of their own: the base with a case of `invalid` over it.
fn repository(case: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &overlay(&Path::new(FIXTURES).join("invalid").join(case)));
    root
}

/// The base configuration with a case's files over it; `x.absent` takes x away.
fn overlay(case: &Path) -> Files {
    let mut all = files(&Path::new(FIXTURES).join("base"));
    for (path, bytes) in files(case) {
        match path.strip_suffix(".absent") {
            Some(absent) => drop(all.remove(absent)),
            None => drop(all.insert(path, bytes)),
        }
    }
    all
}

fn shown(faults: &[Diagnostic], all: &Files) -> String {
    let source = |path: &str| std::str::from_utf8(all.get(path)?).ok();
    faults.iter().map(|fault| render::text(fault, source, false) + "\n\n").collect()
}

fn cases() -> Vec<PathBuf> {
    let cases = fs::read_dir(Path::new(FIXTURES).join("invalid")).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> = cases.filter(|path| path.is_dir()).collect();
    cases.sort();
    cases
}

/// Compares with the committed messages; `UPDATE=1` writes them.
#[test]
fn each_fault_has_its_one_message() {
    let mut seen: BTreeSet<Code> = BTreeSet::new();
    let mut wrong = Vec::new();
    for case in cases() {
        let all = overlay(&case);
        let faults = faults(&all);
        seen.extend(faults.iter().map(|fault| fault.code));
        let many = case.file_name().unwrap().to_str().unwrap().starts_with("many-");
        if !many && faults.len() != 1 {
            wrong.push(format!("{}: {} messages", case.display(), faults.len()));
        }
        let golden = case.with_extension("txt");
        let text = shown(&faults, &all);
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&golden, &text).unwrap();
        } else if fs::read_to_string(&golden).unwrap_or_default() != text {
            wrong.push(format!("{}: other messages than committed (UPDATE=1 writes them):\n{text}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // These need a file system, a commit to compare with, or a file of a size that nobody wants to commit.
    seen.extend([Code::Unreadable, Code::TooManyProblems, Code::NewInPast, Code::IdChanged, Code::StaysExpired]);
    seen.insert(Code::NotDialledYet);
    // And these several sources, of which one is checked here; tests of sources show them.
    seen.extend([Code::FileTwice, Code::UnknownSource]);
    // These have an example whose messages stand in explained.txt.
    let explained = |code: &&Code| {
        code.explanation().is_some_and(|explanation| matches!(explanation.example, Example::Edit { .. }))
    };
    seen.extend(Code::ALL.iter().filter(explained));
    let unseen: Vec<_> = Code::ALL.iter().filter(|code| !seen.contains(code)).collect();
    assert!(unseen.is_empty(), "no fixture shows {unseen:?}");
}

/// An edit that a message offers mends its fault: it is gone, and nothing new is said.
#[test]
fn suggested_edits_mend_what_they_are_for() {
    for case in cases() {
        let all = overlay(&case);
        let before = faults(&all);
        for fault in &before {
            let Some(edit) = &fault.suggestion else { continue };
            let mut mended = all.clone();
            let file = mended.get_mut(fault.location.file.as_ref()).unwrap();
            file.splice(edit.span.range(), edit.text.bytes());
            let after = faults(&mended);
            assert!(after.len() < before.len(), "{}: {}\n{}", case.display(), edit.text, shown(&after, &mended));
        }
    }
}

#[test]
fn the_good_fixtures_are_good() {
    for name in ["base", "exhaustive"] {
        let all = files(&Path::new(FIXTURES).join(name));
        let faults = faults(&all);
        assert!(faults.is_empty(), "{name}: {}", shown(&faults, &all));
    }
}

#[test]
fn the_example_is_good() {
    for args in [&["."][..], &["campaigns"], &[".", "--settings", "dialops.example.toml"]] {
        let (exit, out, err) = run(args);
        assert_eq!((exit, out.as_str()), (0, ""), "{args:?}");
        assert!(err.contains("checked 15 files in campaigns: nothing wrong"), "{err}");
    }
}

/// What this version does not dial by is shown where it is set.
#[test]
fn what_is_not_dialled_yet_is_told_where_it_stands() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &files(&Path::new(FIXTURES).join("exhaustive")));
    let (_, out, _) = run(&[root.path().to_str().unwrap(), "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    let mut told = 0;
    for problem in report["problems"].as_array().unwrap().iter().filter(|problem| problem["code"] == "W0504") {
        let file = fs::read_to_string(problem["file"].as_str().unwrap()).unwrap();
        let line = file.lines().nth(usize::try_from(problem["line"].as_u64().unwrap()).unwrap() - 1).unwrap();
        let (_, setting) = problem["message"].as_str().unwrap().split_once("does not dial by ").unwrap();
        let key = setting.split([' ', '=']).next().unwrap().rsplit('.').next().unwrap();
        assert!(line.contains(key), "{setting}: {line}");
        told += 1;
    }
    assert!(told > 0);
}

#[test]
fn settings_are_part_of_the_check() {
    let settings = tempfile::NamedTempFile::new().unwrap();
    fs::write(&settings, "[source]\nrepository = \".\"\n[ceilings]\nmax_rnig = \"60s\"\n").unwrap();
    let (exit, out, _) = run(&[".", "--settings", settings.path().to_str().unwrap()]);
    assert_eq!(exit, 2);
    assert!(out.contains("did you mean `max_ring`?"), "{out}");
    let (exit, out, _) = run(&[".", "--settings", "no-such.toml"]);
    assert_eq!(exit, 2);
    assert!(out.contains("error[E0006]: cannot be read"), "{out}");
}

#[test]
fn without_a_folder_it_is_the_one_people_are_in() {
    let (exit, out, err) = run(&[]);
    assert_eq!((exit, out.as_str()), (0, ""));
    assert!(err.contains("checked 15 files in campaigns: nothing wrong"), "{err}");
    let (exit, out, err) = ended(dialops().current_dir("src").arg("check"));
    assert_eq!((exit, out.as_str()), (64, ""));
    assert_eq!(err, "error: there is no folder campaigns here; name the root of a configuration repository, DIR\n");
}

#[test]
fn a_folder_without_campaigns_is_refused() {
    let (exit, out, err) = run(&["src"]);
    assert_eq!((exit, out.as_str()), (2, ""));
    assert!(err.contains("src has no folder campaigns"), "{err}");
}

#[cfg(unix)]
#[test]
fn symlinks_and_large_files_are_refused_with_their_path() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &files(&Path::new(FIXTURES).join("base")));
    let campaigns = root.path().join("campaigns");
    std::os::unix::fs::symlink("spring.toml", campaigns.join("summer.toml")).unwrap();
    fs::File::create(campaigns.join("huge.toml")).unwrap().set_len(100 * 1024 * 1024).unwrap();
    // An editor's lock and notes for people are nobody's business.
    std::os::unix::fs::symlink("nowhere", campaigns.join(".#spring.toml")).unwrap();
    fs::write(campaigns.join("README.md"), "notes").unwrap();
    let (exit, out, err) = run(&[root.path().to_str().unwrap()]);
    assert_eq!(exit, 2);
    assert!(out.contains("is a symlink") && out.contains("campaigns/summer.toml"), "{out}");
    assert!(out.contains("has 104857600 bytes") && out.contains("campaigns/huge.toml"), "{out}");
    assert!(err.contains("2 errors"), "{err}\n{out}");
}

#[test]
fn ten_thousand_faults_in_a_file_are_cut_short() {
    let root = tempfile::tempdir().unwrap();
    let mut all = overlay(&Path::new(FIXTURES).join("base"));
    let many: String = (0..10_000).map(|n| format!("k{n} = 1\n")).collect();
    all.get_mut("campaigns/spring.toml").unwrap().splice(0..0, many.into_bytes());
    write(root.path(), &all);
    let (exit, out, _) = run(&[root.path().to_str().unwrap()]);
    assert_eq!(exit, 2);
    assert!(out.contains("error[E0007]: 9900 more problems in this file"), "{}", out.len());
}

proptest::proptest! {
    /// Whatever stands in place of a file, there is an answer and it can be shown.
    #[test]
    fn any_bytes_get_an_answer(
        cuts in proptest::collection::vec((0_usize..2000, 0_usize..40, "[\\PC\\n\\r\u{feff}\"'\\[\\]{}=.,#-]{0,6}"), 0..6),
        raw in proptest::option::weighted(0.2, proptest::collection::vec(proptest::num::u8::ANY, 0..300)),
        target in proptest::sample::select(vec!["campaigns/spring.toml", "campaigns/shared/agents.toml", "dialops.toml"]),
    ) {
        let mut all = files(&Path::new(FIXTURES).join("exhaustive"));
        let mut text = String::from_utf8(all[target].clone()).unwrap();
        for (start, length, insert) in cuts {
            let start = text.floor_char_boundary(start.min(text.len()));
            let end = text.ceil_char_boundary((start + length).min(text.len()));
            text.replace_range(start..end, &insert);
        }
        let settings = target == "dialops.toml";
        let bytes = raw.filter(|_| !settings).unwrap_or(text.into_bytes());
        all.insert(target.to_owned(), bytes);
        let faults = faults(&all);
        proptest::prop_assert!(faults.iter().all(|fault| !fault.message.is_empty()));
        shown(&faults, &all);
        render::json(&faults, all.len()).unwrap();
    }
}
