//! Every hold has a code, a sentence and, where time lifts it, an instant.

use std::collections::BTreeSet;

use super::*;
use crate::domain::{business::BusinessKey, results::CallResult};

fn at() -> Timestamp {
    Timestamp::constant(1_930_125_600, 0)
}

/// One hold of the kind after that of `hold`, in the order of [`Hold::CODES`]: the compiler asks for the
/// next one as soon as there is a new kind.
fn next(hold: Option<&Hold>) -> Option<Hold> {
    let Some(hold) = hold else { return Some(Hold::DiallingOff) };
    Some(match hold {
        Hold::DiallingOff => Hold::NotListed,
        Hold::NotListed => Hold::Retired,
        Hold::Retired => Hold::Paused,
        Hold::Paused => {
            let (id, reason) = (OverrideId(3), "wrong script".to_owned());
            Hold::PausedByOverride { id, scope: Scope::All, reason, until: at() }
        }
        Hold::PausedByOverride { .. } => Hold::Drifted,
        Hold::Drifted => Hold::NotStarted { starts_at: at() },
        Hold::NotStarted { .. } => Hold::Expired,
        Hold::Expired => Hold::NotDialledYet { settings: vec!["agents.hold"] },
        Hold::NotDialledYet { .. } => Hold::WindowClosed { opens_at: Some(at()), timezone: "Asia/Shanghai".to_owned() },
        Hold::WindowClosed { .. } => Hold::NoContacts,
        Hold::NoContacts => Hold::NothingDue { next_at: Some(at()) },
        Hold::NothingDue { .. } => Hold::AllContactsEnded,
        Hold::AllContactsEnded => Hold::NothingMatches { contacts: 12_000 },
        Hold::NothingMatches { .. } => Hold::NoAgentSignedIn,
        Hold::NoAgentSignedIn => Hold::NoAgentIdle,
        Hold::NoAgentIdle => Hold::LowerPriority { first: CampaignId::parse("vip").unwrap() },
        Hold::LowerPriority { .. } => Hold::CampaignAtLimit { limit: 3 },
        Hold::CampaignAtLimit { .. } => Hold::TenantAtLimit { limit: 3 },
        Hold::TenantAtLimit { .. } => Hold::TrunkAtLimit { limit: 3 },
        Hold::TrunkAtLimit { .. } => Hold::CallRate { limit: 3 },
        Hold::CallRate { .. } => Hold::DoNotCall { list: DoNotCallId::parse("objected").unwrap(), until: Some(at()) },
        Hold::DoNotCall { .. } => Hold::CustomerOnCall,
        Hold::CustomerOnCall => Hold::NumberOnCall,
        Hold::NumberOnCall => Hold::NotDue { due_at: at(), by: DueBy::NotBefore },
        Hold::NotDue { .. } => Hold::WaitsForAgent { agent: AgentId::parse("anna").unwrap(), until: at() },
        Hold::WaitsForAgent { .. } => Hold::DayBudgetSpent { next_day_at: at() },
        Hold::DayBudgetSpent { .. } => Hold::NumberAtLimit { released_at: at() },
        Hold::NumberAtLimit { .. } => Hold::AfterConversation { released_at: at() },
        Hold::AfterConversation { .. } => Hold::ContactAttemptsSpent,
        Hold::ContactAttemptsSpent => Hold::BatchPaused,
        Hold::BatchPaused => Hold::FilteredOut,
        Hold::FilteredOut => Hold::NoNumber,
        Hold::NoNumber => Hold::NumberEnded,
        Hold::NumberEnded => Hold::ContactEnded,
        Hold::ContactEnded => Hold::Stale,
        Hold::Stale => Hold::Stuck { what: "reading its contacts", failures: 2, retry_at: at() },
        Hold::Stuck { .. } => Hold::StoreUnavailable,
        Hold::StoreUnavailable => return None,
    })
}

fn every_hold() -> Vec<Hold> {
    std::iter::successors(next(None), |hold| next(Some(hold))).collect()
}

#[test]
fn every_hold_has_a_code_and_a_sentence_of_its_own() {
    let holds = every_hold();
    let codes: Vec<&str> = holds.iter().map(Hold::code).collect();
    assert_eq!(codes, Hold::CODES);
    let sentences: BTreeSet<String> = holds.iter().map(ToString::to_string).collect();
    assert_eq!(sentences.len(), holds.len(), "{sentences:#?}");
    for hold in &holds {
        let sentence = hold.to_string();
        assert!(sentence.contains(' '), "{}: {sentence:?} is no sentence", hold.code());
    }
}

/// What time lifts says when, in a form that readers can have in their own zone.
#[test]
fn what_time_lifts_says_until_when() {
    for hold in every_hold() {
        let sentence = hold.to_string();
        match (&hold, hold.until()) {
            (Hold::WindowClosed { .. }, until) => {
                assert_eq!(until, Some(at()));
                assert_eq!(sentence, "window closed until Sat 2031-03-01 18:00 Asia/Shanghai");
            }
            (_, Some(until)) => assert!(sentence.contains(&until.to_string()), "{sentence}"),
            (_, None) => assert!(!sentence.contains("2031"), "{sentence}"),
        }
    }
}

#[test]
fn what_a_number_waits_for_is_named() {
    let rule = BusinessKey::parse("callback/soon").unwrap();
    let said = |by| Hold::NotDue { due_at: at(), by }.to_string();
    let after = CallResult::Busy;
    assert_eq!(said(DueBy::Interval { after }), "not due until 2031-03-01T10:00:00Z, the retry interval after busy");
    assert!(said(DueBy::BackOff { after: CallResult::NetworkFailure }).ends_with("back-off after network_failure"));
    assert!(said(DueBy::Rule { rule }).ends_with("the interval of business rule callback/soon"));
}

#[test]
fn large_counts_are_grouped() {
    let said = |contacts| Hold::NothingMatches { contacts }.to_string();
    assert_eq!(said(12_000), "filter matches 0 of 12,000 contacts");
    assert_eq!(said(1_234_567), "filter matches 0 of 1,234,567 contacts");
    assert_eq!(said(999), "filter matches 0 of 999 contacts");
}
