//! `dialops why CAMPAIGN [CUSTOMER]`: what happened, what comes next and what holds it.

use super::{
    callbacks::told_lines,
    client::Client,
    output::{Exit, Failure, Format, Out},
    results::came_of_it,
    target::Target,
    text::{Table, Zone, clean, or_dash, seconds_between, short_revision},
};
use crate::{
    domain::{contact::HELD_FOR_GOOD, reason::Hold},
    http::wire::{
        Attempt, CampaignWhy, ContactWhy, KeptView, LiveView, NextView, NumberView, TallyView,
        business::{BusinessResultView, ScheduledView},
    },
    telemetry::status::{CampaignStatus, Waiting},
};

/// Arguments of `dialops why`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The campaign's id
    campaign: String,
    /// The customer's id; without one, the campaign itself is explained
    customer: Option<String>,
    /// Count a campaign's contacts by what keeps them, also if there are more than 100,000: that takes a while
    #[arg(long, conflicts_with = "customer")]
    counts: bool,
    /// How to write it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Explains a campaign or a contact.
pub(super) async fn run(args: Args, target: &Target) -> Result<Exit, Failure> {
    let client = Client::new(target)?;
    let mut out = Out::stdout();
    match &args.customer {
        Some(customer) => {
            let path = ["campaigns", args.campaign.as_str(), "contacts", customer, "why"];
            let why: ContactWhy = client.get(&path, &[]).await?;
            match args.format {
                Format::Json => out.json(&why)?,
                Format::Text => contact_lines(&args.campaign, &why).into_iter().try_for_each(|line| out.line(line))?,
            }
        }
        None => {
            let counts: &[(&str, &str)] = if args.counts { &[("counts", "true")] } else { &[] };
            let why: CampaignWhy = client.get(&["campaigns", &args.campaign, "why"], counts).await?;
            match args.format {
                Format::Json => out.json(&why)?,
                Format::Text => campaign_lines(&why).into_iter().try_for_each(|line| out.line(line))?,
            }
        }
    }
    out.finish()?;
    Ok(Exit::Ok)
}

fn campaign_lines(why: &CampaignWhy) -> Vec<String> {
    let zone = Zone::named(&why.timezone);
    let campaign = &why.campaign;
    let mut lines = vec![format!("{}  {}", campaign.id, clean(&campaign.name)).trim_end().to_owned()];
    lines.push(format!("  phase     {}{}", campaign.phase, asked(campaign)));
    lines.push(format!("  waiting   {}", waiting_text(campaign.waiting.as_ref(), &zone, "nothing: it dials")));
    if !campaign.revision.is_empty() {
        lines.push(format!("  defined   by commit {}", short_revision(&campaign.revision)));
    }
    lines.extend(tally_lines(&why.tally));
    match &why.kept {
        None => lines.push("  what keeps them is told with --counts".to_owned()),
        Some(kept) if kept.is_empty() => {}
        Some(kept) => {
            lines.push(String::new());
            let at = format!("{} {}", zone.show(&why.as_of), zone.name);
            lines.push(if why.at_once {
                format!("  of those that have not ended, at {at}")
            } else {
                format!(
                    "  of those that have not ended, looked at from {at} on; who moved meanwhile may be missing here"
                )
            });
            lines.extend(kept_table(kept, &zone).lines("  "));
        }
    }
    lines
}

fn kept_table(kept: &[KeptView], zone: &Zone) -> Table {
    let mut table = Table::new(&["CONTACTS", "THEY", "THE FIRST FROM", "HOLD"]);
    for some in kept {
        table.row([
            some.contacts.to_string(),
            clean(&some.message),
            or_dash(some.until.as_deref().map(|until| zone.show(until)).as_deref()),
            or_dash(some.reason.as_deref()),
        ]);
    }
    table
}

fn asked(campaign: &CampaignStatus) -> String {
    if campaign.desired.is_empty() { String::new() } else { format!(" (its file says {})", campaign.desired) }
}

fn tally_lines(tally: &TallyView) -> [String; 2] {
    let counts = |map: &std::collections::BTreeMap<String, u64>| {
        let counted: Vec<String> = map.iter().map(|(name, count)| format!("{count} {name}")).collect();
        or_dash(Some(&counted.join(", ")))
    };
    let filtered_out = match tally.filtered_out {
        0 => String::new(),
        count => format!(" ({count} of them filtered out)"),
    };
    [
        format!(
            "  contacts  {}: {} not called yet, {} under way{filtered_out}, ended: {}",
            tally.contacts,
            tally.fresh,
            tally.in_progress,
            counts(&tally.ended)
        ),
        format!("  attempts  {} live, ended: {}", tally.live, counts(&tally.attempts)),
    ]
}

