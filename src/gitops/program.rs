//! One run of the `git` program, or of one that Git uses: bounded in time, memory and what it writes, and with nothing of this
//! machine's configuration.
//!
//! Every run is a process group of its own, which ends with the run: when its time is over, when it
//! says too much, and when whoever waits for it goes away.

use std::{
    ffi::OsStr,
    io,
    path::Path,
    process::{self, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    process::Command,
};

/// Sets the limits that every program of the run inherits, and becomes the program: no core dump, this many
/// KiB of addresses, files of this many half KiB.
const LIMITED: &str = r#"ulimit -c 0 && ulimit -v "$1" && ulimit -f "$2" && shift 2 && exec "$0" "$@""#;

/// The same, for a program that reads a text as a file.
const WITH_TEXT: &str = concat!(
    r#"ulimit -c 0 && ulimit -v "$1" && ulimit -f "$2" && shift 2 && exec "$0" "$@" 3<<EOF"#,
    "\n$DIALOPS_TEXT\nEOF\n"
);

/// What the shell ends with if there is no such program.
pub(super) const NOT_FOUND: i32 = 127;

/// The whole environment of a run, but for what is added to it.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ("HOME", "/nonexistent"),
    // Messages are looked at.
    ("LC_ALL", "C"),
    ("TZ", "UTC0"),
    ("GNUPGHOME", "/nonexistent"),
    // A commit's id is the word for its content, whatever a ref says.
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_ASKPASS", "/bin/false"),
    ("SSH_ASKPASS", "/bin/false"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_DEFAULT_REF_FORMAT", "files"),
    // Each further arena of the C library would take 64 MiB of the addresses.
    ("MALLOC_ARENA_MAX", "1"),
];

/// What holds for every run: nothing is executed, little is kept in memory.
const CONFIGURATION: &[(&str, &str)] = &[
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.askPass", "/bin/false"),
    // Larger files go through in pieces.
    ("core.bigFileThreshold", "1m"),
    ("core.packedGitWindowSize", "1m"),
    ("core.packedGitLimit", "32m"),
    ("core.deltaBaseCacheLimit", "8m"),
    ("pack.threads", "1"),
    ("pack.windowMemory", "16m"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("submodule.recurse", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("fetch.writeCommitGraph", "false"),
    // Always one pack, never thousands of files.
    ("fetch.unpackLimit", "1"),
    ("transfer.bundleURI", "false"),
    ("transfer.credentialsInUrl", "die"),
    ("protocol.version", "2"),
    ("http.followRedirects", "false"),
    ("http.proxy", ""),
    // An empty one takes back all that were set before.
    ("credential.helper", ""),
];

/// Most bytes of an answer; 100,000 refs of 60 bytes fit.
const OUTPUT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Most bytes of what is said that are kept, the last ones.
const SAID_BYTES_MAX: usize = 16 * 1024;

/// How one run is bounded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Longest that it may take.
    pub(super) within: Duration,
    /// Most memory of each of its programs, in MiB.
    pub(super) memory_mib: u32,
    /// Largest file that it may write, in MiB.
    pub(super) file_mib: u32,
}

/// A run that is being put together.
pub(super) struct Run {
    command: Command,
    within: Duration,
    configured: u32,
    /// What it reads on standard input.
    input: Option<Vec<u8>>,
}

/// How a run ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) output: Vec<u8>,
    /// The end of what it said on standard error.
    pub(super) said: String,
}

/// Why a run came to nothing.
#[derive(Debug)]
pub(super) enum RunError {
    /// The program can't be started.
    Start(io::Error),
    /// It can't be listened to.
    Read(io::Error),
    /// Its time was over.
    TimedOut,
    /// It answered more than anybody reads.
    TooMuch,
}

impl Run {
    /// Where a program reads the text that [`Self::with_text`] gives it.
    pub(super) const TEXT: &'static str = "/dev/fd/3";

    /// A run of `git`.
    pub(super) fn new(bounds: Bounds) -> Self {
        let run = Self::limited(LIMITED, "git", bounds);
        CONFIGURATION.iter().fold(run, |run, (key, value)| run.config(key, value))
    }

    /// A run of another program, for which a text is no file on any disk.
    pub(super) fn with_text(program: &str, bounds: Bounds, text: &str) -> Self {
        Self::limited(WITH_TEXT, program, bounds).env("DIALOPS_TEXT", text)
    }

    fn limited(script: &str, program: &str, bounds: Bounds) -> Self {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", script, program])
            .arg((u64::from(bounds.memory_mib) * 1024).to_string())
            .arg((u64::from(bounds.file_mib) * 2048).to_string())
            .env_clear()
            .envs(ENVIRONMENT.iter().copied())
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        Self { command, within: bounds.within, configured: 0, input: None }
    }

    /// Gives it something to read.
    pub(super) fn feed(mut self, input: Vec<u8>) -> Self {
        self.command.stdin(Stdio::piped());
        self.input = Some(input);
        self
    }

    /// Adds a line of configuration; anybody on this machine may see it.
    pub(super) fn config(mut self, key: &str, value: &str) -> Self {
        let index = self.configured;
        self.configured += 1;
        self.env(&format!("GIT_CONFIG_KEY_{index}"), key).env(&format!("GIT_CONFIG_VALUE_{index}"), value)
    }

    pub(super) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// The repository that it works on.
    pub(super) fn on(self, repository: &Path) -> Self {
        self.env("GIT_DIR", repository)
    }

    /// The folder of the repository that it works on, itself or its `.git`, and none above it.
    pub(super) fn inside(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self.env("GIT_CEILING_DIRECTORIES", folder.parent().unwrap_or(folder))
    }

    /// A command that is talked to; who starts it sees to its end.
    pub(super) fn into_conversation(mut self) -> process::Command {
        self.command.env("GIT_CONFIG_COUNT", self.configured.to_string());
        let mut command = self.command.into_std();
        command.stdin(Stdio::piped()).stderr(Stdio::null());
        command
    }

    pub(super) fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Runs it to its end.
    pub(super) async fn run(mut self) -> Result<Ended, RunError> {
        self.command.env("GIT_CONFIG_COUNT", self.configured.to_string());
        let mut child = self.command.spawn().map_err(RunError::Start)?;
        let mut group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
        let (input, output, said) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let fed = self.input.unwrap_or_default();
        let ended = async {
            let (output, said, ()) = tokio::try_join!(whole(output), end_of(said), write(input, &fed))?;
            let status = child.wait().await.map_err(RunError::Read)?;
            Ok(Ended { status, output, said })
        };
        let ended = tokio::time::timeout(self.within, ended).await.map_err(|_| RunError::TimedOut)?;
        if ended.is_ok() {
            // The id may be another's by now.
            group.0 = None;
        }
        ended
    }
}

/// The processes of a run; dropped, they are killed.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // It may have ended by itself.
            let _gone = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// A program that does not read to the end says by its status what it thinks.
async fn write(to: Option<impl AsyncWrite + Unpin>, bytes: &[u8]) -> Result<(), RunError> {
    if let Some(mut to) = to {
        let _unread = to.write_all(bytes).await;
    }
    Ok(())
}

async fn whole(from: Option<impl AsyncRead + Unpin>) -> Result<Vec<u8>, RunError> {
    let mut bytes = Vec::new();
    let Some(from) = from else { return Ok(bytes) };
    let most = u64::try_from(OUTPUT_BYTES_MAX).unwrap_or(u64::MAX);
    from.take(most + 1).read_to_end(&mut bytes).await.map_err(RunError::Read)?;
    if bytes.len() > OUTPUT_BYTES_MAX { Err(RunError::TooMuch) } else { Ok(bytes) }
}

async fn end_of(from: Option<impl AsyncRead + Unpin>) -> Result<String, RunError> {
    let mut bytes = Vec::new();
    if let Some(mut from) = from {
        let mut piece = [0; 4096];
        loop {
            let read = from.read(&mut piece).await.map_err(RunError::Read)?;
            if read == 0 {
                break;
            }
            bytes.extend_from_slice(&piece[..read]);
            bytes.drain(..bytes.len().saturating_sub(SAID_BYTES_MAX));
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
