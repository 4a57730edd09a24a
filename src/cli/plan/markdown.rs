//! The form for a merge request: a table of campaigns, details folded, telephone numbers masked.
//!
//! What people wrote stands in `<code>`, where it mentions nobody and links nowhere.

use std::fmt::Write as _;

use super::{
    Counted, Plan,
    masked::masked,
    show::{self, Numbers},
    text::against,
};
use crate::{
    cli::{
        check::folder::counted,
        output::{Failure, Out},
    },
    config::{
        compare::ChangedCampaign,
        difference::{Difference, Shown},
        render::visible_line,
    },
};

/// Writes the whole plan.
pub(super) fn write(plan: &Plan, counted: &Counted) -> Result<(), Failure> {
    let mut out = Out::stdout();
    out.line("### What this changes\n")?;
    out.line(format!(
        "From {} to {}; against {}.\n",
        code(&masked(&plan.from.title())),
        code(&masked(&plan.to.title())),
        code(&against(plan))
    ))?;
    out.line(format!("{}\n", plain(&show::summary(plan))))?;
    if !plan.comparison.campaigns.is_empty() {
        out.line("| Campaign | Step | What it does | Contacts |\n|---|---|---|---|")?;
        for campaign in &plan.comparison.campaigns {
            out.line(row(plan, campaign, counted))?;
        }
        out.line("")?;
    }
    if let Some(why) = counted.missing.as_ref().filter(|_| !plan.comparison.is_empty()) {
        out.line(format!("No counts: {}.\n", code(&masked(why))))?;
    }
    for campaign in plan.comparison.campaigns.iter().filter(|campaign| !campaign.differences.is_empty()) {
        out.line(folded(&code(campaign.id.as_str()), &campaign.differences))?;
    }
    for change in &plan.comparison.shared {
        let entry = change.entry.as_ref().map(|entry| format!(" {}", code(entry))).unwrap_or_default();
        let touches = show::touches(change, |id| code(id.as_str()));
        let title = format!("{}{entry}, touches {touches}", code(&change.file));
        out.line(folded(&title, &change.differences))?;
    }
    // The guard speaks last, so that it hides nothing.
    for line in show::verdict(plan) {
        out.line(format!("{}\n", code(&masked(&line))))?;
    }
    out.finish()
}

fn row(plan: &Plan, campaign: &ChangedCampaign, counted: &Counted) -> String {
    let counts = counted.campaigns.iter().find(|counts| counts.campaign == campaign.id.as_str());
    let counts = counts.map(|counts| show::counts(Some(campaign), counts)).unwrap_or_default();
    let (id, name) = (code(campaign.id.as_str()), code(&masked(&campaign.name)));
    let holds = show::holds(campaign).into_iter();
    let does: Vec<String> = std::iter::once(show::step(plan, campaign)).chain(holds).map(|line| plain(&line)).collect();
    format!("| {id} {name} | {} | {} | {} |", campaign.verb.as_str(), does.join("<br>"), plain(&counts))
}

/// A table of settings that opens at a click.
fn folded(title: &str, differences: &[Difference]) -> String {
    let settings = counted(differences.len(), "setting");
    let mut text = format!("<details><summary>{title}: {settings}</summary>\n\n");
    text.push_str("| Setting | Before | After | What it means |\n|---|---|---|---|\n");
    for difference in differences {
        let (before, after) = cells(difference);
        let meaning = difference.meaning.as_deref().map(plain).unwrap_or_default();
        let place = difference.to.as_ref().or(difference.from.as_ref()).and_then(show::place);
        let place = place.map(|place| format!("<br>{}", code(&place))).unwrap_or_default();
        // Writing to a String does not fail.
        let _written = writeln!(text, "| {}{place} | {before} | {after} | {meaning} |", code(&difference.key));
    }
    text.push_str("\n</details>\n");
    text
}

fn cells(difference: &Difference) -> (String, String) {
    let one = |shown: Option<&Shown>| code(&show::side(shown, Numbers::Masked));
    if !difference.is_of_lists() || (difference.added.is_empty() && difference.removed.is_empty()) {
        return (one(difference.from.as_ref()), one(difference.to.as_ref()));
    }
    let items = |sign: &str, items: &[Shown]| {
        let items = items.iter().map(|item| format!("{sign} {}", code(&show::value(&item.value, Numbers::Masked))));
        items.collect::<Vec<_>>().join("<br>")
    };
    (items("−", &difference.removed), items("+", &difference.added))
}

/// Text that means nothing to Markdown or HTML.
fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in visible_line(text).chars() {
        match c {
            ' ' | ',' | '.' | ';' | ':' | '-' | '/' | '"' | '(' | ')' | '+' | '=' => safe.push(c),
            c if c.is_ascii_punctuation() => {
                let _written = write!(safe, "&#{};", u32::from(c));
            }
            c => safe.push(c),
        }
    }
    safe
}

fn code(text: &str) -> String {
    format!("<code>{}</code>", plain(text))
}
