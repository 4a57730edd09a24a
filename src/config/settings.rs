//! Settings: `dialops.toml`, one machine's side of the configuration (SPEC §1.1).

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{
    code::Code,
    diagnostic::{Diagnostic, Severity, Source, sort},
    items::values,
    read::{At, Reader},
    tables::settings::{
        CeilingsTable, Dial, FreezeTable, GuardsTable, SafetyTable, SettingsFile, StoreTable, TrunkTable,
        WeeklyFreezeTable,
    },
};
pub use super::{
    network::Network,
    notifications::{NotificationKind, NotificationSettings, Provider, StatusSettings, Topic},
    outbox::{CallbackSettings, HeaderValue, SMS_GAPS, SmsSettings},
    source::{Follow, Location, RemoteSettings, RemoteUrl, SourceSettings, Transport},
    verify::{VerifyMode, VerifySettings},
    webhooks::{HookKind, WebhookSettings},
};
use crate::domain::{
    campaign::{Ceilings, DialPermission, SecretRef},
    drift::Policy,
    guards::{Freeze, Guards, When},
    ids::TrunkId,
    phone::E164,
};

/// Folder beside the store in which exports lie.
const EXPORTS: &str = "exports";

/// Everything that one machine's administrator sets.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Name of this daemon, if it is not the host's.
    pub instance: Option<String>,
    /// The configuration repositories; at least one.
    pub sources: Vec<SourceSettings>,
    /// The SQLite file.
    pub store: PathBuf,
    /// The key of encrypted attributes.
    pub attribute_key: Option<SecretRef>,
    /// The key before it.
    pub previous_attribute_key: Option<SecretRef>,
    /// Where the daemon answers.
    pub http: HttpSettings,
    /// The daemon's side of SIP.
    pub sip: SipSettings,
    /// Carriers; at least one unless `dial` is `None`, and at most one for now.
    pub trunks: Vec<TrunkSettings>,
    /// The most that campaigns may ask for; `owned_caller_numbers` is always there.
    pub ceilings: Ceilings,
    /// Whom this daemon may call.
    pub dial: DialPermission,
    /// The longest that an override may hold.
    pub longest_override: Duration,
    /// What a good commit may still wait for.
    pub guards: Guards,
    /// What is done where the store differs from the commit in force.
    pub drift: Policy,
    /// Servers that tell of pushes.
    pub webhooks: Vec<WebhookSettings>,
    /// Who is told of what needs a person.
    pub notifications: Vec<NotificationSettings>,
    /// How callbacks go out.
    pub callbacks: CallbackSettings,
    /// The gateway that sends text messages.
    pub sms: Option<SmsSettings>,
    /// Where exports lie, and for how long.
    pub exports: ExportSettings,
    /// Form of the log.
    pub log_format: LogFormat,
    /// The least important that is logged.
    pub log_level: LogLevel,
    /// Whether `/metrics` has series of each campaign.
    pub metrics_per_campaign: bool,
}

/// Where exports lie, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportSettings {
    /// The folder.
    pub folder: PathBuf,
    /// The longest that one is kept.
    pub longest: Duration,
    /// How many are written at once.
    pub at_once: u32,
}

/// Where the daemon answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// Health, metrics, status and page; the API too if there is a token.
    pub listen: SocketAddr,
    /// The Unix socket of the API.
    pub socket: PathBuf,
    /// Users besides root and the daemon's own that may use the socket.
    pub allowed_uids: Vec<u32>,
    /// The token that opens the API over TCP.
    pub token: Option<SecretRef>,
    /// How long a session may be left alone.
    pub session_idle: Duration,
}

/// The daemon's side of SIP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SipSettings {
    /// UDP address.
    pub listen: SocketAddr,
    /// Wanted size of the socket's receive buffer, in bytes.
    pub receive_buffer: Option<u32>,
}

