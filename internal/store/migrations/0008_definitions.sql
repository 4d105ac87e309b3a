-- The definitions that all servers of one database share: YAML files by name.
CREATE TABLE definitions (
    name TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;
