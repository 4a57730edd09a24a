//! A case folder, read whole.

use std::{collections::BTreeMap, path::Path, rc::Rc};

use toml::Table;

use super::{
    Second,
    book::{Contact, Number},
    definition::Definition,
    filter::Types,
    reading,
};

/// What the shared files say that matters here.
pub(crate) struct Shared {
    /// Queues of each agent.
    pub(crate) queues_of: BTreeMap<String, Vec<String>>,
    pub(crate) attributes: Types,
    pub(crate) calendars: BTreeMap<String, Table>,
    /// Do-not-call lists that hold in every campaign.
    pub(crate) do_not_call: Vec<String>,
    /// The tenant's cap per number, if there is one.
    pub(crate) per_number: Option<Table>,
    pub(crate) agent_ring: Second,
}

/// An agent of the world.
pub(crate) struct Agent {
    pub(crate) id: String,
    pub(crate) queues: Vec<String>,
    pub(crate) from: Second,
    pub(crate) until: Second,
    pub(crate) picks_up: bool,
}

/// Something that happens from outside.
pub(crate) struct Event {
    pub(crate) at: Second,
    pub(crate) kind: Kind,
}

/// What happens.
pub(crate) enum Kind {
    Apply(Rc<Definition>),
    EditContact { campaign: Option<String>, customer_id: String, edit: Edit },
    DoNotCall { list: String, number: String, expires_at: Option<Second> },
    BusinessResult { campaign: Option<String>, customer_id: String, result: String, sub_result: Option<String> },
}

/// New values of a contact, by the names of the import's columns; an empty one takes the value away.
pub(crate) struct Edit(pub(crate) BTreeMap<String, String>);

/// How a call goes.
#[derive(Clone)]
pub(crate) struct Scripted {
    pub(crate) result: String,
    pub(crate) ring: Second,
    pub(crate) talk: Second,
}

/// A case.
pub(crate) struct Case {
    pub(crate) from: Second,
    pub(crate) until: Second,
    pub(crate) agents: Vec<Agent>,
    pub(crate) campaigns: Vec<(Rc<Definition>, Vec<Contact>)>,
    /// In the order in which they happen.
    pub(crate) events: Vec<Event>,
    pub(crate) script: Script,
}

/// How the nth call to a number goes, counted from 1 over all campaigns; nothing if that is not known.
pub(crate) type Script = Box<dyn Fn(&str, usize) -> Option<Scripted>>;

impl Shared {
    /// Reads the shared folder. Files that a case can do without may be missing.
    pub(crate) fn read(folder: &Path) -> Self {
        let file = |name: &str| {
            let path = folder.join(name);
            if path.exists() { reading::file(&path) } else { Table::new() }
        };
        let by_id = |name: &str, key: &str| -> BTreeMap<String, Table> {
            let tables = reading::tables(&file(name), key).into_iter();
            tables.map(|table| (reading::required(&table, "id"), table)).collect()
        };
        let tenant = file("tenant.toml");
        let agents = by_id("agents.toml", "agents");
        let attributes = by_id("attributes.toml", "attributes");
        Self {
            queues_of: agents.iter().map(|(id, agent)| (id.clone(), reading::texts(agent, "queues"))).collect(),
            attributes: attributes.into_iter().map(|(id, it)| (id, reading::required(&it, "type"))).collect(),
            calendars: by_id("calendars.toml", "calendars"),
            do_not_call: reading::texts(&tenant, "do_not_call"),
            per_number: tenant.get("per_number").map(|it| reading::as_table(it).clone()),
            agent_ring: reading::duration(&reading::table(&tenant, "agents"), "ring").unwrap_or(15),
        }
    }
}

impl Case {
    /// Reads a case folder.
    pub(crate) fn read(folder: &Path, shared: &Path) -> Self {
        let shared = Shared::read(shared);
        let world = reading::file(&folder.join("world.toml"));
        let from = reading::instant(&world, "from").expect("from");
        let until = reading::instant(&world, "until").expect("until");
        for key in ["wrap_up_s", "setup_delay_s"] {
            assert_eq!(reading::whole(&world, key).unwrap_or(0), 0, "cases have no `{key}`");
        }
        let agent = |table: &Table| Agent {
            id: reading::required(table, "id"),
            queues: shared.queues_of[&reading::required(table, "id")].clone(),
            from: reading::instant(table, "from").unwrap_or(from),
            until: reading::instant(table, "until").unwrap_or(until),
            picks_up: reading::flag(table, "picks_up", true),
        };
        let mut events: Vec<_> =
            reading::tables(&world, "events").iter().map(|it| Event::read(it, folder, &shared)).collect();
        events.sort_by_key(|event| event.at);
        Self {
            from,
            until,
            agents: reading::tables(&world, "agents").iter().map(agent).collect(),
            campaigns: campaigns(folder, &shared),
            events,
            script: script(&folder.join("script.csv")),
        }
    }
}

