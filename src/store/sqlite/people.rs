//! People and what lets them in.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::Connection;

use super::{
    SqliteStore,
    contact::column,
    fault::{Doing, Fault},
    sql::{self, Row},
    writer::Work,
};
use crate::{
    domain::{ids::PersonId, person::Role},
    store::{
        StoreError,
        people::{Credential, CredentialKind, PasswordHash, People, Person, SecretDigest},
        row::{self, damaged, micros},
    },
};

/// What the writer does for people.
pub(super) enum Change {
    Put(Person),
    Remove(PersonId),
    Add(Credential),
    End(SecretDigest),
    EndAll(PersonId),
}

/// Does it; whether that changed anything.
pub(super) fn change(conn: &Connection, change: &Change, now: Timestamp) -> Result<bool, Fault> {
    match change {
        Change::Put(person) => put(conn, person).map(|()| true),
        Change::Remove(id) => remove(conn, id),
        Change::Add(credential) => add(conn, credential, now).map(|()| true),
        Change::End(digest) => {
            let query = sql::query("DELETE FROM credential WHERE digest = ?1").bind(&digest[..]);
            Ok(query.execute(conn).doing("ending a session")? > 0)
        }
        Change::EndAll(id) => end_all(conn, id),
    }
}

fn put(conn: &Connection, person: &Person) -> Result<(), Fault> {
    const SQL: &str = "INSERT INTO person (id, role, password, since) VALUES (?1, ?2, ?3, ?4) \
                       ON CONFLICT (id) DO UPDATE SET role = ?2, password = ?3, since = ?4";
    let query = sql::query(SQL)
        .bind(person.id.as_str())
        .bind(person.role.as_str())
        .bind(person.password.as_ref().map(|hash| hash.0.as_str()))
        .bind(micros(person.since));
    query.execute(conn).doing("writing an account")?;
    end_all(conn, &person.id).map(drop)
}

fn remove(conn: &Connection, id: &PersonId) -> Result<bool, Fault> {
    let removed = sql::query("DELETE FROM person WHERE id = ?1").bind(id.as_str()).execute(conn);
    let removed = removed.doing("removing an account")? > 0;
    Ok(end_all(conn, id)? || removed)
}

fn add(conn: &Connection, credential: &Credential, now: Timestamp) -> Result<(), Fault> {
    let expired = sql::query("DELETE FROM credential WHERE expires_at <= ?1").bind(micros(now));
    expired.execute(conn).doing("forgetting what has expired")?;
    const SQL: &str = "INSERT INTO credential (digest, kind, person, expires_at) VALUES (?1, ?2, ?3, ?4)";
    let query = sql::query(SQL)
        .bind(&credential.digest[..])
        .bind(credential.kind.as_str())
        .bind(credential.person.as_str())
        .bind(micros(credential.expires_at));
    query.execute(conn).doing("letting somebody in").map(drop)
}

fn end_all(conn: &Connection, id: &PersonId) -> Result<bool, Fault> {
    let query = sql::query("DELETE FROM credential WHERE person = ?1").bind(id.as_str());
    Ok(query.execute(conn).doing("ending sessions")? > 0)
}

fn all(conn: &Connection, id: Option<&PersonId>) -> Result<Vec<Person>, Fault> {
    const SQL: &str = "SELECT id, role, password, since FROM person WHERE ?1 IS NULL OR id = ?1 ORDER BY id";
    let rows = sql::query(SQL).bind(id.map(PersonId::as_str)).fetch_all(conn).doing("reading accounts")?;
    rows.iter().map(person).collect()
}

fn person(row: &Row<'_>) -> Result<Person, Fault> {
    Ok(Person {
        id: PersonId::parse(column(row, 0)?).map_err(|_| damaged("person.id"))?,
        role: Role::parse(column(row, 1)?).ok_or_else(|| damaged("person.role"))?,
        password: column::<Option<String>>(row, 2)?.map(PasswordHash),
        since: row::timestamp(column(row, 3)?)?,
    })
}

fn credential(conn: &Connection, digest: &SecretDigest, now: Timestamp) -> Result<Option<Credential>, Fault> {
    const SQL: &str = "SELECT kind, person, expires_at FROM credential WHERE digest = ?1 AND expires_at > ?2";
    let row = sql::query(SQL).bind(&digest[..]).bind(micros(now)).fetch_optional(conn);
    let Some(row) = row.doing("reading a session")? else { return Ok(None) };
    Ok(Some(Credential {
        digest: *digest,
        kind: CredentialKind::parse(column(&row, 0)?).ok_or_else(|| damaged("credential.kind"))?,
        person: PersonId::parse(column(&row, 1)?).map_err(|_| damaged("credential.person"))?,
        expires_at: row::timestamp(column(&row, 2)?)?,
    }))
}

impl SqliteStore {
    async fn change(&self, change: Change) -> Result<bool, StoreError> {
        self.changed(&self.urgent, Work::People(Box::new(change))).await
    }
}

#[async_trait]
impl People for SqliteStore {
    async fn people(&self) -> Result<Vec<Person>, StoreError> {
        self.read(|conn| all(conn, None)).await
    }

    async fn person(&self, id: &PersonId) -> Result<Option<Person>, StoreError> {
        let id = id.clone();
        self.read(move |conn| Ok(all(conn, Some(&id))?.pop())).await
    }

    async fn put_person(&self, person: Person) -> Result<(), StoreError> {
        self.change(Change::Put(person)).await.map(drop)
    }

    async fn remove_person(&self, id: &PersonId) -> Result<bool, StoreError> {
        self.change(Change::Remove(id.clone())).await
    }

    async fn add_credential(&self, credential: Credential) -> Result<(), StoreError> {
        self.change(Change::Add(credential)).await.map(drop)
    }

    async fn credential(&self, digest: &SecretDigest) -> Result<Option<Credential>, StoreError> {
        let (digest, now) = (*digest, self.shared.clock.now().wall);
        self.read(move |conn| credential(conn, &digest, now)).await
    }

    async fn end_credential(&self, digest: &SecretDigest) -> Result<bool, StoreError> {
        self.change(Change::End(*digest)).await
    }

    async fn end_credentials(&self, id: &PersonId) -> Result<bool, StoreError> {
        self.change(Change::EndAll(id.clone())).await
    }
}
