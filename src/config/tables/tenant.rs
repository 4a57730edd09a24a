//! `shared/tenant.toml`.

use std::time::Duration;

use crate::{
    config::{
        kinds::{
            duration::Lasting,
            text::{Region, Slug, Text},
            time::Zone,
        },
        table::table,
    },
    domain::ids::TenantId,
};

const RING: Duration = Duration::from_secs(15);
const WRAP_UP: Duration = Duration::from_secs(60);

table! {
    /// The tenant: whom all campaigns of this repository are dialled for.
    pub(crate) struct TenantFile "the tenant" {
        /// Identity: 1 to 64 of a-z, 0-9 and '-'.
        required id: Slug<TenantId> => "acme",
        /// Shown to people; 1 to 100 characters.
        required name: Text<1, 100> => "Acme Motors",
        /// IANA time zone of the tenant's days.
        required timezone: Zone => "Asia/Shanghai",
        /// Region of telephone numbers in national form: an ISO 3166-1 code of two letters.
        required region: Region => "CN",
        /// Defaults for agents.
        table agents: AgentDefaults,
    }
}

table! {
    /// Defaults for agents.
    pub(crate) struct AgentDefaults "`agents`" {
        /// How long an agent's phone rings before the call goes to another.
        default(RING) ring: Lasting<1, 120> => "15s",
        /// Longest wrap-up after a conversation, then the agent is idle again; 0s for none.
        default(WRAP_UP) wrap_up: Lasting<0, 3600> => "30s",
    }
}
