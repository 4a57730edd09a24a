//! Caps on calls that leave less than a policy asks for.

use super::lint::{Part, Why};
use crate::{
    config::kinds::duration::{DAY, shown},
    domain::{campaign::Campaign, policy::NumberPolicy},
};

/// Whose cap it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cap {
    /// On calls to a customer.
    Contact,
    /// On calls to a number.
    Number,
    /// The tenant's on calls to a number.
    Tenant,
}

/// What a policy may ask of one number.
struct Asked {
    part: Part,
    tries: u64,
    tries_a_day: u64,
    /// The same in words.
    text: String,
}

/// Why a cap does not let all tries of a policy be made.
pub(super) fn capped(policy: &NumberPolicy, campaign: &Campaign) -> Option<(Why, Cap)> {
    asked(policy).into_iter().find_map(|asked| {
        let (allows, cap) = too_little(&asked, campaign)?;
        Some((Why { part: asked.part, text: format!("{}, and {allows}", asked.text) }, cap))
    })
}

fn asked(policy: &NumberPolicy) -> Vec<Asked> {
    match policy {
        NumberPolicy::Days(days) => {
            let (days, tries_a_day) = (u64::from(days.max_days.get()), u64::from(days.max_attempts_per_day.get()));
            let tries = days * tries_a_day;
            vec![Asked { part: Part::Day, tries, tries_a_day, text: format!("a number may be tried {tries} times") }]
        }
        NumberPolicy::ByResult(rules) => {
            let rules = rules.iter().filter(|(_, rule)| rule.retries > 0);
            let asked = rules.map(|(result, rule)| Asked {
                part: Part::Rule(*result),
                tries: u64::from(rule.retries) + 1,
                tries_a_day: 1,
                text: format!("with {} retries after \"{}\"", rule.retries, result.as_str()),
            });
            asked.collect()
        }
    }
}

/// The cap that allows less than is asked, and what it allows.
fn too_little(asked: &Asked, campaign: &Campaign) -> Option<(String, Cap)> {
    let limits = &campaign.limits;
    let most = limits.max_attempts_per_contact.filter(|most| u64::from(most.get()) < asked.tries);
    if let Some(most) = most {
        return Some((format!("`max_attempts_per_contact` allows {most} to a customer"), Cap::Contact));
    }
    let life = campaign.ends_at.duration_since(campaign.starts_at).as_secs().unsigned_abs();
    let caps = [
        (limits.per_number, Cap::Number, "`per_number`"),
        (limits.per_number_of_tenant, Cap::Tenant, "the tenant's `per_number`"),
    ];
    caps.into_iter().find_map(|(limit, cap, name)| {
        let limit = limit?;
        let attempts = u64::from(limit.attempts.get());
        let periods = life / (u64::from(limit.days.get()) * DAY) + 1;
        let little = attempts < asked.tries_a_day || attempts * periods < asked.tries;
        let period = shown(u64::from(limit.days.get()) * DAY);
        little.then(|| (format!("{name} allows {attempts} in {period}"), cap))
    })
}
