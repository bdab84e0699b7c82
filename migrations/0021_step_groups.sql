-- Groups of own steps. Where a group stands follows from its steps; only whether runs take it is its own. One without a
-- step does not stay.
CREATE TABLE step_group (
    name TEXT PRIMARY KEY,
    off  INTEGER NOT NULL DEFAULT 0 CHECK (off IN (0, 1))
) STRICT, WITHOUT ROWID;

ALTER TABLE own_step ADD COLUMN group_name TEXT REFERENCES step_group (name);
