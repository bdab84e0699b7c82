-- Who is told, when, and in which words.

CREATE TABLE threshold (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The language of messages; the panel's is each reader's own.
ALTER TABLE node ADD COLUMN language TEXT NOT NULL DEFAULT 'it' CHECK (language IN ('it', 'en'));

CREATE TABLE alarm (
    id         TEXT PRIMARY KEY,
    code       TEXT NOT NULL,
    subject    TEXT NOT NULL,
    detail_it  TEXT NOT NULL,
    detail_en  TEXT NOT NULL,
    raised_at  TEXT NOT NULL,
    cleared_at TEXT,
    ack_by     TEXT,
    ack_at     TEXT,
    ack_note   TEXT,
    repeats    INTEGER NOT NULL DEFAULT 0,
    CHECK ((ack_by IS NULL) = (ack_at IS NULL))
) STRICT;
CREATE UNIQUE INDEX one_open_alarm_per_cause ON alarm (code, subject) WHERE cleared_at IS NULL;
CREATE INDEX alarm_by_time ON alarm (raised_at);

-- The outbox: written with the alarm, in one transaction, before anything is sent. `reference` is the Message-ID and the
-- SMS reference: a message sent twice, because a crash fell between sending and recording, carries the same one.
CREATE TABLE delivery (
    id        INTEGER PRIMARY KEY,
    alarm     TEXT NOT NULL REFERENCES alarm (id),
    event     TEXT NOT NULL CHECK (event IN ('raise', 'clear')),
    channel   TEXT NOT NULL CHECK (channel IN ('email', 'sms')),
    recipient TEXT NOT NULL,
    reference TEXT NOT NULL UNIQUE,
    language  TEXT NOT NULL CHECK (language IN ('it', 'en')),
    title     TEXT NOT NULL,
    body      TEXT NOT NULL,
    state     TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sent', 'failed')),
    attempts  INTEGER NOT NULL DEFAULT 0,
    next_at   TEXT NOT NULL,
    at        TEXT,
    detail    TEXT
) STRICT;
CREATE INDEX delivery_by_alarm ON delivery (alarm);
CREATE INDEX delivery_due ON delivery (next_at) WHERE state = 'queued';

-- Secrets are sealed with the key file; they go in and never come out.
CREATE TABLE smtp (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    settings TEXT NOT NULL,
    password BLOB
) STRICT;

CREATE TABLE sms_account (
    name       TEXT PRIMARY KEY,
    position   INTEGER NOT NULL,
    definition TEXT NOT NULL,
    secret     BLOB,
    is_default INTEGER NOT NULL DEFAULT 0 CHECK (is_default IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX one_default_sms_account ON sms_account (is_default) WHERE is_default = 1;
