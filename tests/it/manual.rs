//! `dialops man` and `dialops completions`: held to what reads them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn dialops(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dialops"));
    let done = command.args(arguments).env("SOURCE_DATE_EPOCH", "1700000000").output().unwrap();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    done
}

/// Runs a program that `tests/run` installs: whether it was content, and all that it wrote.
fn run(program: &str, arguments: &[&str]) -> (bool, String) {
    let done = Command::new(program).args(arguments).env("LC_ALL", "C.UTF-8").env("MANWIDTH", "100").output();
    let done = done.unwrap_or_else(|error| panic!("{program}: {error}; `tests/run` installs it"));
    (done.status.success(), String::from_utf8([done.stdout, done.stderr].concat()).unwrap())
}

fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    pages
}

#[test]
fn every_command_has_a_page_that_formatters_are_content_with() {
    let folder = tempfile::tempdir().unwrap();
    let man1 = folder.path().join("man1");
    dialops(&["man", man1.to_str().unwrap()]);
    let pages = pages(&man1);
    for name in ["dialops.1", "dialops-check.1", "dialops-do-not-call-import.1"] {
        assert!(pages.contains(&man1.join(name)), "{pages:?}");
    }
    for page in &pages {
        let page = page.to_str().unwrap();
        let (content, said) = run("mandoc", &["-Tlint", "-Wwarning", page]);
        assert!(content && said.is_empty(), "{said}");
        let (content, said) = run("man", &["--warnings", "--local-file", page]);
        assert!(content && said.contains("EXIT STATUS") && !said.contains("warning"), "{page}: {said}");
    }
    let (_, shown) = run("man", &["--local-file", man1.join("dialops-why.1").to_str().unwrap()]);
    assert!(shown.contains("2023-11-14") && shown.contains("DIALOPS-WHY(1)"), "{shown}");
    assert!(shown.contains("--counts") && !shown.contains("crash-at"), "{shown}");
}

#[test]
fn every_page_is_of_a_command_that_is_there() {
    let folder = tempfile::tempdir().unwrap();
    dialops(&["man", folder.path().to_str().unwrap()]);
    for page in pages(folder.path()) {
        let text = fs::read_to_string(&page).unwrap();
        let synopsis = text.split(".SH SYNOPSIS\n").nth(1).unwrap().lines().next().unwrap();
        let name = synopsis.split("\\fB").nth(1).unwrap().split("\\fR").next().unwrap().replace("\\-", "-");
        let mut words: Vec<&str> = name.split(' ').skip(1).collect();
        assert_eq!(format!("{}.1", name.replace(' ', "-")), page.file_name().unwrap().to_str().unwrap());
        words.push("--help");
        dialops(&words);
    }
}

#[test]
fn shells_take_the_completions_and_complete_by_them() {
    let folder = tempfile::tempdir().unwrap();
    let script = |shell: &str| {
        let path = folder.path().join(shell);
        fs::write(&path, dialops(&["completions", shell]).stdout).unwrap();
        path.to_str().unwrap().to_owned()
    };
    for shell in ["bash", "zsh", "fish"] {
        let (content, said) = run(shell, &["-n", &script(shell)]);
        assert!(content && said.is_empty(), "{shell}: {said}");
    }
    let ask =
        "source \"$1\"; COMP_WORDS=(dialops rec); COMP_CWORD=1; _dialops dialops rec dialops; echo ${COMPREPLY[*]}";
    assert_eq!(run("bash", &["-c", ask, "bash", &script("bash")]), (true, "reconcile\n".to_owned()));
    let ask = format!("source {}; complete -C 'dialops batches pa'", script("fish"));
    let (content, said) = run("fish", &["--no-config", "-c", &ask]);
    assert!(content && said.starts_with("pause\t"), "{said}");
}
