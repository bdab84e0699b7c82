-- How fast content may travel, in kbit/s (NULL: no limit): in general, and in some hours of the week. The first window
-- that holds wins.

CREATE TABLE bandwidth (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    limit_kbits INTEGER
) STRICT;
INSERT INTO bandwidth (one) VALUES (1);

-- `days` has a bit for each day on which it begins, Monday first; minutes are those of the day, local time.
CREATE TABLE bandwidth_window (
    position    INTEGER PRIMARY KEY,
    days        INTEGER NOT NULL CHECK (days BETWEEN 1 AND 127),
    from_minute INTEGER NOT NULL CHECK (from_minute BETWEEN 0 AND 1439),
    to_minute   INTEGER NOT NULL CHECK (to_minute BETWEEN 0 AND 1440),
    limit_kbits INTEGER
) STRICT;
