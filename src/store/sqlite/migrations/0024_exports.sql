-- Exports: who asked for which rows, and what became of it; the file lies in a folder of its own. campaign is a slug,
-- batch a name. attributes is a JSON array of ids, NULL for all. expires_at is when the file is taken away; starts is
-- how often it was begun, so that one that a later life has begun anew can't be ended by whoever began it before.
CREATE TABLE export (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    kind            TEXT    NOT NULL,
    format          TEXT    NOT NULL,
    campaign        TEXT    NOT NULL,
    batch           TEXT,
    from_at         INTEGER,
    until_at        INTEGER,
    result          TEXT,
    business_result TEXT,
    attributes      TEXT,
    unmasked        INTEGER NOT NULL,
    recipient       TEXT,
    owner           TEXT    NOT NULL,
    reason          TEXT    NOT NULL,
    asked_at        INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    state           TEXT    NOT NULL,
    starts          INTEGER NOT NULL DEFAULT 0,
    begun_at        INTEGER,
    over_at         INTEGER,
    row_count       INTEGER,
    bytes           INTEGER,
    sha256          TEXT,
    why             TEXT,
    downloads       INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX export_owner ON export (owner, id);
CREATE INDEX export_open ON export (id) WHERE state IN ('waiting', 'running');
CREATE INDEX export_done ON export (id) WHERE state = 'done';
