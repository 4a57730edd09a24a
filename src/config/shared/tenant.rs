//! The tenant of `shared/tenant.toml`.

use super::Defined;
use crate::{
    config::{
        campaign::per_number,
        items::{once, values},
        kinds::{choice::Choice, text::Slug},
        load::{Commit, InFile},
        tables::tenant::TenantFile,
        windows,
    },
    domain::{
        business_result::BusinessResult,
        do_not_call::DoNotCallList,
        ids::DoNotCallId,
        tenant::{AbandonedRules, AgentRules, Codec, MediaRules, RecordingRules, SmsRules, Tenant},
    },
};

/// The tenant; `None` if a key of it could not be read.
pub(crate) fn tenant(
    file: InFile<TenantFile>,
    business_results: Option<&Defined<BusinessResult>>,
    do_not_call: Option<&Defined<DoNotCallList>>,
    commit: &mut Commit<'_>,
) -> Option<Tenant> {
    let InFile { file, value: tenant } = file;
    let agents = tenant.agents.value;
    if let (Some(result), Some(results)) = (&agents.wrap_up_result, business_results) {
        results.has(result, file, commit);
    }
    once::<Slug<DoNotCallId>>(file, &tenant.do_not_call.value, commit);
    if let Some(known) = do_not_call {
        for list in &tenant.do_not_call.value {
            known.has(list, file, commit);
        }
    }
    let windows = tenant.sms.value.windows.value;
    windows::apart(file, &windows, commit);
    let codecs = tenant.media.value.codecs.value;
    once::<Choice<Codec>>(file, &codecs, commit);
    let (abandoned, recording) = (tenant.abandoned.value, tenant.recording.value);
    Some(Tenant {
        id: tenant.id?.value,
        name: tenant.name?.value,
        timezone: tenant.timezone?.value.name,
        region: tenant.region?.value,
        do_not_call: values(tenant.do_not_call.value),
        per_number: match tenant.per_number {
            Some(table) => Some(per_number(table.value)?),
            None => None,
        },
        agents: AgentRules {
            hold: agents.hold.value,
            ring: agents.ring.value,
            wrap_up: agents.wrap_up.value,
            wrap_up_result: agents.wrap_up_result.map(|result| result.value),
        },
        sms: SmsRules { windows: values(windows) },
        abandoned: AbandonedRules {
            limit: abandoned.limit.value,
            days: abandoned.days.value,
            message: abandoned.message.map(|message| message.value),
        },
        media: MediaRules { codecs: values(codecs) },
        recording: RecordingRules { enabled: recording.enabled.value, keep: recording.keep.value },
    })
}
