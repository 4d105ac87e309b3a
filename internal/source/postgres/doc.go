// Package postgres reads what can be asked about from a PostgreSQL database:
// connections are built from validated fields, the catalog and its statistics
// are read in a fixed handful of queries whatever the number of tables, and
// every driver error becomes one that says what to do (interpretError).
//
// It needs PostgreSQL 12 or later. Sessions are read-only, have a statement
// timeout, and are named "sparkwright". Nothing here reads a PG* environment
// variable, a service file or a password file.
package postgres
