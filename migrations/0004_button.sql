-- Services, the return gate's policy, and runs.

CREATE TABLE service (
    name     TEXT PRIMARY KEY,
    handling TEXT NOT NULL,
    timeout  INTEGER NOT NULL,
    position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What the gate does in silence. `chosen` tells whether an administrator has answered the question.
CREATE TABLE gate (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    policy TEXT NOT NULL CHECK (policy IN ('strict', 'unverified')),
    wait   INTEGER NOT NULL,
    chosen INTEGER NOT NULL DEFAULT 0 CHECK (chosen IN (0, 1))
) STRICT;
INSERT INTO gate (one, policy, wait) VALUES (1, 'unverified', 60);

-- A run and its log. What a run has come to is found by replaying its events; nothing is ever changed.
CREATE TABLE run (
    number     INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    kind       TEXT NOT NULL,
    plan       TEXT NOT NULL,
    started_at TEXT NOT NULL
) STRICT;
CREATE TABLE run_event (
    run   TEXT NOT NULL REFERENCES run (id),
    seq   INTEGER NOT NULL,
    at    TEXT NOT NULL,
    event TEXT NOT NULL,
    PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER run_is_never_changed BEFORE UPDATE ON run BEGIN SELECT RAISE(ABORT, 'a run is append-only'); END;
CREATE TRIGGER run_is_never_deleted BEFORE DELETE ON run BEGIN SELECT RAISE(ABORT, 'a run is append-only'); END;
CREATE TRIGGER run_event_is_never_changed BEFORE UPDATE ON run_event BEGIN SELECT RAISE(ABORT, 'a run is append-only'); END;
CREATE TRIGGER run_event_is_never_deleted BEFORE DELETE ON run_event BEGIN SELECT RAISE(ABORT, 'a run is append-only'); END;
