//! Digest of a campaign's definition, to see whether a commit changes it.

use sha2::{Digest as _, Sha256};

use crate::domain::{
    calendar::CallingHours,
    campaign::{CallerNumber, Campaign, DaysPolicy, Limits, Mode, NumberOrder, PerNumberLimit, ResultPolicy},
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
        order: NumberOrder::Sequence,
        filter,
        results,
        limits,
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
    fields.put("order", "sequence");
    if let Some(filter) = filter {
        fields.put("filter", &filter.to_string());
    }
    put_results(&mut fields, results);
    put_limits(&mut fields, limits);
    fields.finish()
}

fn put_hours(fields: &mut Fields, hours: &CallingHours) {
    fields.put("timezone", hours.timezone());
    for window in hours.windows() {
        fields.put("window", &window.to_string());
    }
}

fn put_results(fields: &mut Fields, results: &ResultPolicy) {
    let ResultPolicy::Global(DaysPolicy { max_days, max_attempts_per_day, retry_interval }) = results;
    fields.put("results", "global.days");
    fields.put("max_days", &max_days.to_string());
    fields.put("max_attempts_per_day", &max_attempts_per_day.to_string());
    fields.put("retry_interval", &retry_interval.as_nanos().to_string());
}

fn put_limits(fields: &mut Fields, limits: &Limits) {
    let Limits { max_concurrent_calls, max_calls_per_second, max_attempts_per_contact, per_number } = limits;
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
    use crate::domain::{
        calendar::Window,
        campaign::{DesiredState, Priority},
        filter::Filter,
        ids::{CampaignId, QueueId},
        phone::E164,
    };

    fn campaign() -> Campaign {
        let windows = vec![Window::parse("09:00-18:00").unwrap()];
        Campaign {
            id: CampaignId::parse("spring").unwrap(),
            name: "Spring".to_owned(),
            description: String::new(),
            desired: DesiredState::Running,
            mode: Mode::Preoccupied,
            caller_numbers: vec![CallerNumber {
                number: E164::parse("+864005550100").unwrap(),
                priority: Priority::DEFAULT,
            }],
            starts_at: "2031-03-01T00:00:00Z".parse().unwrap(),
            ends_at: "2031-04-01T00:00:00Z".parse().unwrap(),
            skill_queue: QueueId::parse("sales").unwrap(),
            priority: Priority::DEFAULT,
            hours: CallingHours::new("UTC", TimeZone::UTC, windows).unwrap(),
            max_ring: Duration::from_secs(30),
            order: NumberOrder::Sequence,
            filter: None,
            results: ResultPolicy::Global(DaysPolicy {
                max_days: NonZeroU32::new(3).unwrap(),
                max_attempts_per_day: NonZeroU32::new(2).unwrap(),
                retry_interval: Duration::from_secs(1800),
            }),
            limits: Limits::default(),
        }
    }

    #[test]
    fn stable_over_versions() {
        // Stored: if this changes, every campaign counts as amended once.
        let expected = "sha256:0157fea0411e97131a20e8892b06aa19596f5d31bfcd262aa8e99986f081b920";
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
