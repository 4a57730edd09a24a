//! Files out of the store, for whoever has lost the repository.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    config_fixtures,
    drift::{edit, value},
    oracle::random::{self, dice::Dice},
    repository::git,
    stage::{Campaign, Stage, daemon::Daemon},
};

/// What the files below a folder say, by their path in it; nothing of Git's.
fn files(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.extend((entry.file_name() != ".git").then_some(path));
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                found.insert(path.strip_prefix(folder).unwrap().to_owned(), text);
            }
        }
    }
    found
}

fn applied(daemon: &Daemon) -> String {
    daemon.status()["sources"][0]["lastAppliedRevision"].as_str().unwrap_or_default().to_owned()
}

/// Imports into a new folder and sees to it that `check` has nothing at all against the files.
fn import(stage: &Stage, name: &str) -> PathBuf {
    let (folder, told) = import_telling(stage, name);
    assert_eq!(told, "");
    folder
}

/// The same where `check` may have something to tell that is no error.
fn import_telling(stage: &Stage, name: &str) -> (PathBuf, String) {
    let folder = stage.path(name);
    let into = folder.to_str().unwrap();
    let said = stage.cli(&["import", "--from-store", into]);
    assert!(said.starts_with("wrote "), "{said}");
    let (code, out, err) = stage.cli_says(&["check", into]);
    assert_eq!(code, Some(0), "{out}{err}");
    (folder, out)
}

fn plans_nothing(stage: &Stage, folder: &Path, more: &[&str]) {
    let arguments = [&["plan", "--dir", folder.to_str().unwrap()], more].concat();
    let (code, out, err) = stage.cli_says(&arguments);
    assert!(code == Some(0) && out.contains("nothing changes"), "{out}{err}");
}

#[test]
fn files_in_force_come_out_of_the_store_and_plan_to_nothing() {
    let stage = Stage::new(&["a1"]);
    // The repository's examples, with templates, surveys and all that is shared.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("campaigns");
    std::fs::remove_dir_all(stage.repository.path().join("campaigns")).unwrap();
    for (path, text) in files(&root) {
        stage.repository.write(Path::new("campaigns").join(path), text);
    }
    stage.repository.commit("examples");
    stage.settings(|text| {
        let owned = "owned_caller_numbers = [\"+862160001000\", \"+862160001001\"]";
        let hosts = "callback_hosts = [\"crm.example.com\"]";
        let text = text.replace("dial = \"all\"", "dial = \"none\"");
        text.replace("owned_caller_numbers = [\"+862160001000\"]", &format!("{owned}\n{hosts}"))
    });
    let daemon = stage.run();
    stage.until("all files are kept", || {
        stage.cli_says(&["import", "--from-store", stage.path("first").to_str().unwrap()]).0 == Some(0)
    });
    let folder = import(&stage, "second");
    let committed = files(&stage.repository.path().join("campaigns"));
    let configuration: BTreeMap<_, _> =
        committed.into_iter().filter(|(path, _)| path != Path::new("sim.toml")).collect();
    assert_eq!(files(&folder.join("campaigns")), configuration, "as they were committed, with their comments");
    assert_eq!(files(&stage.path("first")), files(&folder));
    plans_nothing(&stage, &folder, &[]);
    daemon.stop();
}

