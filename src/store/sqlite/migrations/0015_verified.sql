-- Who signed commits that were found to be good when they came into force; signed_by is a JSON object.
CREATE TABLE verified (
    revision    TEXT    PRIMARY KEY,
    signed_by   TEXT    NOT NULL,
    verified_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE handled_commit ADD COLUMN verified TEXT;
