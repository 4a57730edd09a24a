//! The tenant of `shared/tenant.toml`.

use std::collections::BTreeMap;

use super::Defined;
use crate::{
    config::{
        code::Code,
        load::{Commit, InFile, Place},
        read::At,
        tables::tenant::{AbandonedDefaults, AgentDefaults, TenantFile},
    },
    domain::{
        business_result::BusinessResult,
        calendar::Window,
        do_not_call::DoNotCallList,
        ids::DoNotCallId,
        tenant::{AbandonedRules, AgentRules, MediaRules, RecordingRules, SmsRules, Tenant},
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
    let lists = unique(file, tenant.do_not_call.value, |id| id.to_string(), commit);
    for list in &lists {
        if let Some(known) = do_not_call {
            known.has(list, file, commit);
        }
    }
    let windows = tenant.sms.value.windows.value;
    windows_apart(file, &windows, commit);
    let codecs = unique(file, tenant.media.value.codecs.value, |codec| codec.as_str().to_owned(), commit);
    let (abandoned, recording) = (tenant.abandoned.value, tenant.recording.value);
    Some(Tenant {
        id: tenant.id?.value,
        name: tenant.name?.value,
        timezone: tenant.timezone?.value.name,
        region: tenant.region?.value,
        do_not_call: values(lists),
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

fn values<T>(items: Vec<At<T>>) -> Vec<T> {
    items.into_iter().map(|item| item.value).collect()
}