pub(super) fn contact_lines(campaign: &str, why: &ContactWhy) -> Vec<String> {
    let zone = Zone::named(&why.timezone);
    let contact = &why.contact;
    let mut lines = vec![format!("{campaign} · {}: {}", clean(&contact.customer), state(why))];
    let own = contact.timezone.as_deref().map(|own| format!("; the contact's own zone {own}, as imported"));
    lines.push(format!("  times in {}{}", zone.name, own.unwrap_or_default()));
    lines.push(String::new());
    lines.extend(number_table(why, &zone).lines("  "));
    lines.push(String::new());
    if why.attempts.is_empty() {
        lines.push("  never called".to_owned());
    } else {
        lines.extend(attempt_table(&why.attempts, &zone).lines("  "));
    }
    lines.push(String::new());
    if !why.business_results.is_empty() {
        lines.extend(business_table(&why.business_results, &zone).lines("  "));
        lines.push(String::new());
    }
    if !why.deliveries.is_empty() {
        lines.extend(told_lines(&why.deliveries, &zone));
        lines.push(String::new());
    }
    lines.extend(scheduled_lines(why, &zone));
    lines.extend(why.live.as_ref().map(|live| live_line(why, live, &zone)));
    lines.extend(next_lines(why, &zone));
    lines
}

fn business_table(results: &[BusinessResultView], zone: &Zone) -> Table {
    let mut table = Table::new(&["SET AT", "BUSINESS RESULT", "BY", "FOR", "WHAT CAME OF IT", "NOTE"]);
    for set in results {
        let sub_result = set.achieved.sub_result.as_ref().map(|sub| format!("/{sub}")).unwrap_or_default();
        table.row([
            zone.show(&set.at),
            format!("{}{sub_result}", set.achieved.result),
            set.by.clone(),
            or_dash(set.attempt.as_deref()),
            came_of_it(set.outcome.as_deref()).to_owned(),
            or_dash(set.note.as_deref()),
        ]);
    }
    table
}

/// The call that the contact is in.
fn live_line(why: &ContactWhy, live: &LiveView, zone: &Zone) -> String {
    let LiveView { number_index, agent, since, .. } = live;
    let since = zone.show(since);
    let told = match live.state.as_str() {
        "ringing" => format!("ringing since {since}"),
        "answered" => format!("answered at {since}, not connected yet"),
        _ => format!("connected since {since}"),
    };
    format!("  live  a call of number {number_index} ({}), {told}, agent {agent}", number_at(why, *number_index))
}

/// A number by its index, from 1.
fn number_at(why: &ContactWhy, index: usize) -> &str {
    let number = why.contact.numbers.iter().find(|number| number.index == index);
    number.map(|number| number.number.as_str()).unwrap_or_default()
}

/// The call that a business result has scheduled, or why there is none any more.
fn scheduled_lines(why: &ContactWhy, zone: &Zone) -> Vec<String> {
    match (&why.scheduled, &why.cancelled) {
        (Some(call), _) if has_expired(why) => {
            vec![format!("  the call scheduled by {} comes to nothing: the campaign has expired", call.rule)]
        }
        (Some(call), _) => vec![format!("  scheduled  {}", scheduled_text(call, zone))],
        (None, Some(gone)) => {
            vec![format!("  the call scheduled by {} came to nothing: {}", gone.rule, gone.reason)]
        }
        (None, None) => Vec::new(),
    }
}

fn scheduled_text(call: &ScheduledView, zone: &Zone) -> String {
    let by = if call.agreed { "as agreed with" } else { "by rule" };
    let mut text = format!("number {} {by} {}, due {}", call.number_index, call.rule, zone.show(&call.due_at));
    if let Some(result) = &call.last_result {
        text.push_str(&format!(", last tried: {result}"));
    }
    if let (Some(agent), Some(until)) = (&call.agent, &call.agent_until) {
        text.push_str(&format!(", for agent {agent} until {}", zone.show(until)));
    }
    text
}

fn state(why: &ContactWhy) -> String {
    let contact = &why.contact;
    let ended = if why.scheduled.is_some() { "reopened, had ended as" } else { "ended as" };
    let calls = match contact.attempts {
        1 => "1 call placed".to_owned(),
        calls => format!("{calls} calls placed"),
    };
    match contact.ended.as_deref() {
        Some(end) => format!("{ended} {end}, {calls}, priority {}", contact.priority),
        None => format!("open, {calls}, priority {}", contact.priority),
    }
}

fn number_table(why: &ContactWhy, zone: &Zone) -> Table {
    let mut table = Table::new(&["NUMBER", "CATEGORY", "LAST RESULT", "NEXT TRY"]);
    for number in &why.contact.numbers {
        table.row([
            format!("{}. {}", number.index, number.number),
            number.category.clone(),
            or_dash(number.last_result.as_deref()),
            next_try(why, number, zone),
        ]);
    }
    table
}

