package diagnose

import "github.com/sparkwright/sparkwright"

// privilegeClasses are refusals of a PostgreSQL that was reached.
func privilegeClasses() []Class {
	infra, transient, code := sparkwright.FaultInfrastructure, sparkwright.FaultTransient, sparkwright.FaultCode
	return []Class{
		{
			ID: "postgres.permission", Title: "permission denied in PostgreSQL", Kind: infra, Source: Provoked, States: []string{"42501"},
			Pattern: `ERROR: permission denied for`,
			Because: "the connection's role may not read a table of the question",
			Remedy:  "GRANT USAGE ON SCHEMA s TO role; GRANT SELECT ON ALL TABLES IN SCHEMA s TO role",
			Check:   "postgres.read",
		},
		{
			ID: "postgres.relation_missing", Title: "the table does not exist", Kind: infra, Source: Provoked, States: []string{"42P01", "3F000"},
			Pattern: `ERROR: (?:relation|table|schema) .* does not exist|could not open relation`,
			Because: "a table of the question is gone: it was dropped or renamed after the catalog was read",
			Remedy:  "look at the tables there are now: sparkwright tables",
			Check:   "postgres.read",
		},
		{
			ID: "postgres.hidden", Title: "Spark cannot describe a PostgreSQL table", Kind: infra, Source: Provoked,
			Pattern: "TABLE_OR_VIEW_NOT_FOUND\\] .*`\\w+`\\.`\\w+`\\.`\\w+`",
			Because: "the table is gone, or Spark 3.5 could not log in or reach PostgreSQL: it hides the reason behind this message",
			Remedy:  "sparkwright doctor, which tries address, login and rights one by one; in the VPC: sparkwright doctor --from-inside",
			Check:   "postgres.login",
		},
		{
			ID: "postgres.column_missing", Title: "PostgreSQL does not know a column", Kind: code, Source: Provoked, States: []string{"42703"},
			Pattern: `ERROR: column .* does not exist`,
			Because: "the SQL names a column that the table does not have; names with capitals need double quotes",
			Remedy:  "look at the columns: sparkwright describe TABLE",
		},
		{
			ID: "postgres.syntax", Title: "PostgreSQL does not understand the SQL", Kind: code, Source: Provoked, States: []string{"42601"},
			Pattern: `ERROR: syntax error at (?:or near|end of input)`,
			Because: "the SQL that Spark handed to PostgreSQL is not valid; a semicolon in the option query does this",
			Remedy:  "take the semicolon away, or read the table and filter in Spark",
		},
		{
			ID: "postgres.read_only", Title: "the job tried to write to PostgreSQL", Kind: code, Source: Provoked, States: []string{"25006"},
			Pattern: `cannot execute .* in a read-only transaction`,
			Because: "the code writes, and runs are read-only",
			Remedy:  "ask for a result instead: results are written to the result location",
			Check:   "postgres.write",
		},
		{
			ID: "postgres.snapshot", Title: "the run's snapshot is gone", Kind: transient, Source: Provoked,
			Pattern: `invalid snapshot identifier|snapshot ".*" does not exist`,
			Because: "the session that exported the snapshot ended before the job read: a restart, a failover or an idle time-out",
			Remedy:  "ask again; raise idle_in_transaction_session_timeout of the role when it comes back",
			Check:   "postgres.replica",
		},
		{
			ID: "postgres.statement_timeout", Title: "statement time-out", Kind: sparkwright.FaultTimeout, Source: Provoked,
			Pattern: `canceling statement due to statement timeout`,
			Because: "PostgreSQL ended the statement at its statement_timeout",
			Remedy:  "ask for less, add an index, or raise it: ALTER ROLE role SET statement_timeout = '10min'",
			Check:   "postgres.limits",
		},
		{
			ID: "postgres.recovery_conflict", Title: "conflict with recovery on a replica", Kind: transient, Source: Documented,
			Pattern: `canceling statement due to conflict with recovery`,
			Because: "the replica had to remove rows that the read still needed",
			Remedy:  "set hot_standby_feedback = on, raise max_standby_streaming_delay, or read from the primary",
			Check:   "postgres.replica",
		},
		{
			ID: "postgres.lock", Title: "a table is locked", Kind: transient, Source: Provoked, States: []string{"55P03", "40P01"},
			Pattern: `canceling statement due to lock timeout|deadlock detected`,
			Because: "another transaction holds a lock on a table of the question",
			Remedy:  "wait for it to end (a migration, a VACUUM FULL) and ask again",
		},
		{
			ID: "postgres.division", Title: "division by zero in PostgreSQL", Kind: code, Source: Provoked, States: []string{"22012"},
			Pattern: `ERROR: division by zero`,
			Because: "a divisor is zero in some row",
			Remedy:  "divide by NULLIF(x, 0)",
		},
		{
			ID: "postgres.disk_full", Title: "PostgreSQL's disk is full", Kind: infra, Source: Documented, States: []string{"53100"},
			Pattern: `could not (?:write|extend) .*No space left on device`,
			Because: "the database server has no disk left, often for temporary files of a sort",
			Remedy:  "free or grow the server's disk, or raise work_mem of the role",
		},
		{
			ID: "postgres.memory", Title: "PostgreSQL is out of memory", Kind: infra, Source: Documented, States: []string{"53200"},
			Pattern: `ERROR: out of (?:shared )?memory`,
			Because: "the database server has no memory left for the statement, or no locks for so many tables",
			Remedy:  "ask for less, or raise max_locks_per_transaction or the server's size",
		},
	}
}
