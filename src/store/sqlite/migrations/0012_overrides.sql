-- What people decided against the files for a while; kept for good, since attempts name them. campaign is NULL
-- for all campaigns, ended_at for one that nobody has ended before its time.
CREATE TABLE override (
    id             INTEGER PRIMARY KEY,
    kind           TEXT    NOT NULL,
    campaign       TEXT,
    revision       TEXT,
    cancel_ringing INTEGER NOT NULL,
    reason         TEXT    NOT NULL,
    made_by        TEXT    NOT NULL,
    since          INTEGER NOT NULL,
    until          INTEGER NOT NULL,
    ended_at       INTEGER,
    ended_by       TEXT
) STRICT;
CREATE INDEX override_open ON override (until) WHERE ended_at IS NULL;

-- overrides: the ids of those that it was placed under, as a JSON list; NULL for none.
ALTER TABLE attempt ADD COLUMN overrides TEXT;
