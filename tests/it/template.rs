//! `extends` and `dialops template save`, through the binary and by what the files then define.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use dialops::{
    config::{self, SourceFile, settings::outer_ceilings},
    domain::campaign::Definitions,
};

use crate::config_fixtures::{FIXTURES, files, write};

fn save(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dialops"));
    command.args(["template", "save"]).args(args).arg("--dir").arg(dir).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// A repository with what these tests need of a fixture or the example.
fn repository(from: &Path) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let all = files(from).into_iter().filter(|(path, _)| path != "dialops.toml");
    let all = all.map(|(path, bytes)| (path.replace("campaigns/", ""), bytes)).collect();
    write(&root.path().join("campaigns"), &all);
    root
}

fn definitions(root: &Path) -> Definitions {
    let all = files(&root.join("campaigns"));
    let sources: Vec<_> = all
        .iter()
        .filter(|(path, _)| path.ends_with(".toml") && !path.ends_with("sim.toml"))
        .map(|(path, bytes)| SourceFile { folder: "campaigns", path, bytes })
        .collect();
    match config::load("campaigns", &sources, &outer_ceilings()) {
        Ok((definitions, _)) => definitions,
        Err(faults) => panic!("{faults:#?}"),
    }
}

fn put(root: &Path, path: &str, text: &str) {
    let path = root.join("campaigns").join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn text(root: &Path, path: &str) -> String {
    fs::read_to_string(root.join("campaigns").join(path)).unwrap()
}

/// Lines of a campaign's file that a template can't give.
fn own_lines(text: &str) -> String {
    let own = ["id =", "name =", "description =", "starts_at =", "ends_at =", "state ="];
    let head = text.split("\n[").next().unwrap();
    head.lines().filter(|line| own.iter().any(|key| line.starts_with(key))).map(|line| format!("{line}\n")).collect()
}

/// A campaign saved as a template and reduced to what is its own means what it meant before.
#[test]
fn a_campaign_reduced_to_its_template_means_the_same() {
    for (from, campaign) in [("campaigns", "spring-offer"), ("campaigns", "workshop-survey")] {
        let root = repository(Path::new(from));
        let root = root.path();
        let before = definitions(root);
        let output = save(root, &[campaign, "taken"]);
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(definitions(root), before, "a template alone changes nothing");
        let file = format!("{campaign}.toml");
        put(root, &file, &format!("{}extends = \"taken\"\n", own_lines(&text(root, &file))));
        assert_eq!(definitions(root), before, "{campaign}");
    }
}

#[test]
fn comments_and_form_stay_and_identity_goes() {
    let root = repository(Path::new("campaigns"));
    let output = save(root.path(), &["spring-offer", "offer"]);
    assert!(output.status.success());
    assert!(said(&output).contains("wrote ") && said(&output).contains("templates/offer.toml"), "{}", said(&output));
    let campaign = text(root.path(), "spring-offer.toml");
    let template = text(root.path(), "templates/offer.toml");
    assert!(template.starts_with("#:schema ../../schemas/draft-07/template.schema.json\n"), "{template}");
    assert!(template.contains("\nid = \"offer\"\n"));
    for gone in ["name =", "description =", "starts_at", "ends_at", "Always with an offset"] {
        assert!(!template.contains(gone), "{gone}\n{template}");
    }
    let lost: Vec<&str> = campaign.lines().filter(|line| !template.contains(line)).collect();
    assert_eq!(lost.len(), 7, "the schema's line, five keys and the dates' comment: {lost:#?}");
}

#[test]
fn line_ends_stay() {
    let root = repository(Path::new("campaigns"));
    for file in ["spring-offer.toml", "workshop-survey.toml", "templates/evening-survey.toml"] {
        put(root.path(), file, &text(root.path(), file).replace('\n', "\r\n"));
    }
    for campaign in ["spring-offer", "workshop-survey"] {
        assert!(save(root.path(), &[campaign, campaign]).status.success());
        let template = text(root.path(), &format!("templates/{campaign}.toml"));
        assert!(template.lines().count() > 10 && !template.replace("\r\n", "").contains('\n'), "{template:?}");
    }
}

#[test]
fn what_a_template_gave_is_written_out() {
    let root = repository(Path::new("campaigns"));
    assert!(save(root.path(), &["workshop-survey", "workshop"]).status.success());
    let template = text(root.path(), "templates/workshop.toml");
    assert!(!template.contains("extends ="), "{template}");
    assert!(template.contains("windows = [\"18:00-20:00\"]\ntimezone = \"Asia/Shanghai\"\n"), "{template}");
    assert!(template.contains("# A survey is worth two evenings."), "{template}");
    assert_eq!(template.matches("#:schema").count(), 1, "{template}");
}

#[test]
fn save_refuses_what_would_not_be_good() {
    let root = repository(Path::new("campaigns"));
    let root = root.path();
    for (args, message) in [
        (&["spring-ofer", "offer"][..], "did you mean \"spring-offer\"?"),
        (&["spring-offer", "Offer!"], "is not an id: it may only have a-z, 0-9 and '-', not 'O'"),
        (&["spring-offer", "../../etc"], "is not an id"),
        (&["spring-offer", "evening-survey"], "is there already"),
    ] {
        let before = files(root);
        let output = save(root, args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(said(&output).contains(message), "{}", said(&output));
        assert_eq!(files(root), before, "nothing is written");
    }
    assert!(save(root, &["spring-offer", "evening-survey", "--force"]).status.success());
    put(root, "spring-offer.toml", &text(root, "spring-offer.toml").replace("\"sales\"", "\"slaes\""));
    let output = save(root, &["spring-offer", "offer"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("no queue has the id \"slaes\""), "{}", said(&output));
}

/// What a campaign chooses replaces its template's choice, and does not mix with it.
#[test]
fn choices_do_not_mix() {
    const TEMPLATE: &str = r#"
        id = "t"
        [calling]
        order = "rounds_by_index"
        rounds = [1, 2]
        others = "never"
        [results]
        policy = "global"
        no_retry = ["vacant"]
        [results.global]
        max_days = 9
        max_attempts_per_day = 1
    "#;
    let base = Path::new(FIXTURES).join("base");
    let campaign = |more: &str| {
        let root = repository(&base);
        put(root.path(), "templates/t.toml", TEMPLATE);
        put(root.path(), "spring.toml", &format!("extends = \"t\"\n{}\n{more}", text(root.path(), "spring.toml")));
        let with = definitions(root.path()).campaigns.into_values().next().unwrap();
        put(root.path(), "spring.toml", &text(root.path(), "spring.toml").replace("extends = \"t\"\n", ""));
        let without = definitions(root.path()).campaigns.into_values().next().unwrap();
        (with, without)
    };
    let (inherited, own) = campaign("");
    assert_ne!(inherited.order, own.order);
    assert_ne!(inherited.results, own.results);
    let (sequence, own) = campaign("[calling]\norder = \"sequence\"\n");
    assert_eq!(sequence.order, own.order);
    let (by_category, own) = campaign("[results]\npolicy = \"by_category\"\n[results.by_category.default]\n");
    assert_eq!(by_category.results, own.results);
    let (global, _) = campaign("[results.global]\nretry_interval = \"1h\"\n");
    let (_, own) = campaign("[results]\nno_retry = [\"vacant\"]\n[results.global]\nretry_interval = \"1h\"\n");
    assert_eq!(global.results, own.results, "the template's `max_days` does not come along");
}

/// However many campaigns use a template, a fault of it is one message, and is found in time.
#[test]
fn a_fault_of_a_template_is_told_once_for_all_its_campaigns() {
    let root = repository(Path::new("campaigns"));
    let broken = text(root.path(), "templates/evening-survey.toml").replace("\"service\"", "\"mail\"");
    put(root.path(), "templates/evening-survey.toml", &broken);
    let campaign = text(root.path(), "workshop-survey.toml");
    for n in 0..500 {
        let one =
            campaign.replace("workshop-survey\"", &format!("w-{n}\"")).replace("Workshop survey", &format!("W {n}"));
        put(root.path(), &format!("w-{n}.toml"), &one);
    }
    let all = files(&root.path().join("campaigns"));
    let sources: Vec<_> = all
        .iter()
        .filter(|(path, _)| path.ends_with(".toml"))
        .map(|(path, bytes)| SourceFile { folder: "campaigns", path, bytes })
        .collect();
    let faults = config::load("campaigns", &sources, &outer_ceilings()).unwrap_err();
    let faults: Vec<_> =
        faults.iter().filter(|fault| fault.location.file.ends_with("templates/evening-survey.toml")).collect();
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert_eq!(faults[0].related.len(), 3);
    assert!(faults[0].related[2].label.ends_with("and by 498 more"), "{faults:#?}");
}