/// A carrier's trunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrunkSettings {
    /// Identity.
    pub id: TrunkId,
    /// Host and port that requests are sent to.
    pub address: String,
    /// Domain of SIP addresses, if it is not the host.
    pub domain: Option<String>,
    /// Name for digest authentication.
    pub username: Option<String>,
    /// Its password.
    pub password: Option<SecretRef>,
    /// Live calls to customers at once.
    pub max_concurrent_calls: NonZeroU32,
    /// INVITEs to customers in any one second.
    pub max_calls_per_second: NonZeroU32,
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// How important a line must be to be logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Only failures.
    Error,
    /// And what may become one.
    Warn,
    /// And what the daemon does.
    Info,
    /// And how.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The name that `tracing` knows it by.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl Settings {
    /// Reads settings; relative paths in them are taken from the folder that `path` is in.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let (settings, diagnostics) = Self::check(path, text);
        settings.ok_or(diagnostics)
    }

    /// Reads a settings file and gives the warnings too; without an error there are settings.
    #[must_use]
    pub fn check(path: &Path, text: &str) -> (Option<Self>, Vec<Diagnostic>) {
        let shown: Arc<str> = path.to_string_lossy().into();
        let (file, mut diagnostics) = Reader::file::<SettingsFile>(&shown, text);
        let settings = file.and_then(|file| {
            let mut build = Build {
                source: Source::new(shown, text),
                folder: path.parent().unwrap_or(Path::new("")),
                diagnostics: &mut diagnostics,
            };
            build.settings(file)
        });
        sort(&mut diagnostics);
        let good = diagnostics.iter().all(|d| d.severity != Severity::Error);
        (settings.filter(|_| good), diagnostics)
    }
}

impl Settings {
    /// The folder of campaigns of the source whose repository a directory seems to be.
    #[must_use]
    pub fn folder_in(&self, dir: &Path) -> &str {
        let paths = || self.sources.iter().map(|source| source.path.as_str());
        paths().find(|path| dir.join(path).is_dir()).or_else(|| paths().next()).unwrap_or("campaigns")
    }
}

