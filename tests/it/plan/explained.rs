//! What a plan says beside the values: what holds a campaign, what a key brings about, who is touched.

use serde_json::{Value, json};

use super::{SPRING, plan, repository};
use crate::stage::{CAMPAIGN, Campaign, Stage, number};

fn as_json(out: &str) -> Value {
    serde_json::from_str(out).unwrap()
}

#[test]
fn a_campaign_that_this_version_does_not_dial_says_why() {
    let repository = repository();
    let held = SPRING.replace("[calling_hours]", "agents = { hold = \"off_hook\" }\n[calling_hours]");
    repository.write("campaigns/spring.toml", &held);
    let (code, out, err) = plan(repository.path(), &[]);
    assert_eq!(code, Some(2), "{out}{err}");
    let hold = "this version does not dial by agents.hold = \"off_hook\" yet";
    assert!(out.contains(&format!("its settings change (running)\n        is held: {hold}\n")), "{out}");
    let (_, out, _) = plan(repository.path(), &["--format", "json"]);
    let holds = &as_json(&out)["campaigns"][0]["holds"];
    assert_eq!(*holds, json!([{ "reason": "not_dialled_yet", "message": hold }]));
    repository.commit("held");
    repository.write("campaigns/spring.toml", held.replace("09:00-18:00", "11:00-18:00"));
    let (_, out, _) = plan(repository.path(), &[]);
    assert!(out.contains(&format!("stays held: {hold}\n")), "{out}");
    repository.write("campaigns/spring.toml", SPRING);
    let (_, out, _) = plan(repository.path(), &[]);
    assert!(out.contains(&format!("is no longer held: {hold}\n")), "{out}");
}

#[test]
fn contacts_own_zones_are_explained() {
    let repository = repository();
    let zone = "timezone = \"contact\"\nfallback_timezone = \"Europe/Berlin\"";
    let own = SPRING.replace("timezone = \"Asia/Shanghai\"", zone).replace("09:00-18:00", "10:00-18:00");
    repository.write("campaigns/spring.toml", &own);
    let (code, out, err) = plan(repository.path(), &[]);
    assert_eq!(code, Some(2), "{out}{err}");
    let meaning = "reads its windows in each contact's own zone, or its number's, else in Europe/Berlin\n";
    assert!(out.contains(meaning), "{out}");
    assert!(out.contains("dials from 10:00 in the contact's zone instead of 09:00"), "{out}");
    repository.commit("own zones");
    repository.write("campaigns/spring.toml", own.replace("Europe/Berlin", "Europe/Paris"));
    let (_, out, _) = plan(repository.path(), &[]);
    assert!(out.contains("reads its windows in Europe/Paris where a contact's zone is not known"), "{out}");
    repository.write("campaigns/spring.toml", SPRING);
    let (_, out, _) = plan(repository.path(), &[]);
    assert!(out.contains("reads its windows in Asia/Shanghai for all contacts"), "{out}");
}

#[test]
fn an_end_in_the_past_is_told() {
    let repository = repository();
    let past = SPRING.replace("2031-03-01", "2021-03-01").replace("2031-05-31", "2021-05-31");
    repository.write("campaigns/spring.toml", &past);
    let (_, out, err) = plan(repository.path(), &[]);
    assert!(out.contains("is held: ends_at has passed, which is final; it dials nothing\n"), "{out}{err}");
    assert!(out.contains("has passed: it expires, and no contact is called any more\n"), "{out}");
    repository.commit("over");
    repository.write("campaigns/spring.toml", past.replace("2021-05-31", "2091-05-31"));
    let (_, out, _) = plan(repository.path(), &[]);
    assert!(out.contains("stays held: ends_at has passed, which is final; it dials nothing\n"), "{out}");
    assert!(out.contains("has no effect: the campaign has expired, which is final; give it a new `id`"), "{out}");
}

