-- rang_at: when the customer's phone began to ring. category: of the number as it was when it was called.
ALTER TABLE attempt ADD COLUMN rang_at INTEGER;
ALTER TABLE attempt ADD COLUMN category TEXT;
UPDATE attempt SET category = (SELECT p.numbers ->> ('$[' || number_index || '][0]') FROM personal p
                               WHERE p.contact = attempt.contact AND
                                     p.numbers ->> ('$[' || number_index || '][1]') = attempt.number);

-- A campaign's attempts as they were placed, and of those that have ended the connected ones.
CREATE INDEX attempt_placed ON attempt (campaign, placed_at);
CREATE INDEX attempt_connected ON attempt (campaign, placed_at, contact)
    WHERE connected_at IS NOT NULL AND ended_at IS NOT NULL;

-- Counts of attempts by the quarter of an hour in which they were placed (domain::statistics), kept up in the
-- transactions that change them: those that have ended by kind 'result', 'agent' and 'batch', and by kind 'business' all
-- that have a business result, under the last one. talked is in microseconds.
CREATE TABLE statistic (
    campaign  INTEGER NOT NULL REFERENCES campaign (id),
    quarter   INTEGER NOT NULL,
    kind      TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    attempts  INTEGER NOT NULL,
    connected INTEGER NOT NULL,
    talked    INTEGER NOT NULL,
    PRIMARY KEY (campaign, quarter, kind, name)
) STRICT, WITHOUT ROWID;

INSERT INTO statistic (campaign, quarter, kind, name, attempts, connected, talked)
    SELECT a.campaign, a.placed_at / 900000000 AS quarter, k.column1 AS kind,
           CASE k.column1 WHEN 'result' THEN a.result WHEN 'agent' THEN a.agent ELSE CAST(c.batch AS TEXT) END AS name,
           count(*), count(a.connected_at), coalesce(sum(max(a.ended_at - a.connected_at, 0)), 0)
    FROM attempt a JOIN contact c ON c.id = a.contact CROSS JOIN (VALUES ('result'), ('agent'), ('batch')) k
    WHERE a.ended_at IS NOT NULL AND a.result IS NOT NULL
    GROUP BY 1, 2, 3, 4;
INSERT INTO statistic (campaign, quarter, kind, name, attempts, connected, talked)
    SELECT a.campaign, a.placed_at / 900000000, 'business', b.result, count(*), 0, 0
    FROM business_result b JOIN attempt a ON a.id = b.attempt
    WHERE b.id = (SELECT max(o.id) FROM business_result o WHERE o.attempt = b.attempt)
    GROUP BY 1, 2, 4;
