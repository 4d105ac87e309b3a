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
// Each statement is judged by its whole parse tree (internal/sqlguard): one that
// reads, over the run's tables, with functions that only compute. What a view or
// a function that a table's owner has defined does by itself is not seen here;
// the read-only transaction holds it.
package broker