#[test]
fn what_expired_at_the_daemon_is_told_so_whatever_the_files_say() {
    let stage = Stage::new(&["a1"]);
    stage.settings(|text| format!("{text}\n[guards]\ngrace = \"0s\"\n"));
    let over = Campaign { ends_at: "2026-01-02T00:00:00Z", ..Campaign::default() };
    stage.commit(&over);
    let daemon = stage.run();
    stage.import_numbers(&[1, 2, 3].map(number::quick));
    // This commit comes too late, as the daemon knows; the files of both sides say that it dials for years.
    let applied = stage.commit(&Campaign { ends_at: "2098-01-01T00:00:00Z", ..over.clone() });
    stage.until("it is in force", || {
        stage.status()["sources"][0]["lastAppliedRevision"].as_str().is_some_and(|at| at.ends_with(applied.as_str()))
    });
    let dir = stage.repository.path().to_str().unwrap();
    let says = |format: &str| {
        let (code, out, err) = stage.cli_says(&["plan", "--dir", dir, "--format", format]);
        assert_eq!(code, Some(2), "{out}{err}");
        out
    };
    stage.write_campaign(&Campaign { window: "09:00-18:00".to_owned(), ..Campaign::default() });
    let out = says("text");
    assert!(out.contains("        stays held: ends_at has passed, which is final; it dials nothing\n"), "{out}");
    assert!(out.contains("has no effect: the campaign has expired, which is final; give it a new `id`\n"), "{out}");
    assert!(!out.contains("dials until") && !out.contains("dials from"), "{out}");
    let nobody = "spring  3 contacts, 3 open: none can be called (ends_at has passed, which is final)\n";
    assert!(out.ends_with(nobody), "{out}");
    let json = as_json(&says("json"));
    assert_eq!(json["campaigns"][0]["holds"][0]["reason"], "expired", "{json:#}");

    // And one that was gone and returns, or that its file wakes.
    let file = format!("campaigns/{CAMPAIGN}.toml");
    let text = std::fs::read_to_string(stage.repository.path().join(&file)).unwrap();
    std::fs::remove_file(stage.repository.path().join(&file)).unwrap();
    stage.repository.write("campaigns/other.toml", text.replace("\"spring\"", "\"other\""));
    let gone = stage.repository.commit("another");
    stage.until("it is retired", || {
        stage.status()["sources"][0]["lastAppliedRevision"].as_str().is_some_and(|at| at.ends_with(gone.as_str()))
    });
    stage.write_campaign(&Campaign::default());
    let out = says("text");
    assert!(out.contains("its file is back, its history goes on (running)\n        stays held: ends_at has"), "{out}");
    assert!(out.ends_with(nobody), "{out}");
    stage.commit(&Campaign { state: "paused", ..Campaign::default() });
    stage.until("it is back", || stage.status()["campaigns"]["list"].as_array().unwrap().len() == 2);
    stage.write_campaign(&Campaign::default());
    let out = says("text");
    assert!(out.contains("resume  spring \"spring\": its file says running again\n        stays held: "), "{out}");
    assert!(!out.contains("may dial again"), "{out}");
    daemon.stop();
}

#[test]
fn paused_campaigns_are_touched_too() {
    let repository = repository();
    let paused = SPRING.replace("spring", "autumn").replace("Spring", "Autumn").replace("\"running\"", "\"paused\"");
    repository.write("campaigns/autumn.toml", paused);
    repository.commit("another");
    let agents = crate::definitions::AGENTS.replace("10.0.0.5", "10.0.0.6");
    repository.write("campaigns/shared/agents.toml", agents);
    let (_, out, err) = plan(repository.path(), &[]);
    assert!(out.contains("agents[a1]: touches autumn (paused), spring\n"), "{out}{err}");
    let (_, out, _) = plan(repository.path(), &["--format", "markdown"]);
    assert!(out.contains("touches <code>autumn</code> (paused), <code>spring</code>"), "{out}");
    let (_, out, _) = plan(repository.path(), &["--format", "json"]);
    let shared = &as_json(&out)["shared"][0];
    assert_eq!((&shared["touches"], &shared["touchesPaused"]), (&json!(["spring"]), &json!(["autumn"])));
}

