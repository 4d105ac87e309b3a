package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/demo"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
)

// Database holds the databases of a suite.
type Database interface {
	// Load creates the database, runs the script in it and gathers statistics.
	Load(ctx context.Context, name, script string) error
	// Catalog describes the tables of a database; View is set to each table's
	// name.
	Catalog(ctx context.Context, name string) (*sparkwright.Catalog, error)
	// Query runs one statement, read-only and in UTC.
	Query(ctx context.Context, name, sql string) (columns []string, rows [][]any, err error)
	// Close ends all sessions and the server.
	Close(ctx context.Context) error
}

// Runner carries out an analysis.
type Runner interface {
	// Run returns the rows of the analysis over the tables of catalog, which
	// are those of the named database.
	Run(ctx context.Context, database string, catalog *sparkwright.Catalog, analysis *sparkwright.Analysis) (columns []string, rows [][]any, err error)
}

const (
	statementTimeout = 60 * time.Second
	demoDatabase     = "shop"
)

// server is a Database on an embedded PostgreSQL.
type server struct {
	srv      *pgembed.Server
	password string
	conns    map[string]*pgx.Conn
}

var _ Database = (*server)(nil)

func startServer(ctx context.Context, dir, cache string, progress func(string)) (*server, error) {
	srv, err := pgembed.Start(ctx, pgembed.Options{Dir: dir, CacheDir: cache, Progress: progress, Settings: map[string]string{"fsync": "off"}})
	if err != nil {
		return nil, err
	}
	secret := strings.TrimPrefix(srv.Connection().Secret, "file:")
	password, err := os.ReadFile(filepath.Clean(secret))
	if err != nil {
		return nil, errors.Join(sparkwright.Errorf(sparkwright.CodeInternal, "cannot read the password of the server: %w", err), srv.Stop(ctx))
	}
	return &server{srv: srv, password: strings.TrimSpace(string(password)), conns: map[string]*pgx.Conn{}}, nil
}

func (s *server) conn(ctx context.Context, name string) (*pgx.Conn, error) {
	if c, ok := s.conns[name]; ok && !c.IsClosed() {
		return c, nil
	}
	conn := s.srv.Connection()
	conn.Database = name
	cfg, err := postgres.Config(conn, sparkwright.Credentials{User: conn.User, Password: s.password})
	if err != nil {
		return nil, err
	}
	cfg.RuntimeParams["timezone"] = "UTC"
	cfg.RuntimeParams["statement_timeout"] = fmt.Sprint(statementTimeout.Milliseconds())
	delete(cfg.RuntimeParams, "default_transaction_read_only")
	c, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeUnavailable, "cannot connect to the database %q: %w", name, err)
	}
	s.conns[name] = c
	return c, nil
}

// Load implements Database.
func (s *server) Load(ctx context.Context, name, script string) error {
	if err := s.srv.CreateDatabase(ctx, name); err != nil {
		return err
	}
	c, err := s.conn(ctx, name)
	if err != nil {
		return err
	}
	for _, sql := range []string{script, "RESET ALL", "SET timezone TO 'UTC'", "ANALYZE"} {
		if _, err := c.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
			return sparkwright.Errorf(sparkwright.CodeInvalid, "cannot load the database %q: %w", name, err)
		}
	}
	return s.searchPath(ctx, name, c)
}

// LoadDemo creates the database "shop" with the demo data.
func (s *server) LoadDemo(ctx context.Context, progress func(string)) error {
	if err := s.srv.CreateDatabase(ctx, demoDatabase); err != nil {
		return err
	}
	c, err := s.conn(ctx, demoDatabase)
	if err != nil {
		return err
	}
	if err := demo.Load(ctx, c, demo.Options{ReaderPassword: s.password}, progress); err != nil {
		return err
	}
	return s.searchPath(ctx, demoDatabase, c)
}

// searchPath lets unqualified names find the tables of every schema.
func (s *server) searchPath(ctx context.Context, name string, c *pgx.Conn) error {
	_, err := c.PgConn().Exec(ctx, `DO $$ BEGIN EXECUTE (
		SELECT format('ALTER DATABASE %I SET search_path = %s', current_database(), string_agg(quote_ident(nspname), ', ' ORDER BY nspname))
		FROM pg_namespace WHERE nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'); END $$`).ReadAll()
	if err != nil {
		return sparkwright.Errorf(sparkwright.CodeInternal, "cannot set the search path of %q: %w", name, err)
	}
	delete(s.conns, name) // settings count from the next session on
	return c.Close(ctx)
}

// Catalog implements Database.
func (s *server) Catalog(ctx context.Context, name string) (*sparkwright.Catalog, error) {
	conn := s.srv.Connection()
	conn.Database = name
	src, err := postgres.Open(ctx, conn, sparkwright.Credentials{User: conn.User, Password: s.password})
	if err != nil {
		return nil, err
	}
	defer src.Close()
	cat, err := src.Catalog(ctx, postgres.Filter{})
	if err != nil {
		return nil, err
	}
	cat.Tables = slices.DeleteFunc(cat.Tables, func(t sparkwright.Table) bool { return t.Schema == "sparkwright_demo" })
	for i := range cat.Tables {
		cat.Tables[i].View = cat.Tables[i].Name
	}
	return cat, nil
}

// Query implements Database.
func (s *server) Query(ctx context.Context, name, sql string) ([]string, [][]any, error) {
	c, err := s.conn(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	tx, err := c.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, nil, sparkwright.Errorf(sparkwright.CodeUnavailable, "cannot query %q: %w", name, err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	res, err := tx.Query(ctx, sql, pgx.QueryExecModeExec)
	if err != nil {
		return nil, nil, sqlError(err)
	}
	defer res.Close()
	var columns []string
	for _, f := range res.FieldDescriptions() {
		columns = append(columns, f.Name)
	}
	var rows [][]any
	for res.Next() {
		vals, err := res.Values()
		if err != nil {
			return nil, nil, sqlError(err)
		}
		for i := range vals {
			vals[i] = plain(vals[i])
		}
		rows = append(rows, vals)
	}
	if err := res.Err(); err != nil {
		return nil, nil, sqlError(err)
	}
	return columns, rows, nil
}

func sqlError(err error) error {
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		return sparkwright.Errorf(sparkwright.CodeInvalid, "%s", pe.Message)
	}
	return sparkwright.Errorf(sparkwright.CodeInternal, "the statement failed: %w", err)
}

// plain turns a value of pgx into one that is compared.
func plain(v any) any {
	switch x := v.(type) {
	case pgtype.Numeric:
		f, err := x.Float64Value()
		if err != nil || !f.Valid || math.IsNaN(f.Float64) {
			return nil
		}
		return f.Float64
	case pgtype.Interval:
		if !x.Valid {
			return nil
		}
		const day = 24 * time.Hour
		return time.Duration(x.Microseconds)*time.Microsecond + time.Duration(x.Days)*day + time.Duration(x.Months)*30*day
	case pgtype.Time:
		if !x.Valid {
			return nil
		}
		return time.UnixMicro(x.Microseconds).UTC().Format("15:04:05.999999")
	case [16]byte:
		return fmt.Sprintf("%x-%x-%x-%x-%x", x[0:4], x[4:6], x[6:8], x[8:10], x[10:16])
	default:
		return v
	}
}

// Close implements Database.
func (s *server) Close(ctx context.Context) error {
	for _, c := range s.conns {
		_ = c.Close(ctx)
	}
	return s.srv.Stop(ctx)
}