fn next_try(why: &ContactWhy, number: &NumberView, zone: &Zone) -> String {
    let contact = &why.contact;
    if why.live.as_ref().is_some_and(|live| live.number_index == number.index) {
        return "in a call".to_owned();
    }
    if has_expired(why) && number.ended.is_none() && contact.ended.is_none() {
        return "never: the campaign has expired".to_owned();
    }
    if let (Some(listed), None, None) = (&number.do_not_call, &number.ended, &contact.ended) {
        let until = listed.until.as_ref().map(|until| format!(" until {}", zone.show(until))).unwrap_or_default();
        return format!("on do-not-call list {}{until}", listed.list);
    }
    let times = [&contact.not_before, &number.due_at, &number.held_until];
    match (&number.ended, &contact.ended, latest(times)) {
        (Some(end), _, _) => format!("never: {end}"),
        (None, Some(_), _) => "never: the contact has ended".to_owned(),
        (None, None, Some(from)) => format!("from {}", zone.show(from)),
        (None, None, None) if why.hold.is_some() => "when nothing holds it".to_owned(),
        (None, None, None) => "any time".to_owned(),
    }
}

fn attempt_table(attempts: &[Attempt], zone: &Zone) -> Table {
    let mut table =
        Table::new(&["PLACED AT", "NUMBER", "RESULT", "RANG", "TALK", "AGENT", "RULE", "COMMIT", "SIGNALLED"]);
    for attempt in attempts {
        let answered_or_ended = attempt.answered_at.as_deref().or(attempt.ended_at.as_deref());
        table.row([
            zone.show(&attempt.placed_at),
            attempt.number.clone(),
            attempt.result.clone().unwrap_or_else(|| "live".to_owned()),
            seconds_between(Some(&attempt.placed_at), answered_or_ended),
            seconds_between(attempt.connected_at.as_deref(), attempt.ended_at.as_deref()),
            attempt.agent.clone(),
            or_dash(attempt.rule.as_deref()),
            short_revision(&attempt.revision).to_owned(),
            signalled(attempt),
        ]);
    }
    table
}

fn signalled(attempt: &Attempt) -> String {
    let sip = attempt.sip_status.map(|status| format!("SIP {status}"));
    let q850 = attempt.q850.map(|cause| format!("Q.850 {cause}"));
    let parts: Vec<String> = sip.into_iter().chain(q850).collect();
    or_dash(Some(&parts.join(", ")))
}

fn next_lines(why: &ContactWhy, zone: &Zone) -> Vec<String> {
    let Some(next) = &why.next else {
        return vec![match &why.live {
            Some(_) if !has_expired(why) => "  next  what the end of this call brings".to_owned(),
            Some(_) | None => {
                format!("  next  nothing: {}", waiting_text(why.hold.as_ref(), zone, "the contact has ended"))
            }
        }];
    };
    let mut lines = vec![format!("  next  {}", next_text(why, next, zone))];
    lines
        .push(format!("  held  {}", waiting_text(why.hold.as_ref(), zone, "by nothing but the wait for a free agent")));
    if let Some(campaign) = &why.campaign {
        let waiting = campaign.waiting.as_ref().map(|_| waiting_text(campaign.waiting.as_ref(), zone, ""));
        let waiting = waiting.map(|text| format!(", waiting: {text}")).unwrap_or_default();
        lines.push(format!("  campaign is {}{}{waiting}", campaign.phase, asked(campaign)));
    }
    lines
}

fn next_text(why: &ContactWhy, next: &NextView, zone: &Zone) -> String {
    let kind = match next.kind.as_str() {
        "business" => "the call that a business result has scheduled",
        "pass" => "the next number of the pass",
        "retry" => "a retry",
        _ => "a first try",
    };
    let number = number_at(why, next.number_index);
    format!("{kind} of number {} ({number}), {}", next.number_index, due_text(why, next, zone))
}

/// From when, by the contact's own times and the end of what holds it, as far as that is known.
fn due_text(why: &ContactWhy, next: &NextView, zone: &Zone) -> String {
    let until = why.hold.as_ref().and_then(|hold| hold.until.clone());
    match latest([&next.ready_at, &until]) {
        Some(at) if instant(at) >= Some(HELD_FOR_GOOD) => "not due by time alone".to_owned(),
        Some(at) if instant(at) > instant(&why.as_of) => format!("due {}", zone.show(at)),
        _ if why.hold.is_some() => "due as soon as nothing holds it".to_owned(),
        Some(at) => format!("due since {}", zone.show(at)),
        None => "due now".to_owned(),
    }
}

/// Whether the campaign's end has passed, so that nothing comes any more.
fn has_expired(why: &ContactWhy) -> bool {
    why.hold.as_ref().is_some_and(|hold| hold.reason == Hold::Expired.code())
}

fn latest<const N: usize>(times: [&Option<String>; N]) -> Option<&str> {
    times.into_iter().flatten().max_by_key(|text| instant(text)).map(String::as_str)
}

/// RFC 3339 texts don't sort as times do: their fractions have different lengths.
fn instant(rfc3339: &str) -> Option<jiff::Timestamp> {
    rfc3339.parse().ok()
}

/// The hold as a sentence in the reader's zone, its code behind it, or `otherwise`.
fn waiting_text(waiting: Option<&Waiting>, zone: &Zone, otherwise: &str) -> String {
    let Some(waiting) = waiting else { return otherwise.to_owned() };
    let message = match &waiting.until {
        Some(until) => waiting.message.replace(until.as_str(), &zone.show(until)),
        None => waiting.message.clone(),
    };
    clean(&format!("{message} [{}]", waiting.reason))
}
