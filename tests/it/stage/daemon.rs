//! One life of the daemon.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::unix::process::ExitStatusExt as _,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::pause;

/// A running daemon; dropped, it is killed.
pub(crate) struct Daemon {
    child: Child,
    log: PathBuf,
    http: SocketAddr,
    ended: Option<ExitStatus>,
}

impl Daemon {
    pub(super) fn start(mut command: Command, log: PathBuf, http: SocketAddr) -> Self {
        let file = File::create(&log).unwrap();
        let child = command.stdout(Stdio::null()).stderr(file).spawn().unwrap();
        Self { child, log, http, ended: None }
    }

    /// What it said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Asks over TCP: status and body, nothing if nobody answers.
    pub(crate) fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(self.http).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: it\r\nAuthorization: Bearer stage\r\nConnection: close\r\n\r\n")
            .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, body.to_owned()))
    }

    /// Sends a form over TCP as a browser would, from a page of `origin`: status and body.
    pub(crate) fn post_form(&self, path: &str, origin: &str, form: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.http).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let length = form.len();
        let head = format!("POST {path} HTTP/1.1\r\nHost: it\r\nOrigin: {origin}\r\nConnection: close\r\n");
        let body = format!("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{form}");
        write!(stream, "{head}{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Whether a commit is in force.
    pub(crate) fn is_ready(&self) -> bool {
        self.get("/-/ready").is_some_and(|(status, _)| status == 200)
    }

    /// `/api/v1/status`.
    pub(crate) fn status(&self) -> Value {
        let (code, body) = self.get("/api/v1/status").expect("the daemon answers");
        assert_eq!(code, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// The samples of `/metrics` whose line begins like this.
    pub(crate) fn metric(&self, begins: &str) -> Vec<String> {
        let (_, body) = self.get("/metrics").expect("the daemon answers");
        body.lines().filter(|line| line.starts_with(begins)).map(ToOwned::to_owned).collect()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// As a power cut would.
    pub(crate) fn kill(mut self) {
        self.signal(Signal::KILL);
        self.child.wait().unwrap();
    }

    /// Whether it has ended, and how.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().unwrap();
        }
        self.ended
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self, patience: Duration) -> ExitStatus {
        let mut left = patience.as_millis() / 20;
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(left > 0, "the daemon goes on\n{}", self.log());
            left -= 1;
            pause(Duration::from_millis(20));
        }
    }

    /// Waits until it has killed itself.
    pub(crate) fn await_crash(&mut self, patience: Duration) {
        let status = self.wait(patience);
        assert_eq!(status.signal(), Some(9), "it should have killed itself: {status}\n{}", self.log());
    }

    /// Stops it as systemd would: it has to end well.
    pub(crate) fn stop(mut self) {
        self.terminate();
        let status = self.wait(Duration::from_secs(70));
        assert!(status.success(), "{status}\n{}", self.log());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.ended().is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
