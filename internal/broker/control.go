package broker

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sparkwright/sparkwright"
)

// control is a session's own connection: it exports the snapshot and holds it
// as long as the run lasts, and afterwards ends what is left.
type control struct {
	pg       *pgconn.PgConn
	settings string // SET LOCAL statements of every transaction
	snapshot sparkwright.Snapshot
	notes    []string // what is to be known of the server
}

// openControl connects, looks whether the run is bearable for the server, which
// may lower its budget, and exports a snapshot where the server can.
func openControl(ctx context.Context, cfg *pgconn.Config, application string, lim *Limits) (*control, error) {
	pg, err := connect(ctx, cfg, application)
	if err != nil {
		return nil, err
	}
	c := &control{pg: pg, settings: localSettings(*lim)}
	if c.notes, err = guest(ctx, c, lim); err != nil {
		_ = pg.Close(ctx)
		return nil, err
	}
	// PostgreSQL 14 and later, on systems that can: a backend notices within a
	// second that this process has died.
	const check = "SET client_connection_check_interval = '1s'"
	if c.exec(ctx, check) == nil {
		c.settings += strings.Replace(check, "SET ", "; SET LOCAL ", 1)
	}
	lsn, _ := c.value(ctx, "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END")
	standby, err := c.value(ctx, "SELECT pg_is_in_recovery()")
	if err != nil {
		_ = pg.Close(ctx)
		return nil, err
	}
	if err = c.exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"+c.settings); err != nil {
		_ = pg.Close(ctx)
		return nil, err
	}
	id, err := c.value(ctx, "SELECT pg_export_snapshot()")
	if err != nil {
		because := "the server cannot export a snapshot (" + serverText(err) + ")"
		if standby == "t" {
			because = "the server is a standby and cannot export a snapshot"
		}
		c.snapshot = sparkwright.Snapshot{Time: time.Now().UTC(), None: because}
		_ = c.exec(ctx, "ROLLBACK")
		return c, nil
	}
	at, err := c.value(ctx, "SELECT extract(epoch FROM transaction_timestamp())::text")
	if err != nil {
		_ = pg.Close(ctx)
		return nil, err
	}
	c.snapshot = sparkwright.Snapshot{ID: id, LSN: lsn, Time: epoch(at)}
	return c, nil
}

// idleMargin is how much longer than the snapshot may live an idle transaction
// may: it is the server's own guard when this machine has gone.
const idleMargin = 5 * time.Minute

// localSettings are what every transaction of a run begins with.
func localSettings(lim Limits) string {
	return fmt.Sprintf("; SET LOCAL extra_float_digits = 3; SET LOCAL standard_conforming_strings = on; "+
		"SET LOCAL statement_timeout = %d; SET LOCAL lock_timeout = %d; SET LOCAL idle_in_transaction_session_timeout = %d",
		lim.StatementTimeout.Milliseconds(), lim.LockTimeout.Milliseconds(), (lim.SnapshotAge + idleMargin).Milliseconds())
}

// beginSQL opens a reading transaction on the snapshot.
func (c *control) beginSQL() string {
	sql := "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
	if c.snapshot.ID != "" {
		sql += "; SET TRANSACTION SNAPSHOT '" + strings.ReplaceAll(c.snapshot.ID, "'", "''") + "'"
	}
	return sql + c.settings
}

func (c *control) exec(ctx context.Context, sql string) error {
	return c.pg.Exec(ctx, sql).Close()
}

// value is the one value of the one row of a query, as text.
func (c *control) value(ctx context.Context, sql string) (string, error) {
	results, err := c.pg.Exec(ctx, sql).ReadAll()
	if err != nil {
		return "", err
	}
	for _, r := range results {
		if len(r.Rows) > 0 && len(r.Rows[0]) > 0 {
			return string(r.Rows[0][0]), nil
		}
	}
	return "", fmt.Errorf("no row from %s", sql)
}

// release ends the exporting transaction: the server may clean up again.
func (c *control) release(ctx context.Context) error {
	if c.pg.TxStatus() == 'I' {
		return nil
	}
	return c.exec(ctx, "ROLLBACK")
}

// end terminates the backends of that application name, and returns how many
// there still were.
func (c *control) end(ctx context.Context, application string) (int, error) {
	text, err := c.value(ctx, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = current_user AND pid <> pg_backend_pid() AND application_name = "+literal(application))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(text)
}

func (c *control) close(ctx context.Context) { _ = c.pg.Close(ctx) }

func literal(s string) string {
	return "'" + strings.ReplaceAll(strings.ReplaceAll(s, `\`, ""), "'", "''") + "'"
}

func epoch(text string) time.Time {
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return time.Now().UTC()
	}
	return time.UnixMicro(int64(seconds * 1e6)).UTC()
}
