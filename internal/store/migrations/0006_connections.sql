-- The connections that all servers of one database share. A removed one keeps
-- its row, without a document: the table is empty only before its first use.
CREATE TABLE connections (
    name          TEXT NOT NULL PRIMARY KEY,
    position      INTEGER NOT NULL,
    document_json TEXT
) STRICT;
