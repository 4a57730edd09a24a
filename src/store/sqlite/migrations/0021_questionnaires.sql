-- What attempts ask, as it was when they were placed: it stays readable once Git has it no longer. digest is of all the
-- rest, so that a version whose file was edited is another row. questions is in the form of store::questionnaire.
CREATE TABLE questionnaire (
    id        INTEGER PRIMARY KEY,
    survey    TEXT    NOT NULL,
    version   INTEGER NOT NULL,
    name      TEXT    NOT NULL,
    questions TEXT    NOT NULL,
    digest    TEXT    NOT NULL UNIQUE
) STRICT;

-- What an attempt asks; NULL for nothing. The attempt's own commit is the one that said so.
ALTER TABLE attempt ADD COLUMN questionnaire INTEGER REFERENCES questionnaire (id);
CREATE INDEX attempt_questionnaire ON attempt (campaign, questionnaire)
    WHERE questionnaire IS NOT NULL AND connected_at IS NOT NULL;

-- What was answered, as JSON by question; no row while nothing was saved. sequence counts saves, and a save names the one
-- that it builds on. completed_* is the save that made it complete.
CREATE TABLE answers (
    attempt      INTEGER PRIMARY KEY REFERENCES attempt (id) ON DELETE CASCADE,
    campaign     INTEGER NOT NULL REFERENCES campaign (id),
    answers      TEXT    NOT NULL,
    sequence     INTEGER NOT NULL,
    changed_by   TEXT    NOT NULL,
    changed_at   INTEGER NOT NULL,
    completed_by TEXT,
    completed_at INTEGER
) STRICT;
CREATE INDEX answers_campaign ON answers (campaign, attempt);
