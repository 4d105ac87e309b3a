-- owner is the id of a server while one carries out the run, else ''. fence
-- grows with every change of owner. step is the next step, work_json what the
-- steps remember, job the number of the queue's job that goes on. A foreground
-- run is carried out by the process that asked, and by no other.
ALTER TABLE runs ADD COLUMN fence INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN step TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN work_json TEXT;
ALTER TABLE runs ADD COLUMN job INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN foreground INTEGER NOT NULL DEFAULT 0;

CREATE INDEX runs_by_owner ON runs (owner);
CREATE INDEX attempts_open ON attempts (run_id) WHERE state NOT IN ('succeeded', 'failed', 'cancelled', 'lost');

-- Who carries out runs. process names it on its machine; beat is when it last
-- said that it lives, in the time of this database.
CREATE TABLE servers (
    id      TEXT PRIMARY KEY,
    process TEXT NOT NULL,
    started INTEGER NOT NULL,
    beat    INTEGER NOT NULL
) STRICT;

-- Analyses that passed their check, by the hash of everything that they were
-- written from.
CREATE TABLE code_cache (
    hash       TEXT PRIMARY KEY,
    reply_json TEXT NOT NULL,
    used_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX code_cache_by_age ON code_cache (used_at);
