-- Times are microseconds since 1970 UTC. Columns named *_json hold JSON, or
-- NULL when there is none.
CREATE TABLE runs (
    id             TEXT PRIMARY KEY,
    state          TEXT NOT NULL,
    owner          TEXT NOT NULL,
    question_json  TEXT NOT NULL,
    understood     TEXT NOT NULL,
    generator      TEXT NOT NULL,
    executor       TEXT NOT NULL,
    reason         TEXT NOT NULL,
    views_json     TEXT,
    analysis       TEXT NOT NULL,
    declined_json  TEXT,
    fault_json     TEXT,
    result_json    TEXT,
    timings_json   TEXT,
    created_at     INTEGER NOT NULL,
    finished_at    INTEGER
) STRICT;

CREATE INDEX runs_by_age ON runs (created_at, id);

CREATE INDEX runs_unfinished ON runs (created_at)
    WHERE state NOT IN ('succeeded', 'failed', 'declined', 'cancelled');

CREATE TABLE attempts (
    id          TEXT PRIMARY KEY,
    run_id      TEXT NOT NULL REFERENCES runs (id),
    number      INTEGER NOT NULL,
    state       TEXT NOT NULL,
    analysis    TEXT NOT NULL,
    script      TEXT NOT NULL,
    handle_json TEXT,
    fault_json  TEXT,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,
    UNIQUE (run_id, number)
) STRICT;

CREATE TABLE events (
    run_id        TEXT NOT NULL REFERENCES runs (id),
    seq           INTEGER NOT NULL,
    at            INTEGER NOT NULL,
    type          TEXT NOT NULL,
    state         TEXT NOT NULL,
    step          TEXT NOT NULL,
    body          TEXT NOT NULL,
    stream        TEXT NOT NULL,
    progress_json TEXT,
    PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;
