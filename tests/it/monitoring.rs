//! `deploy/prometheus` and `deploy/grafana`: held to Prometheus itself, and to a daemon that it scrapes.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
};

use serde_json::Value as Json;

use crate::{
    ci::yaml,
    stage::{Campaign, PATIENCE, Stage, free_tcp, number},
};

const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/prometheus/dialops.rules.yml");
const RULE_TESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/prometheus/dialops.rules.test.yml");
const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/prometheus/prometheus.yml");
const DASHBOARD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/grafana/dialops.json");

/// Runs promtool with something on its stdin: whether it was content, and what it said.
fn promtool(arguments: &[&str], stdin: &str) -> (bool, String) {
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("promtool: {error}; `tests/run` installs it"));
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

fn alerts() -> Vec<Json> {
    let rules = yaml(RULES);
    let groups = rules["groups"].as_array().unwrap().iter();
    groups.flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

#[test]
fn promtool_passes_the_rules_and_their_tests() {
    for arguments in [["check", "rules", RULES], ["test", "rules", RULE_TESTS], ["check", "config", CONFIG]] {
        let (content, said) = promtool(&arguments, "");
        assert!(content && said.contains("SUCCESS"), "{said}");
    }
}

#[test]
fn every_alert_is_seen_to_fire_and_not_to_fire() {
    let (mut fired, mut quiet) = (BTreeSet::new(), BTreeSet::new());
    for test in yaml(RULE_TESTS)["tests"].as_array().unwrap() {
        for case in test["alert_rule_test"].as_array().unwrap() {
            let name = case["alertname"].as_str().unwrap().to_owned();
            let expected = case["exp_alerts"].as_array().is_some_and(|alerts| !alerts.is_empty());
            if expected {
                fired.insert(name)
            } else {
                quiet.insert(name)
            };
        }
    }
    for alert in alerts() {
        let name = alert["alert"].as_str().unwrap();
        assert!(fired.contains(name) && quiet.contains(name), "{name}");
        assert!(matches!(alert["labels"]["severity"].as_str(), Some("critical" | "warning" | "info")), "{name}");
    }
}

/// A Prometheus of Debian's that reads the shipped rules and scrapes one daemon each second.
struct Prometheus {
    child: Child,
    address: SocketAddr,
}

impl Prometheus {
    fn start(stage: &Stage) -> Self {
        let address = free_tcp(stage.http.ip());
        let shipped = fs::read_to_string(CONFIG).unwrap();
        let config = shipped.replace("127.0.0.1:8080", &stage.http.to_string()).replace("dialops.rules.yml", RULES);
        assert_ne!(config, shipped);
        let often = "global: { scrape_interval: 1s, evaluation_interval: 1s }\n";
        fs::write(stage.path("prometheus.yml"), [often, &config].concat()).unwrap();
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", stage.path("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", stage.path("prometheus").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(fs::File::create(stage.path("prometheus.log")).unwrap());
        let child = command.spawn().unwrap_or_else(|error| panic!("prometheus: {error}; `tests/run` installs it"));
        Self { child, address }
    }

    /// The body of an answer; nothing while it does not answer yet.
    fn get(&self, path: &str) -> Option<Json> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        // HTTP 1.0, so that the body comes in one piece.
        write!(stream, "GET {path} HTTP/1.0\r\nHost: it\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
    }

    /// What an expression comes to now: values, or what is wrong with it.
    fn query(&self, expression: &str) -> Result<Vec<f64>, String> {
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = self.get(&format!("/api/v1/query?query={encoded}")).ok_or("no answer")?;
        if answer["status"] != "success" {
            return Err(answer.to_string());
        }
        let result = answer["data"]["result"].as_array().ok_or_else(|| answer.to_string())?;
        Ok(result.iter().map(|sample| sample["value"][1].as_str().unwrap().parse().unwrap()).collect())
    }

    /// A rule's state and health.
    fn alert(&self, name: &str) -> Option<(String, String)> {
        let answer = self.get("/api/v1/rules")?;
        let groups = answer["data"]["groups"].as_array()?.iter();
        let mut rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
        let rule = rules.find(|rule| rule["name"] == name)?;
        Some((rule["state"].as_str()?.to_owned(), rule["health"].as_str()?.to_owned()))
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every expression of the dashboard, with the panel it is of, as Grafana would send it.
fn expressions(dashboard: &Json) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let of = |place: &Json, target: &Json| {
        let sent = target["expr"].as_str().unwrap().replace("$__rate_interval", "1m");
        (place.as_str().unwrap().to_owned(), sent.replace("$job", "dialops").replace("$instance", ".*"))
    };
    for panel in dashboard["panels"].as_array().unwrap() {
        let targets = panel["targets"].as_array().into_iter().flatten();
        found.extend(targets.map(|target| of(&panel["title"], target)));
    }
    let annotations = dashboard["annotations"]["list"].as_array().unwrap();
    found.extend(annotations.iter().map(|annotation| of(&annotation["name"], annotation)));
    found
}

/// Names of metrics, and label matchers of closed sets with each of their values.
fn named(expression: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let metrics = words.filter(|word| word.starts_with("dialops_") || word.starts_with("process_"));
    let mut labels = BTreeSet::new();
    for label in ["reason", "result", "state", "phase", "role"] {
        for operator in ["=~\"", "!~\"", "=\"", "!=\""] {
            for rest in expression.split(&format!("{label}{operator}")).skip(1) {
                let values = rest.split('"').next().unwrap().split('|');
                labels.extend(values.map(|value| format!("{label}=\"{value}\"")));
            }
        }
    }
    (metrics.map(ToOwned::to_owned).collect(), labels)
}

/// Lets the daemon apply a commit and make calls while Prometheus looks, and then gives it a commit that is not good.
fn play(stage: &Stage, prometheus: &Prometheus) {
    let samples = |least: usize| {
        let expression = format!("count_over_time(up{{job=\"dialops\"}}[1m]) >= {least}");
        stage.until("it is scraped", || prometheus.query(&expression).is_ok_and(|values| !values.is_empty()));
    };
    samples(1);
    let numbers: Vec<String> = (1..=5).map(number::slow).chain([number::busy(1), number::talks(2)]).collect();
    stage.commit(&Campaign { max_ring: "6s", ..Campaign::default() });
    stage.import_numbers(&numbers);
    stage.sign_in(&["a1", "a2"]);
    stage.until("the calls are over", || {
        stage.results().iter().filter(|attempt| attempt.ended_at.is_some()).count() >= numbers.len()
    });
    stage.commit(&Campaign { state: "runing", ..Campaign::default() });
    let invalid = "dialops_config_invalid_files == 1";
    stage.until("the bad commit is seen", || prometheus.query(invalid).is_ok_and(|values| !values.is_empty()));
}

#[test]
fn a_scrape_is_clean_and_every_query_finds_its_data() {
    let stage = Stage::new(&["a1", "a2"]);
    stage.commit(&Campaign::default());
    let daemon = stage.run();
    let prometheus = Prometheus::start(&stage);
    play(&stage, &prometheus);

    let (_, scrape) = daemon.get("/metrics").unwrap();
    let (content, said) = promtool(&["check", "metrics"], &scrape);
    assert!(content && said.is_empty(), "{said}");

    let dashboard: Json = serde_json::from_str(&fs::read_to_string(DASHBOARD).unwrap()).unwrap();
    let expressions = expressions(&dashboard);
    assert!(expressions.len() > 30, "{}", expressions.len());
    let mut wrong = Vec::new();
    for (panel, expression) in &expressions {
        // What is asked only for what is above nothing may find nothing.
        let must_have_data = !expression.ends_with("> 0");
        match prometheus.query(expression) {
            Ok(values) if values.is_empty() && must_have_data => wrong.push(format!("{panel}: nothing: {expression}")),
            Ok(values) if values.iter().any(|value| !value.is_finite()) => {
                wrong.push(format!("{panel}: {values:?}: {expression}"));
            }
            Ok(_) => {}
            Err(error) => wrong.push(format!("{panel}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");

    let queries = expressions.into_iter().map(|(_, expression)| expression);
    for expression in queries.chain([fs::read_to_string(RULES).unwrap(), fs::read_to_string(RULE_TESTS).unwrap()]) {
        assert!(!expression.contains("$__"), "{expression}");
        let (metrics, labels) = named(&expression);
        for metric in metrics {
            assert!(scrape.contains(&format!("\n{metric}")), "{metric} is no metric: {expression}");
        }
        for label in labels {
            assert!(scrape.contains(&label), "{label} is on no series: {expression}");
        }
    }

    for alert in alerts() {
        let name = alert["alert"].as_str().unwrap();
        let state = || prometheus.alert(name).unwrap_or_default();
        assert!(stage.holds_within(PATIENCE, || state().1 == "ok"), "{name}: {:?}", state());
    }
    let pending = |name| prometheus.alert(name).is_some_and(|(state, _)| state == "pending");
    stage.until("the bad commit is an alert", || pending("DialopsBadCommit") && pending("DialopsLastGoodTooOld"));
    assert!(!pending("DialopsSourceUnread") && !pending("DialopsDown") && !pending("DialopsTrunkFailing"));
    daemon.stop();
}

/// Columns of a dashboard's grid.
const COLUMNS: u64 = 24;

#[test]
fn the_dashboard_is_laid_out() {
    let dashboard: Json = serde_json::from_str(&fs::read_to_string(DASHBOARD).unwrap()).unwrap();
    let mut taken = BTreeSet::new();
    let mut ids = BTreeSet::new();
    let mut titles = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        assert!(titles.insert(title) && ids.insert(panel["id"].as_u64().unwrap()), "{title} stands twice");
        let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        let (left, right, top, bottom) = (place("x"), place("x") + place("w"), place("y"), place("y") + place("h"));
        assert!(right <= COLUMNS, "{title}");
        for cell in (left..right).flat_map(|x| (top..bottom).map(move |y| (x, y))) {
            assert!(taken.insert(cell), "{title} lies on another panel");
        }
        if panel["type"] != "row" {
            assert!(panel["fieldConfig"]["defaults"].is_object() && panel["description"].is_string(), "{title}");
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        }
    }
    let height = taken.iter().map(|(_, y)| y + 1).max().unwrap();
    assert_eq!(taken.len() as u64, COLUMNS * height, "no holes");
}
