-- Entries of do-not-call lists; expires_at is NULL where they hold for good. The list comes first in
-- the key: a look-up names the lists that its campaign follows, and one list is a range.
CREATE TABLE do_not_call (
    list        TEXT    NOT NULL,
    number      TEXT    NOT NULL,
    expires_at  INTEGER,
    imported_at INTEGER NOT NULL,
    PRIMARY KEY (list, number)
) STRICT, WITHOUT ROWID;

-- Numbers of contacts that are marked as held by a list (`listed_until` in progress.numbers), so that
-- they are found when an entry goes.
CREATE TABLE listed_number (
    contact INTEGER NOT NULL REFERENCES contact (id) ON DELETE CASCADE,
    number  TEXT    NOT NULL,
    PRIMARY KEY (contact, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX listed_number_number ON listed_number (number);

-- Rises with each change of any list; every attempt keeps the one that its gate read.
ALTER TABLE store ADD COLUMN do_not_call_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN do_not_call_version INTEGER NOT NULL DEFAULT 0;

-- The lists that a campaign follows, as ["objected"]. While its contacts are released from those that
-- it follows no longer, unlisted_to is the last contact that was looked at, else NULL.
ALTER TABLE campaign ADD COLUMN do_not_call TEXT NOT NULL DEFAULT '[]';
ALTER TABLE campaign ADD COLUMN unlisted_to INTEGER;
