package eval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/demo"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
)

// Gold answers with the hand-written SQL of a suite. Implementations are safe
// for concurrent use.
type Gold interface {
	// Query runs one statement, read-only and in UTC.
	Query(ctx context.Context, database, sql string) (columns []string, rows [][]any, err error)
}

const (
	statementTimeout = 60 * time.Second
	// Demo is the database of the demo data, where a suite brings no script of
	// that name.
	Demo = "shop"
)

// Login finds the connection of a database and its credentials.
type Login func(ctx context.Context, database string) (sparkwright.Connection, sparkwright.Credentials, error)

// Databases answers from PostgreSQL databases, wherever they are. Close it.
type Databases struct {
	login Login

	mu    sync.Mutex
	conns map[string]*pgx.Conn
}

var _ Gold = (*Databases)(nil)

// NewDatabases returns the databases that login knows. They are only read.
func NewDatabases(login Login) *Databases {
	return &Databases{login: login, conns: map[string]*pgx.Conn{}}
}

// Server holds the databases of a suite in an embedded PostgreSQL. Close it.
type Server struct {
	*Databases
	srv      *pgembed.Server
	password string
	demo     string // name of the database with the demo data, when it is loaded
}

// Start starts an empty server in the directory.
func Start(ctx context.Context, o pgembed.Options) (*Server, error) {
	o.Settings = map[string]string{"fsync": "off"}
	srv, err := pgembed.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	secret := strings.TrimPrefix(srv.Connection().Secret, "file:")
	password, err := os.ReadFile(filepath.Clean(secret))
	if err != nil {
		return nil, errors.Join(sparkwright.Errorf(sparkwright.CodeInternal, "cannot read the password of the server: %w", err), srv.Stop(ctx))
	}
	s := &Server{srv: srv, password: strings.TrimSpace(string(password))}
	s.Databases = NewDatabases(s.Login)
	return s, nil
}

// Login is a Login of the databases that the server has.
func (s *Server) Login(_ context.Context, database string) (sparkwright.Connection, sparkwright.Credentials, error) {
	conn := s.srv.Connection()
	conn.Name, conn.Database = database, database
	if database == s.demo {
		conn.User = demo.Reader
	}
	return conn, sparkwright.Credentials{User: conn.User, Password: s.password}, nil
}

// owner logs in as one who may write.
func (s *Server) owner(ctx context.Context, name string) (*pgx.Conn, error) {
	conn := s.srv.Connection()
	conn.Database = name
	cfg, err := postgres.Config(conn, sparkwright.Credentials{User: conn.User, Password: s.password})
	if err != nil {
		return nil, err
	}
	cfg.RuntimeParams["timezone"] = "UTC"
	delete(cfg.RuntimeParams, "default_transaction_read_only")
	c, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeUnavailable, "cannot connect to the database %q: %w", name, err)
	}
	return c, nil
}

func (s *Databases) conn(ctx context.Context, name string) (*pgx.Conn, error) {
	if c, ok := s.conns[name]; ok && !c.IsClosed() {
		return c, nil
	}
	conn, cred, err := s.login(ctx, name)
	if err != nil {
		return nil, err
	}
	cfg, err := postgres.Config(conn, cred)
	if err != nil {
		return nil, err
	}
	cfg.RuntimeParams["timezone"] = "UTC"
	cfg.RuntimeParams["statement_timeout"] = fmt.Sprint(statementTimeout.Milliseconds())
	c, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeUnavailable, "cannot connect to the database %q: %w", name, err)
	}
	s.conns[name] = c
	return c, nil
}

// Load creates the database, runs the script in it and gathers statistics.
func (s *Server) Load(ctx context.Context, name, script string) error {
	if err := s.srv.CreateDatabase(ctx, name); err != nil {
		return err
	}
	c, err := s.owner(ctx, name)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is lost
	for _, sql := range []string{script, "RESET ALL", "ANALYZE"} {
		if _, err := c.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
			return sparkwright.Errorf(sparkwright.CodeInvalid, "cannot load the database %q: %w", name, err)
		}
	}
	return searchPath(ctx, name, c)
}

// LoadDemo creates the database Demo with the demo data.
func (s *Server) LoadDemo(ctx context.Context, progress func(string)) error {
	if err := s.srv.CreateDatabase(ctx, Demo); err != nil {
		return err
	}
	c, err := s.owner(ctx, Demo)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is lost
	if err := demo.Load(ctx, c, demo.Options{ReaderPassword: s.password}, progress); err != nil {
		return err
	}
	s.demo = Demo
	return searchPath(ctx, Demo, c)
}

// searchPath lets unqualified names find the tables of every schema.
func searchPath(ctx context.Context, name string, c *pgx.Conn) error {
	_, err := c.PgConn().Exec(ctx, `DO $$ BEGIN EXECUTE (
		SELECT format('ALTER DATABASE %I SET search_path = %s', current_database(), string_agg(quote_ident(nspname), ', ' ORDER BY nspname))
		FROM pg_namespace WHERE nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'); END $$`).ReadAll()
	if err != nil {
		return sparkwright.Errorf(sparkwright.CodeInternal, "cannot set the search path of %q: %w", name, err)
	}
	return nil
}

// Catalog describes the tables of a database; View is set to each table's name.
func (s *Databases) Catalog(ctx context.Context, name string) (*sparkwright.Catalog, error) {
	conn, cred, err := s.login(ctx, name)
	if err != nil {
		return nil, err
	}
	src, err := postgres.Open(ctx, conn, cred)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	cat, err := src.Catalog(ctx, postgres.Filter{})
	if err != nil {
		return nil, err
	}
	cat.Tables = slices.DeleteFunc(cat.Tables, func(t sparkwright.Table) bool { return !t.Readable })
	for i := range cat.Tables {
		cat.Tables[i].View = cat.Tables[i].Name
	}
	return cat, nil
}

// Query implements Gold.
func (s *Databases) Query(ctx context.Context, name, sql string) ([]string, [][]any, error) {
	s.mu.Lock() // one session a database
	defer s.mu.Unlock()
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

// Close ends all sessions.
func (s *Databases) Close(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		_ = c.Close(ctx)
	}
	s.conns = map[string]*pgx.Conn{}
}

// Close ends all sessions and the server.
func (s *Server) Close(ctx context.Context) error {
	s.Databases.Close(ctx)
	return s.srv.Stop(ctx)
}

// Prepare loads every database of the suite that has a script, and the demo
// data where it is asked about. It returns the names of those it has loaded.
func (s *Server) Prepare(ctx context.Context, suite *Suite, progress func(string)) ([]string, error) {
	var loaded []string
	for _, name := range suite.Databases() {
		script, ok := suite.Scripts[name]
		var err error
		switch {
		case ok:
			err = s.Load(ctx, name, script)
		case name == Demo:
			err = s.LoadDemo(ctx, progress)
		default:
			continue
		}
		if err != nil {
			return nil, err
		}
		loaded = append(loaded, name)
	}
	return loaded, nil
}
