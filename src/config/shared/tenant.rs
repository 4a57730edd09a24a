//! The tenant of `shared/tenant.toml`.

use crate::{
    config::tables::tenant::TenantFile,
    domain::tenant::{AgentRules, Tenant},
};

/// The tenant; `None` if a key of it could not be read.
pub(crate) fn tenant(file: TenantFile) -> Option<Tenant> {
    let agents = file.agents.value;
    let mut tenant = Tenant::new(file.id?.value, &file.name?.value, &file.timezone?.value.name, &file.region?.value);
    tenant.agents = AgentRules { ring: agents.ring.value, wrap_up: agents.wrap_up.value, ..AgentRules::default() };
    Some(tenant)
}
