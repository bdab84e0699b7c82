-- Restore points: how many are kept, and what a verification of one came to.

CREATE TABLE retention (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    newest  INTEGER NOT NULL,
    minutes INTEGER NOT NULL,
    hours   INTEGER NOT NULL,
    days    INTEGER NOT NULL
) STRICT;

CREATE TABLE point_check (
    point       TEXT PRIMARY KEY,
    at          TEXT NOT NULL,
    differences INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
