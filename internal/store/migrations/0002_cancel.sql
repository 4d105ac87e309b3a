-- Somebody, in whichever process, wants the run to end.
ALTER TABLE runs ADD COLUMN cancel_wanted INTEGER NOT NULL DEFAULT 0;
