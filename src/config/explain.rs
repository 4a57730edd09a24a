//! What `check --explain` tells of a code: what it means, an example of the fault, and how to mend it.

mod shared;

use super::code::Code;

/// A fault as an example shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Example {
    /// Text of a file: with the fault, and as it should be.
    Edit {
        /// Path in the repository.
        file: &'static str,
        /// With the fault; no other fault is in it.
        wrong: &'static str,
        /// Mended.
        right: &'static str,
    },
    /// A fault that no text of a file shows.
    Told(&'static str),
}

/// The longer explanation of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// Why it is so, and how to mend it.
    pub more: &'static str,
    /// An example.
    pub example: Example,
}

const CAMPAIGN: &str = "campaigns/spring.toml";
const SUMMER: &str = "campaigns/summer.toml";
const WINTER: &str = "campaigns/winter.toml";
const AUTUMN: &str = "campaigns/autumn.toml";
const AGENTS: &str = "campaigns/shared/agents.toml";
const QUEUES: &str = "campaigns/shared/queues.toml";
const TENANT: &str = "campaigns/shared/tenant.toml";
const SETTINGS: &str = "dialops.toml";

impl Code {
    /// The longer explanation.
    #[must_use]
    pub fn explanation(self) -> Option<&'static Explanation> {
        EXPLANATIONS
            .iter()
            .chain(shared::EXPLANATIONS)
            .find(|(code, _)| *code == self)
            .map(|(_, explanation)| explanation)
    }
}

const fn told(example: &'static str, more: &'static str) -> Explanation {
    Explanation { more, example: Example::Told(example) }
}

const fn edit(file: &'static str, wrong: &'static str, right: &'static str, more: &'static str) -> Explanation {
    Explanation { more, example: Example::Edit { file, wrong, right } }
}

