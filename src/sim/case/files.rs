//! The files of a case: the world's TOML, commits and edits.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::Deserialize;
use toml::{Table, Value};

use super::revision;
use crate::{
    config::{Diagnostic, LoadedFile, Loader, settings::outer_ceilings},
    domain::{
        attribute::{AttributeType, AttributeValue, Number},
        business::BusinessKey,
        campaign::{Ceilings, Definitions, Generation, Priority},
        contact::ContactEdit,
        do_not_call::NewEntry,
        ids::{AttributeId, BusinessResultId, CampaignId, CustomerId, DoNotCallId, SubResultId},
        phone::E164,
        zone::ContactZone,
    },
};

/// Caller numbers that a case may show.
const OWNED: [&str; 2] = ["+862880000001", "+862880000002"];

/// The longest ring of a case.
const MAX_RING: Duration = Duration::from_secs(60);

/// A file by its name or path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseFile {
    /// `script.csv`; of shared files the path in `shared/`.
    pub name: String,
    /// What it holds.
    pub bytes: Arc<[u8]>,
}

/// Why a folder is no case.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// A file is not there.
    #[error("the case has no {0}")]
    Missing(String),
    /// A file can't be understood.
    #[error("{file}: {problem}")]
    Wrong {
        /// Which file.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Campaigns or shared files are not good.
    #[error("the configuration of the case is not good")]
    Configuration(Vec<Diagnostic>),
    /// Something that can't be simulated yet.
    #[error("this version does not simulate {0} yet")]
    NotYet(&'static str),
}

impl CaseError {
    pub(super) fn wrong(file: &str, problem: impl Into<String>) -> Self {
        Self::Wrong { file: file.to_owned(), problem: problem.into() }
    }

    pub(super) fn world(problem: impl Into<String>) -> Self {
        Self::wrong(WORLD, problem)
    }
}

const WORLD: &str = "world.toml";

/// `world.toml`.
#[derive(Debug)]
pub(super) struct World {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
    pub(super) agents: Vec<WorldAgent>,
    pub(super) wrap_up_s: f64,
    pub(super) setup_delay_s: f64,
    pub(super) events: Vec<WorldEvent>,
}

/// As it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    from: Instant,
    until: Instant,
    agents: Vec<WorldAgent>,
    #[serde(default)]
    wrap_up_s: f64,
    #[serde(default)]
    setup_delay_s: f64,
    #[serde(default)]
    events: Vec<Table>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WorldAgent {
    pub(super) id: String,
    #[serde(default = "yes")]
    pub(super) picks_up: bool,
    pub(super) from: Option<Instant>,
    pub(super) until: Option<Instant>,
}

fn yes() -> bool {
    true
}

/// A date-time with an offset.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "toml::value::Datetime")]
pub(super) struct Instant(pub(super) Timestamp);

impl TryFrom<toml::value::Datetime> for Instant {
    type Error = String;

    fn try_from(written: toml::value::Datetime) -> Result<Self, String> {
        let text = written.to_string();
        let at = text.parse().map_err(|_| format!("{text} must be a date-time with an offset"))?;
        Ok(Self(at))
    }
}

/// An event of the world.
#[derive(Debug)]
pub(super) struct WorldEvent {
    pub(super) at: Timestamp,
    pub(super) kind: EventKind,
}

/// What happens.
#[derive(Debug)]
pub(super) enum EventKind {
    /// A commit whose campaign file is this one.
    Apply { file: String },
    /// A contact is edited; the rest of the event says how.
    EditContact(Table),
    /// One entry of a do-not-call list is imported.
    DoNotCall { list: DoNotCallId, entry: NewEntry },
    /// The newest call to a customer gets a business result.
    BusinessResult { campaign: Option<CampaignId>, customer: CustomerId, key: BusinessKey },
}

/// An edit of one contact.
#[derive(Debug, Clone)]
pub(super) struct Edit {
    pub(super) campaign: CampaignId,
    pub(super) customer: CustomerId,
    pub(super) edit: ContactEdit,
}

/// Commits and whose contacts stand where.
pub(super) struct Commits {
    /// At least one.
    pub(super) generations: Vec<Arc<Generation>>,
    pub(super) contacts: Vec<(CampaignId, CaseFile)>,
}

/// The files of a case.
pub(super) struct Folder {
    files: BTreeMap<String, CaseFile>,
    shared: Vec<CaseFile>,
}

impl Folder {
    pub(super) fn new(files: Vec<CaseFile>, shared: Vec<CaseFile>) -> Self {
        let shared = shared.into_iter().map(|file| CaseFile { name: format!("shared/{}", file.name), ..file });
        Self { files: files.into_iter().map(|file| (file.name.clone(), file)).collect(), shared: shared.collect() }
    }

    pub(super) fn optional(&self, name: &str) -> Option<&CaseFile> {
        self.files.get(name)
    }

    pub(super) fn file(&self, name: &str) -> Result<&CaseFile, CaseError> {
        self.optional(name).ok_or_else(|| CaseError::Missing(name.to_owned()))
    }

    pub(super) fn world(&self) -> Result<World, CaseError> {
        let bytes = &self.file(WORLD)?.bytes;
        let written: Written = toml::from_slice(bytes).map_err(|error| CaseError::world(error.to_string()))?;
        Ok(World {
            from: written.from.0,
            until: written.until.0,
            agents: written.agents,
            wrap_up_s: written.wrap_up_s,
            setup_delay_s: written.setup_delay_s,
            events: written.events.into_iter().map(event).collect::<Result<_, _>>()?,
        })
    }

    /// The commits of the case: the first with `campaign.toml`, `campaign-b.toml` and so on, then one for
    /// each event that applies a file.
    pub(super) fn commits(&self, world: &World) -> Result<Commits, CaseError> {
        let applied = world.events.iter().filter_map(|event| match &event.kind {
            EventKind::Apply { file } => Some((event.at, file.as_str())),
            EventKind::EditContact(_) | EventKind::DoNotCall { .. } | EventKind::BusinessResult { .. } => None,
        });
        let applied: Vec<(Timestamp, &str)> = applied.collect();
        let first = self.files.keys().filter(|name| is_of_first_commit(name));
        let loader = Loader::new(ceilings());
        let mut commits = Commits { generations: Vec::new(), contacts: Vec::new() };
        let mut in_force: BTreeMap<CampaignId, &CaseFile> = BTreeMap::new();
        for name in first {
            self.put(name, &mut in_force, &mut commits)?;
        }
        commits.generations.push(self.commit(&loader, &in_force, 0, world.from)?);
        for (number, (at, name)) in applied.into_iter().enumerate() {
            self.put(name, &mut in_force, &mut commits)?;
            commits.generations.push(self.commit(&loader, &in_force, number + 1, at)?);
        }
        Ok(commits)
    }

    /// Puts a campaign's file in force, in place of the one with the same id.
    fn put<'f>(
        &'f self,
        name: &str,
        in_force: &mut BTreeMap<CampaignId, &'f CaseFile>,
        commits: &mut Commits,
    ) -> Result<(), CaseError> {
        let file = self.file(name)?;
        let table: Table = toml::from_slice(&file.bytes).map_err(|error| CaseError::wrong(name, error.to_string()))?;
        let id = table.get("id").and_then(Value::as_str).and_then(|id| CampaignId::parse(id).ok());
        let id = id.ok_or_else(|| CaseError::wrong(name, "has no good `id`"))?;
        if in_force.insert(id.clone(), file).is_none() {
            let contacts = name.replacen("campaign", "contacts", 1).replace(".toml", ".csv");
            commits.contacts.extend(self.optional(&contacts).map(|contacts| (id, contacts.clone())));
        }
        Ok(())
    }

    fn commit(
        &self,
        loader: &Loader,
        campaigns: &BTreeMap<CampaignId, &CaseFile>,
        number: usize,
        at: Timestamp,
    ) -> Result<Arc<Generation>, CaseError> {
        let files = campaigns.values().copied().chain(&self.shared);
        let files: Vec<_> =
            files.map(|file| LoadedFile { folder: "", path: &file.name, bytes: Arc::clone(&file.bytes) }).collect();
        let (definitions, _) = loader.load("", &files).map_err(CaseError::Configuration)?;
        Ok(Arc::new(Generation::whole(revision(number), at, definitions)))
    }

    /// What an event edits, by what `definitions` know.
    pub(super) fn edit(&self, event: &Table, definitions: &Definitions) -> Result<Edit, CaseError> {
        let customer = text(event, "customer_id").and_then(|id| CustomerId::parse(id).ok());
        let customer = customer.ok_or_else(|| CaseError::world("edit_contact: no good `customer_id`"))?;
        let campaign = match text(event, "campaign") {
            Some(id) => CampaignId::parse(id).ok(),
            None => definitions.campaigns.keys().next().cloned(),
        };
        let campaign = campaign.ok_or_else(|| CaseError::world("edit_contact: no good `campaign`"))?;
        let mut edit = ContactEdit::default();
        for (key, value) in event {
            match (key.as_str(), value) {
                ("at" | "kind" | "customer_id" | "campaign", _) => {}
                ("attr" | "attributes", Value::Table(attributes)) => {
                    for (id, value) in attributes {
                        set(&mut edit, id, value, definitions)?;
                    }
                }
                ("priority", Value::Integer(priority)) => {
                    let priority = u8::try_from(*priority).ok().and_then(Priority::new);
                    edit.priority = Some(priority.ok_or_else(|| CaseError::world("priority: must be 1 to 5"))?);
                }
                ("not_before", Value::Datetime(at)) => {
                    edit.not_before = Some(Some(Instant::try_from(*at).map_err(CaseError::world)?.0));
                }
                ("timezone", Value::String(zone)) => {
                    let zone = ContactZone::parse(zone);
                    let zone = zone.ok_or_else(|| CaseError::world("timezone: must be an IANA zone"))?;
                    edit.timezone = Some(Some(zone));
                }
                (other, _) => {
                    let problem = format!("edit_contact: `{other}` is not known, or not of this type");
                    return Err(CaseError::world(problem));
                }
            }
        }
        Ok(Edit { campaign, customer, edit })
    }
}

