-- Pages that somebody is logged in with, by the hash of what their cookie holds.
CREATE TABLE logins (
    hash       TEXT PRIMARY KEY,
    user_name  TEXT NOT NULL,
    name       TEXT NOT NULL,
    role       TEXT NOT NULL,
    expires    INTEGER NOT NULL
) STRICT;

-- What was done over HTTP, and by whom. Rows are added and never changed: the
-- database itself refuses it.
CREATE TABLE audit (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    user_name TEXT NOT NULL,
    name    TEXT NOT NULL,
    role    TEXT NOT NULL,
    way     TEXT NOT NULL,
    address TEXT NOT NULL,
    action  TEXT NOT NULL,
    object  TEXT NOT NULL,
    status  INTEGER NOT NULL,
    note    TEXT NOT NULL,
    request TEXT NOT NULL
) STRICT;

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'the audit log is not changed'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'the audit log is not deleted'); END;
