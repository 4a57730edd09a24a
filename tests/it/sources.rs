//! Several sources through the whole daemon: one configuration out of several repositories, each with its own commit
//! and owner.

use std::{fs, path::Path};

use serde_json::Value;

use crate::{
    repository::Repository,
    stage::{Campaign, Stage, number},
};

fn named(id: &str) -> Campaign {
    Campaign { id: id.to_owned(), ..Campaign::default() }
}

/// A stage whose second source has campaigns of its own in `dialling/`.
fn stage() -> (Stage, Repository) {
    let (stage, sales) = (Stage::new(&["a1"]), Repository::new());
    let own = stage.repository.path().display().to_string();
    let sources = format!(
        "[[sources]]\nid = \"main\"\nrepository = \"{own}\"\npoll = \"1s\"\n\n[[sources]]\nid = \"sales\"\n\
         owner = \"Sales operations\"\nrepository = \"{}\"\npath = \"dialling\"\npoll = \"1s\"\n",
        sales.path().display()
    );
    stage.settings(|text| {
        let others: Vec<&str> = text.lines().filter(|line| !line.starts_with("source = ")).collect();
        format!("{}\n{sources}", others.join("\n"))
    });
    (stage, sales)
}

fn write(repository: &Repository, campaign: &Campaign) {
    repository.write(format!("dialling/{}.toml", campaign.id), campaign.text());
}

fn source(stage: &Stage, id: &str) -> Value {
    let sources = stage.status()["sources"].as_array().unwrap().clone();
    sources.into_iter().find(|source| source["name"] == id).unwrap()
}

fn ready(stage: &Stage, id: &str) -> (String, String) {
    let conditions = source(stage, id)["conditions"].as_array().unwrap().clone();
    let ready = conditions.into_iter().find(|condition| condition["type"] == "Ready").unwrap();
    (ready["status"].as_str().unwrap().to_owned(), ready["message"].as_str().unwrap().to_owned())
}

fn is_in_force(stage: &Stage, id: &str, commit: &str) -> bool {
    source(stage, id)["lastAppliedRevision"].as_str().is_some_and(|revision| revision.ends_with(commit))
}

/// Campaigns with their phases.
fn phases(stage: &Stage) -> Vec<(String, String)> {
    let list = stage.status()["campaigns"]["list"].as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    list.iter().map(|one| (text(&one["id"]), text(&one["phase"]))).collect()
}

fn running(ids: &[&str]) -> Vec<(String, String)> {
    ids.iter().map(|id| ((*id).to_owned(), "running".to_owned())).collect()
}

#[test]
fn each_source_has_its_own_commit_and_no_other_waits_for_it() {
    let (stage, sales) = stage();
    write(&sales, &named("offer"));
    let offer = sales.commit("an offer").to_string();
    let spring = stage.commit(&named("spring")).to_string();
    let daemon = stage.run();
    stage.until("both are in force", || is_in_force(&stage, "main", &spring) && is_in_force(&stage, "sales", &offer));
    assert_eq!(phases(&stage), running(&["offer", "spring"]));
    assert_eq!(source(&stage, "sales")["owner"], "Sales operations");

    // An attempt names the commit of its campaign's source, and so does `why`.
    stage.sign_in(&["a1"]);
    stage.import_into("offer", &[("d1", &[number::quick(1)])]);
    stage.until("a call is placed", || !stage.results_of("offer").is_empty());
    assert_eq!(stage.results_of("offer")[0].revision, offer);
    assert_eq!(stage.why_in("offer", "d1")["campaign"]["revision"], offer);

    // A bad commit of one leaves it where it was, and says whose it is; the other goes on.
    write(&sales, &Campaign { state: "runing", ..named("offer") });
    let bad = sales.commit("a slip").to_string();
    stage.until("the slip is seen", || ready(&stage, "sales").0 == "False");
    let problems = stage.status()["problems"].clone();
    assert_eq!(problems[0]["file"], "sales:dialling/offer.toml", "{problems}");
    assert!(is_in_force(&stage, "sales", &offer));
    stage.write_campaign(&named("autumn"));
    let autumn = stage.repository.commit("autumn").to_string();
    stage.until("the other goes on", || is_in_force(&stage, "main", &autumn));
    let expected = [("autumn", "running"), ("offer", "completed"), ("spring", "running")];
    assert_eq!(phases(&stage), expected.map(|(id, phase)| (id.to_owned(), phase.to_owned())));
    assert_eq!(ready(&stage, "main").0, "True");
    let failing = daemon.metric("dialops_config_last_apply_successful");
    assert_eq!(
        failing,
        [
            "dialops_config_last_apply_successful{source=\"main\"} 1",
            "dialops_config_last_apply_successful{source=\"sales\"} 0"
        ]
    );
    let history = stage.cli(&["history"]);
    assert!(history.contains(&format!("sales {}", &bad[..12])), "{history}");
    assert!(history.contains(&format!("main {}", &autumn[..12])), "{history}");
    daemon.stop();
}

