//! A SIPp that plays every call that comes, until it is dropped.

use std::{
    cell::RefCell,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use super::{pause, traffic::Traffic};

/// One other side.
pub(crate) struct Sipp {
    child: RefCell<Child>,
    pub(crate) address: SocketAddr,
    messages: PathBuf,
}

impl Sipp {
    /// Starts `scenario` of `tests/fixtures/sipp`; its files go to `folder`.
    pub(super) fn start(scenario: &str, address: SocketAddr, folder: &Path) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sipp").join(format!("{scenario}.xml"));
        let messages = folder.join(format!("{scenario}.messages"));
        let child = Command::new("sipp")
            .arg("-sf")
            .arg(file)
            .args(["-i", &address.ip().to_string(), "-p", &address.port().to_string(), "-nostdin"])
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
        let sipp = Self { child: RefCell::new(child), address, messages };
        sipp.await_bound();
        sipp
    }

    /// Every message so far, as calls.
    pub(crate) fn traffic(&self) -> Traffic {
        let ended = self.child.borrow_mut().try_wait().unwrap();
        assert!(ended.is_none(), "SIPp ended by itself: {ended:?}, see {}", self.messages.display());
        Traffic::read(&self.messages)
    }

    /// Stops it where it is: nothing is heard or said until [`Self::go_on`].
    pub(crate) fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child.borrow()), signal).unwrap();
    }

    /// Waits until the kernel lists the socket. To try the port would take it from SIPp at the very instant at
    /// which that opens it, now and then.
    fn await_bound(&self) {
        let SocketAddr::V4(address) = self.address else { panic!("{} is not of IPv4", self.address) };
        // The kernel prints the address as the machine holds it in memory.
        let listed = format!(" {:08X}:{:04X} ", u32::from_ne_bytes(address.ip().octets()), address.port());
        for _ in 0..500 {
            if std::fs::read_to_string("/proc/net/udp").unwrap().contains(&listed) {
                return;
            }
            let ended = self.child.borrow_mut().try_wait().unwrap();
            assert!(ended.is_none(), "SIPp ended by itself: {ended:?}, see {}", self.messages.display());
            pause(Duration::from_millis(10));
        }
        panic!("SIPp did not open {}", self.address);
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        let child = self.child.get_mut();
        let _ = child.kill();
        let _ = child.wait();
    }
}
