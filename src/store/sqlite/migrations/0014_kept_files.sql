-- Files that are in force as an earlier commit has them, since the one in force has them bad.
-- revision, bytes: NULL for a file that has never been good and is left out.
CREATE TABLE kept_file (
    path     TEXT PRIMARY KEY,
    revision TEXT,
    bytes    BLOB,
    CHECK ((revision IS NULL) = (bytes IS NULL))
) STRICT, WITHOUT ROWID;
