//! Lives of the daemon at another time than the machine's, by libfaketime: only the wall clock is moved, and all
//! that the other side writes down is in the machine's time.

use std::{path::PathBuf, process::Command};

use jiff::{SignedDuration, Timestamp};

use super::Stage;

impl Stage {
    /// Sets the clock of lives that begin from now on, to the second.
    pub(crate) fn set_clock(&self, to: Timestamp) {
        let seconds = to.duration_since(self.clock.now().wall).as_secs();
        self.ahead.set(SignedDuration::from_secs(seconds));
    }

    /// An instant of the machine's clock, by the daemon's.
    pub(crate) fn by_its_clock(&self, at: Timestamp) -> Timestamp {
        at + self.ahead.get()
    }

    pub(super) fn set_clock_of(&self, command: &mut Command) {
        let ahead = self.ahead.get().as_secs();
        if ahead != 0 {
            command.env("LD_PRELOAD", library()).env("FAKETIME", format!("{ahead:+}s"));
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
    }
}

/// The library for programs of several threads, from the Debian package `faketime`.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    let files = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1"));
    files.into_iter().find(|file| file.exists()).expect("libfaketime is there (Debian package faketime)")
}
