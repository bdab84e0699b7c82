-- How the power of a machine of the other site is read and switched. The password is sealed with the key file.
CREATE TABLE power (
    ip       TEXT PRIMARY KEY,
    settings TEXT NOT NULL,
    password BLOB
) STRICT, WITHOUT ROWID;

-- What proves a machine of the other site to be alive besides `tvox-dr` itself: ports, a SIP address (JSON).
CREATE TABLE life_signs (
    ip    TEXT PRIMARY KEY,
    signs TEXT NOT NULL
) STRICT, WITHOUT ROWID;
