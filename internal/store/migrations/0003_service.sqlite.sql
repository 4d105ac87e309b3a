-- What the service keeps of a run beside its question and its answer. search
-- is the question in lower case. request_json is the whole request, so that
-- another process can carry it out. last_seq is the number of the last event.
ALTER TABLE runs ADD COLUMN session TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN user_name TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN parent TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN search TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN assumptions_json TEXT;
ALTER TABLE runs ADD COLUMN findings_json TEXT;
ALTER TABLE runs ADD COLUMN usage_json TEXT;
ALTER TABLE runs ADD COLUMN repairs INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN receipt_json TEXT;
ALTER TABLE runs ADD COLUMN crosscheck_json TEXT;
ALTER TABLE runs ADD COLUMN placement_json TEXT;
ALTER TABLE runs ADD COLUMN request_json TEXT NOT NULL DEFAULT '{}';
ALTER TABLE runs ADD COLUMN idempotency_key TEXT;
ALTER TABLE runs ADD COLUMN last_seq INTEGER NOT NULL DEFAULT 0;

UPDATE runs SET search = lower(json_extract(question_json, '$.text')),
    last_seq = coalesce((SELECT max(seq) FROM events WHERE run_id = runs.id), 0);

CREATE UNIQUE INDEX runs_by_key ON runs (user_name, idempotency_key);
CREATE INDEX runs_by_session ON runs (session, created_at);

-- Every analysis that a run has had, in order.
CREATE TABLE revisions (
    run_id     TEXT NOT NULL REFERENCES runs (id),
    number     INTEGER NOT NULL,
    code       TEXT NOT NULL,
    generator  TEXT NOT NULL,
    why        TEXT NOT NULL,
    fault_json TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (run_id, number)
) STRICT, WITHOUT ROWID;
