-- The customer's own steps. `work` never holds a secret; what must be read back is sealed beside it.

CREATE TABLE own_step (
    name     TEXT PRIMARY KEY,
    place    TEXT NOT NULL CHECK (place IN ('before_services', 'after_services')),
    position INTEGER NOT NULL,
    timeout  INTEGER NOT NULL,
    work     TEXT NOT NULL,
    secret   BLOB
) STRICT, WITHOUT ROWID;
