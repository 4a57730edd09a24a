//! What `sqlite3` itself takes to load the same rows and to make the same indexes.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use crate::world::World;

/// Seconds.
pub(crate) struct Took {
    pub(crate) import: f64,
    pub(crate) indexes: f64,
}

impl Took {
    pub(crate) fn all(&self) -> f64 {
        self.import + self.indexes
    }
}

/// The columns that new contacts fill, of each table, and the indexes that have rows then. `.import` knows no
/// `NULL`, so the others, which hold nothing else, are left out.
const TABLES: [(&str, &str, &str); 3] = [
    (
        "contact",
        "id INTEGER PRIMARY KEY, campaign INTEGER, customer_id TEXT, priority INTEGER, import_order INTEGER, \
         version INTEGER, attempts INTEGER, batch INTEGER, paused_out INTEGER, stood INTEGER",
        "",
    ),
    ("personal", "contact INTEGER PRIMARY KEY, numbers TEXT, attributes TEXT, timezone TEXT", ""),
    (
        "place",
        "evaluation INTEGER, key TEXT, ready_at INTEGER, contact INTEGER, stood INTEGER",
        ", PRIMARY KEY (evaluation, key)",
    ),
];
const INDEXES: &str = "CREATE UNIQUE INDEX contact_customer ON contact (campaign, customer_id);\n";

/// Reads the tables out of the store, and loads them into an empty database.
pub(crate) fn import(world: &World) -> Took {
    let folder = world.folder();
    let database = folder.join("reference.db");
    let mut import = 0.0;
    for (table, columns, key) in TABLES {
        let file = folder.join(format!("{table}.csv"));
        let names: Vec<&str> = columns.split(", ").filter_map(|column| column.split(' ').next()).collect();
        // A key is bytes, which a file of text does not hold: half of its digits are as long.
        let names = names.join(", ").replace("key", "substr(hex(key), 1 + length(key))");
        let select = format!("SELECT {names} FROM {table} LIMIT {};", world.contacts);
        shell(&world.database(), &format!(".mode csv\n.output {}\n{select}\n", file.display()));
        let kind = if key.is_empty() { "" } else { " WITHOUT ROWID" };
        shell(&database, &format!("CREATE TABLE {table} ({columns}{key}){kind};\n"));
        import += shell(&database, &format!(".import --csv {} {table}\n", file.display()));
        std::fs::remove_file(file).unwrap();
    }
    let indexes = shell(&database, INDEXES);
    std::fs::remove_file(database).unwrap();
    Took { import, indexes }
}

/// Has `sqlite3` do something; how long it took.
fn shell(database: &Path, script: &str) -> f64 {
    use std::io::Write;
    let begun = Instant::now();
    let mut child =
        Command::new("sqlite3").arg("-batch").arg("-bail").arg(database).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "sqlite3: {script}");
    begun.elapsed().as_secs_f64()
}
