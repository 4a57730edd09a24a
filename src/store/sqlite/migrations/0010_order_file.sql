-- Places of an evaluation that was applied to all contacts lie in the order file beside this one, if it is
-- ordered; the table place then has those of contacts that have changed since.
ALTER TABLE evaluation ADD COLUMN ordered INTEGER NOT NULL DEFAULT 0;

-- The life of the order file that belongs to this file; drawn anew whenever the store is opened.
ALTER TABLE store ADD COLUMN order_life BLOB;
