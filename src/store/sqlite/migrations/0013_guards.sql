-- removed_at: when the file of a campaign was found to be gone that has not retired yet; NULL for others.
ALTER TABLE campaign ADD COLUMN removed_at INTEGER;

-- Commits that a person let in although they take away many campaigns.
CREATE TABLE approval (
    revision    TEXT    PRIMARY KEY,
    approved_by TEXT    NOT NULL,
    approved_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