#[test]
fn who_has_lost_the_repository_goes_on_from_the_store_alone() {
    let stage = Stage::new(&["a1"]);
    stage.write_campaign(&Campaign { id: "winter".to_owned(), state: "paused", ..Campaign::default() });
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    std::fs::remove_file(stage.repository.path().join("campaigns/winter.toml")).unwrap();
    let newest = stage.commit(&Campaign { max_ring: "6s", ..Campaign::default() });
    stage.until("the newest is in force", || applied(&daemon).ends_with(newest.as_str()));
    // A bad one that never comes into force.
    stage.repository.write("campaigns/spring.toml", "id = 7");
    stage.repository.commit("bad");
    stage.until("it is refused", || daemon.status()["problems"].as_array().is_some_and(|all| !all.is_empty()));
    daemon.kill();
    std::fs::remove_dir_all(stage.repository.path().join("campaigns")).unwrap();

    // Neither a daemon nor Git is there.
    let folder = import(&stage, "saved");
    let saved = files(&folder);
    assert!(saved[Path::new("campaigns/spring.toml")].contains("max_ring = \"6s\""));
    assert!(!saved.contains_key(Path::new("campaigns/winter.toml")), "it was gone");
    let (code, said) = stage.cli_fails(&["import", "--from-store", folder.to_str().unwrap()]);
    assert!(code == Some(2) && said.contains("is not empty"), "{said}");

    git(&folder, ["init", "--quiet", "--initial-branch=main", "."], b"");
    git(&folder, ["add", "--all", "."], b"");
    git(&folder, ["commit", "--quiet", "--message", "out of the store"], b"");
    let (old, new) = (stage.repository.path().display().to_string(), folder.display().to_string());
    stage.settings(|text| text.replace(&old, &new));
    let daemon = stage.start(&[]);
    stage.until("it is held", || {
        daemon.get("/-/healthy").is_some()
            && daemon.status()["sources"][0]["conditions"][0]["reason"] == "HistoryRewritten"
    });
    plans_nothing(&stage, &folder, &["--from", "HEAD"]);
    stage.cli(&["reconcile", "--allow-rewrite"]);
    let head = git(&folder, ["rev-parse", "HEAD"], b"");
    assert!(applied(&daemon).ends_with(&head));
    let history = stage.cli(&["history", "--format", "json", "--limit", "1"]);
    let last: serde_json::Value = serde_json::from_str(history.trim()).unwrap();
    assert_eq!((&last["result"], &last["campaignsChanged"]), (&"in_force".into(), &0.into()));
    plans_nothing(&stage, &folder, &[]);
    daemon.stop();
}

#[test]
fn what_has_no_files_says_so() {
    let stage = Stage::new(&["a1"]);
    let into = stage.path("saved");
    let into = into.to_str().unwrap();
    let (code, said) = stage.cli_fails(&["import", "--from-store", into]);
    assert!(code == Some(2) && said.contains("dialops.db can't be read"), "{said}");
    // No commit was in force yet.
    stage.repository.write("campaigns/spring.toml", "id = 7");
    stage.repository.commit("bad");
    let daemon = stage.start(&[]);
    stage.until("it is refused", || daemon.get("/-/healthy").is_some() && stage.path("dialops.db").exists());
    let none = || stage.cli_says(&["import", "--from-store", into]);
    stage.until("the store is made", || none().2.contains("has no configuration files"));
    let other = stage.path("other.db");
    std::fs::write(&other, "no store").unwrap();
    let (_, said) = stage.cli_fails(&["import", "--from-store", into, "--store", other.to_str().unwrap()]);
    assert!(said.contains("is not a dialops store"), "{said}");
    daemon.stop();
}

#[test]
fn what_another_program_has_changed_in_the_store_is_told() {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign { id: "winter".to_owned(), ..Campaign::default() });
    let daemon = stage.run();
    let into = |name: &str| stage.cli_says(&["import", "--from-store", stage.path(name).to_str().unwrap()]);
    stage.until("all files are kept", || into("first").0 == Some(0));
    daemon.kill();
    let (spring, winter) = ("campaigns/spring.toml", "campaigns/winter.toml");
    edit(
        &stage,
        &format!("UPDATE definition_file SET bytes = CAST(replace(bytes, '5s', '6s') AS BLOB) WHERE path = '{spring}'"),
    );
    let (code, out, said) = into("edited");
    assert!(out.starts_with("wrote "), "whoever has nothing else has this: {out}");
    assert_eq!(code, Some(2));
    assert!(said.starts_with("\"campaigns/spring.toml\" was changed in the store by another program"), "{said}");
    assert!(!said.contains("git init"), "{said}");
    edit(&stage, &format!("DELETE FROM definition_file WHERE path = '{winter}'"));
    let (code, _, said) = into("taken");
    assert!(
        code == Some(2) && said.contains("the file of campaign \"winter\", which is in force, was taken"),
        "{said}"
    );

    // The next life has them as they are committed.
    let daemon = stage.run();
    let mut tries = 0..;
    stage.until("they are right again", || into(&format!("try-{}", tries.next().unwrap())).0 == Some(0));
    assert_eq!(into("last").0, Some(0));
    assert_eq!(files(&stage.path("last")), files(&stage.path("first")));
    daemon.stop();
}