#[test]
fn another_type_of_an_attribute_is_explained() {
    let repository = repository();
    let attributes = "[[attributes]]\nid = \"tier\"\nname = \"Tier\"\ntype = \"number\"\n";
    repository.write("campaigns/shared/attributes.toml", attributes);
    let filter = |op: &str| format!("{SPRING}[calling]\nfilter = {{ attribute = \"tier\", {op} }}\n");
    repository.write("campaigns/spring.toml", filter("op = \"ge\", value = 2"));
    repository.commit("by number");
    repository.write("campaigns/shared/attributes.toml", attributes.replace("number", "string"));
    repository.write("campaigns/spring.toml", filter("op = \"eq\", value = \"2\""));
    let (code, out, err) = plan(repository.path(), &[]);
    assert_eq!(code, Some(2), "{out}{err}");
    let meaning = "contacts imported so far keep its number values, and comparisons take those for missing; \
                   it is in the filter of spring\n";
    assert!(out.contains(meaning), "{out}");
    repository.write("campaigns/spring.toml", SPRING);
    repository.write("campaigns/shared/attributes.toml", attributes.replace("number", "encrypted"));
    let (_, out, err) = plan(repository.path(), &[]);
    let meaning = "contacts imported so far keep its number values unencrypted, and this version imports no new ones; \
                   no filter or sort has it\n";
    assert!(out.contains(meaning), "{out}{err}");
    repository.write("campaigns/shared/attributes.toml", format!("{attributes}required = true\n"));
    let (_, out, _) = plan(repository.path(), &[]);
    assert!(out.contains("imports refuse contacts without it; those imported so far stay\n"), "{out}");
    repository.write("campaigns/shared/attributes.toml", attributes.replace("\"tier\"", "\"level\""));
    let (_, out, _) = plan(repository.path(), &[]);
    assert!(out.contains("keep their values of it, and imports may not have it any more\n"), "{out}");
}

#[test]
fn another_policy_leaves_no_default_of_the_first() {
    let repository = repository();
    repository.write("campaigns/spring.toml", format!("{SPRING}[results.global]\nmax_days = 2\n"));
    repository.commit("by days");
    let rules = "[[results.global.by_result]]\nresult = \"busy\"\nretries = 2\ninterval = \"10m\"\n";
    repository.write("campaigns/spring.toml", format!("{SPRING}{rules}"));
    let (_, out, err) = plan(repository.path(), &[]);
    assert!(out.contains("results.global.max_days: 2 → not set  "), "{out}{err}");
    assert!(out.contains("results.global.retry_interval: \"30m\" (default) → not set\n"), "{out}");
    assert!(out.contains("what was counted stays counted, and due times that are set stay"), "{out}");
}

#[test]
fn a_side_that_cannot_be_is_told_by_its_name() {
    let repository = repository();
    let (code, out, err) = plan(repository.path(), &["--to", "live"]);
    assert_eq!((code, out.as_str()), (Some(64), ""));
    assert!(err.contains("a plan can start at `live`, what is in force, and not lead to it"), "{err}");
    let (code, out, err) = plan(repository.path(), &["--from", "worktree"]);
    assert_eq!((code, out.as_str()), (Some(64), ""));
    assert!(err.contains("a plan can lead to `worktree`, the files as they are, and not start there"), "{err}");
}

