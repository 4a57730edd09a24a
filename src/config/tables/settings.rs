//! `dialops.toml`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use super::{
    campaign::MAX_RING_LIMIT,
    exports::ExportsTable,
    notifications::NotificationTable,
    outbox::{CallbacksTable, SmsGatewayTable},
    source::SourceTable,
    webhooks::WebhookTable,
};
use crate::{
    config::{
        kinds::{
            address::{Host, HostPort, Socket},
            choice::{Choice, Words},
            days::DayOfWeek,
            duration::Lasting,
            flag::Flag,
            list::List,
            number::{Count, Whole},
            phone::Phone,
            secret::Secret,
            text::{FilePath, Slug, Text},
            time::{Instant, Window, Zone},
        },
        settings::{LogFormat, LogLevel},
        table::table,
    },
    domain::{drift::Policy, guards::BadFiles, ids::TrunkId},
};

/// What NIST SP 800-63B asks for with an overall limit of 12 hours.
const SESSION_IDLE: Duration = Duration::from_secs(30 * 60);
const HTTP: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);
const SIP: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 5060);

table! {
    /// Settings of one machine: what it follows, where it listens, whom it may call, and the ceilings that the
    /// repository can't raise.
    pub(crate) struct SettingsFile "the settings" {
        /// Name of this daemon among others, on its page, in commit statuses and notifications; the host's name unless
        /// it is set.
        optional instance: Text<1, 64> => "prod-a",
        /// The configuration repository that is followed; either this or `[[sources]]`.
        optional source: SourceTable => { repository = "/srv/dialling.git" },
        /// One `[[sources]]` for each of several repositories, which are one configuration together.
        default(Vec::new()) sources: List<SourceTable, 0>,
        /// Where attempts, contacts and agents' states are kept.
        table store: StoreTable,
        /// Where the daemon answers.
        table http: HttpTable,
        /// The daemon's side of SIP.
        table sip: SipTable,
        /// One `[[trunks]]` for each carrier; required unless `safety.dial` is `none`.
        default(Vec::new()) trunks: List<TrunkTable, 0>,
        /// The most that campaigns may ask for.
        table ceilings: CeilingsTable,
        /// Whom this daemon may call.
        table safety: SafetyTable,
        /// What people may decide against the files for a while.
        table overrides: OverridesTable,
        /// What a good commit still waits for.
        table guards: GuardsTable,
        /// One `[[freezes]]` for each time in which nothing but pauses is applied.
        default(Vec::new()) freezes: List<FreezeTable, 0>,
        /// One `[[weekly_freezes]]` for each such time that comes back every week.
        default(Vec::new()) weekly_freezes: List<WeeklyFreezeTable, 0>,
        /// What is done where the store, or the telephony side, differs from the commit in force.
        table drift: DriftTable,
        /// One `[[webhooks]]` for each server that tells of pushes.
        default(Vec::new()) webhooks: List<WebhookTable, 0>,
        /// One `[[notifications]]` for each that is told of what needs a person.
        default(Vec::new()) notifications: List<NotificationTable, 0>,
        /// How callbacks go out.
        table callbacks: CallbacksTable,
        /// The gateway that sends text messages to customers who were not reached; without one none is sent.
        optional sms: SmsGatewayTable,
        /// Files of contacts and attempts that people ask for.
        table exports: ExportsTable,
        /// What the daemon says of itself.
        table log: LogTable,
        /// What `/metrics` tells.
        table metrics: MetricsTable,
    }
}

table! {
    /// The store.
    pub(crate) struct StoreTable "`store`" {
        /// The SQLite file; it is made if it is not there.
        default(PathBuf::from("dialops.db")) path: FilePath => "/var/lib/dialops/dialops.db",
        /// The key of encrypted attributes, 64 hexadecimal digits; without one none are taken in.
        optional attribute_key: Secret => { credential = "attribute-key" },
        /// The key before it, from which `dialops contacts rotate-key` takes values.
        optional previous_attribute_key: Secret => { credential = "attribute-key-before" },
    }
}

