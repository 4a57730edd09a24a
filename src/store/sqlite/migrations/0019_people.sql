-- Who is let in. An agent of agents.toml has a row only for a password.
CREATE TABLE person (
    id       TEXT    PRIMARY KEY,
    role     TEXT    NOT NULL,
    password TEXT,
    since    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What lets somebody in for a while, by SHA-256 of its secret: sessions of browsers, and tokens.
CREATE TABLE credential (
    digest     BLOB    PRIMARY KEY,
    kind       TEXT    NOT NULL,
    person     TEXT    NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX credential_person ON credential (person);

-- Who changed what (store::audit); digest is of the row and of all before it.
CREATE TABLE audit (
    id     INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    who    TEXT    NOT NULL,
    role   TEXT    NOT NULL,
    action TEXT    NOT NULL,
    object TEXT    NOT NULL,
    result TEXT    NOT NULL,
    digest TEXT    NOT NULL
) STRICT;
CREATE TRIGGER audit_is_not_edited BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_is_not_shortened BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

-- by_default: the tenant's result, noted since the agent's time for notes ran out.
ALTER TABLE business_result ADD COLUMN by_default INTEGER NOT NULL DEFAULT 0;

-- An agent's last calls.
CREATE INDEX attempt_agent ON attempt (agent, id);
