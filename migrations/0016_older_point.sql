-- What was found when a generation was read again: how many of its names do not hold what was copied. `content` tells which
-- generation of that number it was; `seen_by` is the run or the task that has read it.
CREATE TABLE generation_check (
    dataset    TEXT NOT NULL,
    generation INTEGER NOT NULL,
    content    TEXT NOT NULL,
    at         TEXT NOT NULL,
    damaged    INTEGER NOT NULL,
    seen_by    TEXT NOT NULL,
    PRIMARY KEY (dataset, generation)
) STRICT, WITHOUT ROWID;

-- Datasets that the Master has given again since an activation went back to an older restore point. Once all of them are
-- here, what was skipped (the pins of that kind) is let go.
CREATE TABLE forward_again (
    dataset TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
