//! A SIPp that plays every call that comes, until it is dropped.

use std::{
    net::{SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{free_udp, pause};

/// One other side.
pub(crate) struct Sipp {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Every message it sent or received.
    pub(crate) messages: PathBuf,
}

impl Sipp {
    /// Starts `scenario` of `tests/fixtures/sipp`; its files go to `folder`.
    pub(crate) fn start(scenario: &str, folder: &Path) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sipp").join(format!("{scenario}.xml"));
        let address = free_udp();
        let messages = folder.join(format!("{scenario}.messages"));
        let child = Command::new("sipp")
            .arg("-sf")
            .arg(file)
            .args(["-i", "127.0.0.1", "-p", &address.port().to_string(), "-nostdin"])
            // Nothing of a call is remembered after its end: what comes then is a call of its own.
            .args(["-deadcall_wait", "0"])
            // What comes at an instant at which SIPp does not listen is lost, as on a network: it is
            // repeated.
            .args(["-default_behaviors", "all,-abortunexp", "-trace_msg", "-message_file"])
            .arg(&messages)
            .args(["-trace_err", "-error_file"])
            .arg(folder.join(format!("{scenario}.errors")))
            .env("TZ", "UTC")
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.join(format!("{scenario}.stderr"))).unwrap())
            .spawn()
            .expect("SIPp starts (Debian package sip-tester)");
        let sipp = Self { child, address, messages };
        sipp.await_bound();
        sipp
    }

    fn await_bound(&self) {
        for _ in 0..500 {
            if UdpSocket::bind(self.address).is_err() {
                return;
            }
            pause(Duration::from_millis(10));
        }
        panic!("SIPp did not open {}", self.address);
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
