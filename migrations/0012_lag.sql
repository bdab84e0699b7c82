-- How far each replica was behind: the worst of each slot of time, in three widths (`step`, in seconds), and one's own
-- limits of a dataset. A slot without a row is a time of which nothing is known. What is too old is deleted at each write.

CREATE TABLE lag_sample (
    dataset TEXT NOT NULL,
    step    INTEGER NOT NULL,
    slot    INTEGER NOT NULL,
    lag     REAL NOT NULL,
    PRIMARY KEY (dataset, step, slot)
) STRICT, WITHOUT ROWID;

CREATE TABLE lag_limit (
    dataset      TEXT PRIMARY KEY,
    soft_seconds INTEGER NOT NULL,
    hard_seconds INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
