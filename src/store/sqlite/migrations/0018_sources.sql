-- The commit of each source that is in force; the newest of them is the generation.
-- files_of, folder: the commit whose files definition_file has, and its folder of campaigns; NULL until all are written.
CREATE TABLE source_commit (
    source     TEXT PRIMARY KEY,
    revision   TEXT    NOT NULL,
    applied_at INTEGER NOT NULL,
    files_of   TEXT,
    folder     TEXT
) STRICT, WITHOUT ROWID;
INSERT INTO source_commit (source, revision, applied_at, files_of, folder)
SELECT 'main', g.revision, g.applied_at, s.files_of, s.files_prefix FROM store s JOIN generation g ON g.id = s.generation;
ALTER TABLE store DROP COLUMN files_of;
ALTER TABLE store DROP COLUMN files_prefix;

-- Whose commit it was.
ALTER TABLE handled_commit ADD COLUMN source TEXT NOT NULL DEFAULT 'main';
