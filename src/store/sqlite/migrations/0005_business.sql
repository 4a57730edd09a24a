-- What business results have brought about for a contact (domain::business::Business), as JSON; NULL
-- for nothing. business_at and pinned are of domain::order::standing: when its scheduled call is due,
-- and the agent whom that waits for. rule is the business rule that placed an attempt.
ALTER TABLE progress ADD COLUMN business TEXT;
ALTER TABLE contact ADD COLUMN business_at INTEGER;
ALTER TABLE contact ADD COLUMN pinned TEXT;
ALTER TABLE attempt ADD COLUMN rule TEXT;

CREATE INDEX contact_business ON contact (campaign, zone, business_at, sorted, priority, import_order)
    WHERE business_at IS NOT NULL AND pinned IS NULL;
CREATE INDEX contact_pinned ON contact (campaign, zone, pinned, business_at, sorted, priority, import_order)
    WHERE business_at IS NOT NULL AND pinned IS NOT NULL;

-- Every business result that was set, in order; result is "callback" or "callback/soon". outcome is NULL
-- while the contact is in a call, whose end it waits for.
CREATE TABLE business_result (
    id      INTEGER PRIMARY KEY,
    contact INTEGER NOT NULL REFERENCES contact (id) ON DELETE CASCADE,
    attempt INTEGER REFERENCES attempt (id) ON DELETE SET NULL,
    result  TEXT    NOT NULL,
    note    TEXT,
    set_by  TEXT    NOT NULL,
    set_at  INTEGER NOT NULL,
    outcome TEXT
) STRICT;
CREATE INDEX business_result_contact ON business_result (contact, id);
CREATE INDEX business_result_attempt ON business_result (attempt, id) WHERE attempt IS NOT NULL;
