//! A store with as many contacts as attempts, and the daemon on it.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{BufWriter, Write as _},
    net::{TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rusqlite::Connection;

use crate::repository::git;

const CAMPAIGN: &str = "spring";

const FILES: [(&str, &str); 7] = [
    (
        "campaigns/spring.toml",
        "id = \"spring\"\nname = \"Spring\"\nstate = \"paused\"\nmode = \"preoccupied\"\n\
         caller_numbers = [\"+862880000001\"]\nstarts_at = 2026-01-01T00:00:00Z\nends_at = 2099-01-01T00:00:00Z\n\
         skill_queue = \"q\"\n[calling_hours]\ntimezone = \"Asia/Shanghai\"\nwindows = [\"08:00-20:00\"]\n\
         [results.global]\nmax_days = 3\nmax_attempts_per_day = 2\nretry_interval = \"30m\"\n",
    ),
    ("campaigns/shared/tenant.toml", "id = \"t\"\nname = \"T\"\ntimezone = \"Asia/Shanghai\"\nregion = \"CN\"\n"),
    ("campaigns/shared/queues.toml", "[[queues]]\nid = \"q\"\nname = \"Q\"\n"),
    (
        "campaigns/shared/agents.toml",
        "[[agents]]\nid = \"a\"\nname = \"A\"\nsip = \"sip:a@127.0.0.1:5080\"\nqueues = [\"q\"]\n",
    ),
    (
        "campaigns/shared/categories.toml",
        "[[categories]]\nid = \"mobile\"\nname = \"Mobile\"\n[[categories]]\nid = \"home\"\nname = \"Home\"\n",
    ),
    ("campaigns/shared/business-results.toml", "[[business_results]]\nid = \"sold\"\nname = \"Sold\"\n"),
    (
        "campaigns/shared/attributes.toml",
        "[[attributes]]\nid = \"surname\"\nname = \"Surname\"\ntype = \"string\"\nmasked = true\n\
         [[attributes]]\nid = \"model\"\nname = \"Model\"\ntype = \"string\"\n\
         [[attributes]]\nid = \"score\"\nname = \"Score\"\ntype = \"number\"\n\
         [[attributes]]\nid = \"lease_end\"\nname = \"Lease\"\ntype = \"date\"\n\
         [[attributes]]\nid = \"city\"\nname = \"City\"\ntype = \"string\"\n",
    ),
];

pub(crate) struct Stage {
    folder: PathBuf,
}

/// The daemon; dropped, it is stopped.
pub(crate) struct Daemon(Child);

impl Daemon {
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        Command::new("kill").arg(self.pid().to_string()).status().unwrap();
        self.0.wait().unwrap();
    }
}