table! {
    /// Where the daemon answers.
    pub(crate) struct HttpTable "`http`" {
        /// Health, metrics, status and the page; the API too if there is a `token`.
        default(HTTP) listen: Socket => "127.0.0.1:8080",
        /// The Unix socket of the API; callers are known by the system.
        default(PathBuf::from("/run/dialops/dialops.sock")) socket: FilePath => "/run/dialops/dialops.sock",
        /// Users besides root and the daemon's own that may use the socket, by number.
        default(Vec::new()) allowed_uids: List<Whole<0, { u32::MAX }>, 0> => [1000],
        /// The token that opens the API over TCP; without one it is closed there.
        optional token: Secret => { file = "/etc/dialops/token" },
        /// How long a browser's session may be left alone before one has to sign in again; an open agent page counts as use. A session ends after 12 hours in any case.
        default(SESSION_IDLE) session_idle: Lasting<60, 43_200> => "30m",
    }
}

table! {
    /// The daemon's side of SIP.
    pub(crate) struct SipTable "`sip`" {
        /// The UDP address that SIP is sent from and received on; carrier and phones must reach it.
        default(SIP) listen: Socket => "192.0.2.10:5060",
        /// Size of the socket's receive buffer in bytes; the system may give less, and the daemon says so.
        optional receive_buffer: Whole<4096, 1_073_741_824> => 4_194_304,
    }
}

table! {
    /// A carrier's trunk.
    pub(crate) struct TrunkTable "a trunk" {
        /// Identity: 1 to 64 of a-z, 0-9 and '-'.
        required id: Slug<TrunkId> => "carrier",
        /// Where requests are sent: host and port.
        required address: HostPort => "sip.example.net:5060",
        /// Domain of SIP addresses, if it is not the host.
        optional domain: Host => "example.net",
        /// Name that the carrier knows this trunk by.
        optional username: Text<1, 255> => "acme",
        /// The password that goes with it.
        optional password: Secret => { file = "/etc/dialops/trunk.password" },
        /// Live calls to customers at once.
        required max_concurrent_calls: Count<100_000> => 30,
        /// Calls to customers started in any one second.
        required max_calls_per_second: Count<10_000> => 10,
    }
}

table! {
    /// The most that campaigns may ask for; the repository can only tighten it.
    pub(crate) struct CeilingsTable "`ceilings`" {
        /// Caller numbers of one campaign.
        default(10) caller_numbers_per_campaign: Whole<1, 100> => 10,
        /// Numbers that campaigns may call from; without them no campaign is valid.
        default(Vec::new()) owned_caller_numbers: List<Phone, 0> => ["+862160001000"],
        /// Hosts that campaigns may send callbacks to; without them no campaign has one.
        default(Vec::new()) callback_hosts: List<Host, 0> => ["crm.example.net"],
        /// Longest that a customer's phone rings.
        default(Duration::from_secs(60)) max_ring: Lasting<5, MAX_RING_LIMIT> => "60s",
        /// Campaigns that may be `running` at once.
        default(20) active_campaigns: Whole<0, 1_000_000> => 20,
        /// Live calls over all campaigns.
        default(100) max_concurrent_calls: Whole<1, 100_000> => 100,
        /// Calls started in any one second, over all campaigns.
        default(10) max_calls_per_second: Whole<1, 10_000> => 10,
    }
}

/// How far dialling is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dial {
    None,
    Listed,
    All,
}

impl Words for Dial {
    const WORDS: &'static [(&'static str, Self)] =
        &[("none", Self::None), ("listed", Self::Listed), ("all", Self::All)];
}

table! {
    /// Whom this daemon may call.
    pub(crate) struct SafetyTable "`safety`" {
        /// `none` calls nobody, `listed` calls `test_numbers` only, `all` calls the campaigns' contacts.
        default(Dial::None) dial: Choice<Dial> => "none",
        /// The numbers that `listed` calls; only there.
        optional test_numbers: List<Phone, 1> => ["+862160009999"],
    }
}

