//! `--base`, `--changed-since` and `--at`, in repositories made with the `git` program.

use std::path::Path;

use super::{dialops, ended};
use crate::{
    config_fixtures::{FIXTURES, files},
    repository::Repository,
};

/// A repository whose first commit is the base configuration.
fn repository() -> Repository {
    let repository = Repository::new();
    for (path, bytes) in files(&Path::new(FIXTURES).join("base")) {
        repository.write(path, bytes);
    }
    repository.commit("campaigns: spring");
    repository
}

fn check(repository: &Repository, args: &[&str]) -> (i32, String, String) {
    ended(dialops().current_dir(repository.path()).args(["check", "."]).args(args))
}

/// A campaign like the one of the base, with another id, name and start.
fn campaign(id: &str, starts_at: &str) -> String {
    let spring = String::from_utf8(files(&Path::new(FIXTURES).join("base"))["campaigns/spring.toml"].clone()).unwrap();
    let changed = spring.replace("\"spring\"", &format!("{id:?}")).replace("Spring offer", &format!("Offer {id}"));
    changed.replace("2031-03-01T09:00:00+08:00", starts_at)
}

#[test]
fn a_new_campaign_may_not_start_in_the_past() {
    let repository = repository();
    repository.write("campaigns/old.toml", campaign("old", "2020-01-01T00:00:00Z"));
    assert_eq!(check(&repository, &[]).0, 0, "without a base nothing hangs on the time");
    let (exit, out, _) = check(&repository, &["--base", "main"]);
    assert_eq!(exit, 2);
    assert!(out.contains("error[E0401]: `starts_at` of a new campaign must not be before 20"), "{out}");
    assert!(out.contains("campaigns/old.toml:7:13") && out.contains("new since main"), "{out}");
    assert_eq!(check(&repository, &["--base", "HEAD", "--at", "2019-12-31T00:00:00Z"]).0, 0);
    // What is committed is not new, whatever its file is called now.
    repository.commit("campaigns: old");
    repository.git(["mv", "campaigns/old.toml", "campaigns/older.toml"]);
    repository.write("campaigns/older.toml", campaign("old", "2020-02-01T00:00:00Z"));
    assert_eq!(check(&repository, &["--base", "main"]).0, 0);
    assert_eq!(check(&repository, &["--base", "HEAD~1", "--at", "now"]).0, 2);
}

#[test]
fn without_a_base_every_campaign_is_new() {
    let repository = repository();
    assert_eq!(check(&repository, &["--at", "2031-03-01T09:00:00+08:00"]).0, 0);
    let (exit, out, _) = check(&repository, &["--at", "2031-03-01T09:00:01+08:00"]);
    assert!(exit == 2 && out.contains("must not be before 2031-03-01T01:00:01Z"), "{out}");
    assert_eq!(check(&repository, &["--at", "yesterday"]).0, 64);
}

#[test]
fn an_id_that_changed_is_an_error_that_tells_what_it_costs() {
    let repository = repository();
    repository.write("campaigns/spring.toml", campaign("spring-2", "2020-01-01T00:00:00Z"));
    let (exit, out, err) = check(&repository, &["--base", "main"]);
    assert_eq!(exit, 2, "{out}");
    let message = "error[E0402]: an id cannot change: \"spring\" is retired, and its contacts, results and history \
                   stay behind with it";
    assert!(out.contains(message) && out.contains("campaigns/spring.toml:1:6"), "{out}");
    assert!(
        out.contains("was \"spring\" at main") && out.contains("to go on with \"spring\", put its id back"),
        "{out}"
    );
    assert!(err.contains("1 error"), "one fault, one message: {err}");
    // Moved to a file of its own it lives on.
    let moved = campaign("spring", "2031-03-01T09:00:00+08:00").replace("priority = 2", "priority = 3");
    repository.write("campaigns/moved.toml", moved);
    assert_eq!(check(&repository, &["--base", "main", "--at", "2019-01-01T00:00:00Z"]).1, "");
}

#[test]
fn an_id_that_changed_is_found_under_another_file_name() {
    let repository = repository();
    repository.git(["mv", "campaigns/spring.toml", "campaigns/other.toml"]);
    let renamed = campaign("spring-2", "2031-03-01T09:00:00+08:00").replace("Offer spring-2", "Spring offer");
    repository.write("campaigns/other.toml", &renamed);
    let (exit, out, _) = check(&repository, &["--base", "main"]);
    assert!(exit == 2 && out.contains("error[E0402]") && out.contains("campaigns/other.toml:1:6"), "{out}");
    assert!(out.contains("was \"spring\" in campaigns/spring.toml at main"), "{out}");
    // With a name of its own it is another campaign, and the old one is retired on purpose.
    repository.write("campaigns/other.toml", renamed.replace("Spring offer", "Autumn offer"));
    assert_eq!(check(&repository, &["--base", "main"]).0, 0);
}

