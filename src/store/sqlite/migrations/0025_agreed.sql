-- What else there is of a business result that was set: who achieved it, if not the agent of the attempt; the call
-- that was agreed on with the customer, when and by whom; whether it counted as a goal at that time.
ALTER TABLE business_result ADD COLUMN agent TEXT;
ALTER TABLE business_result ADD COLUMN agreed_at INTEGER;
ALTER TABLE business_result ADD COLUMN agreed_agent TEXT;
ALTER TABLE business_result ADD COLUMN goal INTEGER NOT NULL DEFAULT 0;
CREATE INDEX business_result_goal ON business_result (set_at) WHERE goal = 1;

-- Attempts that ended on a day of the tenant's zone, by result; days of old are cleared away. What ended while no
-- commit was in force to say whose day that was has "@" and the microsecond instead, until one is.
CREATE TABLE day_result (
    day      TEXT    NOT NULL,
    campaign INTEGER NOT NULL REFERENCES campaign (id) ON DELETE CASCADE,
    result   TEXT    NOT NULL,
    n        INTEGER NOT NULL,
    PRIMARY KEY (day, campaign, result)
) STRICT, WITHOUT ROWID;
