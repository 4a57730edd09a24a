//! Which campaigns a table of a shared file has to do with.

use crate::{
    config::layout::FileKind,
    domain::{
        campaign::{Campaign, Definitions, NumberOrder},
        ids::{AgentId, CalendarId, DoNotCallId, QueueId},
        policy::ResultPolicy,
    },
};

/// A table of a shared file, by its id, on both sides of a comparison.
pub(super) struct SharedTable<'a> {
    pub(super) kind: FileKind,
    /// `None` for the file itself.
    pub(super) id: Option<&'a str>,
    pub(super) sides: [Option<&'a Definitions>; 2],
}

impl SharedTable<'_> {
    /// Whether the campaign uses it.
    pub(super) fn touches(&self, campaign: &Campaign) -> bool {
        let Some(id) = self.id else { return self.kind == FileKind::Tenant };
        match self.kind {
            FileKind::Tenant => true,
            FileKind::Queues => campaign.skill_queue.as_str() == id,
            FileKind::Agents => self.serves(id, &campaign.skill_queue),
            FileKind::Attributes => {
                campaign.attributes.as_ref().is_none_or(|used| used.iter().any(|attribute| attribute.as_str() == id))
            }
            FileKind::Categories => calls_by_category(campaign, id),
            FileKind::BusinessResults => campaign.business.iter().any(|rule| rule.result.as_str() == id),
            FileKind::Calendars => self.has_days_of(id, campaign),
            FileKind::Sms => campaign.failure_sms.as_ref().is_some_and(|sms| sms.as_str() == id),
            FileKind::Survey => campaign.survey.as_ref().is_some_and(|survey| survey.id.as_str() == id),
            FileKind::DoNotCall => self.heeds(id, campaign),
            // Names for people change nothing that is dialled.
            FileKind::Results | FileKind::Campaign => false,
        }
    }

    fn on_some_side(&self, holds: impl Fn(&Definitions) -> bool) -> bool {
        self.sides.into_iter().flatten().any(holds)
    }

    fn serves(&self, agent: &str, queue: &QueueId) -> bool {
        let Ok(agent) = AgentId::parse(agent) else { return false };
        self.on_some_side(|side| side.agents.get(&agent).is_some_and(|agent| agent.queues.contains(queue)))
    }

    /// A campaign holds the days of its calendars, not their ids.
    fn has_days_of(&self, calendar: &str, campaign: &Campaign) -> bool {
        let Ok(calendar) = CalendarId::parse(calendar) else { return false };
        self.on_some_side(|side| {
            let days = side.calendars.get(&calendar).map(|calendar| &calendar.days);
            days.is_some_and(|days| campaign.hours.special().iter().any(|special| special.days == *days))
        })
    }

    fn heeds(&self, list: &str, campaign: &Campaign) -> bool {
        let Ok(list) = DoNotCallId::parse(list) else { return false };
        campaign.do_not_call.contains(&list) || self.on_some_side(|side| side.tenant.do_not_call.contains(&list))
    }
}

fn calls_by_category(campaign: &Campaign, category: &str) -> bool {
    let in_rounds = match &campaign.order {
        NumberOrder::RoundsByCategory { rounds, .. } => rounds.iter().any(|round| round.as_str() == category),
        NumberOrder::Sequence | NumberOrder::RoundsByIndex { .. } => false,
    };
    let in_policy = match &campaign.results {
        ResultPolicy::ByCategory { categories, .. } => categories.keys().any(|known| known.as_str() == category),
        ResultPolicy::Global { .. } => false,
    };
    in_rounds || in_policy
}
