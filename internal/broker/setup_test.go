package broker_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/broker"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

// server is one real PostgreSQL for all tests; each uses a run of its own.
var server *pgembed.Server

func TestMain(m *testing.M) {
	os.Exit(testkit.WithPostgres(m, nil, func(ctx context.Context, s *pgembed.Server) error {
		server = s
		return fixture(ctx)
	}))
}

// login is the superuser's: a role that may write.
func login() (*pgx.ConnConfig, error) {
	c := server.Connection()
	password, err := os.ReadFile(strings.TrimPrefix(c.Secret, "file:"))
	if err != nil {
		return nil, err
	}
	return postgres.Config(c, sparkwright.Credentials{User: c.User, Password: strings.TrimSpace(string(password))})
}

func fixture(ctx context.Context) error {
	cfg, err := login()
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is lost
	_, err = conn.Exec(ctx, `
		CREATE TABLE t AS SELECT i AS id, repeat('x', 20) AS note, CASE WHEN i % 7 = 0 THEN NULL ELSE i END AS maybe FROM generate_series(1, 20000) i;
		CREATE TABLE big AS SELECT repeat('y', 700000) AS text FROM generate_series(1, 3);
		CREATE VIEW brief AS SELECT pg_sleep(0.1)::text AS slept;
		CREATE TABLE grows (run text, n int);`)
	return err
}

// bundle is a session of the broker, and the owner's own connection.
type bundle struct {
	*broker.Session
	b     *broker.Broker
	runID string
	owner *pgx.Conn
}

func setup(t *testing.T, lim broker.Limits) *bundle {
	t.Helper()
	cfg, err := login()
	if err != nil {
		t.Fatal(err)
	}
	return begin(t, lim, cfg)
}

// begin has the broker reach the server by cfg.
func begin(t *testing.T, lim broker.Limits, cfg *pgx.ConnConfig) *bundle {
	t.Helper()
	own, err := login()
	if err != nil {
		t.Fatal(err)
	}
	owner, err := pgx.ConnectConfig(t.Context(), own)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = owner.Close(context.Background()) })
	b := &bundle{b: broker.New(slog.New(slog.DiscardHandler)), runID: "r_" + strings.ToLower(strings.NewReplacer("/", "_", " ", "_").Replace(t.Name())), owner: owner}
	if b.Session, err = b.b.Begin(t.Context(), b.runID, "test", &cfg.Config, lim); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if _, err := b.b.End(ctx, b.runID); err != nil {
			t.Error(err)
		}
	})
	return b
}

// dsn is how a client finds the broker.
func (b *bundle) dsn(extra string) string {
	host, port := b.Address()
	return fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=postgres sslmode=disable %s", host, port, b.Login().User, b.Login().Password, extra)
}

func (b *bundle) client(t *testing.T, extra string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), b.dsn(extra))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// backends counts the run's, as the server sees them.
func (b *bundle) backends(t *testing.T, state string) (n int) {
	t.Helper()
	row := b.owner.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND ($2 = '' OR state = $2)`, "sparkwright/"+b.runID, state)
	if err := row.Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func value[T any](t *testing.T, conn *pgx.Conn, sql string, args ...any) (v T) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// sqlState is the SQLSTATE of an error; "" when it has none.
func sqlState(err error) string {
	if pg, ok := err.(*pgconn.PgError); ok { //nolint:errorlint // nothing wraps it here
		return pg.Code
	}
	return ""
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-tick.C {
		if ok() {
			return
		}
	}
	t.Errorf("not so after a minute: %s", what)
}
