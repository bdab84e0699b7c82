-- What makes a file's owner the same one on both machines: its number, or the name of its account.
ALTER TABLE dataset ADD COLUMN owners TEXT NOT NULL DEFAULT 'numbers' CHECK (owners IN ('numbers', 'names'));
