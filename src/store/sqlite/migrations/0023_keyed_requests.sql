-- Writes that came with an idempotency key (ADR 23). key and request are digests made with the key itself, and answer is
-- sealed under it, so nothing of them can be read here. epoch: the life that does it; done: whether its change was
-- made, written in the change's own transaction; status: NULL until it was answered.
CREATE TABLE keyed_request (
    key        BLOB    NOT NULL PRIMARY KEY,
    request    BLOB    NOT NULL,
    epoch      INTEGER NOT NULL,
    done       INTEGER NOT NULL DEFAULT 0,
    status     INTEGER,
    answer     BLOB,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX keyed_request_expiry ON keyed_request (expires_at);
CREATE INDEX keyed_request_answer ON keyed_request (key) WHERE answer IS NOT NULL;
