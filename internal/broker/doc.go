// Package broker stands between Spark and PostgreSQL for the time of one run.
//
// Spark gets a loopback port and a random login that is worth nothing
// elsewhere. The broker does the real login, so that no password is in Spark,
// in a script or in an environment. Each connection of Spark has a PostgreSQL
// session of its own, in a REPEATABLE READ READ ONLY transaction on the run's
// one snapshot, whatever the client asks for: transaction statements of the
// client are answered here, what it sends as start-up options is ignored, and
// everything that is not a read is refused.
//
//	Session   one run's way to one database: listener, snapshot, budgets
//	control   the session's own connection, which exports the snapshot
//	client    one connection of Spark
//	upstream  one PostgreSQL session; reused by the next client
//
// The broker counts rows and bytes, records every statement, cancels upstream
// when a client goes away or the run is cancelled, and leaves nothing behind:
// Close ends every backend that carries the run's application_name.
//
// What it is not yet: a whole-tree judge of SQL. Functions with effects that a
// read-only transaction does not stop (pg_terminate_backend) are the role's to
// forbid.
package broker
