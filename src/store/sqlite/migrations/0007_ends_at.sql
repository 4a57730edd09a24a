-- ends_at: that of the definition that was last in force. Once it has passed the campaign has expired for good;
-- NULL until a commit changes the campaign.
ALTER TABLE campaign ADD COLUMN ends_at INTEGER;
