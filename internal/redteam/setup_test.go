package redteam_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/sandbox"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

func TestMain(m *testing.M) {
	pgembed.KeeperMain()
	sandbox.HelperMain()
	if err := os.Setenv(canaryName, canary); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// victim is a database whose login may do everything.
type victim struct {
	conn     sparkwright.Connection
	password string
	owner    *pgx.Conn
}

func newVictim(t *testing.T) *victim {
	t.Helper()
	srv, err := pgembed.Start(t.Context(), pgembed.Options{
		Dir: t.TempDir(), CacheDir: filepath.Join(testkit.Home(t), "postgresql"), Settings: map[string]string{"fsync": "off"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Stop(context.Background()) })
	v := &victim{conn: srv.Connection()}
	v.conn.Name = "victim"
	password, err := os.ReadFile(strings.TrimPrefix(v.conn.Secret, "file:"))
	if err != nil {
		t.Fatal(err)
	}
	v.password = strings.TrimSpace(string(password))
	v.owner = v.connect(t)
	for _, sql := range []string{
		`CREATE TABLE orders AS SELECT i AS id, i * 1.5 AS amount FROM generate_series(1, 100) i`,
		`CREATE TABLE secrets AS SELECT '` + canary + `'::text AS password`,
		`CREATE SEQUENCE counted`,
		`CREATE FUNCTION evil() RETURNS int LANGUAGE plpgsql AS $$ BEGIN INSERT INTO orders VALUES (-1, -1); RETURN 1; END $$`,
		`CREATE VIEW trap AS SELECT evil() AS n`,
	} {
		if _, err = v.owner.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

func (v *victim) connect(t *testing.T) *pgx.Conn {
	t.Helper()
	cfg, err := postgres.Config(v.conn, sparkwright.Credentials{User: v.conn.User, Password: v.password})
	if err != nil {
		t.Fatal(err)
	}
	delete(cfg.RuntimeParams, "default_transaction_read_only")
	conn, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// state is all that an attack could have changed.
func (v *victim) state(t *testing.T) string {
	t.Helper()
	var text string
	err := v.owner.QueryRow(t.Context(), `SELECT json_build_object(
		'orders', (SELECT md5(string_agg(o::text, ',' ORDER BY id)) FROM orders o), 'secrets', (SELECT count(*) FROM secrets),
		'relations', (SELECT count(*) FROM pg_class), 'roles', (SELECT md5(string_agg(r::text, ',' ORDER BY rolname)) FROM pg_authid r),
		'functions', (SELECT count(*) FROM pg_proc), 'large objects', (SELECT count(*) FROM pg_largeobject_metadata),
		'sequence', (SELECT last_value FROM counted), 'settings', (SELECT count(*) FROM pg_db_role_setting),
		'databases', (SELECT count(*) FROM pg_database), 'extensions', (SELECT count(*) FROM pg_extension))::text`).Scan(&text)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
