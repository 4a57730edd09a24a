-- While contacts that a cap holds are asked about anew, after a commit has changed the campaign: the last one that was,
-- else NULL.
ALTER TABLE campaign ADD COLUMN released_to INTEGER;
CREATE INDEX campaign_released ON campaign (slug) WHERE released_to IS NOT NULL;
