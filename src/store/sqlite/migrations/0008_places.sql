-- Who is next stands apart from contacts, a row for each kind of work that a contact has. key
-- (store::sqlite::place) is bytes that compare as contacts are served, ready_at when the work is ready
-- (0 for always). A row counts while its `stood` is its contact's; others are taken away as picking comes
-- past them.
CREATE TABLE place (
    evaluation INTEGER NOT NULL,
    key        BLOB    NOT NULL,
    ready_at   INTEGER NOT NULL,
    contact    INTEGER NOT NULL,
    stood      INTEGER NOT NULL,
    PRIMARY KEY (evaluation, key)
) STRICT, WITHOUT ROWID;

-- A definition applied to all contacts of a campaign. A new one is written beside the one that pages are
-- read from, and takes its place in one step; the rows of those that no campaign names are deleted.
CREATE TABLE evaluation (
    id       INTEGER PRIMARY KEY,
    campaign INTEGER NOT NULL REFERENCES campaign (id)
) STRICT;

-- The evaluation that pages are read from, and whether another one is wanted. Contacts of the campaign have
-- ids from first_contact to last_contact.
ALTER TABLE campaign ADD COLUMN evaluation INTEGER;
ALTER TABLE campaign ADD COLUMN wanted INTEGER NOT NULL DEFAULT 1;
ALTER TABLE campaign ADD COLUMN first_contact INTEGER;
ALTER TABLE campaign ADD COLUMN last_contact INTEGER;
UPDATE campaign SET first_contact = 1, last_contact = (SELECT next_contact FROM store);
DROP INDEX campaign_evaluated;
ALTER TABLE campaign DROP COLUMN evaluated_to;

-- Rises whenever the contact is found to stand otherwise.
ALTER TABLE contact ADD COLUMN stood INTEGER NOT NULL DEFAULT 0;
DROP INDEX contact_pass;
DROP INDEX contact_retry;
DROP INDEX contact_fresh;
DROP INDEX contact_wakes;
DROP INDEX contact_changes;
DROP INDEX contact_business;
DROP INDEX contact_pinned;
ALTER TABLE contact DROP COLUMN pass_at;
ALTER TABLE contact DROP COLUMN retry_at;
ALTER TABLE contact DROP COLUMN fresh_at;
ALTER TABLE contact DROP COLUMN fresh_round;
ALTER TABLE contact DROP COLUMN sorted;
ALTER TABLE contact DROP COLUMN zone;
ALTER TABLE contact DROP COLUMN wakes_at;
ALTER TABLE contact DROP COLUMN changes_at;
ALTER TABLE contact DROP COLUMN business_at;
ALTER TABLE contact DROP COLUMN pinned;
ALTER TABLE contact DROP COLUMN filtered_out;
DROP TABLE zone;
CREATE INDEX campaign_wanted ON campaign (slug) WHERE wanted = 1;
