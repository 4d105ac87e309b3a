package postgres

import (
	"context"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sparkwright/sparkwright"
)

const (
	statementTimeout = 30 * time.Second
	closeTimeout     = 5 * time.Second
)

// Source is an open session with a database. It is not safe for concurrent use.
type Source struct {
	conn *pgx.Conn
	at   sparkwright.Connection
}

// Option changes how a Source is opened.
type Option func(*pgx.ConnConfig)

// WithTracer has every query told to tracer.
func WithTracer(tracer pgx.QueryTracer) Option {
	return func(cfg *pgx.ConnConfig) { cfg.Tracer = tracer }
}

// Open connects. Errors are *sparkwright.Error as interpretError makes them.
func Open(ctx context.Context, conn sparkwright.Connection, cred sparkwright.Credentials, options ...Option) (*Source, error) {
	cfg, err := Config(conn, cred)
	if err != nil {
		return nil, err
	}
	// One unnamed statement at a time, inside a transaction, also works through
	// a pooler in transaction mode.
	cfg.DefaultQueryExecMode = pgx.QueryExecModeDescribeExec
	for _, option := range options {
		option(cfg)
	}
	c, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, interpretError(conn, err)
	}
	return &Source{conn: c, at: conn}, nil
}

// Close ends the session.
func (s *Source) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = s.conn.Close(ctx) // there is nothing to lose
}

// readOnly runs f in one read-only transaction that sees one state.
func (s *Source) readOnly(ctx context.Context, f func(tx pgx.Tx) error) error {
	tx, err := s.conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return interpretError(s.at, err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	// search_path: names of ours never meet the user's functions or operators.
	_, err = tx.Exec(ctx, "SELECT set_config('statement_timeout', $1, true), set_config('search_path', 'pg_catalog', true)", strconv.FormatInt(statementTimeout.Milliseconds(), 10))
	if err == nil {
		err = f(tx)
	}
	if err != nil {
		return interpretError(s.at, err)
	}
	return nil
}

// session is the application_name of a run's backends.
func session(runID string) string { return applicationName + "/" + runID }

// Backends counts the backends that work for the run, those of this login and,
// for a superuser, of others.
func (s *Source) Backends(ctx context.Context, runID string) (int, error) {
	return s.count(ctx, "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE application_name = $1 AND pid <> pg_catalog.pg_backend_pid()", runID)
}

// CancelRun cancels what the run's backends are doing and returns how many
// there were. Safe to call when there are none.
func (s *Source) CancelRun(ctx context.Context, runID string) (int, error) {
	return s.count(ctx, `SELECT count(*) FILTER (WHERE pg_catalog.pg_cancel_backend(pid))
		FROM pg_catalog.pg_stat_activity WHERE application_name = $1 AND pid <> pg_catalog.pg_backend_pid()`, runID)
}

// Runs are the ids of the runs that have backends here of this login.
func (s *Source) Runs(ctx context.Context) (ids []string, err error) {
	err = s.readOnly(ctx, func(tx pgx.Tx) error {
		rows, e := tx.Query(ctx, `SELECT DISTINCT pg_catalog.substr(application_name, pg_catalog.length($1) + 1)
			FROM pg_catalog.pg_stat_activity WHERE usename = current_user AND pg_catalog.starts_with(application_name, $1) AND pid <> pg_catalog.pg_backend_pid()`, session(""))
		if e == nil {
			ids, e = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		return e
	})
	return ids, err
}

// EndRun ends the backends of this login that work for the run, and returns how
// many there were.
func (s *Source) EndRun(ctx context.Context, runID string) (int, error) {
	return s.count(ctx, `SELECT count(*) FILTER (WHERE pg_catalog.pg_terminate_backend(pid))
		FROM pg_catalog.pg_stat_activity WHERE usename = current_user AND application_name = $1 AND pid <> pg_catalog.pg_backend_pid()`, runID)
}

func (s *Source) count(ctx context.Context, query, runID string) (int, error) {
	n := 0
	err := s.readOnly(ctx, func(tx pgx.Tx) error { return tx.QueryRow(ctx, query, session(runID)).Scan(&n) })
	return n, err
}
