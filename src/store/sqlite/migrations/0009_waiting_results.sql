-- Business results that are yet to take effect, which a new life looks for.
CREATE INDEX business_result_waiting ON business_result (contact) WHERE outcome IS NULL;