#[test]
fn an_id_that_is_there_already_is_no_way_to_change_one() {
    let repository = repository();
    repository.write("campaigns/other.toml", campaign("other", "2031-03-01T09:00:00+08:00"));
    repository.commit("campaigns: other");
    // The other one's file goes, and its id takes the place of the first.
    std::fs::remove_file(repository.path().join("campaigns/other.toml")).unwrap();
    let taken = campaign("other", "2031-03-01T09:00:00+08:00").replace("Offer other", "Spring offer");
    repository.write("campaigns/spring.toml", taken);
    let (exit, out, _) = check(&repository, &["--base", "main"]);
    assert!(exit == 2 && out.contains("error[E0402]") && out.contains("\"spring\" is retired"), "{out}");
    assert!(!out.contains("create"), "it is there already: {out}");
    // Both are there, each under the other's id: contacts would get the settings of the other.
    let spring = campaign("spring", "2031-03-01T09:00:00+08:00").replace("Offer spring", "Spring offer");
    let other = campaign("other", "2031-03-01T09:00:00+08:00");
    repository.write("campaigns/spring.toml", spring.replace("\"spring\"", "\"other\""));
    repository.write("campaigns/other.toml", other.replace("\"other\"", "\"spring\""));
    let (exit, out, _) = check(&repository, &["--base", "main"]);
    assert!(exit == 2 && out.matches("error[E0402]").count() == 2, "{out}");
    assert!(out.contains("\"spring\" is another campaign now, and its contacts"), "{out}");
}

#[test]
fn a_later_end_of_an_expired_campaign_is_warned_of() {
    let repository = repository();
    let spring = campaign("spring", "2031-03-01T09:00:00+08:00").replace("Offer spring", "Spring offer");
    let (ended, later) = ("2031-05-31T18:00:00+08:00", "2031-06-30T18:00:00+08:00");
    assert_eq!(spring.matches(ended).count(), 1);
    repository.write("campaigns/spring.toml", spring.replace(ended, later));
    let at = |at: &str| check(&repository, &["--base", "main", "--at", at]);
    assert_eq!(at("2031-05-31T17:59:59+08:00").1, "");
    let (exit, out, _) = at(ended);
    assert_eq!(exit, 0, "it is a warning: {out}");
    let message = "warning[W0505]: this `ends_at` has no effect: the campaign has expired, which is final, so it does \
                   not dial again";
    assert!(out.contains(message) && out.contains("campaigns/spring.toml:8:11"), "{out}");
    assert!(out.contains(&format!("was {ended} at main")), "{out}");
    assert_eq!(check(&repository, &["--base", "main"]).1, "", "the base is older than the end");
    // An earlier end, and other keys, are no such thing.
    repository.write("campaigns/spring.toml", spring.replace(ended, "2031-05-30T18:00:00+08:00"));
    assert_eq!(at("2032-01-01T00:00:00Z").1, "");
    repository.write("campaigns/spring.toml", spring.replace("priority = 2", "priority = 3"));
    assert_eq!(at("2032-01-01T00:00:00Z").1, "");
}

#[test]
fn what_did_not_change_is_left_out_unless_the_change_broke_it() {
    let repository = repository();
    repository.write("campaigns/bad.toml", campaign("bad", "2031-03-02T00:00:00Z").replace("\"running\"", "\"go\""));
    repository.commit("campaigns: a bad one");
    assert_eq!(check(&repository, &[]).0, 2);
    let (exit, out, err) = check(&repository, &["--changed-since", "main"]);
    assert_eq!((exit, out.as_str()), (0, ""), "{err}");
    repository
        .write("campaigns/new.toml", campaign("new", "2031-03-02T00:00:00Z").replace("priority = 2", "priority = 7"));
    let (exit, out, _) = check(&repository, &["--changed-since", "main"]);
    assert!(exit == 2 && out.contains("campaigns/new.toml") && !out.contains("campaigns/bad.toml"), "{out}");
    // A queue's new name breaks files that stayed as they are.
    let queues = String::from_utf8(files(&Path::new(FIXTURES).join("base"))["campaigns/shared/queues.toml"].clone());
    repository.write("campaigns/shared/queues.toml", queues.unwrap().replace("\"sales\"", "\"selling\""));
    let (_, out, _) = check(&repository, &["--changed-since", "main"]);
    assert!(out.contains("campaigns/spring.toml") && out.contains("no queue has the id \"sales\""), "{out}");
    assert!(!out.contains("`state` cannot be"), "{out}");
}

#[test]
fn a_commit_that_is_not_there_is_said_and_nothing_is_checked() {
    let repository = repository();
    let (exit, out, err) = check(&repository, &["--base", "origin/main"]);
    assert_eq!((exit, out.as_str()), (1, ""));
    assert!(err.contains("\"origin/main\" names no commit of the repository"), "{err}");
    let elsewhere = super::repository("duplicate-id");
    let (exit, _, err) = ended(dialops().current_dir(elsewhere.path()).args(["check", ".", "--changed-since", "main"]));
    assert!(exit == 1 && err.contains("is not in the work tree of a Git repository"), "{err}");
}

#[test]
fn a_base_without_the_folder_has_no_campaigns() {
    let repository = Repository::new();
    repository.write("README.md", "nothing yet");
    repository.commit("first");
    for (path, bytes) in files(&Path::new(FIXTURES).join("base")) {
        repository.write(path, bytes);
    }
    assert_eq!(check(&repository, &["--base", "main"]).0, 0);
    assert_eq!(check(&repository, &["--base", "main", "--at", "2032-01-01T00:00:00Z"]).0, 2);
}
