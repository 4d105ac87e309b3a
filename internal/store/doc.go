// Package store keeps runs, their attempts and their events in SQLite, or in a
// PostgreSQL that several servers share. One code path serves both.
//
// Promises. A call that returned nil is on the disk: it survives a killed
// process and a power cut. A run or an attempt in a final state never changes
// again. The events of a run are numbered 1, 2, 3 … without gaps, in the order
// in which they were accepted. Any number of goroutines and processes may use
// one database at the same time.
//
// Leases. Whoever changes a run holds its lease: the run's row has the owner's
// id and a fence, a number that grows with every change of owner. Commit
// refuses the writes of a former owner (ErrFenced). Take and Retake are the
// only ways to a lease. A server tells that it lives by Beat, in the time of
// the database.
//
// The queue's tables are in the same database, so that a transition and the
// job that goes on from it are one transaction (Change.Then).
//
// Not promised. A network file system is not supported for SQLite.
//
// # How to add a table
//
// Write migrations/NNNN_name.sql with the next number, in SQLite's words:
// INTEGER, REAL, TEXT and BLOB columns, tables ending in ") STRICT;" or
// ") STRICT, WITHOUT ROWID;", times as INTEGER microseconds since 1970 UTC,
// truth as INTEGER 0 or 1, JSON as TEXT columns named *_json. For PostgreSQL
// the words are translated (BIGINT, DOUBLE PRECISION, TEXT, BYTEA). Where that
// is not enough, write NNNN_name.sqlite.sql and NNNN_name.postgres.sql. A
// migration that has landed is never changed: add another one.
//
// Queries are written once, with ? for every parameter (each used once, in
// order) and no other question mark, and with what both databases know:
// ON CONFLICT … DO UPDATE, RETURNING, row values, CASE, coalesce. Use s.read,
// s.write and inTx, which bind them. Texts go through clean. dialect.now is the
// database's own time. Tests run on both: see forBoth in the tests.
package store
