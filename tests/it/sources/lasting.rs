//! What one source does to the campaigns of another lasts as long as it should, and no longer.

use std::fs;

use super::{is_in_force, named, phases, ready, running, stage, write};
use crate::{
    drift::edit,
    repository::Repository,
    stage::{Campaign, Stage},
};

const TEMPLATE: &str = "templates/offer.toml";

/// Writes the template that a campaign of the other source extends.
fn write_template(stage: &Stage, state: &str) {
    let text = Campaign { state: "running", ..named("offer") }.text();
    let lines = text.lines().filter(|line| !line.starts_with("id") && !line.starts_with("name"));
    let own = ["state", "starts_at", "ends_at"];
    let lines = lines.filter(|line| !own.iter().any(|key| line.starts_with(key))).collect::<Vec<_>>().join("\n");
    let template = format!("id = \"offer\"\nstate = \"{state}\"\n{lines}\n");
    stage.repository.write(format!("campaigns/{TEMPLATE}"), template);
}

/// Both sources in force, the second with a campaign that has its state from the first's template.
fn with_template() -> (Stage, Repository) {
    let (stage, sales) = stage();
    write_template(&stage, "running");
    let own = "id = \"offer\"\nname = \"offer\"\nextends = \"offer\"\nstarts_at = 2026-01-01T00:00:00Z\n\
               ends_at = 2099-01-01T00:00:00Z\n";
    sales.write("dialling/offer.toml", own);
    sales.commit("an offer");
    stage.commit(&named("spring"));
    (stage, sales)
}

fn phase(stage: &Stage, id: &str) -> String {
    phases(stage).into_iter().find(|(known, _)| known == id).map(|(_, phase)| phase).unwrap_or_default()
}

#[test]
fn a_pause_by_anothers_template_ends_with_it() {
    let (stage, _sales) = with_template();
    let daemon = stage.run();
    stage.until("both are in force", || phases(&stage) == running(&["offer", "spring"]));
    write_template(&stage, "paused");
    stage.repository.commit("no offers now");
    stage.until("it is paused", || phase(&stage, "offer") == "paused");
    write_template(&stage, "running");
    stage.repository.commit("offers again");
    stage.until("it goes on", || phase(&stage, "offer") == "running");
    daemon.stop();
}

#[test]
fn a_pause_by_a_commit_that_waits_outlives_what_the_other_source_does() {
    let (stage, sales) = with_template();
    let daemon = stage.run();
    stage.until("both are in force", || phases(&stage) == running(&["offer", "spring"]));
    daemon.stop();
    let freeze = "[[weekly_freezes]]\nwindows = [\"00:00-24:00\"]\ntimezone = \"UTC\"\nreason = \"peak\"";
    let settings = fs::read_to_string(stage.path("dialops.toml")).unwrap();
    fs::write(stage.path("dialops.toml"), format!("{settings}\n{freeze}\n")).unwrap();
    write_template(&stage, "paused");
    stage.repository.commit("no offers now");
    let daemon = stage.run();
    stage.until("it is paused", || phase(&stage, "offer") == "paused");
    // Its own source has news, which waits as well.
    sales.write("dialling/second.toml", named("second").text());
    sales.commit("a second");
    stage.until("that waits", || ready(&stage, "sales").1.contains("waits"));
    daemon.stop();

    // The freeze is over, and the newest commit that means to stop it can't be seen.
    fs::write(stage.path("dialops.toml"), settings).unwrap();
    let away = stage.path("away");
    fs::rename(stage.repository.path(), &away).unwrap();
    let daemon = stage.run();
    stage.until("the other's news is in force", || phase(&stage, "second") == "running");
    assert_eq!(phase(&stage, "offer"), "paused", "nobody has said that it may go on");
    fs::rename(&away, stage.repository.path()).unwrap();
    stage.until("the first is seen again", || ready(&stage, "main").0 == "True");
    assert_eq!(phase(&stage, "offer"), "paused", "as its template says");
    daemon.stop();
}

#[test]
fn what_a_commit_lacks_in_part_comes_in_once_the_other_makes_room() {
    let (stage, sales) = stage();
    stage.settings_more("[guards]\nbad_files = \"isolate\"\n");
    write(&sales, &named("offer"));
    sales.commit("an offer");
    stage.commit(&named("spring"));
    let daemon = stage.run();
    stage.until("both are in force", || phases(&stage) == running(&["offer", "spring"]));
    // The first takes a campaign before the second has given it up.
    stage.write_campaign(&named("offer"));
    stage.repository.commit("the other's offer");
    stage.until("it is left out", || ready(&stage, "main").1.contains("without"));
    write(&sales, &named("second"));
    fs::remove_file(sales.path().join("dialling/offer.toml")).unwrap();
    sales.commit("given up");
    stage.until("it came over", || ready(&stage, "main").0 == "True");
    assert_eq!(phases(&stage), running(&["offer", "second", "spring"]));
    daemon.stop();
}

