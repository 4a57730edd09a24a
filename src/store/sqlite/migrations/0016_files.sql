-- Configuration files as they are in force, by path in the repository: whoever has lost that still has them.
CREATE TABLE definition_file (
    path   TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    bytes  BLOB NOT NULL
) STRICT;

-- The commit that they are in force by, and the folder of campaigns; NULL until all are written.
ALTER TABLE store ADD COLUMN files_of TEXT;
ALTER TABLE store ADD COLUMN files_prefix TEXT;