/// The first campaign and, if there is one, the second, with their contacts.
fn campaigns(folder: &Path, shared: &Shared) -> Vec<(Rc<Definition>, Vec<Contact>)> {
    let pairs = [("campaign.toml", "contacts.csv"), ("campaign-b.toml", "contacts-b.csv")];
    let present = pairs.into_iter().filter(|(campaign, _)| folder.join(campaign).exists());
    present
        .map(|(campaign, contacts)| {
            let definition = Definition::read(&reading::file(&folder.join(campaign)), shared);
            (Rc::new(definition), self::contacts(&folder.join(contacts)))
        })
        .collect()
}

/// Rows of a CSV file, each as columns with values in the file's order; empty cells are left out.
fn rows(path: &Path) -> Vec<Vec<(String, String)>> {
    let mut reader = csv::Reader::from_path(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let header = reader.headers().expect("a header").clone();
    let row = |record: csv::StringRecord| {
        let cells = header.iter().zip(record.iter()).filter(|(_, cell)| !cell.is_empty());
        cells.map(|(column, cell)| (column.to_owned(), cell.to_owned())).collect()
    };
    reader.records().map(|record| row(record.expect("a row"))).collect()
}

fn contacts(path: &Path) -> Vec<Contact> {
    rows(path).into_iter().map(|row| contact(&row)).collect()
}

/// SPEC §2: columns `customer_id, number.<category>` "repeatable, their order is the index", `attr.<id>, priority,
/// timezone, custom_field, not_before`.
fn contact(row: &[(String, String)]) -> Contact {
    let mut contact = Contact::default();
    for (column, cell) in row {
        if let Some(category) = column.strip_prefix("number.") {
            contact.numbers.push(Number::new(category, cell));
        } else {
            contact.set(column, cell);
        }
    }
    contact
}

fn script(path: &Path) -> Script {
    let scripted = |row: Vec<(String, String)>| {
        let row: BTreeMap<_, _> = row.into_iter().collect();
        let seconds = |key: &str| row.get(key).map_or(0, |cell| cell.parse().expect("seconds"));
        let call = (row["number"].clone(), row["try"].parse().expect("a count"));
        (call, Scripted { result: row["result"].clone(), ring: seconds("ring_s"), talk: seconds("talk_s") })
    };
    let calls: BTreeMap<(String, usize), Scripted> = rows(path).into_iter().map(scripted).collect();
    Box::new(move |number, tries| calls.get(&(number.to_owned(), tries)).cloned())
}

impl Event {
    fn read(table: &Table, folder: &Path, shared: &Shared) -> Self {
        let at = reading::instant(table, "at").expect("at");
        let campaign = reading::text(table, "campaign");
        let kind = match reading::required(table, "kind").as_str() {
            "apply" => {
                let file = reading::file(&folder.join(reading::required(table, "file")));
                Kind::Apply(Rc::new(Definition::read(&file, shared)))
            }
            "edit_contact" => {
                let customer_id = reading::required(table, "customer_id");
                Kind::EditContact { campaign, customer_id, edit: Edit::read(table) }
            }
            "do_not_call" => Kind::DoNotCall {
                list: reading::required(table, "list"),
                number: reading::required(table, "number"),
                expires_at: reading::instant(table, "expires_at"),
            },
            "business_result" => Kind::BusinessResult {
                campaign,
                customer_id: reading::required(table, "customer_id"),
                result: reading::required(table, "result"),
                sub_result: reading::text(table, "sub_result"),
            },
            other => panic!("no kind of event: {other}"),
        };
        Self { at, kind }
    }
}

impl Edit {
    /// `attr.tier = "gold"`, `priority = 1`, …: the import's columns as keys. TOML reads `attr.tier` as a table.
    fn read(table: &Table) -> Self {
        let plain = ["priority", "timezone", "not_before"].into_iter();
        let plain = plain.filter_map(|key| Some((key.to_owned(), reading::text(table, key)?)));
        let attributes = reading::table(table, "attr").into_iter();
        let attributes = attributes.map(|(id, value)| (format!("attr.{id}"), reading::plain(&value)));
        Self(plain.chain(attributes).collect())
    }
}
