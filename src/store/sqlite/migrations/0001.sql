-- Times are microseconds since 1970-01-01T00:00Z. Ids of attempts and legs hold their epoch in the
-- upper half (domain::ids).

CREATE TABLE store (
    one          INTEGER PRIMARY KEY CHECK (one = 1),
    dialog_key   BLOB    NOT NULL,
    epoch        INTEGER NOT NULL,
    next_contact INTEGER NOT NULL,
    generation   INTEGER REFERENCES generation (id)
) STRICT;

-- Each life of a daemon on this store; every attempt finds its daemon here by its epoch.
CREATE TABLE instance (
    epoch           INTEGER PRIMARY KEY,
    pid             INTEGER NOT NULL,
    host            TEXT    NOT NULL,
    daemon_version  TEXT    NOT NULL,
    tzdb_version    TEXT    NOT NULL,
    settings_digest TEXT    NOT NULL,
    opened_at       INTEGER NOT NULL,
    heartbeat_at    INTEGER NOT NULL,
    closed_at       INTEGER
) STRICT;

-- Commits that have been in force.
CREATE TABLE generation (
    id           INTEGER PRIMARY KEY,
    revision     TEXT    NOT NULL UNIQUE,
    committed_at INTEGER NOT NULL,
    applied_at   INTEGER NOT NULL
) STRICT;

CREATE TABLE campaign (
    id         INTEGER PRIMARY KEY,
    slug       TEXT    NOT NULL UNIQUE,
    name       TEXT    NOT NULL,
    desired    TEXT    NOT NULL,
    revision   TEXT    NOT NULL,
    digest     TEXT    NOT NULL,
    retired    INTEGER NOT NULL,
    next_order INTEGER NOT NULL
) STRICT;

-- The hot table: who is next. The four *_at columns are domain::order::readiness of the contact,
-- all NULL while it has a live call and once it has ended; wakes_at is the earliest of the others
-- unless that is "always".
CREATE TABLE contact (
    id           INTEGER PRIMARY KEY,
    campaign     INTEGER NOT NULL REFERENCES campaign (id),
    customer_id  TEXT    NOT NULL,
    priority     INTEGER NOT NULL,
    import_order INTEGER NOT NULL,
    not_before   INTEGER,
    version      INTEGER NOT NULL,
    pass         INTEGER,
    attempts     INTEGER NOT NULL,
    ended        TEXT,
    pass_at      INTEGER,
    retry_at     INTEGER,
    fresh_at     INTEGER,
    wakes_at     INTEGER,
    UNIQUE (campaign, customer_id)
) STRICT;
CREATE INDEX contact_pass  ON contact (campaign, priority, import_order, pass_at) WHERE pass_at IS NOT NULL;
CREATE INDEX contact_retry ON contact (campaign, retry_at, priority, import_order) WHERE retry_at IS NOT NULL;
CREATE INDEX contact_fresh ON contact (campaign, priority, import_order, fresh_at) WHERE fresh_at IS NOT NULL;
CREATE INDEX contact_wakes ON contact (campaign, wakes_at) WHERE wakes_at IS NOT NULL;

-- Personal data, away from the hot table. numbers is [["mobile", "+49..."], ...] in index order.
CREATE TABLE personal (
    contact      INTEGER PRIMARY KEY REFERENCES contact (id) ON DELETE CASCADE,
    numbers      TEXT    NOT NULL,
    custom_field TEXT
) STRICT;

-- How far the numbers of a contact have come; no row while none has been touched. held is the
-- newest instant until which a cap holds one of them.
CREATE TABLE progress (
    contact INTEGER PRIMARY KEY REFERENCES contact (id) ON DELETE CASCADE,
    numbers TEXT    NOT NULL,
    held    INTEGER
) STRICT;
CREATE INDEX progress_held ON progress (contact) WHERE held IS NOT NULL;

CREATE TABLE attempt (
    id            INTEGER PRIMARY KEY,
    campaign      INTEGER NOT NULL REFERENCES campaign (id),
    contact       INTEGER NOT NULL REFERENCES contact (id),
    generation    INTEGER NOT NULL REFERENCES generation (id),
    number_index  INTEGER NOT NULL,
    number        TEXT    NOT NULL,
    caller_number TEXT    NOT NULL,
    agent         TEXT    NOT NULL,
    trunk         TEXT    NOT NULL,
    placed_at     INTEGER NOT NULL,
    answered_at   INTEGER,
    connected_at  INTEGER,
    ended_at      INTEGER,
    result        TEXT,
    fail_code     TEXT,
    sip_status    INTEGER,
    q850          INTEGER
) STRICT;
CREATE INDEX attempt_campaign ON attempt (campaign, id);
CREATE INDEX attempt_contact ON attempt (contact, id);
CREATE INDEX attempt_number ON attempt (number, placed_at);

-- Attempts without an outcome. One live call a customer, and (below) a number, over all campaigns:
-- these constraints are the truth, also when a reader of facts was wrong.
CREATE TABLE live_call (
    attempt       INTEGER PRIMARY KEY REFERENCES attempt (id) ON DELETE CASCADE,
    contact       INTEGER NOT NULL UNIQUE REFERENCES contact (id),
    customer_id   TEXT    NOT NULL UNIQUE,
    policy        TEXT    NOT NULL,
    local_date    TEXT    NOT NULL,
    next_day_at   INTEGER NOT NULL,
    last_event_at INTEGER NOT NULL
) STRICT;

-- All numbers of a contact that is being called: who shares one of them is the same customer.
CREATE TABLE live_number (
    number  TEXT    PRIMARY KEY,
    attempt INTEGER NOT NULL REFERENCES live_call (attempt) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX live_number_attempt ON live_number (attempt);

-- Legs without an end: enough of each dialog for the next life to take it down.
CREATE TABLE leg (
    id            INTEGER PRIMARY KEY,
    attempt       INTEGER,
    agent         TEXT,
    sip           TEXT,
    number        TEXT,
    caller_number TEXT,
    trunk         TEXT,
    identity      TEXT    NOT NULL,
    answered      INTEGER NOT NULL
) STRICT;
CREATE INDEX leg_attempt ON leg (attempt) WHERE attempt IS NOT NULL;

-- Counts of a campaign, kept up in the transactions that change them.
CREATE TABLE tally (
    campaign INTEGER NOT NULL REFERENCES campaign (id),
    kind     TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    n        INTEGER NOT NULL,
    PRIMARY KEY (campaign, kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE caller_usage (
    campaign      INTEGER NOT NULL REFERENCES campaign (id),
    caller_number TEXT    NOT NULL,
    n             INTEGER NOT NULL,
    PRIMARY KEY (campaign, caller_number)
) STRICT, WITHOUT ROWID;

CREATE TABLE agent (
    id           TEXT PRIMARY KEY,
    availability TEXT NOT NULL
) STRICT, WITHOUT ROWID;
