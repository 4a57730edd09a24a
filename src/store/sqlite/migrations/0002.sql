-- What filters and zones need. attributes is {"tier": "gold", "score": 12.5, "due": {"date":
-- "2031-03-04"}}, NULL if there are none; timezone is the customer's own, by its IANA name.
ALTER TABLE personal ADD COLUMN attributes TEXT;
ALTER TABLE personal ADD COLUMN timezone TEXT;

-- Whether the campaign's filter leaves the contact out: then its four *_at columns are NULL too, so
-- that no index of who is next has it.
ALTER TABLE contact ADD COLUMN filtered_out INTEGER NOT NULL DEFAULT 0;

-- The filter by which contacts are told apart, as text; NULL for none. While a new one is being
-- applied to them, evaluated_to is the last customer that it has been applied to, else NULL.
ALTER TABLE campaign ADD COLUMN filter TEXT;
ALTER TABLE campaign ADD COLUMN evaluated_to TEXT;
CREATE INDEX campaign_evaluated ON campaign (slug) WHERE evaluated_to IS NOT NULL;
