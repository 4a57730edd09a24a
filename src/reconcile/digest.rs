//! Digest of a campaign's definition, to see whether a commit changes it.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::domain::{
    calendar::CallingHours,
    campaign::{CallerNumber, Campaign, Limits, Mode, PerNumberLimit},
};

/// Digest of everything in a definition but `state`, over its values: comments, order of keys and
/// defaults written out don't change it. `sha256:` and 64 hex digits.
#[must_use]
pub fn digest(campaign: &Campaign) -> String {
    // Taken apart by name, so that a new field can't be forgotten here.
    let Campaign {
        id,
        name,
        description,
        desired: _,
        mode: Mode::Preoccupied,
        caller_numbers,
        starts_at,
        ends_at,
        skill_queue,
        priority,
        hours,
        max_ring,
        order,
        filter,
        sort,
        attributes,
        do_not_call,
        results,
        business,
        limits,
        agents,
        survey,
        failure_sms,
        callback,
        drifted: _,
    } = campaign;
    let mut fields = Fields(Sha256::new());
    fields.put("id", id.as_str());
    fields.put("name", name);
    fields.put("description", description);
    fields.put("mode", "preoccupied");
    for CallerNumber { number, priority } in caller_numbers {
        fields.put("caller_number", number.expose());
        fields.put("caller_number.priority", &priority.get().to_string());
    }
    fields.put("starts_at", &starts_at.to_string());
    fields.put("ends_at", &ends_at.to_string());
    fields.put("skill_queue", skill_queue.as_str());
    fields.put("priority", &priority.get().to_string());
    put_hours(&mut fields, hours);
    fields.put("max_ring", &max_ring.as_nanos().to_string());
    fields.put_value("order", order);
    fields.put_value("filter", filter);
    fields.put_value("sort", sort);
    fields.put_value("attributes", attributes);
    fields.put_value("do_not_call", do_not_call);
    fields.put_value("results", results);
    fields.put_value("business", business);
    put_limits(&mut fields, limits);
    fields.put_value("agents", agents);
    fields.put_value("survey", survey);
    fields.put_value("failure_sms", failure_sms);
    fields.put_value("callback", callback);
    fields.finish()
}

fn put_hours(fields: &mut Fields, hours: &CallingHours) {
    fields.put("timezone", hours.timezone());
    fields.put_value("contact_zone", &hours.is_in_contact_zone());
    for window in hours.windows() {
        fields.put("window", &window.to_string());
    }
    for special in hours.special() {
        fields.put_value("special", special);
    }
}

fn put_limits(fields: &mut Fields, limits: &Limits) {
    let Limits {
        max_concurrent_calls,
        max_calls_per_second,
        max_attempts_per_contact,
        per_number,
        per_number_of_tenant,
    } = limits;
    let caps = [
        ("max_concurrent_calls", max_concurrent_calls),
        ("max_calls_per_second", max_calls_per_second),
        ("max_attempts_per_contact", max_attempts_per_contact),
    ];
    for (key, cap) in caps {
        if let Some(cap) = cap {
            fields.put(key, &cap.to_string());
        }
    }
    fields.put_value("per_number_of_tenant", per_number_of_tenant);
    if let Some(PerNumberLimit { attempts, days, after_conversation_days }) = per_number {
        fields.put("per_number.attempts", &attempts.to_string());
        fields.put("per_number.days", &days.to_string());
        fields.put("per_number.after_conversation_days", &after_conversation_days.to_string());
    }
}

struct Fields(Sha256);

impl Fields {
    /// Adds a field; lengths go first, so that no text can pose as another field.
    fn put(&mut self, key: &str, value: &str) {
        for part in [key, value] {
            self.0.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            self.0.update(part);
        }
    }

    /// Adds a field in the form that debugging prints: none of these values masks anything there, and a
    /// renamed variant counts as a change once.
    fn put_value<T: fmt::Debug>(&mut self, key: &str, value: &T) {
        self.put(key, &format!("{value:?}"));
    }

    fn finish(self) -> String {
        let hex = self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        format!("sha256:{hex}")
    }
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, time::Duration};

    use jiff::tz::TimeZone;

    use super::*;
    use crate::domain::{calendar::Window, campaign::DesiredState, filter::Filter, ids::CampaignId};

    fn campaign() -> Campaign {
        Campaign { id: CampaignId::parse("spring").unwrap(), ..Campaign::example() }
    }

    #[test]
    fn stable_over_versions() {
        // Stored: if this changes, every campaign counts as amended once.
        let expected = "sha256:649b34ee47cb7a64dc9d55b2f63f65587de8a3338e061b9363373a0fa580cd5a";
        assert_eq!(digest(&campaign()), expected);
    }

    #[test]
    fn all_but_the_state_counts() {
        let before = digest(&campaign());
        let changed = |change: fn(&mut Campaign)| {
            let mut campaign = campaign();
            change(&mut campaign);
            digest(&campaign) != before
        };
        assert!(!changed(|c| c.desired = DesiredState::Paused));
        assert!(changed(|c| c.name.push('x')));
        assert!(changed(|c| c.description.push('x')));
        assert!(changed(|c| c.max_ring += Duration::from_millis(1)));
        assert!(changed(|c| c.caller_numbers.push(c.caller_numbers[0].clone())));
        assert!(changed(|c| c.filter = Some(Filter::All(Vec::new()))));
        assert!(changed(|c| c.limits.max_calls_per_second = NonZeroU32::new(1)));
        assert!(changed(
            |c| c.hours = CallingHours::new("UTC", TimeZone::UTC, vec![Window::parse("09:00-18:01").unwrap()]).unwrap()
        ));
    }
}
