-- The state of one node. Times are RFC 3339 text in UTC; ids are lower-case hex.

CREATE TABLE node (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    id         TEXT NOT NULL,
    name       TEXT NOT NULL,
    role       TEXT NOT NULL CHECK (role IN ('master', 'client')),
    created_at TEXT NOT NULL,
    -- When a licence with this side's module was first loaded; a licence that expires later closes nothing.
    licensed_at TEXT
) STRICT;

CREATE TABLE user (
    name          TEXT PRIMARY KEY,
    role          TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    password_hash TEXT NOT NULL,
    must_change   INTEGER NOT NULL CHECK (must_change IN (0, 1)),
    created_at    TEXT NOT NULL,
    last_login    TEXT
) STRICT, WITHOUT ROWID;

-- The id is kept as its SHA-256: whoever reads the database cannot take a session over.
CREATE TABLE session (
    id_hash    TEXT PRIMARY KEY,
    user       TEXT REFERENCES user (name) ON DELETE CASCADE,
    data       BLOB NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_by_user ON session (user);

-- Append-only: hash = SHA-256(hash of the row before || line feed || line).
CREATE TABLE audit (
    seq  INTEGER PRIMARY KEY,
    line TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TABLE licence (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    text      TEXT NOT NULL,
    loaded_at TEXT NOT NULL
) STRICT;

-- The other machine. `pair_id` and what follows are set together by the association and cleared together by its end.
CREATE TABLE peer (
    one           INTEGER PRIMARY KEY CHECK (one = 1),
    ip            TEXT,
    port          INTEGER,
    pair_id       TEXT,
    node_id       TEXT,
    name          TEXT,
    fingerprint   TEXT,
    associated_at TEXT,
    CHECK ((ip IS NULL) = (port IS NULL)),
    CHECK ((pair_id IS NULL) = (fingerprint IS NULL))
) STRICT;

CREATE TABLE join_token (
    secret_hash TEXT PRIMARY KEY,
    expires_at  TEXT NOT NULL,
    used_at     TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE recipient (
    channel TEXT NOT NULL CHECK (channel IN ('email', 'sms')),
    value   TEXT NOT NULL,
    PRIMARY KEY (channel, value)
) STRICT, WITHOUT ROWID;

-- Declared on the Master; on the Client the last list learnt from it.
CREATE TABLE dataset (
    name     TEXT PRIMARY KEY,
    kind     TEXT NOT NULL,
    class    TEXT NOT NULL,
    source   TEXT NOT NULL,
    target   TEXT NOT NULL,
    excludes TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sync_switch (
    grp TEXT PRIMARY KEY CHECK (grp IN ('database', 'files')),
    is_on INTEGER NOT NULL CHECK (is_on IN (0, 1))
) STRICT, WITHOUT ROWID;
INSERT INTO sync_switch (grp, is_on) VALUES ('database', 1), ('files', 1);

-- Master: every generation that was ever offered, one counter for the pair. Written before it is offered.
CREATE TABLE generation (
    number      INTEGER PRIMARY KEY,
    dataset     TEXT NOT NULL,
    content_id  TEXT NOT NULL,
    captured_at TEXT NOT NULL
) STRICT;
CREATE INDEX generation_by_dataset ON generation (dataset, number);