/// One for each code; a test feeds every example to the reader.
const EXPLANATIONS: &[(Code, Explanation)] = &[
    (
        Code::NotUtf8,
        told(
            "a file that an old editor saved as GBK or Latin-1",
            "The message tells the first byte that is not UTF-8. Open the file in the encoding that it was saved in, \
             and save it as UTF-8. A byte-order mark at the start does no harm.",
        ),
    ),
    (
        Code::Syntax,
        edit(
            CAMPAIGN,
            "state = running",
            "state = \"running\"",
            "Text stands in quotes, numbers and date-times do not, each key is on a line of its own. What stands behind \
             a fault in the shape of the file can't be read, so mend that one and check again.",
        ),
    ),
    (
        Code::DuplicateKey,
        edit(
            CAMPAIGN,
            "priority = 2\npriority = 3",
            "priority = 2",
            "Neither of the two would surely be the one that was meant, so none is taken. Both places are shown.",
        ),
    ),
    (
        Code::UnknownFile,
        told(
            "campaigns/shared/agent.toml, when it should be campaigns/shared/agents.toml",
            "A file is known by where it stands. Rename it to what the message proposes; notes for people may be *.md, \
             and files whose name begins with a dot are left alone.",
        ),
    ),
    (
        Code::MissingFile,
        told(
            "a folder of campaigns without shared/tenant.toml",
            "Campaigns refer to what stands in shared/. The message names the file; campaigns/ of this project has one \
             of each to begin with.",
        ),
    ),
    (
        Code::FileTwice,
        told(
            "shared/tenant.toml in the repositories of two [[sources]]",
            "What stands in such a file holds for the campaigns of all sources, so one of them has it: any, but only \
             one. Other sources are checked beside it with `dialops check --with FOLDER`.",
        ),
    ),
    (
        Code::Unreadable,
        told(
            "a symlink to a file outside the repository, or a list of contacts of 100 MB",
            "The daemon reads plain files of at most 256 KiB from a commit and follows nothing. Commit the file itself; \
             contacts are imported with `dialops contacts import`, not committed.",
        ),
    ),
    (
        Code::TooManyProblems,
        told(
            "a spreadsheet saved with the name of a campaign",
            "Only the first problems are told: 100 of a file, 10,000 in all. Mend those, and check again.",
        ),
    ),
    (
        Code::SchemaVersion,
        edit(
            CAMPAIGN,
            "schema_version = 2",
            "schema_version = 1",
            "Nothing else of such a file is judged, as its keys may mean something else. Use the dialops that the file \
             was written for; without the key a file is read as the version that the program knows.",
        ),
    ),
    (
        Code::NewerSyntax,
        edit(
            CAMPAIGN,
            "retry_interval = \"30\\x6d\"",
            "retry_interval = \"30m\"",
            "TOML 1.1 allows line ends and a last comma in inline tables, the escapes \\e and \\xHH, and times without \
             seconds. This program reads them; schemas in editors, formatters and other tools may not.",
        ),
    ),
    (
        Code::UnknownKey,
        edit(
            CAMPAIGN,
            "max_rnig = \"25s\"",
            "max_ring = \"25s\"",
            "A key that nothing reads is refused, so that no setting is lost to a slip. In TOML a key below a [table] \
             belongs to that table: keys of the file itself stand above the first one.",
        ),
    ),
    (
        Code::MissingKey,
        edit(
            CAMPAIGN,
            "[calling_hours]\nwindows",
            "[calling_hours]\ntimezone = \"Asia/Shanghai\"\nwindows",
            "The place shown is the table that lacks the key. What has no sensible default must be written.",
        ),
    ),
    (
        Code::WrongType,
        edit(
            CAMPAIGN,
            "priority = \"2\"",
            "priority = 2",
            "TOML tells a string \"2\" from a number 2, and true from \"true\". Date-times have no quotes.",
        ),
    ),
    (
        Code::UnknownWord,
        edit(
            CAMPAIGN,
            "state = \"runing\"",
            "state = \"running\"",
            "The words are listed beside the fault; they are written in lower case.",
        ),
    ),
    (
        Code::NumberRange,
        edit(CAMPAIGN, "priority = 9", "priority = 2", "The message gives both ends, and both are allowed."),
    ),
    (
        Code::Text,
        edit(
            CAMPAIGN,
            "name = \"  \"",
            "name = \"Spring offer\"",
            "Lengths are in characters, not bytes, and shown text is one line without control characters.",
        ),
    ),
    (
        Code::Id,
        edit(
            CAMPAIGN,
            "id = \"Spring 2031\"",
            "id = \"spring\"",
            "Ids stand in file names, URLs, metrics and commands, so they are plain. Choose with care: contacts and \
             history belong to the id, and it can't change later. People see the name.",
        ),
    ),
    (
        Code::Duration,
        edit(
            CAMPAIGN,
            "retry_interval = \"30 minutes\"",
            "retry_interval = \"30m\"",
            "The units are s, m, h and d, and there is one: 90m, not 1h30m.",
        ),
    ),
    (
        Code::DurationRange,
        edit(
            CAMPAIGN,
            "max_ring = \"1s\"",
            "max_ring = \"25s\"",
            "The message gives the shortest and the longest that the key takes. The settings may allow less: that is \
             E0209.",
        ),
    ),
    (
        Code::PhoneNumber,
        edit(
            CAMPAIGN,
            "[\"021-6000-1000\"",
            "[\"+862160001000\"",
            "A number in national form means another phone in another country. Write + and the country code, drop the \
             leading 0 of the area code where the country has one, and all spaces.",
        ),
    ),
    (
        Code::Window,
        edit(
            CAMPAIGN,
            "\"9-11:30\"",
            "\"09:00-11:30\"",
            "Hours have two digits, and 24:00 is the end of the day. A window may go over midnight: 22:00-02:00.",
        ),
    ),
    (
        Code::DateTime,
        edit(
            CAMPAIGN,
            "starts_at = 2031-03-01T09:00:00\n",
            "starts_at = 2031-03-01T09:00:00+08:00\n",
            "Without its offset a date-time is another instant in each zone. Write +08:00, or Z for UTC.",
        ),
    ),
    (
        Code::TimeZone,
        edit(
            CAMPAIGN,
            "timezone = \"Asia/Shanghay\"",
            "timezone = \"Asia/Shanghai\"",
            "Zones are named by continent and city, as in the IANA database, and in its spelling. An abbreviation such \
             as CST is ambiguous.",
        ),
    ),
    (
        Code::TooFewItems,
        edit(
            AGENTS,
            "queues = []\n\n[[agents]]\nid = \"a2\"",
            "queues = [\"sales\"]\n\n[[agents]]\nid = \"a2\"",
            "An empty list here would mean that nothing is ever done. Add an item, or take away what it is for.",
        ),
    ),
    (
        Code::Region,
        edit(
            TENANT,
            "region = \"China\"",
            "region = \"CN\"",
            "Numbers that are imported in national form are read as numbers of this region.",
        ),
    ),
    (
        Code::Address,
        edit(
            AGENTS,
            "sip = \"a1@10.0.0.11\"",
            "sip = \"sip:a1@10.0.0.11:5060\"",
            "The form stands beside the fault. IPv6 addresses stand in brackets: [::1]:5060.",
        ),
    ),
    (
        Code::OneOf,
        edit(
            SETTINGS,
            "token = {}",
            "token = { file = \"api-token\" }",
            "The table takes one of a few keys. A secret is named by the file or the credential that holds it, and \
             never stands in a file itself.",
        ),
    ),
    (
        Code::DuplicateId,
        edit(
            QUEUES,
            "id = \"sales\"\nname = \"Service\"",
            "id = \"service\"\nname = \"Service\"",
            "Whatever refers to the id would mean either. Both places are shown; a copied file needs an id of its own.",
        ),
    ),
    (
        Code::DuplicateName,
        edit(
            QUEUES,
            "name = \"Sales\"\n\n[[queues]]\nid = \"service\"\nname = \"Sales\"",
            "name = \"Sales\"\n\n[[queues]]\nid = \"service\"\nname = \"Service\"",
            "People tell things apart by their names. Both places are shown; change one.",
        ),
    ),
    (
        Code::UnknownQueue,
        edit(
            CAMPAIGN,
            "skill_queue = \"sale\"",
            "skill_queue = \"sales\"",
            "Queues stand in shared/queues.toml, and are referred to by id, not by name.",
        ),
    ),
    (
        Code::QueueWithoutAgents,
        edit(
            CAMPAIGN,
            "skill_queue = \"service\"",
            "skill_queue = \"sales\"",
            "An agent is held before a customer is called, so a campaign without agents would never call. Add the queue \
             to the `queues` of an agent in shared/agents.toml.",
        ),
    ),
    (
        Code::NotOwned,
        edit(
            CAMPAIGN,
            "[\"+862160001999\"",
            "[\"+862160001000\"",
            "A number that is not ours would be a forged caller. The settings list those that are; it is the machine's \
             administrator who adds one.",
        ),
    ),
    (
        Code::Repeated,
        edit(
            AGENTS,
            "queues = [\"sales\", \"sales\"]\n\n[[agents]]\nid = \"a2\"",
            "queues = [\"sales\"]\n\n[[agents]]\nid = \"a2\"",
            "An item that stands twice is mostly a slip for another one. Both places are shown.",
        ),
    ),
    (
        Code::EndsBeforeStart,
        edit(
            CAMPAIGN,
            "ends_at = 2031-02-28T18:00:00Z",
            "ends_at = 2031-05-31T18:00:00Z",
            "Such a campaign would never dial. The two are compared as instants, so look at the offsets too.",
        ),
    ),
    (
        Code::WindowsOverlap,
        edit(
            CAMPAIGN,
            "windows = [\"09:00-11:30\", \"11:00-20:00\"]",
            "windows = [\"09:00-11:30\", \"22:00-02:00\"]",
            "A window's end does not belong to it, so 09:00-11:30 and 11:30-14:00 do not overlap.",
        ),
    ),
    (
        Code::OverCeiling,
        edit(
            CAMPAIGN,
            "max_concurrent_calls = 500",
            "max_concurrent_calls = 20",
            "A commit can tighten what the settings allow, never widen it. Use a smaller number, or ask the machine's \
             administrator for a higher ceiling. `check --settings FILE` checks against the ceilings of a machine. Where \
             they shrank later, the daemon takes the ceiling and lists it in `status`.",
        ),
    ),
    (
        Code::NoTrunk,
        told(
            "`dial = \"all\"` in settings without [[trunks]]",
            "Name the carrier's trunk, or set `dial = \"none\"`: the daemon then shows everything and calls nobody.",
        ),
    ),
    (
        Code::TestNumbers,
        edit(
            SETTINGS,
            "dial = \"all\"\ntest_numbers",
            "dial = \"listed\"\ntest_numbers",
            "It shall be plain from the settings alone whom the daemon calls.",
        ),
    ),
    (Code::SeveralTrunks, told("two [[trunks]] in the settings", "Keep the one that this machine shall use.")),
    (
        Code::PreviousKeyAlone,
        edit(
            SETTINGS,
            "[store]\nprevious_attribute_key",
            "[store]\nattribute_key = { credential = \"attribute-key\" }\nprevious_attribute_key",
            "Values are written under `attribute_key`, and `dialops contacts rotate-key` brings those of the key before \
             it under that one. With the old key alone nothing could be read or written.",
        ),
    ),
    (
        Code::SourceKeys,
        edit(
            SETTINGS,
            "repository = \"/srv/dialling.git\"\ntoken = { credential = \"git-token\" }",
            "repository = \"/srv/dialling.git\"",
            "A token opens `https://`; SSH needs a key, and the keys that the server may have, so that no other server \
             can pose as it. `repository` is read in place and needs none of these, and no limits of a fetch.",
        ),
    ),
    (
        Code::UnknownSource,
        told(
            "`source = \"sale\"` in [[webhooks]], when the source is called `sales`",
            "A webhook may name the source whose server it is, so that a push there has only that one looked at. \
             `[source]` is called `main` unless it has an `id`. Without the key all sources are looked at.",
        ),
    ),
    (
        Code::StatusKeys,
        edit(
            SETTINGS,
            "[source.status]\nprovider = \"gitea\"\nproject = \"acme/dialling\"\ntoken = { credential = \"status-token\" }",
            "[source.status]\nprovider = \"gitea\"\napi = \"https://git.example.net/api/v1\"\nproject = \"acme/dialling\"\n\
             token = { credential = \"status-token\" }",
            "GitHub and Gitea know a repository as `owner/name`, GitLab by its whole path or its number. `api` may be left \
             out for github.com and gitlab.com only.",
        ),
    ),
    (
        Code::NotificationKeys,
        edit(
            SETTINGS,
            "kind = \"alertmanager\"\nurl = \"http://alertmanager.example.net:9093\"\nsecret = { credential = \"secret\" }",
            "kind = \"alertmanager\"\nurl = \"http://alertmanager.example.net:9093\"",
            "Alertmanager is sent alerts, which begin and end: it takes no signature, and that a commit is in force never \
             ends.",
        ),
    ),
    (
        Code::VerifyKeys,
        edit(
            SETTINGS,
            "verify = { allowed_signers = { file = \"allowed_signers\" } }",
            "verify = { mode = \"every\", allowed_signers = { file = \"allowed_signers\" } }",
            "`head` asks for a signature of the commit that is to be put in force, `every` for those of all commits since \
             the one in force too. Keys are SSH's `allowed_signers`, an OpenPGP `keyring`, or both.",
        ),
    ),
    (
        Code::SmsGateway,
        edit(
            SETTINGS,
            "body = '{ \"to\": \"{number}\" }'",
            "body = '{ \"to\": \"{number}\", \"text\": \"{text}\", \"reference\": \"{id}\" }'",
            "What the gateway is sent is JSON in which texts have gaps: `{number}`, `{text}` and, if it takes one, `{id}`, \
             which is the same however often a message is handed in. A header has a `value` or a `secret`, and \
             `success_field` goes with `success_value`.",
        ),
    ),
    (
        Code::NewInPast,
        told(
            "`check --base main` on a branch that adds a campaign whose `starts_at` was last week",
            "Mostly the year is wrong, or the file is a copy. Set `starts_at` to when the campaign shall begin; the \
             daemon would begin at once. Now is the time of the base's commit, unless `--at` says otherwise. A campaign \
             is new if the base has none of its id; with `--at` alone all are.",
        ),
    ),
    (
        Code::IdChanged,
        told(
            "`check --base main` on a branch that changes `id = \"spring\"` to `id = \"spring-2\"` in a file",
            "Contacts, results and history belong to an id, and a file is known by the id in it, never by its path. So \
             another id in the same file, or under the same name in another one, retires the old campaign and begins one \
             that has nothing of it. If the name shall change, change `name` and put the old id back. If another campaign \
             is meant, remove the old file and give the new campaign a file and a name of its own.",
        ),
    ),
    (
        Code::FilterDepth,
        told(
            "a `not` in a `not` in a `not` …, nine deep",
            "Say the same in fewer steps: `not` around a comparison is mostly another comparison, and an `all` in an \
             `all` is one `all`. An attribute that says what you mean, set at the import, is simpler still.",
        ),
    ),
    (
        Code::Condition,
        edit(
            WINTER,
            "filter = { attribute = \"score\", op = \"ge\", value = 1, any = [{ attribute = \"score\", op = \"is_set\" }] }",
            "filter = { attribute = \"score\", op = \"ge\", value = 1 }",
            "To ask for several things, write `all = [{ … }, { … }]`; for one of several, `any`.",
        ),
    ),
    (
        Code::Operand,
        edit(
            SUMMER,
            "op = \"in\", value = \"gold\" }",
            "op = \"in\", value = [\"gold\", \"silver\"] }",
            "`in` and `not_in` take a list, `between` a list of two with the least first, `is_set` and `is_empty` \
             nothing, all others one value.",
        ),
    ),
    (
        Code::OperandType,
        edit(
            WINTER,
            "op = \"ge\", value = \"1\" }",
            "op = \"ge\", value = 1 }",
            "A number attribute is compared with numbers, a date with dates such as 2031-03-04, a string with strings. \
             The attribute's type stands in shared/attributes.toml.",
        ),
    ),
    (
        Code::AttributeEncrypted,
        edit(
            WINTER,
            "filter = { attribute = \"contract\", op = \"is_set\" }",
            "filter = { attribute = \"score\", op = \"ge\", value = 1 }",
            "Nobody shall learn an encrypted value by asking which contacts match. Keep what you filter on in an \
             attribute of another type.",
        ),
    ),
    (
        Code::AttributeNotUsed,
        told(
            "a filter on `score` beside `attributes = [\"tier\"]`",
            "`strategy.attributes` lists what the campaign may use. Add the attribute there, or leave the list out to \
             use all.",
        ),
    ),
    (
        Code::Rounds,
        edit(
            WINTER,
            "rounds = [2, \"mobile\"]",
            "rounds = [2, 1]",
            "`rounds_by_category` lists categories, `rounds_by_index` the places of numbers counted from 1, and a \
             `sequence` has no rounds.",
        ),
    ),
    (
        Code::RepeatedResult,
        edit(
            SUMMER,
            "{ result = \"busy\", retries = 2, interval = \"1h\" }",
            "{ result = \"no_answer\", retries = 2, interval = \"1h\" }",
            "Each result has one rule. Join the two.",
        ),
    ),
    (
        Code::NoRetryByCategory,
        edit(
            SUMMER,
            "policy = \"by_category\"\nno_retry = [\"vacant\"]",
            "policy = \"by_category\"",
            "By category, a result ends the one number it came from: give that category `by_result` and leave the \
             result out of it.",
        ),
    ),
    (
        Code::WindowsNeverOpen,
        edit(
            WINTER,
            "ends_at = 2031-11-01T08:00:00+08:00",
            "ends_at = 2031-12-24T00:00:00+08:00",
            "Between `starts_at` and `ends_at` no window opens: the life is too short, or special days close all of \
             it. Look at the zone too.",
        ),
    ),
    (
        Code::SpecialDays,
        edit(
            SUMMER,
            "closed = true\nwindows = [\"11:00-12:00\"]",
            "closed = false\nwindows = [\"11:00-12:00\"]",
            "A special day says which days, by a calendar or by lists of its own, and what holds on them, windows or \
             `closed = true`.",
        ),
    ),
    (
        Code::FallbackZone,
        edit(
            SUMMER,
            "timezone = \"contact\"\n",
            "timezone = \"contact\"\nfallback_timezone = \"Europe/Berlin\"\n",
            "Not every contact has a zone, and some regions have several; the fallback governs those. With a fixed \
             zone there is nothing to fall back from.",
        ),
    ),
    (
        Code::RuleKeys,
        edit(
            SUMMER,
            "action = \"stop\"\ninterval = \"1h\"",
            "action = \"stop\"",
            "`call_next_number` and `call_same_number` need an `interval` of 1s to 3600s; after `stop` there is no \
             call to have one.",
        ),
    ),
    (
        Code::CallbackHost,
        edit(
            SUMMER,
            "url = \"https://elsewhere.example.net/calls\"",
            "url = \"https://crm.example.net/calls\"",
            "Callbacks hold personal data, so the machine's administrator lists the hosts that may have them in \
             `ceilings.callback_hosts`.",
        ),
    ),
    (
        Code::SharedPriority,
        edit(
            WINTER,
            "state = \"running\"\npriority = 2\nmode = \"preoccupied\"\ncaller_numbers = [\"+862160001001\"]\n\
             starts_at = 2031-05-01T00:00:00+08:00",
            "state = \"paused\"\nmode = \"preoccupied\"\ncaller_numbers = [\"+862160001001\"]\n\
             starts_at = 2031-11-01T00:00:00+08:00",
            "Mostly that is meant: campaigns that live at once take turns, call by call. If one shall go first whenever it has \
             somebody to call, give it a lower `priority`.",
        ),
    ),
    (
        Code::NoEffect,
        edit(
            SUMMER,
            "enabled = false",
            "enabled = true",
            "The file says something that nothing looks at, because another setting rules it out. Take it away, or \
             mend the other setting.",
        ),
    ),
    (
        Code::BudgetUnspendable,
        edit(
            AUTUMN,
            "{ result = \"busy\", retries = 100, interval = \"23h\" }",
            "{ result = \"busy\", retries = 1, interval = \"10m\" }",
            "The retries that the policy allows do not all fit into the campaign's life, or into its days, or under a \
             cap on calls. Fewer of them say the same; or give the campaign more time, or a wider cap.",
        ),
    ),
    (
        Code::LongInterval,
        edit(
            AUTUMN,
            "{ result = \"busy\", retries = 1, interval = \"36h\" }",
            "{ result = \"busy\", retries = 1, interval = \"10m\" }",
            "Nothing is wrong with it if it is meant: the number is tried again more than a day later.",
        ),
    ),
    (
        Code::NotDialledYet,
        told(
            "`order = \"rounds_by_category\"` with a version that reads rounds and dials sequences",
            "The file is right. This version checks and plans the setting and does not dial by it yet; so that nobody \
             is called against it, the campaign is held, and `why` says so. Leave the setting out, or wait for a newer \
             version.",
        ),
    ),
    (
        Code::StaysExpired,
        told(
            "`check --base main` on a branch that moves `ends_at` of a campaign that ended last week to next month",
            "The daemon keeps it expired, whatever its file says later, so that nobody is called who was taken for \
             done. To go on, begin another campaign: a file, an `id` and a `name` of its own, and import the contacts \
             that are left. Now is the time of the base's commit, unless `--at` says otherwise.",
        ),
    ),
    (
        Code::UnknownTemplate,
        edit(
            AUTUMN,
            "extends = \"ofer\"",
            "extends = \"offer\"",
            "A template is known by the `id` in its file of campaigns/templates, never by the file's name.",
        ),
    ),
    (
        Code::NotInTemplate,
        told(
            "`starts_at = 2031-03-01T09:00:00+08:00` in a file of campaigns/templates",
            "Identity and dates belong to one campaign, and a template to many. Write the key in each campaign. A \
             template has no template of its own either, so that one look tells where a setting comes from.",
        ),
    ),
];
