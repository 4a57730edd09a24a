-- How a contact stands in its campaign's order (domain::order::standing), as of the last time it was
-- written: fresh_round is the round of its untried number, sorted the values that the campaign sorts
-- by, zone the zone in which its hours are reckoned where contacts' own zones govern (0 for none), and
-- changes_at when time alone makes it stand otherwise.
ALTER TABLE contact ADD COLUMN zone INTEGER NOT NULL DEFAULT 0;
ALTER TABLE contact ADD COLUMN fresh_round INTEGER NOT NULL DEFAULT 0;
ALTER TABLE contact ADD COLUMN sorted BLOB NOT NULL DEFAULT x'';
ALTER TABLE contact ADD COLUMN changes_at INTEGER;

CREATE TABLE zone (
    id   INTEGER PRIMARY KEY,
    name TEXT    NOT NULL UNIQUE
) STRICT;

DROP INDEX contact_pass;
DROP INDEX contact_retry;
DROP INDEX contact_fresh;
CREATE INDEX contact_pass ON contact (campaign, zone, sorted, priority, import_order, pass_at)
    WHERE pass_at IS NOT NULL;
CREATE INDEX contact_retry ON contact (campaign, zone, retry_at, sorted, priority, import_order)
    WHERE retry_at IS NOT NULL;
CREATE INDEX contact_fresh ON contact (campaign, zone, fresh_round, sorted, priority, import_order, fresh_at)
    WHERE fresh_at IS NOT NULL;
CREATE INDEX contact_changes ON contact (campaign, changes_at) WHERE changes_at IS NOT NULL;

-- Whom a commit may give more attempts.
CREATE INDEX contact_spent ON contact (campaign, attempts) WHERE ended = 'attempts_spent';

-- What of a definition the standing of contacts rests on, as text, in place of the filter alone.
ALTER TABLE campaign RENAME COLUMN filter TO selection;
UPDATE campaign SET evaluated_to = '';
