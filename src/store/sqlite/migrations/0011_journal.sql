-- What became of commits, newest last; took is in microseconds.
CREATE TABLE handled_commit (
    id           INTEGER PRIMARY KEY,
    at           INTEGER NOT NULL,
    revision     TEXT    NOT NULL,
    author       TEXT,
    committed_at TEXT,
    subject      TEXT,
    result       TEXT    NOT NULL,
    reason       TEXT,
    message      TEXT,
    took         INTEGER NOT NULL,
    changed      INTEGER NOT NULL
) STRICT;

-- What has happened, newest last.
CREATE TABLE event (
    id       INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    kind     TEXT    NOT NULL,
    revision TEXT,
    campaign TEXT,
    actor    TEXT,
    before   TEXT,
    after    TEXT,
    message  TEXT    NOT NULL
) STRICT;
