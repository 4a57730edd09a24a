//! `shared/tenant.toml`.

use super::campaign::PerNumberTable;
use crate::{
    config::{
        kinds::{
            choice::{Choice, Words},
            duration::{DAY, Lasting},
            flag::Flag,
            list::List,
            number::Count,
            region::Region,
            share::Share,
            text::{Slug, Text},
            time::{Window, Zone},
        },
        read::At,
        table::table,
    },
    domain::{
        ids::{BusinessResultId, DoNotCallId, TenantId},
        tenant::{AbandonedRules, AgentHold, AgentRules, Codec, MediaRules, RecordingRules},
    },
};

table! {
    /// The tenant: whom all campaigns of this repository are dialled for, and what holds for all of them.
    pub(crate) struct TenantFile "the tenant" {
        /// Identity: 1 to 64 of a-z, 0-9 and '-'.
        required id: Slug<TenantId> => "acme",
        /// Shown to people; 1 to 100 characters.
        required name: Text<1, 100> => "Acme Motors",
        /// IANA time zone of the tenant's days.
        required timezone: Zone => "Asia/Shanghai",
        /// Region of telephone numbers in national form: an ISO 3166-1 code of two letters that has numbers.
        required region: Region => "CN",
        /// Do-not-call lists that hold in every campaign, by their ids in shared/do-not-call.toml.
        default(Vec::new()) do_not_call: List<Slug<DoNotCallId>, 0> => ["objected"],
        /// Cap on calls to one number, counted over all campaigns, that holds in each of them; a campaign may have a
        /// cap of its own beside it.
        optional per_number: PerNumberTable => { attempts = 7, days = 7 },
        /// Defaults for agents; a campaign may have its own `hold`, `ring` and `wrap_up`.
        table agents: AgentDefaults,
        /// Text messages.
        table sms: SmsDefaults,
        /// Customers who picked up and whom no agent took.
        table abandoned: AbandonedDefaults,
        /// Sound.
        table media: MediaDefaults,
        /// Recordings.
        table recording: RecordingDefaults,
    }
}

table! {
    /// Defaults for agents.
    pub(crate) struct AgentDefaults "`agents`" {
        /// `per_call` rings an agent's phone for each call; `off_hook` keeps it connected from call to call.
        default(AgentHold::PerCall) hold: Choice<AgentHold> => "off_hook",
        /// How long an agent's phone rings before the call goes to another.
        default(AgentRules::default().ring) ring: Lasting<1, 120> => "15s",
        /// Longest wrap-up after a conversation, then the agent is idle again; 0s for none.
        default(AgentRules::default().wrap_up) wrap_up: Lasting<0, 3600> => "30s",
        /// Business result that is noted when a wrap-up runs out before the agent has noted one.
        optional wrap_up_result: Slug<BusinessResultId> => "not-noted",
    }
}

table! {
    /// Text messages.
    pub(crate) struct SmsDefaults "`sms`" {
        /// Windows of each day in which they may be sent, in the tenant's time zone; at any time if there is none.
        default(Vec::new()) windows: List<Window, 0> => ["09:00-20:00"],
    }
}

table! {
    /// Customers who picked up and whom no agent took.
    pub(crate) struct AbandonedDefaults "`abandoned`" {
        /// Most of the answered calls that may end so: a share with at most one decimal.
        default(AbandonedRules::default().limit) limit: Share => "3%",
        /// The period in which they are counted: so many times 24 hours, up to now.
        default(AbandonedRules::default().days) days: Count<366> => 30,
        /// What such a customer is told; 1 to 300 characters.
        optional message: Text<1, 300> => "This was Acme Motors. We are sorry that nobody could take the call.",
    }
}

table! {
    /// Sound.
    pub(crate) struct MediaDefaults "`media`" {
        /// Codecs that calls may use, the best first.
        default(codecs()) codecs: List<Choice<Codec>, 1> => ["pcma", "pcmu"],
    }
}

table! {
    /// Recordings.
    pub(crate) struct RecordingDefaults "`recording`" {
        /// Whether conversations are recorded.
        default(RecordingRules::default().enabled) enabled: Flag => true,
        /// How long a recording is kept: 1d to 3660d.
        default(RecordingRules::default().keep) keep: Lasting<DAY, { 3660 * DAY }> => "90d",
    }
}

fn codecs() -> Vec<At<Codec>> {
    MediaRules::default().codecs.into_iter().map(At::default).collect()
}

impl Words for Codec {
    const WORDS: &'static [(&'static str, Self)] =
        &[("pcma", Self::Pcma), ("pcmu", Self::Pcmu), ("g722", Self::G722), ("opus", Self::Opus)];
}