#[test]
fn a_source_may_give_up_all_that_it_has() {
    let (stage, sales) = stage();
    write(&sales, &named("offer"));
    sales.commit("an offer");
    stage.commit(&named("spring"));
    let daemon = stage.run();
    stage.until("both are in force", || phases(&stage) == running(&["offer", "spring"]));
    fs::remove_file(sales.path().join("dialling/offer.toml")).unwrap();
    sales.write("README.md", "Moved.");
    let empty = sales.commit("moved").to_string();
    stage.until("it waits", || ready(&stage, "sales").1.contains("waits"));
    let (code, said, err) = stage.cli_says(&["approve", &empty]);
    assert_eq!(code, Some(0), "{said}{err}");
    stage.until("it is in force", || is_in_force(&stage, "sales", &empty));
    assert_eq!(phase(&stage, "offer"), "paused");
    daemon.stop();
    let daemon = stage.run();
    stage.until("so it is after a restart", || is_in_force(&stage, "sales", &empty));
    daemon.stop();
}

#[test]
fn a_source_that_nobody_has_any_more_is_waited_for_and_taken_when_it_is_back() {
    let (stage, sales) = stage();
    write(&sales, &named("offer"));
    sales.commit("an offer");
    stage.commit(&named("spring"));
    let daemon = stage.run();
    stage.until("both are in force", || phases(&stage) == running(&["offer", "spring"]));
    daemon.stop();
    edit(&stage, "DELETE FROM definition_file WHERE path LIKE 'sales:%'");
    edit(&stage, "UPDATE source_commit SET files_of = NULL WHERE source = 'sales'");
    let away = stage.path("away");
    fs::rename(sales.path(), &away).unwrap();
    let daemon = stage.start(&[]);
    stage.until("it answers", || daemon.get("/-/healthy").is_some());
    stage.until("it is waited for", || ready(&stage, "main").1.contains("source sales"));
    assert_eq!(phases(&stage), []);
    fs::rename(&away, sales.path()).unwrap();
    stage.cli_says(&["reconcile", "--source", "sales"]);
    stage.until("all is as it was", || phases(&stage) == running(&["offer", "spring"]));
    daemon.stop();
}

#[test]
fn one_source_becomes_one_of_several_without_its_repository() {
    let (stage, _sales) = stage();
    let several = fs::read_to_string(stage.path("dialops.toml")).unwrap();
    stage.settings(|text| text);
    let spring = stage.commit(&named("spring")).to_string();
    let daemon = stage.run();
    stage.until("it is in force", || phases(&stage) == running(&["spring"]));
    daemon.stop();
    fs::write(stage.path("dialops.toml"), several).unwrap();
    fs::rename(stage.repository.path(), stage.path("away")).unwrap();
    let daemon = stage.run();
    stage.until("it is in force again", || phases(&stage) == running(&["spring"]));
    assert!(is_in_force(&stage, "main", &spring));
    daemon.stop();
}

#[test]
fn a_source_that_is_not_good_any_more_is_left_out_and_retires_nobody() {
    let (stage, sales) = stage();
    write(&sales, &named("offer"));
    sales.commit("an offer");
    stage.commit(&named("spring"));
    stage.settings_more("[guards]\ngrace = \"1s\"\n");
    let daemon = stage.run();
    stage.until("both are in force", || phases(&stage) == running(&["offer", "spring"]));
    daemon.stop();
    // A version that knows no such key would find the same.
    let text = fs::read_to_string(sales.path().join("dialling/offer.toml")).unwrap();
    sales.write("dialling/offer.toml", text.replace("+862160001000", "+862160001111"));
    let other = fs::read_to_string(stage.path("dialops.toml")).unwrap();
    let both = other.replace("[\"+862160001000\"]", "[\"+862160001000\", \"+862160001111\"]");
    fs::write(stage.path("dialops.toml"), both).unwrap();
    let number = sales.commit("another number").to_string();
    let daemon = stage.run();
    stage.until("it is in force", || is_in_force(&stage, "sales", &number));
    daemon.stop();
    fs::write(stage.path("dialops.toml"), other).unwrap();
    let daemon = stage.run();
    stage.until("it is told", || ready(&stage, "sales").0 == "False");
    crate::stage::pause(std::time::Duration::from_secs(3));
    assert_eq!((phase(&stage, "offer"), phase(&stage, "spring")), ("paused".to_owned(), "running".to_owned()));
    sales.write("dialling/offer.toml", text);
    sales.commit("the number that is owned");
    stage.until("it goes on", || phases(&stage) == running(&["offer", "spring"]));
    daemon.stop();
}
