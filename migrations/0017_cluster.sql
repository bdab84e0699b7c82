-- A Master site of two members.

-- The second machine that this node talks with, beside the one in `peer`: on the Client the other member of the Master
-- site, on a member its sibling. `pair_id` and what follows are set together by the association and cleared together.
CREATE TABLE member (
    one           INTEGER PRIMARY KEY CHECK (one = 1),
    ip            TEXT NOT NULL,
    port          INTEGER NOT NULL,
    pair_id       TEXT,
    node_id       TEXT,
    name          TEXT,
    fingerprint   TEXT,
    associated_at TEXT,
    CHECK ((pair_id IS NULL) = (fingerprint IS NULL))
) STRICT;

-- The address that is on whichever member serves, and how a member knows that it is here: a command that ends well, or,
-- where there is none, the address on one of its interfaces.
CREATE TABLE cluster (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    node_ip TEXT NOT NULL,
    serves  TEXT
) STRICT;