/// `campaign.toml`, or `campaign-b.toml`; `campaign-2.toml` is a later commit.
fn is_of_first_commit(name: &str) -> bool {
    let rest = name.strip_prefix("campaign").and_then(|rest| rest.strip_suffix(".toml"));
    rest.is_some_and(|rest| !rest.contains(|c: char| c.is_ascii_digit()))
}

fn event(mut table: Table) -> Result<WorldEvent, CaseError> {
    let at = table.get("at").cloned().map(Value::try_into::<Instant>);
    let at = at.and_then(Result::ok).ok_or_else(|| CaseError::world("events: `at` must be a time with an offset"))?;
    let kind = text(&table, "kind").unwrap_or_default().to_owned();
    let kind = match kind.as_str() {
        "apply" => match table.remove("file") {
            Some(Value::String(file)) => EventKind::Apply { file },
            _ => return Err(CaseError::world("apply: needs `file`")),
        },
        "edit_contact" => EventKind::EditContact(table),
        "do_not_call" => listing(&table)?,
        "business_result" => business_result(&table)?,
        other => return Err(CaseError::world(format!("events: no kind {other:?}"))),
    };
    Ok(WorldEvent { at: at.0, kind })
}

fn business_result(table: &Table) -> Result<EventKind, CaseError> {
    let wrong = |what: &str| CaseError::world(format!("business_result: {what}"));
    let campaign =
        text(table, "campaign").map(CampaignId::parse).transpose().map_err(|_| wrong("`campaign` is no id"))?;
    let customer = text(table, "customer_id").and_then(|customer| CustomerId::parse(customer).ok());
    let result = text(table, "result").and_then(|result| BusinessResultId::parse(result).ok());
    let sub_result = text(table, "sub_result").map(SubResultId::parse).transpose();
    Ok(EventKind::BusinessResult {
        campaign,
        customer: customer.ok_or_else(|| wrong("needs `customer_id`"))?,
        key: BusinessKey {
            result: result.ok_or_else(|| wrong("needs `result`, the id of one"))?,
            sub_result: sub_result.map_err(|_| wrong("`sub_result` is no id"))?,
        },
    })
}

