-- Conversations. id is the client's own name; handle stands in for one that is
-- too short. selection_json is what is selected in the session.
CREATE TABLE sessions (
    user_name      TEXT NOT NULL,
    id             TEXT NOT NULL,
    handle         TEXT NOT NULL UNIQUE,
    selection_json TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    PRIMARY KEY (user_name, id)
) STRICT;
