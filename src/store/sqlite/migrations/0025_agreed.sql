-- What else there is of a business result that was set: who achieved it, if not the agent of the attempt; the call
-- that was agreed on with the customer, when and by whom; whether it counted as a goal at that time.
ALTER TABLE business_result ADD COLUMN agent TEXT;
ALTER TABLE business_result ADD COLUMN agreed_at INTEGER;
ALTER TABLE business_result ADD COLUMN agreed_agent TEXT;
ALTER TABLE business_result ADD COLUMN goal INTEGER NOT NULL DEFAULT 0;
CREATE INDEX business_result_goal ON business_result (set_at) WHERE goal = 1;

-- Results of all campaigns from a quarter of an hour on: those of today.
CREATE INDEX statistic_results ON statistic (quarter, campaign, name, attempts) WHERE kind = 'result';
