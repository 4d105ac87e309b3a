package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sparkwright/sparkwright"
)

// Report is what Test found out about a connection.
type Report struct {
	Version   string        `json:"version"`    // "17.11"
	Number    int           `json:"number"`     // server_version_num
	Connect   time.Duration `json:"connect_ns"` // connecting and logging in
	Latency   time.Duration `json:"latency_ns"` // one round trip
	TLS       string        `json:"tls"`        // "TLSv1.3", "" = not encrypted
	User      string        `json:"user"`
	Database  string        `json:"database"`
	Superuser bool          `json:"superuser"`
	CanWrite  bool          `json:"can_write"` // a superuser, or may change at least one table
	Replica   bool          `json:"replica"`
	TimeZone  string        `json:"time_zone"`
	Tables    int           `json:"tables"`   // relations that could be asked about
	Readable  int           `json:"readable"` // those that the login may read
	Saw       []string      `json:"saw"`      // all of this in words, a sentence each
	Warnings  []string      `json:"warnings,omitempty"`
}

const reportSQL = `
SELECT current_setting('server_version'), current_setting('server_version_num')::int,
       current_user::text, current_database()::text, r.rolsuper, pg_is_in_recovery(), current_setting('TimeZone'),
       coalesce((SELECT l.version FROM pg_stat_ssl l WHERE l.pid = pg_backend_pid() AND l.ssl), ''),
       t.tables::int, t.readable::int, t.writable
FROM pg_roles r,
     LATERAL (SELECT count(*) AS tables,
                     count(*) FILTER (WHERE has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')) AS readable,
                     coalesce(bool_or(has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')), false) AS writable
              FROM pg_class c
              JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND NOT c.relispartition AND c.relpersistence <> 't'
                AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp_|toast_temp_)') t
WHERE r.rolname = current_user`

// Test connects and tells what it sees there.
func Test(ctx context.Context, conn sparkwright.Connection, cred sparkwright.Credentials) (*Report, error) {
	begin := time.Now()
	s, err := Open(ctx, conn, cred)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	r := &Report{Connect: time.Since(begin)}
	begin = time.Now()
	if err = s.conn.Ping(ctx); err != nil {
		return nil, interpretError(conn, err)
	}
	r.Latency = time.Since(begin)
	writable := false
	err = s.readOnly(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, reportSQL).Scan(&r.Version, &r.Number, &r.User, &r.Database, &r.Superuser, &r.Replica,
			&r.TimeZone, &r.TLS, &r.Tables, &r.Readable, &writable)
	})
	if err != nil {
		return nil, err
	}
	r.CanWrite = r.Superuser || writable
	r.tell()
	return r, nil
}

// tell puts the findings in words.
func (r *Report) tell() {
	r.Saw = []string{
		fmt.Sprintf("PostgreSQL %s answered in %s.", r.Version, max(r.Latency.Round(time.Millisecond), time.Millisecond)),
		fmt.Sprintf("Logged in as %s to database %s; the server's time zone is %s.", r.User, r.Database, r.TimeZone),
		fmt.Sprintf("%d of %d tables and views can be read.", r.Readable, r.Tables),
	}
	encrypted := "The connection is not encrypted."
	if r.TLS != "" {
		encrypted = "The connection is encrypted with " + r.TLS + "."
	}
	r.Saw = append(r.Saw, encrypted)
	if r.Replica {
		r.Saw = append(r.Saw, "The server is a replica: several reads of one run cannot share a snapshot there.")
	}
	switch {
	case r.Superuser:
		r.Warnings = append(r.Warnings, "The login is a superuser. Use one that may only read.")
	case r.CanWrite:
		r.Warnings = append(r.Warnings, "The login may change data. Use one that may only read.")
	}
	switch {
	case r.Tables == 0:
		r.Warnings = append(r.Warnings, "The database has no tables.")
	case r.Readable == 0:
		r.Warnings = append(r.Warnings, "The login may not read any table. GRANT SELECT on the tables and USAGE on their schemas to it.")
	}
	if r.Number < 120000 {
		r.Warnings = append(r.Warnings, "PostgreSQL before version 12 is not supported.")
	}
}
