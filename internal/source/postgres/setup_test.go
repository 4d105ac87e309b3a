package postgres_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

// server is one real PostgreSQL for all tests; each uses a database of its own.
var server *pgembed.Server

func TestMain(m *testing.M) {
	os.Exit(testkit.WithPostgres(m, map[string]string{"max_locks_per_transaction": "1000"}, func(_ context.Context, s *pgembed.Server) error {
		server = s
		return nil
	}))
}

// owner is how to reach the database as its superuser.
func owner(t *testing.T, database string) (sparkwright.Connection, sparkwright.Credentials) {
	t.Helper()
	c := server.Connection()
	c.Name, c.Database = "test", database
	password, err := os.ReadFile(strings.TrimPrefix(c.Secret, "file:"))
	if err != nil {
		t.Fatal(err)
	}
	return c, sparkwright.Credentials{User: c.User, Password: string(password)}
}

// newDatabase creates a database, runs statements in it and returns a session.
func newDatabase(t *testing.T, name, statements string) *pgx.Conn {
	t.Helper()
	if err := server.CreateDatabase(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	c, cred := owner(t, name)
	cfg, err := postgres.Config(c, cred)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	mustExec(t, conn, statements)
	return conn
}

func mustExec(t *testing.T, conn *pgx.Conn, statements string) {
	t.Helper()
	if _, err := conn.PgConn().Exec(t.Context(), statements).ReadAll(); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, c sparkwright.Connection, cred sparkwright.Credentials, o ...postgres.Option) *postgres.Source {
	t.Helper()
	src, err := postgres.Open(t.Context(), c, cred, o...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(src.Close)
	return src
}

// wantError compares the code of a *sparkwright.Error and what it says.
func wantError(t *testing.T, err error, code sparkwright.Code, says string) {
	t.Helper()
	e, ok := err.(*sparkwright.Error) //nolint:errorlint // the very type is the promise
	if !ok || e.Code != code || !strings.Contains(e.Error()+"\n"+e.Remedy, says) {
		t.Errorf("error %T %+v; want code %q and %q", err, err, code, says)
		return
	}
	if e.Remedy == "" && code != sparkwright.CodeCancelled {
		t.Errorf("%v has no remedy", e)
	}
}