#[test]
fn an_id_of_two_sources_is_an_error_that_names_both_files() {
    let (stage, sales) = stage();
    write(&sales, &named("offer"));
    let offer = sales.commit("an offer").to_string();
    stage.commit(&named("spring"));
    let daemon = stage.run();
    stage.until("both are in force", || phases(&stage) == running(&["offer", "spring"]));
    write(&sales, &named("spring"));
    sales.commit("the other's");
    stage.until("it is refused", || ready(&stage, "sales").0 == "False");
    let status = stage.status();
    let message = status["problems"][0]["message"].as_str().unwrap();
    assert!(message.contains("spring"), "{status}");
    let log = daemon.log();
    assert!(log.contains("sales:dialling/spring.toml") && log.contains("main:campaigns/spring.toml"), "{log}");
    assert!(is_in_force(&stage, "sales", &offer));
    // A file of which there can be one may stand in either, not in both.
    fs::remove_file(sales.path().join("dialling/spring.toml")).unwrap();
    let tenant = fs::read_to_string(stage.repository.path().join("campaigns/shared/tenant.toml")).unwrap();
    sales.write("dialling/shared/tenant.toml", &tenant);
    sales.commit("a second tenant");
    stage.until("it is refused", || stage.status()["problems"][0]["code"] == "E0010");
    // Once the other has given the campaign up it may come over.
    fs::remove_file(sales.path().join("dialling/shared/tenant.toml")).unwrap();
    write(&sales, &named("spring"));
    sales.commit("the other's again");
    fs::remove_file(stage.repository.path().join("campaigns/spring.toml")).unwrap();
    let given = stage.repository.commit("given up").to_string();
    stage.until("what leaves nothing waits", || ready(&stage, "main").1.contains("waits"));
    let (_, said, _) = stage.cli_says(&["approve", &given]);
    stage.until("it came over", || ready(&stage, "sales").0 == "True");
    assert!(is_in_force(&stage, "main", &given), "{said}");
    assert_eq!(phases(&stage), running(&["offer", "spring"]));
    daemon.stop();
}

#[test]
fn a_restart_without_a_repository_goes_on_with_what_the_store_has() {
    let (stage, sales) = stage();
    write(&sales, &named("offer"));
    let offer = sales.commit("an offer").to_string();
    let spring = stage.commit(&named("spring")).to_string();
    let daemon = stage.run();
    stage.until("both are in force", || phases(&stage) == running(&["offer", "spring"]));
    daemon.stop();
    let moved = stage.path("elsewhere");
    fs::rename(sales.path(), &moved).unwrap();
    let daemon = stage.run();
    stage.until("both are in force again", || phases(&stage) == running(&["offer", "spring"]));
    stage.until("it is told", || ready(&stage, "sales").0 == "False");
    assert!(is_in_force(&stage, "sales", &offer) && is_in_force(&stage, "main", &spring));
    stage.write_campaign(&named("autumn"));
    let autumn = stage.repository.commit("autumn").to_string();
    stage.until("the other goes on", || is_in_force(&stage, "main", &autumn));
    assert_eq!(phases(&stage), running(&["autumn", "offer", "spring"]));
    fs::rename(&moved, sales.path()).unwrap();
    stage.until("it is there again", || ready(&stage, "sales").0 == "True");
    daemon.stop();
}

