-- What proves that calls can be made here; how many phones were last counted while the Master served; and per run that
-- brought the service here what has become of the phones since. `lowest` is the least that was counted since before its
-- services started: only what comes on top of that has come here.

CREATE TABLE telephony (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    settings TEXT NOT NULL,
    seen     INTEGER,
    seen_at  TEXT
) STRICT;

CREATE TABLE run_phones (
    run        TEXT PRIMARY KEY,
    lowest     INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    counted_at TEXT NOT NULL,
    most       INTEGER NOT NULL,
    first_at   TEXT
) STRICT, WITHOUT ROWID;