impl Stage {
    pub(crate) fn new(folder: &Path) -> Self {
        let stage = Self { folder: folder.to_owned() };
        let repository = folder.join("repo");
        if !repository.exists() {
            for (path, text) in FILES {
                let path = repository.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            git(&repository, ["init", "-q", "-b", "main", "."], b"");
            git(&repository, ["add", "-A"], b"");
            git(&repository, ["commit", "-qm", "one campaign"], b"");
        }
        fs::write(folder.join("dialops.toml"), settings()).unwrap();
        stage
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn is_new(&self) -> bool {
        !self.folder.join("dialops.db").exists()
    }

    /// Runs the daemon until a commit is in force.
    pub(crate) fn start(&self) -> Daemon {
        let log = File::create(self.folder.join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_dialops"));
        command.args(["run", "--config"]).arg(self.folder.join("dialops.toml"));
        let daemon = Daemon(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let begun = Instant::now();
        while !self.dialops(&["status", "--format", "json"]).1.contains("\"ready\":true") {
            assert!(begun.elapsed() < Duration::from_secs(120), "{}", self.log());
            std::thread::sleep(Duration::from_millis(200));
        }
        daemon
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Runs a command: whether it worked, what it printed and what it said.
    fn dialops(&self, arguments: &[&str]) -> (bool, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dialops"));
        let output = command.arg("--socket").arg(self.folder.join("d.sock")).args(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.success(), text(output.stdout), text(output.stderr))
    }

    pub(crate) fn export(&self, what: &str, format: &str, recipient: Option<&str>, output: &Path) {
        let output = output.to_str().unwrap();
        let mut arguments =
            vec!["export", what, CAMPAIGN, "--format", format, "--reason", "bench", "--unmasked", "--output", output];
        arguments.extend(recipient.map(|_| "--recipient"));
        arguments.extend(recipient);
        let (done, _, said) = self.dialops(&arguments);
        assert!(done, "{said}\n{}", self.log());
    }

    /// Takes away what was exported, so that the disk does not fill.
    pub(crate) fn forget_all(&self) {
        let (_, listed, _) = self.dialops(&["exports", "list", "--format", "json"]);
        for line in listed.lines().filter(|line| line.contains("\"state\":\"done\"")) {
            let id: String =
                line.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
            assert!(self.dialops(&["exports", "delete", &id]).0);
        }
    }

    /// Contacts from a file, and an attempt of each.
    pub(crate) fn fill(&self, rows: u64) {
        let file = self.folder.join("contacts.csv");
        write_contacts(&file, rows);
        let daemon = self.start();
        let (done, _, said) = self.dialops(&["contacts", "import", CAMPAIGN, file.to_str().unwrap(), "--batch", "all"]);
        assert!(done, "{said}");
        fs::remove_file(file).unwrap();
        drop(daemon);
        let store = Connection::open(self.folder.join("dialops.db")).unwrap();
        store.execute_batch(ATTEMPTS).unwrap();
    }
}

/// As the daemon would have written them.
const ATTEMPTS: &str = "
BEGIN;
INSERT INTO attempt (id, campaign, contact, generation, number_index, number, caller_number, agent, trunk, placed_at,
                     answered_at, connected_at, ended_at, result, fail_code, sip_status, q850)
    SELECT (1 << 32) + c.id, c.campaign, c.id, (SELECT max(id) FROM generation), 0, p.numbers ->> '$[0][1]',
           '+862880000001', 'agent-' || (c.id % 100), 'carrier', 1790000000000000 + c.id * 1000003,
           CASE WHEN c.id % 3 = 0 THEN 1790000009000000 + c.id * 1000003 END,
           CASE WHEN c.id % 3 = 0 THEN 1790000009100000 + c.id * 1000003 END,
           1790000042000000 + c.id * 1000003, CASE WHEN c.id % 3 = 0 THEN 'answered' ELSE 'no_answer' END,
           CASE WHEN c.id % 3 = 0 THEN '00000' ELSE '50001' END, CASE WHEN c.id % 3 = 0 THEN 200 ELSE 487 END,
           CASE WHEN c.id % 3 = 0 THEN 16 ELSE 19 END
    FROM contact c JOIN personal p ON p.contact = c.id;
INSERT INTO business_result (contact, attempt, result, note, set_by, set_at, outcome)
    SELECT contact, id, 'sold', 'wants the red one, with ' || contact || ' extras', agent, ended_at, 'no_rule'
    FROM attempt WHERE result = 'answered';
INSERT INTO tally (campaign, kind, name, n)
    SELECT campaign, 'result', result, count(*) FROM attempt GROUP BY campaign, result;
COMMIT;
PRAGMA wal_checkpoint(TRUNCATE);
";

fn settings() -> String {
    let port = |socket: std::io::Result<std::net::SocketAddr>| socket.unwrap().port();
    let http = port(TcpListener::bind("127.0.0.1:0").unwrap().local_addr());
    let sip = port(UdpSocket::bind("127.0.0.1:0").unwrap().local_addr());
    format!(
        "[source]\nrepository = \"repo\"\n[store]\npath = \"dialops.db\"\n[http]\nlisten = \"127.0.0.1:{http}\"\n\
         socket = \"d.sock\"\n[sip]\nlisten = \"127.0.0.1:{sip}\"\n[ceilings]\n\
         owned_caller_numbers = [\"+862880000001\"]\n[log]\nlevel = \"info\"\n"
    )
}

/// Contacts in no order of their ids, with two numbers and five attributes each.
fn write_contacts(file: &Path, count: u64) {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(file).unwrap());
    let header = "customer_id,number.mobile,number.home,attr.surname,attr.model,attr.score,attr.lease_end,attr.city,custom_field";
    writeln!(out, "{header}").unwrap();
    let mut line = String::new();
    for n in 0..count {
        line.clear();
        // An odd factor, so no two are the same.
        let mixed = n.wrapping_mul(2_654_435_761) % (1 << 32);
        let (model, score, city) = (mixed / 64 % 100, mixed / 128 % 10_000, mixed / 256 % 50);
        let (month, day) = (mixed / 512 % 12 + 1, mixed / 1024 % 28 + 1);
        write!(line, "c{mixed:010},138{n:08},+86106{:07},name-{mixed},m{model},", n % 10_000_000).unwrap();
        write!(line, "{}.{},", score / 10, score % 10).unwrap();
        writeln!(line, "2032-{month:02}-{day:02},city-{city},crm-{n}").unwrap();
        out.write_all(line.as_bytes()).unwrap();
    }
    out.flush().unwrap();
}