table! {
    /// What people may decide against the files for a while, with `dialops override`.
    pub(crate) struct OverridesTable "`overrides`" {
        /// The longest that an override may hold.
        default(crate::domain::overrides::LONGEST) longest: Lasting<60, 2_592_000> => "24h",
    }
}

table! {
    /// What a good commit still waits for, so that a mistake does not take campaigns away.
    pub(crate) struct GuardsTable "`guards`" {
        /// Most campaigns that a commit may take away; more wait for `dialops approve`.
        default(10) removals: Whole<0, 1_000_000> => 10,
        /// The same in percent of the campaigns in force; a single one is never too many by this.
        default(50) removals_percent: Whole<0, 100> => 50,
        /// How long a campaign whose file is gone is paused before it retires; its results stay.
        default(crate::domain::guards::GRACE) grace: Lasting<0, 31_536_000> => "24h",
        /// A commit with bad files: `strict` keeps it out as a whole; with `isolate` each bad file stays as it was when
        /// it was last good, and all else comes into force.
        default(BadFiles::Strict) bad_files: Choice<BadFiles> => "strict",
    }
}

table! {
    /// A time in which nothing but pauses is applied.
    pub(crate) struct FreezeTable "a freeze" {
        /// Its first instant.
        required starts_at: Instant => toml "2031-12-24T00:00:00+08:00",
        /// The first instant after it.
        required ends_at: Instant => toml "2031-12-27T00:00:00+08:00",
        /// Why, for whoever waits.
        required reason: Text<1, 200> => "holidays",
    }
}

table! {
    /// A time that comes back every week, in which nothing but pauses is applied.
    pub(crate) struct WeeklyFreezeTable "a weekly freeze" {
        /// The days on which it begins; every day if there are none.
        optional weekdays: List<DayOfWeek, 1> => ["fri", "sat"],
        /// Windows of these days, `HH:MM-HH:MM`, the end not included; they may not overlap. An end of 24:00 is the
        /// day's end, and one before the start is on the next day.
        required windows: List<Window, 1> => ["18:00-24:00"],
        /// IANA time zone of days and windows.
        required timezone: Zone => "Asia/Shanghai",
        /// Why, for whoever waits.
        required reason: Text<1, 200> => "peak hours",
    }
}

impl Words for BadFiles {
    const WORDS: &'static [(&'static str, Self)] = &[("strict", Self::Strict), ("isolate", Self::Isolate)];
}

impl Words for Policy {
    const WORDS: &'static [(&'static str, Self)] =
        &[("mend", Self::Mend), ("report", Self::Report), ("hold", Self::Hold)];
}

table! {
    /// What is done where the store, or the telephony side, differs from the commit in force.
    pub(crate) struct DriftTable "`drift`" {
        /// `mend` puts it right, `report` only tells it, `hold` lets the campaigns concerned place no new call until it
        /// is gone or `dialops reconcile` puts it right.
        default(Policy::Mend) policy: Choice<Policy> => "mend",
    }
}

table! {
    /// What `/metrics` tells.
    pub(crate) struct MetricsTable "`metrics`" {
        /// Series of each campaign too: as many as there are campaigns, four times.
        default(false) per_campaign: Flag => true,
    }
}

impl Words for LogFormat {
    const WORDS: &'static [(&'static str, Self)] = &[("text", Self::Text), ("json", Self::Json)];
}

impl Words for LogLevel {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];

    fn about(self) -> Option<&'static str> {
        Some(match self {
            Self::Error => "only failures",
            Self::Warn => "and what may become one",
            Self::Info => "and what the daemon does",
            Self::Debug => "and how",
            Self::Trace => "everything",
        })
    }
}

table! {
    /// What the daemon says of itself, on standard error.
    pub(crate) struct LogTable "`log`" {
        /// `text` for people, `json` for machines.
        default(LogFormat::Text) format: Choice<LogFormat> => "json",
        /// The least important that is said.
        default(LogLevel::Info) level: Choice<LogLevel> => "info",
    }
}
