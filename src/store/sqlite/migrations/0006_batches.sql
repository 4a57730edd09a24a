-- Batches of contacts. first_contact and last_contact bound the ids of its contacts; while a pause or its
-- end is being applied to them, evaluated_to is the last id that it has been applied to, else NULL.
CREATE TABLE batch (
    id            INTEGER PRIMARY KEY,
    campaign      INTEGER NOT NULL REFERENCES campaign (id),
    name          TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    paused        INTEGER NOT NULL,
    rejected      INTEGER NOT NULL,
    first_contact INTEGER,
    last_contact  INTEGER,
    evaluated_to  INTEGER,
    UNIQUE (campaign, name)
) STRICT;
CREATE INDEX batch_evaluated ON batch (id) WHERE evaluated_to IS NOT NULL;

-- Counts of a batch, as tally has them of a campaign.
CREATE TABLE batch_tally (
    batch INTEGER NOT NULL REFERENCES batch (id),
    kind  TEXT    NOT NULL,
    name  TEXT    NOT NULL,
    n     INTEGER NOT NULL,
    PRIMARY KEY (batch, kind, name)
) STRICT, WITHOUT ROWID;

-- paused_out: whether the batch was paused when that was last applied to the contact; then its four *_at
-- columns are NULL, as they are for one that the filter leaves out.
ALTER TABLE contact ADD COLUMN batch INTEGER REFERENCES batch (id);
ALTER TABLE contact ADD COLUMN paused_out INTEGER NOT NULL DEFAULT 0;

-- What was imported before there were batches is one.
INSERT INTO batch (campaign, name, created_at, paused, rejected, first_contact, last_contact)
    SELECT campaign, 'earlier', coalesce((SELECT min(opened_at) FROM instance), 0), 0, 0, min(id), max(id)
    FROM contact GROUP BY campaign;
UPDATE contact SET batch = (SELECT b.id FROM batch b WHERE b.campaign = contact.campaign);
INSERT INTO batch_tally (batch, kind, name, n)
    SELECT batch, CASE WHEN ended IS NULL THEN 'open' ELSE 'ended' END AS kind,
           CASE WHEN ended IS NOT NULL THEN ended
                WHEN attempts > 0 OR EXISTS (SELECT 1 FROM live_call l WHERE l.contact = c.id) THEN 'in_progress'
                ELSE 'fresh' END AS name,
           count(*)
    FROM contact c GROUP BY batch, kind, name;

-- The key of what stands for erased numbers; made when the store is opened.
ALTER TABLE store ADD COLUMN pseudonym_key BLOB;
