-- Pages that somebody is logged in with, by the hash of what their cookie holds.
CREATE TABLE logins (
    hash       TEXT PRIMARY KEY,
    user_name  TEXT NOT NULL,
    name       TEXT NOT NULL,
    role       TEXT NOT NULL,
    expires    BIGINT NOT NULL
);

-- What was done over HTTP, and by whom. Rows are added and never changed: the
-- database itself refuses it.
CREATE TABLE audit (
    number  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      BIGINT NOT NULL,
    user_name TEXT NOT NULL,
    name    TEXT NOT NULL,
    role    TEXT NOT NULL,
    way     TEXT NOT NULL,
    address TEXT NOT NULL,
    action  TEXT NOT NULL,
    object  TEXT NOT NULL,
    status  BIGINT NOT NULL,
    note    TEXT NOT NULL,
    request TEXT NOT NULL
);

CREATE FUNCTION audit_is_not_changed() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit log is not changed'; END $$;

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_not_changed();
