-- The second person: whether a run that writes a mandate waits for one, and for how many seconds.

CREATE TABLE approval (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    activation INTEGER NOT NULL CHECK (activation IN (0, 1)),
    wait       INTEGER NOT NULL
) STRICT;
INSERT INTO approval (one, activation, wait) VALUES (1, 0, 900);
