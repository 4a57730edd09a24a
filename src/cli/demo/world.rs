//! Everything that the demo makes: a folder, a repository, a carrier, phones, and the daemon.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{customers, files};
use crate::{
    app::{self, AppError},
    cli::{output::Failure, run::read_settings, target::Target},
    clock::Clock,
    domain::ids::Revision,
    gitops::author::Author,
    telemetry::log,
    telephony::peer::{Carrier, Phones},
};

/// The branch that is followed.
const BRANCH: &str = "main";

/// How soon an agent picks up.
const AGENT_PICKS_UP_AFTER: Duration = Duration::from_millis(60);

/// How long live calls may go on when the demo is broken off.
const DRAIN_WITHIN: Duration = Duration::from_secs(2);

/// Longest wait for the daemon to end; it hangs up and gives up well before.
const STOP_WITHIN: Duration = Duration::from_secs(12);

/// Longest `$TMPDIR` under which the socket's path stays below the kernel's 108 bytes.
const TMPDIR_BYTES_MAX: usize = 70;

/// How long the last datagrams may take after the daemon has stopped.
const QUIET_WITHIN: Duration = Duration::from_secs(1);

/// The folder with all files, and the other side.
pub(super) struct World {
    folder: TempDir,
    author: Author,
    pub(super) carrier: Carrier,
    pub(super) phones: Phones,
    pub(super) http: SocketAddr,
    pub(super) clock: Clock,
}

impl World {
    /// Makes it all, but for the daemon.
    pub(super) async fn build(clock: Clock) -> Result<Self, Failure> {
        let made = |error: io::Error| {
            Failure::failed(format!("the demo can't be set up: {error}"), "look at $TMPDIR and its free space")
        };
        let folder = folder().map_err(made)?;
        let carrier = Carrier::start(clock.clone(), customers::behaviour).await.map_err(made)?;
        let phones = Phones::start(clock.clone(), AGENT_PICKS_UP_AFTER).await.map_err(made)?;
        let (http, sip) = free_addresses().map_err(made)?;
        let addresses = files::Addresses { http, sip, carrier: carrier.address() };
        let path = |name: &str| folder.path().join(name);
        fs::write(path("dialops.toml"), files::settings(addresses)).map_err(made)?;
        fs::write(path("customers.csv"), customers::csv()).map_err(made)?;
        let log_file = fs::File::create(path("dialops.log")).map_err(made)?;
        log::init_file(log_file, "info").map_err(|error| Failure::from_error(&error))?;
        let author = Author::init(&path("calls"), BRANCH).map_err(|error| Failure::from_error(&error))?;
        Ok(Self { folder, author, carrier, phones, http, clock })
    }

    /// A path in the folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// How the command line finds the daemon.
    pub(super) fn target(&self) -> Target {
        Target { socket: Some(self.path("dialops.sock")), ..Target::default() }
    }

    /// Commits the campaign in `state`, and all the rest with the first one.
    pub(super) async fn commit(&self, state: &'static str, message: &'static str) -> Result<Revision, Failure> {
        let mut files = vec![files::campaign(state)];
        if !self.path("calls/campaigns").exists() {
            files.extend(files::shared(|name| self.phones.sip_uri(name)));
        }
        let (author, at) = (self.author.clone(), self.clock.now().wall);
        let committed = tokio::task::spawn_blocking(move || author.commit(&files, message, at)).await;
        committed.map_err(|error| Failure::from_error(&error))?.map_err(|error| Failure::from_error(&error))
    }

    /// Once the daemon has stopped: whether it left a call up, here or there.
    pub(super) async fn is_quiet(&self) -> Result<(), Failure> {
        let live = || self.carrier.counts().live + self.phones.counts().live;
        let until = self.clock.now().mono + QUIET_WITHIN;
        while live() > 0 && self.clock.now().mono < until {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        match live() {
            0 => Ok(()),
            live => Err(Failure::failed(format!("the daemon stopped and left {live} calls up"), "report this")),
        }
    }

    /// Removes the folder with everything in it.
    pub(super) fn remove(self) -> Result<(), Failure> {
        let path = self.folder().to_owned();
        self.folder.close().map_err(|error| {
            Failure::failed(format!("{} can't be removed: {error}", path.display()), "remove it by hand")
        })
    }

    /// Leaves the folder behind.
    pub(super) fn keep(self) -> PathBuf {
        self.folder.keep()
    }
}

/// A folder for this user only. Where `$TMPDIR` is long it stands in `/tmp`, since the path of a Unix
/// socket may not be.
fn folder() -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("dialops-demo-").permissions(fs::Permissions::from_mode(0o700));
    let usual = std::env::temp_dir();
    if usual.as_os_str().len() > TMPDIR_BYTES_MAX { builder.tempdir_in("/tmp") } else { builder.tempdir_in(usual) }
}

/// Two addresses that nobody uses now.
fn free_addresses() -> io::Result<(SocketAddr, SocketAddr)> {
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok((tcp.local_addr()?, udp.local_addr()?))
}

/// The daemon, in this process.
pub(super) struct Daemon {
    /// `None` once it has ended.
    task: Option<JoinHandle<Result<(), AppError>>>,
    shutdown: CancellationToken,
}

impl Daemon {
    /// Starts it as `dialops run` would, from the settings file.
    pub(super) fn start(world: &World) -> Result<Self, Failure> {
        let (settings, settings_digest) = read_settings(&world.path("dialops.toml"))?;
        let options = app::Options { credentials: None, settings_digest, drain_within: DRAIN_WITHIN, crash_at: None };
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(app::run(settings, options, shutdown.clone()));
        Ok(Self { task: Some(task), shutdown })
    }

    /// Waits until it ends by itself, and says why.
    pub(super) async fn ended(&mut self) -> Failure {
        match self.join().await {
            Ok(()) => Failure::failed("the daemon stopped", "run it with --keep and look at dialops.log"),
            Err(failure) => failure,
        }
    }

    /// Ends it, and waits until it has.
    pub(super) async fn stop(mut self) -> Result<(), Failure> {
        self.shutdown.cancel();
        match tokio::time::timeout(STOP_WITHIN, self.join()).await {
            Ok(ended) => ended,
            Err(_) => Err(Failure::failed(format!("the daemon did not stop within {STOP_WITHIN:?}"), "report this")),
        }
    }

    async fn join(&mut self) -> Result<(), Failure> {
        let Some(task) = &mut self.task else { return Ok(()) };
        let ended = task.await;
        self.task = None;
        match ended {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Failure::from_error(&error)),
            Err(error) => Err(Failure::from_error(&error)),
        }
    }
}
