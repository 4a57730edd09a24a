//! The form for people: the structure first, then counts as they come.

use super::{
    Plan,
    counts::Counts,
    show::{self, Numbers},
};
use crate::{
    cli::{
        output::{Failure, Out, Tint},
        text::{Zone, clean_line},
    },
    config::{
        compare::{ChangedCampaign, SharedChange},
        difference::{Difference, Shown},
    },
    domain::plan::Verb,
};

/// Writes the whole plan, and counts while the daemon tells them.
pub(super) async fn write(plan: &Plan, counts: &mut Counts<'_>) -> Result<(), Failure> {
    let mut out = Out::stdout();
    out.line(format!("plan     from {}", clean_line(&plan.from.title())))?;
    out.line(format!("         to {}", clean_line(&plan.to.title())))?;
    out.line(format!("against  {}", against(plan)))?;
    for campaign in &plan.comparison.campaigns {
        campaign_lines(&mut out, plan, campaign)?;
    }
    for change in &plan.comparison.shared {
        shared_lines(&mut out, change)?;
    }
    out.line("")?;
    out.line(show::summary(plan))?;
    out.flush()?;
    write_counts(&mut out, plan, counts).await?;
    // The guard speaks last, so that it hides nothing.
    for line in show::verdict(plan) {
        out.line(line)?;
    }
    out.finish()
}

async fn write_counts(out: &mut Out, plan: &Plan, counts: &mut Counts<'_>) -> Result<(), Failure> {
    let mut first = true;
    while let Some(counted) = counts.next().await {
        if std::mem::take(&mut first) {
            out.line("")?;
        }
        let known = plan.comparison.campaigns.iter().find(|campaign| campaign.id.as_str() == counted.campaign);
        // Against another generation than the plan's own start, other campaigns may change too.
        out.line(format!("{}  {}", out.bold(&clean_line(&counted.campaign)), show::counts(known, &counted)))?;
        out.flush()?;
    }
    match counts.missing().filter(|_| !plan.comparison.is_empty()) {
        Some(why) => out.line(format!("no counts: {}", clean_line(why))),
        None => Ok(()),
    }
}

/// The generation that the plan was made against.
pub(super) fn against(plan: &Plan) -> String {
    let live = match &plan.live {
        Ok(live) => live,
        Err(why) => return format!("no daemon: {}", clean_line(why)),
    };
    let (instance, epoch) = (clean_line(&live.instance), live.epoch);
    match (&live.revision, &live.applied_at) {
        (Some(revision), Some(since)) => {
            let revision = revision.get(..12).unwrap_or(revision);
            format!(
                "{instance}, epoch {epoch}: commit {revision} in force since {} UTC",
                Zone::named("UTC").show(since)
            )
        }
        _ => format!("{instance}, epoch {epoch}: nothing in force yet"),
    }
}

fn campaign_lines(out: &mut Out, plan: &Plan, campaign: &ChangedCampaign) -> Result<(), Failure> {
    let tint = match campaign.verb {
        Verb::Create | Verb::Resume | Verb::Return => Tint::Green,
        Verb::Amend => Tint::Yellow,
        Verb::Pause | Verb::Retire => Tint::Red,
    };
    out.line("")?;
    let verb = out.tinted(tint, &format!("{:<7}", campaign.verb.as_str()));
    let id = out.bold(campaign.id.as_str());
    let name = clean_line(&show::value(&campaign.name.as_str().into(), Numbers::InFull));
    out.line(format!("{verb} {id} {name}: {}", show::step(plan, campaign)))?;
    for hold in show::holds(campaign) {
        out.line(format!("        {hold}"))?;
    }
    if let (true, Some(file)) = (campaign.differences.is_empty(), &campaign.file) {
        let line = out.tinted(Tint::Dim, &format!("        {}", clean_line(file)));
        out.line(line)?;
    }
    campaign.differences.iter().try_for_each(|difference| difference_lines(out, difference))
}

fn shared_lines(out: &mut Out, change: &SharedChange) -> Result<(), Failure> {
    out.line("")?;
    let verb = out.tinted(Tint::Yellow, "shared ");
    let entry = change.entry.as_ref().map(|entry| format!(" {entry}")).unwrap_or_default();
    let touches = show::touches(change, ToString::to_string);
    let title = out.bold(&clean_line(&format!("{}{entry}", change.file)));
    out.line(format!("{verb} {title}: touches {touches}"))?;
    change.differences.iter().try_for_each(|difference| difference_lines(out, difference))
}

fn difference_lines(out: &mut Out, difference: &Difference) -> Result<(), Failure> {
    let Difference { key, from, to, added, removed, meaning } = difference;
    let newest = to.as_ref().or(from.as_ref());
    let place = newest.and_then(show::place).map(|place| out.tinted(Tint::Dim, &format!("  {}", clean_line(&place))));
    let place = place.unwrap_or_default();
    if difference.is_of_lists() {
        let order = if added.is_empty() && removed.is_empty() { ": another order" } else { "" };
        out.line(format!("        {key}{order}{place}"))?;
        items(out, Tint::Red, '-', removed)?;
        items(out, Tint::Green, '+', added)?;
    } else {
        let shown = |shown: &Option<Shown>| clean_line(&show::side(shown.as_ref(), Numbers::InFull));
        out.line(format!("        {key}: {} → {}{place}", shown(from), shown(to)))?;
    }
    match meaning {
        Some(meaning) => out.line(format!("          {meaning}")),
        None => Ok(()),
    }
}

fn items(out: &mut Out, tint: Tint, sign: char, items: &[Shown]) -> Result<(), Failure> {
    items.iter().try_for_each(|item| {
        let value = clean_line(&show::value(&item.value, Numbers::InFull));
        let line = out.tinted(tint, &format!("          {sign} {value}"));
        out.line(line)
    })
}