#[test]
fn nothing_is_counted_without_a_daemon() {
    let repository = repository();
    let (code, out, err) = plan(repository.path(), &["--format", "json"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let json = as_json(&out);
    assert_eq!((&json["changes"], &json["counted"]), (&json!(false), &json!(false)));
    assert!(json["noCounts"].as_str().unwrap().contains("no daemon answers"), "{json:#}");
}

#[test]
fn counts_say_why_contacts_can_no_longer_be_called() {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    stage.import_numbers(&[1, 2, 3].map(number::quick));
    let file = format!("campaigns/{CAMPAIGN}.toml");
    let text = std::fs::read_to_string(stage.repository.path().join(&file)).unwrap();
    let says = |changed: &str| {
        stage.repository.write(&file, changed);
        let (code, out, err) = stage.cli_says(&["plan", "--dir", stage.repository.path().to_str().unwrap()]);
        assert_eq!(code, Some(2), "{out}{err}");
        out.lines().last().unwrap().to_owned()
    };
    assert_eq!(
        says(&format!("{text}agents = {{ hold = \"off_hook\" }}\n")),
        "spring  3 contacts, 3 open: 3 can no longer be called (this version does not dial by \
         agents.hold = \"off_hook\" yet)"
    );
    assert_eq!(
        says(&text.replace("2099-01-01", "2026-01-02")),
        "spring  3 contacts, 3 open: 3 can no longer be called (ends_at has passed, which is final)"
    );
    assert_eq!(
        says(&text.replace("\"running\"", "\"paused\"")),
        "spring  3 contacts, 3 open: 3 wait until it runs again"
    );
    std::fs::remove_file(stage.repository.path().join(&file)).unwrap();
    stage.repository.write("campaigns/other.toml", text.replace("id = \"spring\"", "id = \"other\""));
    let (_, out, _) = stage.cli_says(&["plan", "--dir", stage.repository.path().to_str().unwrap()]);
    assert!(out.contains("create  other \"spring\": the id changed from spring, whose contacts"), "{out}");
    assert!(out.contains("is new (running)\n"), "the daemon knows: {out}");
    assert!(out.ends_with("spring  3 of 3 contacts left uncalled\nother  0 contacts\n"), "{out}");
    daemon.stop();
}

#[test]
fn nothing_that_a_file_says_steers_the_terminal() {
    let repository = repository();
    let steers = "\u{202e}\u{2066}";
    repository.write("campaigns/spring.toml", SPRING.replace("Spring", &format!("Spr{steers}ing")));
    let path = format!("campaigns/a{steers}.toml");
    repository.write(&path, SPRING.replace("spring", "autumn").replace("Spring", &format!("Aut{steers}umn")));
    let unseen = |c: char| c.is_control() && c != '\n' || steers.contains(c);
    let plans = ["text", "json", "markdown"].map(|format| plan(repository.path(), &["--format", format]));
    for (code, out, err) in &plans {
        assert_eq!(*code, Some(2), "{out}{err}");
        assert!(!out.contains(unseen) && !err.contains(unseen), "{out:?}{err:?}");
    }
    let text = &plans[0].1;
    assert!(text.contains("create  autumn \"Aut\\u202e\\u2066umn | <b>offer</b>\": is new"), "{text}");
    assert!(text.contains("        campaigns/a\\u202e\\u2066.toml\n"), "{text}");
    assert!(plans[2].1.contains("Aut&#92;u202e&#92;u2066umn"), "{}", plans[2].1);
    // A subject is somebody's too.
    repository.commit(&format!("clear{steers}\u{9b}"));
    let (_, out, err) = plan(repository.path(), &["--from", "HEAD~1", "--to", "HEAD"]);
    assert!(!out.contains(unseen) && out.contains("(clear\\u202e\\u2066)"), "{out:?} {err:?}");
    // No commit may hold such a name, so there is no plan of it either.
    repository.write("campaigns/b\u{1b}[2J\n.toml", "");
    let (code, out, err) = plan(repository.path(), &[]);
    assert!(code == Some(1) && out.is_empty() && !err.contains(unseen), "{out:?}{err:?}");
    assert!(
        err.contains("campaigns/b\\u001b[2J\\u000a.toml") && err.contains("a control character; rename it"),
        "{err}"
    );
}
