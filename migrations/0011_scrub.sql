-- The verification that goes on all the time, and what the last tasks came to.

CREATE TABLE scrub_setting (
    one            INTEGER PRIMARY KEY CHECK (one = 1),
    -- In how long everything is read again, in seconds.
    period_seconds INTEGER NOT NULL
) STRICT;
INSERT INTO scrub_setting (one, period_seconds) VALUES (1, 604800);

-- One replica: the pass under way (`place` is the last name looked at), the last whole pass, and the last damage.
CREATE TABLE scrub (
    dataset     TEXT PRIMARY KEY,
    place       BLOB,
    started_at  TEXT NOT NULL,
    files       INTEGER NOT NULL DEFAULT 0,
    bytes       INTEGER NOT NULL DEFAULT 0,
    found       INTEGER NOT NULL DEFAULT 0,
    last_at     TEXT,
    last_files  INTEGER NOT NULL DEFAULT 0,
    last_bytes  INTEGER NOT NULL DEFAULT 0,
    last_found  INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Damage of a replica on this machine's disk. It stays until it is healed and an alarm has told of it.
CREATE TABLE damage (
    dataset   TEXT PRIMARY KEY,
    found_at  TEXT NOT NULL,
    total     INTEGER NOT NULL,
    -- The first of what differs, as JSON.
    first     TEXT NOT NULL,
    healed_at TEXT,
    told      INTEGER NOT NULL DEFAULT 0 CHECK (told IN (0, 1))
) STRICT, WITHOUT ROWID;

-- The last task and the last verification, as reported: they outlive the process.
CREATE TABLE kept_task (
    slot   TEXT PRIMARY KEY,
    report TEXT NOT NULL
) STRICT, WITHOUT ROWID;
