//! Series of each campaign, for those who ask for them: `[metrics] per_campaign`.
//!
//! They are written as text at once and never kept, so a campaign that is gone leaves none, and thousands of them cost
//! no more than their bytes.

use std::fmt::{self, Write as _};

use super::status::{CampaignStatus, DialStatus};

/// A series: its name, what it says, and its value.
type Series = (&'static str, &'static str, fn(&CampaignStatus) -> Option<u64>);

/// What there is of each campaign; nothing for one whose contacts are being counted.
const SERIES: [Series; 4] = [
    ("dialops_campaign_desired_running", "Whether a campaign's file asks for `running`.", |campaign| {
        Some(u64::from(campaign.desired == "running"))
    }),
    ("dialops_campaign_live_calls", "Attempts of a campaign without an outcome.", |campaign| {
        Some(u64::from(campaign.live_calls))
    }),
    ("dialops_campaign_contacts", "Contacts of a campaign.", |campaign| campaign.contacts),
    ("dialops_campaign_open_contacts", "Contacts of a campaign that have not ended.", |campaign| {
        campaign.open_contacts
    }),
];

/// All of them in Prometheus' text format. Ids have no character that it would escape.
pub(super) fn text(dial: &DialStatus) -> Result<String, fmt::Error> {
    let mut text = String::with_capacity(dial.campaigns.len() * SERIES.len() * 64);
    for (name, help, value) in SERIES {
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge")?;
        for campaign in &dial.campaigns {
            if let Some(value) = value(campaign) {
                writeln!(text, "{name}{{campaign=\"{}\"}} {value}", campaign.id)?;
            }
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_for_each_value_that_is_known() {
        let campaign = |id: &str, contacts| CampaignStatus {
            id: id.to_owned(),
            desired: "running".to_owned(),
            contacts,
            ..CampaignStatus::default()
        };
        let campaigns = vec![campaign("a", Some(7)), campaign("b", None)];
        let text = text(&DialStatus { campaigns, ..DialStatus::default() }).unwrap();
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            lines,
            [
                "dialops_campaign_desired_running{campaign=\"a\"} 1",
                "dialops_campaign_desired_running{campaign=\"b\"} 1",
                "dialops_campaign_live_calls{campaign=\"a\"} 0",
                "dialops_campaign_live_calls{campaign=\"b\"} 0",
                "dialops_campaign_contacts{campaign=\"a\"} 7",
            ]
        );
        assert_eq!(text.matches("# TYPE ").count(), SERIES.len());
    }
}
