//! `dialops plan`: real repositories, and counts of a real daemon held against a plain re-statement.

mod explained;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::{Command, Stdio},
};

use dialops::{clock::Clock, http::wire::Attempt};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use serde_json::{Value, json};

use crate::{
    definitions::{AGENTS, QUEUES, TENANT},
    repository::{Repository, git},
    stage::{CAMPAIGN, Campaign, Stage, number},
};

const SPRING: &str = r#"id = "spring"
name = "Spring | <b>offer</b>"
state = "running"
mode = "preoccupied"
caller_numbers = ["+862160001000"]
starts_at = 2031-03-01T09:00:00+08:00
ends_at = 2031-05-31T18:00:00+08:00
skill_queue = "sales"
[calling_hours]
timezone = "Asia/Shanghai"
windows = ["09:00-18:00"]
"#;

fn repository() -> Repository {
    let repository = Repository::new();
    repository.write("campaigns/shared/tenant.toml", TENANT);
    repository.write("campaigns/shared/queues.toml", QUEUES);
    repository.write("campaigns/shared/agents.toml", AGENTS);
    repository.write("campaigns/spring.toml", SPRING);
    repository.commit("begin");
    repository
}

/// Runs `dialops plan` in a repository, where no daemon answers.
fn plan(at: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_dialops"))
        .env_clear()
        .current_dir(at)
        .args(["plan", "--socket", "none.sock"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn nothing_changes_when_the_meaning_stays() {
    let repository = repository();
    let (code, out, err) = plan(repository.path(), &[]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.ends_with("nothing changes: 1 campaign stays as it is\n"), "{out}");
    assert!(err.contains("no daemon answers at none.sock"), "{err}");
    // Comments, order, a default written out, another offset, another file name.
    let text =
        SPRING.replace("2031-03-01T09:00:00+08:00", "2031-03-01T01:00:00Z").replace("state", "priority = 3\nstate");
    std::fs::remove_file(repository.path().join("campaigns/spring.toml")).unwrap();
    repository.write("campaigns/moved.toml", format!("# the same\n{text}"));
    let (code, out, err) = plan(repository.path(), &["--format", "json"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&json["apiVersion"], &json["changes"], &json["unchanged"]),
        (&json!("plan/v1"), &json!(false), &json!(1))
    );
}

#[test]
fn changes_are_told_key_by_key() {
    let repository = repository();
    let before = repository.head();
    let text = SPRING
        .replace("\"running\"", "\"paused\"")
        .replace("09:00-18:00", "14:00-18:00")
        .replace("[\"+862160001000\"]", "[\"+862160001000\", { number = \"+862160001001\", priority = 1 }]");
    repository.write("campaigns/spring.toml", text);
    repository.write("campaigns/autumn.toml", SPRING.replace("spring", "autumn").replace("Spring", "Autumn"));
    repository.write("campaigns/shared/agents.toml", AGENTS.replace("10.0.0.5", "10.0.0.6"));
    let after = repository.commit("pause spring");

    let (code, out, err) = plan(repository.path(), &["--from", "HEAD~1", "--to", "HEAD"]);
    assert_eq!(code, Some(2), "{out}{err}");
    let expected = format!(
        r#"plan     from commit {} (begin)
         to commit {} (pause spring)
against  no daemon: no daemon answers at none.sock (No such file or directory (os error 2))

pause   spring "Spring | <b>offer</b>": places no new calls; live ones finish
        state: "running" → "paused"  campaigns/spring.toml:3:9
          places no new calls; live ones finish
        caller_numbers  campaigns/spring.toml:5:18
          + {{ number = "+862160001001", priority = 1 }}
          retries keep their caller number while it is listed
        calling_hours.windows  campaigns/spring.toml:11:11
          - "09:00-18:00"
          + "14:00-18:00"
          dials from 14:00 Asia/Shanghai instead of 09:00

create  autumn "Autumn | <b>offer</b>": is new, or goes on if the daemon had it before (running)
        campaigns/autumn.toml

shared  campaigns/shared/agents.toml agents[a1]: touches autumn, spring (paused)
        agents[a1].sip: "sip:a1@10.0.0.5" → "sip:a1@10.0.0.6"  campaigns/shared/agents.toml:4:7

campaigns: 1 to create, 1 to pause, 1 shared change; 0 unchanged
no counts: no daemon answers at none.sock (No such file or directory (os error 2))
"#,
        before.short(),
        after.short()
    );
    assert_eq!(out, expected);
}

#[test]
fn markdown_is_safe_to_post() {
    let repository = repository();
    let callback = "callback = { url = \"https://crm.example.net/calls?token=s3cret\" }\n";
    let spring = SPRING
        .replace("+862160001000", "+862160001009")
        .replace("[calling_hours]", &format!("{callback}[calling_hours]"));
    repository.write("campaigns/spring.toml", spring.replace("name = \"Spring", "name = \"@you 13800138000 Spring"));
    let agents = AGENTS.replace("sip:a1@", "sip:+8613800138000@");
    repository.write("campaigns/shared/agents.toml", &agents);
    let (code, out, err) = plan(repository.path(), &["--format", "markdown"]);
    assert!(!out.contains("s3cret") && !out.contains("138000") && out.contains("calls&#63;…"), "{out}");
    assert!(agents.contains("+8613800138000") && out.contains("sip:+8613&#42;"), "{out}");
    assert!(out.contains("<code>&#64;you "), "{out}");
    assert_eq!(code, Some(2), "{out}{err}");
    assert!(!out.contains("+86216000100") && out.contains("+8621&#42;"), "numbers are masked: {out}");
    assert!(!out.contains("<b>") && out.contains("Spring &#124; &#60;b&#62;offer"), "{out}");
    assert!(
        out.contains("| <code>spring</code> ") && out.contains("<details><summary><code>spring</code>: 3 settings"),
        "{out}"
    );
}

#[test]
fn an_id_that_changed_is_one_campaign_retired_and_another_begun() {
    let repository = repository();
    std::fs::remove_file(repository.path().join("campaigns/spring.toml")).unwrap();
    repository.write("campaigns/renamed.toml", SPRING.replace("\"spring\"", "\"spring-2\""));
    let (code, out, err) = plan(repository.path(), &[]);
    assert_eq!(code, Some(2), "{out}{err}");
    let expected = "retire  spring \"Spring | <b>offer</b>\": its id is spring-2 now, which is another campaign; \
                    no new calls, contacts and results stay here\n        campaigns/spring.toml\n\n\
                    create  spring-2 \"Spring | <b>offer</b>\": the id changed from spring, whose contacts and results \
                    stay there; is new, or goes on if the daemon had it before (running)\n";
    assert!(out.contains(expected), "{out}");
    let (_, out, _) = plan(repository.path(), &["--format", "json"]);
    let json: Value = serde_json::from_str(&out).unwrap();
    let ids = |at: usize| (&json["campaigns"][at]["id"], &json["campaigns"][at]["idChanged"]);
    assert_eq!(ids(0), (&json!("spring"), &json!("spring-2")));
    assert_eq!(ids(1), (&json!("spring-2"), &json!("spring")));
    let (_, out, _) = plan(repository.path(), &["--format", "markdown"]);
    assert!(out.contains("the id changed from spring, whose contacts"), "{out}");
}

#[test]
fn bad_input_is_no_plan() {
    let repository = repository();
    repository.write("campaigns/spring.toml", SPRING.replace("\"running\"", "\"runing\""));
    let (code, out, err) = plan(repository.path(), &[]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.contains("campaigns/spring.toml:3:9") && err.contains("did you mean \"running\"?"), "{err}");
    assert!(err.contains("the work tree (campaigns) has 1 error(s), so there is no plan"), "{err}");
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::create_dir(elsewhere.path().join("campaigns")).unwrap();
    for (arguments, why) in [
        (&["--from", "nowhere"][..], "\"nowhere\" names no commit of the repository"),
        (&["--dir", elsewhere.path().to_str().unwrap()], "is not in the work tree of a Git repository"),
        (&["--from", "live"], "no daemon answers at none.sock"),
        (&["--from", "HEAD", "--dir", "/"], "/ has no folder campaigns"),
        (&["--settings", "missing.toml"], "missing.toml can't be used"),
    ] {
        let (code, out, err) = plan(repository.path(), arguments);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{arguments:?}: {err}");
        assert!(err.contains(why), "{arguments:?}: {err}");
    }
}

#[test]
fn a_first_configuration_is_all_new() {
    let repository = Repository::new();
    repository.write("README.md", "empty");
    repository.commit("nothing yet");
    for (path, text) in [("tenant", TENANT), ("queues", QUEUES), ("agents", AGENTS)] {
        repository.write(format!("campaigns/shared/{path}.toml"), text);
    }
    repository.write("campaigns/spring.toml", SPRING);
    let (code, out, err) = plan(&repository.path().join("campaigns"), &["--format", "json"]);
    assert_eq!(code, Some(2), "{out}{err}");
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&json["campaigns"][0]["step"], &json["campaigns"][0]["id"]), (&json!("create"), &json!("spring")));
}

/// A campaign's rules, as the test states them.
#[derive(Debug, Clone)]
struct Rules {
    running: bool,
    starts: Timestamp,
    ends: Timestamp,
    /// Minutes of the local day, start included, end not.
    windows: Vec<(i64, i64)>,
    zone: TimeZone,
    days: usize,
    per_day: usize,
    cap: Option<usize>,
}

/// A contact's past, as `results` and `why` tell it.
#[derive(Debug)]
struct Past {
    reached: bool,
    not_before: Option<Timestamp>,
    /// Each number's due time and the local days of its tries.
    numbers: Vec<(Option<Timestamp>, Vec<Date>)>,
}

impl Rules {
    fn text(&self) -> String {
        let Self { running, starts, ends, windows, zone, days, per_day, cap } = self;
        let state = if *running { "running" } else { "paused" };
        let time = |minutes: &i64| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        let windows: Vec<_> = windows.iter().map(|(from, to)| format!("{}-{}", time(from), time(to))).collect();
        let cap = cap.map(|cap| format!("limits = {{ max_attempts_per_contact = {cap} }}\n")).unwrap_or_default();
        format!(
            "id = \"{CAMPAIGN}\"\nname = \"Spring\"\nstate = \"{state}\"\nmode = \"preoccupied\"\n\
             caller_numbers = [\"+862160001000\"]\nstarts_at = {starts}\nends_at = {ends}\nskill_queue = \"sales\"\n\
             calling_hours = {{ timezone = \"{}\", windows = {windows:?} }}\n{cap}\
             results = {{ global = {{ max_days = {days}, max_attempts_per_day = {per_day}, retry_interval = \"1h\" }} }}\n",
            zone.iana_name().unwrap(),
        )
    }

    fn date(&self, at: Timestamp) -> Date {
        self.zone.to_datetime(at).date()
    }

    /// Whether a number may be called at an instant.
    fn allow(&self, past: &Past, number: usize, at: Timestamp) -> bool {
        let (due, tries) = &past.numbers[number];
        let local = self.zone.to_datetime(at);
        let minute = i64::from(local.hour()) * 60 + i64::from(local.minute());
        let today = tries.iter().filter(|day| **day == local.date()).count();
        let days: BTreeSet<Date> = tries.iter().copied().chain([local.date()]).collect();
        self.running
            && !past.reached
            && (self.starts..self.ends).contains(&at)
            && self.windows.iter().any(|(from, to)| (*from..*to).contains(&minute))
            && past.not_before.is_none_or(|from| at >= from)
            && due.is_none_or(|from| at >= from)
            && today < self.per_day
            && days.len() <= self.days
            && !self.is_capped(past)
    }

    fn is_capped(&self, past: &Past) -> bool {
        let tries: usize = past.numbers.iter().map(|(_, tries)| tries.len()).sum();
        self.cap.is_some_and(|cap| tries >= cap)
    }

    /// The first minute from now in which any number may be called, for some days.
    fn first(&self, past: &Past, now: Timestamp) -> Option<i64> {
        let at = |minute| now + SignedDuration::from_mins(minute);
        (0..5 * 24 * 60).find(|&minute| (0..past.numbers.len()).any(|number| self.allow(past, number, at(minute))))
    }

    /// Whether no number may ever be called again, by budget or cap.
    fn is_spent(&self, past: &Past, now: Timestamp) -> bool {
        let spent = |tries: &Vec<Date>| {
            let days: BTreeSet<Date> = tries.iter().copied().collect();
            let today = tries.iter().filter(|day| **day == self.date(now)).count();
            days.len() >= self.days && (today == 0 || today >= self.per_day)
        };
        self.is_capped(past) || past.numbers.iter().all(|(_, tries)| spent(tries))
    }
}

/// What the plan should count, contact by contact.
fn counted(before: &Rules, after: Option<&Rules>, pasts: &[Past], now: Timestamp) -> Value {
    let mut counts: BTreeMap<&str, u64> = [
        "contacts",
        "open",
        "endedByBudget",
        "leavesFilter",
        "entersFilter",
        "dueEarlier",
        "dueLater",
        "dueNever",
        "dueAgain",
        "liveCalls",
    ]
    .map(|key| (key, 0))
    .into();
    let mut count = |key| *counts.get_mut(key).unwrap() += 1;
    for past in pasts {
        count("contacts");
        if past.reached {
            continue;
        }
        count("open");
        if after.is_some_and(|after| after.is_spent(past, now)) && !before.is_spent(past, now) {
            count("endedByBudget");
            continue;
        }
        match (before.first(past, now), after.and_then(|after| after.first(past, now))) {
            (Some(was), Some(is)) if is < was => count("dueEarlier"),
            (Some(was), Some(is)) if is > was => count("dueLater"),
            (Some(_), None) => count("dueNever"),
            (None, Some(_)) => count("dueAgain"),
            (Some(_), Some(_)) | (None, None) => {}
        }
    }
    let mut counts = json!(counts);
    counts["campaign"] = json!(CAMPAIGN);
    counts
}

/// A zone of whole hours in which it is about noon, so that no test runs over a midnight.
fn zone_at_noon(now: Timestamp) -> TimeZone {
    let hour = i64::from(TimeZone::UTC.to_datetime(now).hour());
    // Etc/GMT+2 is two hours behind UTC.
    let behind = hour - 12;
    let name = match behind {
        0 => "Etc/GMT".to_owned(),
        hours if hours > 0 => format!("Etc/GMT+{hours}"),
        hours => format!("Etc/GMT{hours}"),
    };
    TimeZone::get(&name).unwrap()
}

fn past(stage: &Stage, rules: &Rules, customer: &str, numbers: &[String], attempts: &[Attempt]) -> Past {
    let why = stage.why(customer);
    let time = |value: &Value| value.as_str().map(|text| text.parse::<Timestamp>().unwrap());
    let tries = |number: &String| {
        let of = attempts.iter().filter(|attempt| attempt.customer == customer && attempt.number == *number);
        of.map(|attempt| rules.date(attempt.placed_at.parse().unwrap())).collect()
    };
    let numbers = numbers.iter().enumerate();
    let numbers = numbers.map(|(at, number)| (time(&why["contact"]["numbers"][at]["dueAt"]), tries(number)));
    Past {
        reached: attempts.iter().any(|a| a.customer == customer && a.result.as_deref() == Some("answered")),
        not_before: time(&why["contact"]["notBefore"]),
        numbers: numbers.collect(),
    }
}

#[test]
fn counts_are_those_of_brute_force() {
    let now = Clock::system().now().wall;
    let rules = Rules {
        running: true,
        starts: now - SignedDuration::from_hours(24),
        ends: now + SignedDuration::from_hours(240),
        windows: vec![(0, 1440)],
        zone: zone_at_noon(now),
        days: 3,
        per_day: 2,
        cap: None,
    };
    let stage = Stage::new(&["a1", "a2", "a3"]);
    let file = format!("campaigns/{CAMPAIGN}.toml");
    // First retries follow at once, so that some contacts spend their day.
    stage.repository.write(&file, rules.text().replace("\"1h\"", "\"1s\""));
    stage.repository.commit("begin");
    let daemon = stage.run();
    let mut customers: Vec<(String, Vec<String>)> = Vec::new();
    let import = |rows: Vec<(String, Vec<String>, String)>, customers: &mut Vec<(String, Vec<String>)>| {
        let mut text = "customer_id,number.mobile,number.home,not_before\n".to_owned();
        for (customer, numbers, not_before) in &rows {
            let second = numbers.get(1).map_or("", String::as_str);
            text.push_str(&format!("{customer},{},{second},{not_before}\n", numbers[0]));
        }
        let path = stage.path("contacts.csv");
        std::fs::write(&path, text).unwrap();
        stage.cli(&["contacts", "import", CAMPAIGN, path.to_str().unwrap()]);
        customers.extend(rows.into_iter().map(|(customer, numbers, _)| (customer, numbers)));
    };
    let row = |name: String, numbers: Vec<String>| (name, numbers, String::new());
    let ended = || stage.results().iter().filter(|attempt| attempt.ended_at.is_some()).count();

    let twice = (1..=4).map(|n| row(format!("twice{n}"), vec![number::busy(n)]));
    import(twice.collect(), &mut customers);
    stage.sign_in(&["a1", "a2", "a3"]);
    stage.until("the day's tries are spent", || ended() == 8);
    stage.repository.write(&file, rules.text());
    let revision = stage.repository.commit("an hour between tries");
    let in_force = |revision: &str| {
        stage.until("the commit is in force", || {
            let status = daemon.status();
            status["sources"][0]["lastAppliedRevision"].as_str().is_some_and(|applied| applied.ends_with(revision))
        });
    };
    in_force(revision.as_str());
    let mut rows: Vec<_> = (1..=5).map(|n| row(format!("once{n}"), vec![number::vacant(n)])).collect();
    rows.extend((1..=3).map(|n| row(format!("reached{n}"), vec![number::quick(n)])));
    rows.extend((1..=2).map(|n| row(format!("both{n}"), vec![number::busy(10 + n), number::vacant(10 + n)])));
    import(rows, &mut customers);
    stage.until("each was called once", || ended() == 8 + 5 + 3 + 4);
    for agent in ["a1", "a2", "a3"] {
        stage.cli(&["agents", "set", agent, "signed_out"]);
    }
    let mut rows: Vec<_> = (1..=4).map(|n| row(format!("fresh{n}"), vec![number::quick(20 + n)])).collect();
    for (n, hours) in [(5, 2), (6, 30), (7, 30)] {
        let not_before = now + SignedDuration::from_hours(hours);
        rows.push((format!("fresh{n}"), vec![number::quick(20 + n)], not_before.to_string()));
    }
    import(rows, &mut customers);

    let attempts = stage.results();
    let pasts: Vec<Past> =
        customers.iter().map(|(customer, numbers)| past(&stage, &rules, customer, numbers, &attempts)).collect();
    let hours = |n| now + SignedDuration::from_hours(n);
    let variants = [
        ("morning only", Rules { windows: vec![(540, 660)], ..rules.clone() }),
        ("two windows", Rules { windows: vec![(540, 660), (900, 960)], ..rules.clone() }),
        ("one day, one try", Rules { days: 1, per_day: 1, ..rules.clone() }),
        ("three tries", Rules { per_day: 3, ..rules.clone() }),
        ("cap of one", Rules { cap: Some(1), ..rules.clone() }),
        ("cap of two", Rules { cap: Some(2), ..rules.clone() }),
        ("paused", Rules { running: false, ..rules.clone() }),
        ("ends soon", Rules { ends: hours(3), ..rules.clone() }),
        ("starts later", Rules { starts: hours(5), ..rules.clone() }),
        ("narrow and short", Rules { windows: vec![(600, 630)], days: 1, ..rules.clone() }),
    ];
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut compare = |name: &str, before: &Rules, after: Option<&Rules>| {
        match after {
            Some(after) => stage.repository.write(&file, after.text()),
            None => std::fs::remove_file(stage.repository.path().join(&file)).unwrap(),
        }
        let dir = stage.repository.path().to_str().unwrap();
        let (code, out, err) = stage.cli_says(&["plan", "--dir", dir, "--format", "json"]);
        assert_eq!(code, Some(2), "{name}: {out}{err}");
        let plan: Value = serde_json::from_str(&out).unwrap();
        let counts = &plan["campaigns"][0]["counts"];
        let expected = counted(before, after, &pasts, Clock::system().now().wall);
        assert_eq!(*counts, expected, "{name}: {plan:#}\n{pasts:#?}");
        assert_eq!((&plan["from"]["kind"], &plan["counted"]), (&json!("live"), &json!(true)), "{plan:#}");
        let counts = counts.as_object().unwrap().iter();
        seen.extend(counts.filter(|(_, count)| count.as_u64() > Some(0)).map(|(key, _)| key.clone()));
        plan
    };
    for (name, after) in &variants {
        let plan = compare(name, &rules, Some(after));
        assert_eq!(plan["live"]["revision"], revision.as_str());
        assert_eq!((&plan["live"]["epoch"], &plan["from"]["revision"]), (&json!(1), &json!(revision.as_str())));
    }
    compare("retired", &rules, None);
    // And back again, from the narrowest.
    let narrow = &variants[0].1;
    stage.repository.write(&file, narrow.text());
    in_force(stage.repository.commit("mornings").as_str());
    compare("wider", narrow, Some(&rules));
    let paused = Rules { running: false, ..rules.clone() };
    stage.repository.write(&file, paused.text());
    in_force(stage.repository.commit("paused").as_str());
    compare("resumed", &paused, Some(&rules));
    let all = ["contacts", "dueAgain", "dueEarlier", "dueLater", "dueNever", "endedByBudget", "open"];
    assert_eq!(seen.iter().map(String::as_str).collect::<Vec<_>>(), all, "every count was more than 0 once");
    daemon.stop();
}

#[test]
fn the_live_commit_is_found_in_a_clone_or_asked_for() {
    let stage = Stage::new(&["a1"]);
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    let clone = tempfile::tempdir().unwrap();
    let origin = stage.repository.path().to_str().unwrap();
    git(clone.path(), ["clone", "--quiet", origin, "clone"], b"");
    let dir = clone.path().join("clone");
    let plan = |arguments: &[&str]| stage.cli_says(&[&["plan", "--dir", dir.to_str().unwrap()], arguments].concat());
    let (code, out, err) = plan(&[]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains(", epoch 1: commit ") && out.contains("nothing changes"), "{out}");

    // The daemon moves on, and the clone does not know where.
    let newer = stage.commit(&Campaign { max_ring: "6s", ..Campaign::default() });
    stage.until("the next commit is in force", || {
        let status = daemon.status();
        status["sources"][0]["lastAppliedRevision"].as_str().is_some_and(|r| r.ends_with(newer.as_str()))
    });
    let (code, out, err) = plan(&[]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.contains(&format!("commit {newer} is in force at the daemon and not in this repository")), "{err}");
    assert!(err.contains("git fetch"), "{err}");
    // Between commits that are here it can still tell what changes, but not how many contacts.
    let file = dir.join("campaigns/spring.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("running", "paused")).unwrap();
    let (code, out, err) = plan(&["--from", "HEAD"]);
    assert_eq!(code, Some(2), "{out}{err}");
    assert!(out.contains("pause   spring") && out.contains("no counts: commit "), "{out}");
    git(&dir, ["fetch", "--quiet"], b"");
    let (code, out, err) = plan(&["--from", "HEAD"]);
    assert_eq!(code, Some(2), "{out}{err}");
    assert!(out.ends_with("spring  0 contacts, none open\n"), "{out}");

    // What the daemon's own ceilings refuse is no plan.
    std::fs::write(&file, text.replace("+862160001000", "+862160001001")).unwrap();
    let socket = stage.path("dialops.sock");
    let output = Command::new(env!("CARGO_BIN_EXE_dialops"))
        .env_clear()
        .args(["plan", "--dir", dir.to_str().unwrap(), "--from", "HEAD", "--socket", socket.to_str().unwrap()])
        .output()
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("the daemon would refuse this: 1 problem(s); first campaigns/spring.toml:"), "{err}");
    daemon.stop();
}
