-- What keeps newer data from being overwritten by older.

-- The number of the session ticket that is held, once more beside the mandate files: whichever of the two is put back
-- alone is found by comparing them.
CREATE TABLE session_ticket (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    pair    TEXT NOT NULL,
    mandate TEXT NOT NULL,
    number  INTEGER NOT NULL
) STRICT;

-- An operator's consent that this content of a dataset, and no other, is replaced. It is used once.
CREATE TABLE consent (
    dataset  TEXT PRIMARY KEY,
    content  TEXT NOT NULL,
    operator TEXT NOT NULL,
    reason   TEXT NOT NULL,
    given_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Generations that are kept whatever the tiers say. `until` is empty where something else ends it.
CREATE TABLE pin (
    dataset    TEXT NOT NULL,
    generation INTEGER NOT NULL,
    why        TEXT NOT NULL CHECK (why IN ('replaced', 'skipped')),
    until      TEXT,
    PRIMARY KEY (dataset, generation, why)
) STRICT, WITHOUT ROWID;