/// How many random cases have their definitions go through the store; `DIALOPS_STORES` sets another number.
const STORES: u64 = 5;

/// A file of a random campaign: where it may stand, and what it says, whether that is good or not.
fn some_file(dice: &mut Dice, seed: u64, text: &str, may_be_bad: bool) -> (String, String, String) {
    // Campaigns of all cases stand beside each other.
    let id = text.split('"').nth(1).unwrap();
    let text =
        text.replacen(id, &format!("{id}-{seed}"), 1).replace(&format!("campaign {id}"), &format!("{id} {seed}"));
    let comment = *dice.pick(&["", "# ä €\n", "# \"\"\" ]] }}\n\n\n", "#\tx\n"]);
    let bad = if may_be_bad && dice.chance(20) { *dice.pick(&["bogus = 1\n", "]", "id = 7\n"]) } else { "" };
    let ends = *dice.pick(&["", "\n", "\n\n# end"]);
    let prefix = *dice.pick(&["", "spring ", "B_", "ü-"]);
    let name = format!("{id}-{seed}");
    (name.clone(), format!("campaigns/{prefix}{name}.toml"), format!("{bad}{comment}{text}{ends}"))
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a count comes from the environment")]
fn random_definitions_come_out_as_they_are_in_force() {
    let stage = Stage::new(&[]);
    let campaigns = stage.repository.path().join("campaigns");
    std::fs::remove_dir_all(&campaigns).unwrap();
    for (path, bytes) in config_fixtures::files(Path::new("tests/fixtures/cases/shared")) {
        stage.repository.write(Path::new("campaigns/shared").join(path), bytes);
    }
    stage.settings(|text| {
        let owned = "[\"+862880000001\", \"+862880000002\"]";
        let text = text.replace("dial = \"all\"", "dial = \"none\"").replace("[\"+862160001000\"]", owned);
        format!("{text}\n[guards]\nbad_files = \"isolate\"\n")
    });
    let (mut daemon, mut paths) = (None, BTreeMap::new());
    let stores = std::env::var("DIALOPS_STORES").map_or(STORES, |text| text.parse().unwrap());
    for seed in 0..stores {
        let case = tempfile::tempdir().unwrap();
        random::write(seed, case.path());
        let mut dice = Dice::new(seed, "files");
        let files = config_fixtures::files(case.path());
        for (number, (_, text)) in files.iter().filter(|(path, _)| is_campaign(path)).enumerate() {
            let text = std::str::from_utf8(text).unwrap();
            let (id, path, text) = some_file(&mut dice, seed, text, seed > 0);
            if let Some(before) = paths.insert(id, path.clone()) {
                std::fs::remove_file(stage.repository.path().join(before)).unwrap();
            }
            stage.repository.write(&path, text);
            let head = stage.repository.commit(&format!("case {seed}, file {number}"));
            let daemon = daemon.get_or_insert_with(|| stage.run());
            let what = format!("case {seed}, file {number} is in force, and kept");
            stage.until(&what, || applied(daemon).ends_with(head.as_str()) && kept_of(&stage) == head.as_str());
            let (folder, _) = import_telling(&stage, &format!("{seed}-{number}"));
            plans_nothing(&stage, &folder, &[]);
        }
    }
    daemon.unwrap().stop();
}

fn is_campaign(path: &str) -> bool {
    path.starts_with("campaign") && path.ends_with(".toml")
}

/// The commit whose files the store keeps.
fn kept_of(stage: &Stage) -> String {
    value(stage, "SELECT coalesce(files_of, '') FROM source_commit")
}
