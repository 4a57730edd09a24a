//! A real browser without a screen: Chromium, driven over WebDriver (w3.org/TR/webdriver2).

use std::{
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::stage::{free_tcp, pause};

/// The name under which WebDriver tells elements apart.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// How a page is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) dark: bool,
    /// Twice as large, as a browser's zoom makes it.
    pub(crate) twice: bool,
}

/// A browser with one window; dropped, it is gone.
pub(crate) struct Browser {
    driver: Child,
    session: String,
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts one.
    pub(crate) fn start() -> Self {
        let address = free_tcp(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let driver = Command::new("chromedriver")
            .arg(format!("--port={}", address.port()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts (Debian package chromium-driver)");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap();
        let profile = tempfile::tempdir().unwrap();
        let base = format!("http://{address}");
        let mut browser = Self { driver, session: base.clone(), http, runtime, _profile: profile };
        let ready = || browser.ask("GET", "/status", None).is_ok_and(|status| status["ready"] == true);
        assert!(
            (0..200).any(|_| ready() || {
                pause(Duration::from_millis(50));
                false
            }),
            "chromedriver answers"
        );
        let folder = browser._profile.path().display().to_string();
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--no-proxy-server",
            "--hide-scrollbars",
            "--window-size=1280,900",
            &format!("--user-data-dir={folder}"),
        ];
        let options = json!({ "binary": "/usr/bin/chromium", "args": arguments });
        let logs = json!({ "browser": "ALL" });
        let wanted = json!({ "browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": logs });
        let made = browser.must("POST", "/session", &json!({ "capabilities": { "alwaysMatch": wanted } }));
        browser.session = format!("{base}/session/{}", made["sessionId"].as_str().unwrap());
        browser
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.http.request(method, format!("{}{path}", self.session));
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        self.runtime.block_on(async {
            let answer = request.send().await.map_err(|error| error.to_string())?;
            let good = answer.status().is_success();
            let value: Value = answer.json().await.map_err(|error| error.to_string())?;
            if good { Ok(value["value"].clone()) } else { Err(value["value"].to_string()) }
        })
    }

    fn must(&self, method: &str, path: &str, body: &Value) -> Value {
        self.ask(method, path, Some(body)).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Goes to an address.
    pub(crate) fn open(&self, url: &str) {
        self.must("POST", "/url", &json!({ "url": url }));
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        self.ask("GET", "/url", None).unwrap().as_str().unwrap().to_owned()
    }

    fn find(&self, css: &str) -> Option<String> {
        let found = self.ask("POST", "/element", Some(&json!({ "using": "css selector", "value": css }))).ok()?;
        Some(found[ELEMENT].as_str().unwrap().to_owned())
    }

    /// The text of an element as it is shown; nothing if there is none.
    pub(crate) fn text(&self, css: &str) -> String {
        let Some(element) = self.find(css) else { return String::new() };
        // It may have been replaced at this very moment.
        let text = self.ask("GET", &format!("/element/{element}/text"), None).unwrap_or_default();
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Presses keys where the focus is, as a person without a mouse would.
    pub(crate) fn keys(&self, text: &str) {
        let pressed = text.chars().flat_map(|key| {
            let key = key.to_string();
            [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]
        });
        let actions: Vec<Value> = pressed.collect();
        self.must("POST", "/actions", &json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": actions }] }));
    }

    /// Goes on with the tabulator until the element with this id has the focus.
    pub(crate) fn tab_to(&self, id: &str) {
        const TAB: &str = "\u{e004}";
        for _ in 0..60 {
            let focused = self.run("return document.activeElement && document.activeElement.id");
            if focused == id {
                return;
            }
            self.keys(TAB);
        }
        panic!("the keyboard does not get to {id}");
    }

    /// Runs a script in the page: what it returns.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.must("POST", "/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// The same for one that tells its only argument what it has found, later.
    pub(crate) fn run_async(&self, script: &str) -> Value {
        self.must("POST", "/execute/async", &json!({ "script": script, "args": [] }))
    }

    fn devtools(&self, command: &str, params: &Value) -> Value {
        self.must("POST", "/goog/cdp/execute", &json!({ "cmd": command, "params": params }))
    }

    /// Has the page shown so.
    pub(crate) fn look(&self, look: Look) {
        let scheme = if look.dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.devtools("Emulation.setEmulatedMedia", &json!({ "features": features }));
        let (width, scale) = if look.twice { (640, 2) } else { (1280, 1) };
        let metrics = json!({ "width": width, "height": 900 / scale, "deviceScaleFactor": scale, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Has the page shown in a narrow window, as a telephone has it.
    pub(crate) fn narrow(&self) {
        let metrics = json!({ "width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Keeps a picture of the whole page under `target/`, for people to look at.
    pub(crate) fn picture(&self, name: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pictures");
        std::fs::create_dir_all(&folder).unwrap();
        let shot = self.devtools("Page.captureScreenshot", &json!({ "format": "png", "captureBeyondViewport": true }));
        let png = STANDARD.decode(shot["data"].as_str().unwrap()).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), png).unwrap();
    }

    /// What axe-core finds serious or worse, as text.
    pub(crate) fn serious_faults(&self) -> Vec<String> {
        let axe = std::fs::read_to_string(axe()).unwrap();
        self.run(&axe);
        let script =
            "const done = arguments[0]; axe.run().then(found => done(found.violations), error => done(String(error)));";
        let found = self.run_async(script);
        let found = found.as_array().unwrap_or_else(|| panic!("axe-core ran: {found}"));
        let is_serious = |fault: &&Value| matches!(fault["impact"].as_str(), Some("serious" | "critical"));
        let text = |fault: &Value| format!("{}: {} {}", fault["id"], fault["help"], fault["nodes"][0]["html"]);
        found.iter().filter(is_serious).map(text).collect()
    }

    /// What the page's console complained of.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = self.must("POST", "/se/log", &json!({ "type": "browser" }));
        log.as_array().unwrap().iter().map(|line| line["message"].to_string()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may be gone already.
        let _ended = self.ask("DELETE", "", None);
        let _killed = self.driver.kill();
        let _waited = self.driver.wait();
    }
}

/// The axe-core that `tests/run` has installed.
fn axe() -> PathBuf {
    let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/lib");
    let versions = std::fs::read_dir(&lib).unwrap_or_else(|_| panic!("no {}; run tests/run", lib.display()));
    let mut found =
        versions.map(|version| version.unwrap().path().join("site-packages/axe_playwright_python/axe.min.js"));
    found.find(|path| path.exists()).expect("axe-core is in target/venv; run tests/run")
}