#[test]
fn a_source_is_checked_and_planned_beside_the_others() {
    let (stage, sales) = stage();
    write(&sales, &named("offer"));
    sales.commit("an offer");
    stage.commit(&named("spring"));
    let folder = sales.path().join("dialling");
    let (own, other) = (folder.to_str().unwrap(), stage.repository.path().to_str().unwrap());
    // Alone it lacks what the other has.
    sales.write("dialling/shared/README.md", "The other has it all.");
    let (code, out, _) = stage.cli_says(&["check", own, "--format", "text"]);
    assert!(code == Some(2) && out.contains("shared/tenant.toml"), "{out}");
    fs::remove_dir_all(folder.join("shared")).unwrap();
    let (code, out, err) = stage.cli_says(&["check", own, "--with", other]);
    assert!(code == Some(0) && !out.contains("error"), "{out}{err}");
    let (code, _, err) = stage.cli_says(&["check", own, "--with", "/nonexistent"]);
    assert!(code == Some(2) && err.contains("--with"), "{err}");

    let daemon = stage.run();
    stage.until("both are in force", || phases(&stage) == running(&["offer", "spring"]));
    let plan = |more: &[&str]| stage.cli_says(&[&["plan", "--source", "sales", "--dir", own][..], more].concat());
    let (code, out, err) = plan(&[]);
    assert!(code == Some(0) && out.contains("nothing changes"), "{out}{err}");
    write(&sales, &Campaign { state: "paused", ..named("offer") });
    write(&sales, &named("second"));
    stage.import_into("offer", &[("d1", &[number::quick(1)])]);
    let (code, out, err) = plan(&[]);
    assert!(
        code == Some(2) && out.contains("offer") && out.contains("second") && !out.contains("spring"),
        "{out}{err}"
    );
    assert!(out.contains("1 contact"), "the daemon counts: {out}{err}");
    let (code, _, err) = stage.cli_says(&["plan", "--source", "none", "--dir", own]);
    assert!(code == Some(1) && err.contains("no source is called"), "{err}");

    // A pin is of the source whose commit it is.
    let second = sales.commit("a second").to_string();
    stage.until("it is in force", || is_in_force(&stage, "sales", &second));
    let first = sales.git(["rev-parse", "HEAD~1"]);
    stage.cli(&["override", "pin", &first, "--reason", "wrong offer", "--until", "1h"]);
    stage.until("it went back", || is_in_force(&stage, "sales", &first));
    let expected = [("offer", "running"), ("second", "paused"), ("spring", "running")];
    assert_eq!(
        phases(&stage),
        expected.map(|(id, phase)| (id.to_owned(), phase.to_owned())),
        "paused until it retires"
    );
    daemon.stop();
}

#[test]
fn files_of_several_sources_come_out_of_the_store_apart() {
    let (stage, sales) = stage();
    write(&sales, &named("offer"));
    sales.commit("an offer");
    stage.commit(&named("spring"));
    let daemon = stage.run();
    stage.until("both are in force", || phases(&stage) == running(&["offer", "spring"]));
    daemon.stop();
    let into = stage.path("out");
    let said = stage.cli(&["import", "--from-store", into.to_str().unwrap()]);
    assert_eq!(said.lines().count(), 2, "{said}");
    let same = |own: &Path, path: &str, written: &str| {
        assert_eq!(fs::read(own.join(path)).unwrap(), fs::read(into.join(written)).unwrap());
    };
    same(sales.path(), "dialling/offer.toml", "sales/dialling/offer.toml");
    same(stage.repository.path(), "campaigns/spring.toml", "main/campaigns/spring.toml");
    same(stage.repository.path(), "campaigns/shared/agents.toml", "main/campaigns/shared/agents.toml");
}
