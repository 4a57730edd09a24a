-- What others are to be told: callbacks, and text messages to customers who were not reached. A row is written with what
-- it tells of. Nothing personal stands here: what is sent is read from the attempt and its contact when it is sent.
-- due_at is NULL for one that waits for the one before it of its contact, and for one that is over; park_at is when it
-- is given up, and claimed_at when a text message was about to be sent, so that none is sent twice.
CREATE TABLE dispatch (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    channel    TEXT    NOT NULL,
    campaign   INTEGER NOT NULL REFERENCES campaign (id),
    contact    INTEGER NOT NULL REFERENCES contact (id) ON DELETE CASCADE,
    attempt    INTEGER REFERENCES attempt (id) ON DELETE CASCADE,
    event      TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    made_at    INTEGER NOT NULL,
    tries      INTEGER NOT NULL DEFAULT 0,
    due_at     INTEGER,
    park_at    INTEGER NOT NULL,
    claimed_at INTEGER,
    over_at    INTEGER,
    last_error TEXT
) STRICT;
CREATE UNIQUE INDEX dispatch_attempt ON dispatch (attempt, event) WHERE attempt IS NOT NULL;
CREATE UNIQUE INDEX dispatch_sms ON dispatch (contact) WHERE channel = 'sms';
CREATE INDEX dispatch_contact ON dispatch (contact, id);
CREATE INDEX dispatch_due ON dispatch (channel, campaign, due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX dispatch_pending ON dispatch (channel, park_at) WHERE state = 'pending';
CREATE INDEX dispatch_state ON dispatch (channel, state, id);

-- callback: where a campaign's calls are told, the last that it had, as JSON; tells: whether it has one now. failure_sms:
-- the template of the text message. They stand here since an outcome may be written before a life knows any definition.
ALTER TABLE campaign ADD COLUMN callback TEXT;
ALTER TABLE campaign ADD COLUMN tells INTEGER NOT NULL DEFAULT 0;
ALTER TABLE campaign ADD COLUMN failure_sms TEXT;