fn listing(table: &Table) -> Result<EventKind, CaseError> {
    let list = text(table, "list").and_then(|list| DoNotCallId::parse(list).ok());
    let list = list.ok_or_else(|| CaseError::world("do_not_call: needs `list`, the id of one"))?;
    let number = text(table, "number").and_then(|number| E164::parse(number).ok());
    let number = number.ok_or_else(|| CaseError::world("do_not_call: needs `number`, in E.164"))?;
    let expires_at = table.get("expires_at").cloned().map(Value::try_into::<Instant>).transpose();
    let expires_at =
        expires_at.map_err(|_| CaseError::world("do_not_call: `expires_at` must be a time with an offset"))?;
    Ok(EventKind::DoNotCall { list, entry: NewEntry { number, expires_at: expires_at.map(|at| at.0) } })
}

fn text<'t>(table: &'t Table, key: &str) -> Option<&'t str> {
    table.get(key).and_then(Value::as_str)
}

/// Sets an attribute, or takes it away if the value is an empty text.
fn set(edit: &mut ContactEdit, id: &str, value: &Value, definitions: &Definitions) -> Result<(), CaseError> {
    let known = AttributeId::parse(id).ok().and_then(|id| definitions.attributes.get(&id));
    let known = known.ok_or_else(|| CaseError::world(format!("edit_contact: no attribute {id:?}")))?;
    let written = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if written.is_empty() {
        edit.unset.insert(known.id.clone());
        return Ok(());
    }
    let parsed = match known.kind {
        AttributeType::String => Some(AttributeValue::Text(written)),
        AttributeType::Number => Number::parse(&written).map(AttributeValue::Number),
        AttributeType::Date => written.parse().ok().map(AttributeValue::Date),
        AttributeType::Encrypted => return Err(CaseError::NotYet("edits of encrypted attributes")),
    };
    let problem = || CaseError::world(format!("edit_contact: {id} is no {}", known.kind.as_str()));
    edit.set.insert(known.id.clone(), parsed.ok_or_else(problem)?);
    Ok(())
}

/// What the settings of a case allow.
fn ceilings() -> Ceilings {
    let owned = OWNED.map(|number| E164::parse(number).expect("a number in the form that is parsed"));
    Ceilings { owned_caller_numbers: Some(owned.to_vec()), max_ring: MAX_RING, ..outer_ceilings() }
}