pub(super) struct Build<'a> {
    pub(super) source: Source<'a>,
    pub(super) folder: &'a Path,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl Build<'_> {
    fn settings(&mut self, file: SettingsFile) -> Option<Settings> {
        self.check_trunks(&file);
        self.check_keys(&file.store.value);
        let dial = self.dial(file.safety.value);
        let (http, sip, log) = (file.http.value, file.sip.value, file.log.value);
        let (store, exports) = (file.store.value, file.exports.value);
        let folder = exports.folder.map_or_else(|| store.path.value.with_file_name(EXPORTS), |folder| folder.value);
        let sources = self.sources(file.source, file.sources, &file.unclear, &store.path.value);
        let webhooks = self.webhooks(file.webhooks.value, sources.as_deref());
        let notifications = self.notifications(file.notifications.value);
        Some(Settings {
            instance: file.instance.map(|instance| instance.value),
            sources: sources?,
            store: self.folder.join(store.path.value),
            attribute_key: store.attribute_key.map(|key| self.secret(key)),
            previous_attribute_key: store.previous_attribute_key.map(|key| self.secret(key)),
            http: HttpSettings {
                listen: http.listen.value,
                socket: self.folder.join(http.socket.value),
                allowed_uids: values(http.allowed_uids.value),
                token: http.token.map(|token| self.secret(token)),
                session_idle: http.session_idle.value,
            },
            sip: SipSettings { listen: sip.listen.value, receive_buffer: sip.receive_buffer.map(|size| size.value) },
            trunks: file.trunks.value.into_iter().filter_map(|trunk| self.trunk(trunk.value)).collect(),
            ceilings: ceilings(file.ceilings.value),
            dial,
            longest_override: file.overrides.value.longest.value,
            guards: self.guards(file.guards.value, file.freezes.value, file.weekly_freezes.value),
            drift: file.drift.value.policy.value,
            webhooks,
            notifications,
            callbacks: self.callbacks(file.callbacks.value),
            sms: file.sms.and_then(|sms| self.sms(sms.value)),
            exports: ExportSettings {
                folder: self.folder.join(folder),
                longest: exports.longest.value,
                at_once: exports.at_once.value,
            },
            log_format: log.format.value,
            log_level: log.level.value,
            metrics_per_campaign: file.metrics.value.per_campaign.value,
        })
    }

    pub(super) fn error(&mut self, code: Code, at: Option<super::diagnostic::Span>, message: &str) -> &mut Diagnostic {
        let diagnostic = Diagnostic::error(code, self.source.locate(at.unwrap_or_default()), message);
        let index = self.diagnostics.len();
        self.diagnostics.push(diagnostic);
        &mut self.diagnostics[index]
    }

    fn check_keys(&mut self, store: &StoreTable) {
        let (None, Some(previous)) = (&store.attribute_key, &store.previous_attribute_key) else { return };
        if !store.unclear.has("attribute_key") {
            self.error(Code::PreviousKeyAlone, previous.span, "`previous_attribute_key` needs `attribute_key`")
                .label("would not be used")
                .help("set `attribute_key` to the key of now, or remove this one");
        }
    }

    fn check_trunks(&mut self, file: &SettingsFile) {
        let trunks = &file.trunks.value;
        let dial = &file.safety.value.dial;
        // A list that could not be read whole is a fault of its own.
        let unread = file.unclear.has("trunks") || file.trunks.span.is_some() && !self.diagnostics.is_empty();
        if trunks.is_empty() && dial.value != Dial::None && !unread {
            self.error(Code::NoTrunk, dial.span, "dialling needs a trunk")
                .label("calls somebody")
                .help("add a [[trunks]] table, or set `dial = \"none\"`");
        }
        let mut seen = BTreeMap::new();
        for (index, trunk) in trunks.iter().enumerate() {
            let id = trunk.value.id.as_ref();
            let first = id.and_then(|id| seen.insert(id.value.clone(), id.span));
            if let (Some(first), Some(id)) = (first, id) {
                let first = self.source.locate(first.unwrap_or_default());
                self.error(Code::DuplicateId, id.span, "two trunks have the same `id`")
                    .label("used again")
                    .relate(first, "first used here");
            } else if index == 1 {
                self.error(Code::SeveralTrunks, trunk.span, "only one trunk is used by this version")
                    .label("the second one")
                    .help("leave one [[trunks]] table");
            }
        }
    }

    fn dial(&mut self, safety: SafetyTable) -> DialPermission {
        if safety.unclear.has_any(&["dial", "test_numbers"]) {
            return DialPermission::None;
        }
        let (dial, numbers) = (safety.dial, safety.test_numbers);
        match (dial.value, numbers) {
            (Dial::None, None) => DialPermission::None,
            (Dial::All, None) => DialPermission::All,
            (Dial::Listed, Some(numbers)) => DialPermission::Listed(values(numbers.value)),
            (Dial::Listed, None) => {
                self.error(Code::TestNumbers, dial.span, "`dial = \"listed\"` needs `test_numbers`")
                    .label("calls only numbers that are listed")
                    .help("add `test_numbers = [\"+…\"]` to [safety]");
                DialPermission::None
            }
            (Dial::None | Dial::All, Some(numbers)) => {
                self.error(Code::TestNumbers, numbers.span, "`test_numbers` goes with `dial = \"listed\"` only")
                    .label("would not be used")
                    .help("remove it, or set `dial = \"listed\"`");
                DialPermission::None
            }
        }
    }

    fn guards(
        &mut self,
        table: GuardsTable,
        freezes: Vec<At<FreezeTable>>,
        weekly: Vec<At<WeeklyFreezeTable>>,
    ) -> Guards {
        let once: Vec<Freeze> = freezes.into_iter().filter_map(|freeze| self.freeze(freeze.value)).collect();
        let weekly = weekly.into_iter().filter_map(|freeze| self.weekly_freeze(freeze.value));
        Guards {
            removals: table.removals.value,
            removals_percent: table.removals_percent.value,
            grace: table.grace.value,
            freezes: once.into_iter().chain(weekly).collect(),
            bad_files: table.bad_files.value,
        }
    }

    fn freeze(&mut self, freeze: FreezeTable) -> Option<Freeze> {
        let (starts_at, ends_at, reason) = (freeze.starts_at?, freeze.ends_at?, freeze.reason?.value);
        if ends_at.value <= starts_at.value {
            let start = self.source.locate(starts_at.span.unwrap_or_default());
            self.error(Code::EndsBeforeStart, ends_at.span, "`ends_at` must be after `starts_at`")
                .label("not later")
                .relate(start, "starts here");
            return None;
        }
        Some(Freeze { when: When::Once { starts_at: starts_at.value, ends_at: ends_at.value }, reason })
    }

    fn weekly_freeze(&mut self, freeze: WeeklyFreezeTable) -> Option<Freeze> {
        let (timezone, windows, reason) = (freeze.timezone?.value, freeze.windows?, freeze.reason?.value);
        let overlapping = windows.value.iter().enumerate().find_map(|(index, window)| {
            let first = windows.value[..index].iter().find(|first| first.value.overlaps(window.value))?;
            Some((first.span, window.span))
        });
        if let Some((first, second)) = overlapping {
            let first = self.source.locate(first.unwrap_or_default());
            self.error(Code::WindowsOverlap, second, "two windows overlap")
                .label("overlaps")
                .relate(first, "with this one");
            return None;
        }
        let weekdays: Vec<_> = freeze.weekdays.map(|days| values(days.value)).unwrap_or_default();
        let when = When::weekly((&timezone.name, timezone.zone), &weekdays, values(windows.value)).ok()?;
        Some(Freeze { when, reason })
    }

    fn trunk(&self, trunk: TrunkTable) -> Option<TrunkSettings> {
        Some(TrunkSettings {
            id: trunk.id?.value,
            address: trunk.address?.value,
            domain: trunk.domain.map(|domain| domain.value),
            username: trunk.username.map(|username| username.value),
            password: trunk.password.map(|password| self.secret(password)),
            max_concurrent_calls: trunk.max_concurrent_calls?.value,
            max_calls_per_second: trunk.max_calls_per_second?.value,
        })
    }

    pub(super) fn secret(&self, secret: At<SecretRef>) -> SecretRef {
        match secret.value {
            SecretRef::File(path) => SecretRef::File(self.folder.join(path)),
            credential @ SecretRef::Credential(_) => credential,
        }
    }
}

fn ceilings(table: CeilingsTable) -> Ceilings {
    let owned: Vec<E164> = values(table.owned_caller_numbers.value);
    Ceilings {
        callback_hosts: Some(values(table.callback_hosts.value)),
        caller_numbers_per_campaign: table.caller_numbers_per_campaign.value as usize,
        owned_caller_numbers: Some(owned),
        max_ring: table.max_ring.value,
        active_campaigns: table.active_campaigns.value as usize,
        max_concurrent_calls: table.max_concurrent_calls.value,
        max_calls_per_second: table.max_calls_per_second.value,
    }
}

/// The ceilings when there are no settings: what the schemas allow, and any caller number.
#[must_use]
pub fn outer_ceilings() -> Ceilings {
    Ceilings {
        caller_numbers_per_campaign: 100,
        owned_caller_numbers: None,
        callback_hosts: None,
        max_ring: Duration::from_secs(super::tables::campaign::MAX_RING_LIMIT),
        active_campaigns: usize::MAX,
        max_concurrent_calls: u32::MAX,
        max_calls_per_second: u32::MAX,
    }
}
