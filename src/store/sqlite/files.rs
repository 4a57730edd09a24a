//! Configuration files as they are in force.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use rusqlite::{Connection, OpenFlags};

use super::{
    contact::column,
    fault::{Doing, Fault},
    open::{self, APPLICATION_ID},
    sql,
};
use crate::{
    domain::{
        campaign::KeptFile,
        drift::files::Copies,
        ids::{Revision, SourceId},
    },
    store::{
        StoreError,
        files::{FileChanges, FilesOf, StoredFiles, file_digest},
        row::damaged,
    },
};

/// Writes what has changed; until the last of it is written the files count as none.
pub(super) fn put(conn: &Connection, changes: &FileChanges) -> Result<(), Fault> {
    const PUT: &str = "INSERT INTO definition_file (path, digest, bytes) VALUES (?1, ?2, ?3) \
                       ON CONFLICT (path) DO UPDATE SET digest = excluded.digest, bytes = excluded.bytes";
    const TAKE: &str = "DELETE FROM definition_file WHERE path = ?1";
    for (path, bytes) in &changes.changed {
        let query = match bytes {
            Some(bytes) => sql::query(PUT).bind(path).bind(file_digest(bytes)).bind(&**bytes),
            None => sql::query(TAKE).bind(path),
        };
        query.execute(conn).doing("keeping configuration files")?;
    }
    let doing = "keeping configuration files";
    sql::query("UPDATE source_commit SET files_of = NULL, folder = NULL").execute(conn).doing(doing)?;
    const OF: &str = "UPDATE source_commit SET files_of = ?1, folder = ?2 WHERE source = ?3";
    for FilesOf { source, revision, folder } in &changes.complete {
        let query = sql::query(OF).bind(revision.as_str()).bind(folder).bind(source.as_str());
        query.execute(conn).doing(doing)?;
    }
    Ok(())
}

/// Digests of the files that are kept, by path.
pub(super) fn digests(conn: &Connection) -> Result<BTreeMap<String, String>, Fault> {
    let rows = sql::query_as("SELECT path, digest FROM definition_file").fetch_all(conn);
    let rows: Vec<(String, String)> = rows.doing("reading digests of configuration files")?;
    Ok(rows.into_iter().collect())
}

/// What is kept, with digests of what stands there now.
pub(super) fn copies(conn: &Connection) -> Result<Copies, Fault> {
    let doing = "reading configuration files";
    const OF: &str = "SELECT source, files_of, coalesce(folder, '') FROM source_commit WHERE files_of IS NOT NULL";
    let of: Vec<(String, String, String)> = sql::query_as(OF).fetch_all(conn).doing(doing)?;
    let mut digests = BTreeMap::new();
    sql::query("SELECT path, bytes FROM definition_file").while_some(conn, doing, |row| {
        digests.insert(column(row, 0)?, file_digest(column::<&[u8]>(row, 1)?));
        Ok(Some(()))
    })?;
    let of = of.into_iter().map(|(source, revision, folder)| (source, (revision, folder))).collect();
    Ok(Copies { of, digests, kept: kept(conn)? })
}

/// Files that are in force as earlier commits have them; nothing for one whose commit can't be read.
pub(super) fn kept(conn: &Connection) -> Result<BTreeMap<String, Option<KeptFile>>, Fault> {
    let rows = sql::query_as("SELECT path, revision, bytes FROM kept_file").fetch_all(conn);
    let rows: Vec<(String, Option<String>, Option<Vec<u8>>)> = rows.doing("reading files that are kept")?;
    let file = |(path, revision, bytes): (String, Option<String>, Option<Vec<u8>>)| match revision.zip(bytes) {
        None => (path, Some(KeptFile::LeftOut)),
        Some((revision, bytes)) => {
            let revision = Revision::parse(&revision);
            (path, revision.map(|revision| KeptFile::Of { revision, bytes: bytes.into() }))
        }
    };
    Ok(rows.into_iter().map(file).collect())
}

/// The same, of which each must be known.
pub(super) fn all_kept(conn: &Connection) -> Result<BTreeMap<String, KeptFile>, Fault> {
    let known =
        |(path, file): (String, Option<KeptFile>)| Ok((path, file.ok_or_else(|| damaged("kept_file.revision"))?));
    kept(conn)?.into_iter().map(known).collect()
}

/// The files, if all of a commit are kept.
pub(super) fn all(conn: &Connection) -> Result<Option<StoredFiles>, Fault> {
    let doing = "reading configuration files";
    const OF: &str = "SELECT source, files_of, folder FROM source_commit";
    let of: Vec<(String, Option<String>, Option<String>)> = sql::query_as(OF).fetch_all(conn).doing(doing)?;
    let of = of.into_iter().map(|(source, revision, folder)| Some((source, revision?, folder?)));
    let Some(of) = of.collect::<Option<Vec<_>>>().filter(|of| !of.is_empty()) else { return Ok(None) };
    let of = of.into_iter().map(|(source, revision, folder)| {
        let source = SourceId::parse(&source).map_err(|_| damaged("source_commit.source"))?;
        let revision = Revision::parse(&revision).ok_or_else(|| damaged("source_commit.files_of"))?;
        Ok(FilesOf { source, revision, folder })
    });
    let sources: Vec<FilesOf> = of.collect::<Result<_, Fault>>()?;
    let rows = sql::query_as("SELECT path, bytes, digest FROM definition_file").fetch_all(conn);
    let rows: Vec<(String, Vec<u8>, String)> = rows.doing(doing)?;
    let edited = rows.iter().filter(|(_, bytes, digest)| file_digest(bytes) != *digest);
    let edited = edited.map(|(path, ..)| path.clone()).collect();
    let files = rows.into_iter().map(|(path, bytes, _)| (path, bytes)).collect();
    Ok(Some(StoredFiles { sources, files, edited }))
}

/// Campaigns that have a file, by their rows.
fn campaigns(conn: &Connection) -> Result<BTreeSet<String>, Fault> {
    const SQL: &str = "SELECT slug FROM campaign WHERE NOT retired AND removed_at IS NULL";
    let ids: Vec<String> = sql::query_scalar(SQL).fetch_all(conn).doing("reading campaigns")?;
    Ok(ids.into_iter().collect())
}

/// The same of a store at a path, whether a daemon runs on it or not, and the ids of campaigns that have a file by
/// their rows: nothing of it is changed. Nothing too if it is of an earlier version, which kept none.
pub fn read_files(path: &Path) -> Result<Option<(StoredFiles, BTreeSet<String>)>, StoreError> {
    let name = path.display().to_string();
    let read = || {
        let doing = "reading configuration files";
        let conn = open::connection(path, OpenFlags::SQLITE_OPEN_READ_ONLY, "")?;
        let id: i64 = conn.query_row("PRAGMA application_id", [], |row| row.get(0)).doing(doing)?;
        if id != APPLICATION_ID {
            return Err(StoreError::NotAStore { store: name.clone() }.into());
        }
        const KNOWN: &str = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'source_commit')";
        let known: bool = conn.query_row(KNOWN, [], |row| row.get(0)).doing(doing)?;
        let files = if known { all(&conn)? } else { None };
        files.map(|files| Ok((files, campaigns(&conn)?))).transpose()
    };
    read().map_err(|fault: Fault| fault.told(&name))
}
