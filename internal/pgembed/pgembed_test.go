package pgembed_test

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
	"github.com/sparkwright/sparkwright/internal/source/postgres"
)

// helperVariable makes the test binary start a server, say so and wait.
const helperVariable = "PGEMBED_TEST_HELPER"

func TestMain(m *testing.M) {
	pgembed.KeeperMain()
	if dir := os.Getenv(helperVariable); dir != "" {
		os.Exit(helper(dir))
	}
	os.Exit(m.Run())
}

// helper is a program that uses a server, for tests that kill it.
func helper(dir string) int {
	ctx := context.Background()
	srv, err := pgembed.Start(ctx, options(dir))
	if err != nil {
		_, _ = fmt.Fprintln(os.Stdout, "error:", err)
		return 1
	}
	conn, err := connect(ctx, srv)
	if err == nil {
		_, err = conn.Exec(ctx, "CREATE TABLE IF NOT EXISTS kept AS SELECT 42 AS answer")
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stdout, "error:", err)
		return 1
	}
	_, _ = fmt.Fprintln(os.Stdout, "ready", srv.Connection().Port)
	_, _ = os.Stdin.Read(make([]byte, 1)) // until the test lets go
	return 0
}

// cacheDir is shared by all tests of all packages; what is in it is verified.
func cacheDir() string {
	if dir := os.Getenv("PGEMBED_TEST_CACHE"); dir != "" {
		return dir
	}
	base, err := os.UserCacheDir()
	if err != nil {
		base = os.TempDir()
	}
	return filepath.Join(base, "sparkwright-test", "postgresql")
}

func options(dir string) pgembed.Options {
	return pgembed.Options{Dir: dir, CacheDir: cacheDir(), Settings: map[string]string{"fsync": "off", "shared_buffers": "16MB"}}
}

func connect(ctx context.Context, srv *pgembed.Server) (*pgx.Conn, error) {
	c := srv.Connection()
	password, err := os.ReadFile(strings.TrimPrefix(c.Secret, "file:"))
	if err != nil {
		return nil, err
	}
	cfg, err := postgres.Config(c, sparkwright.Credentials{Password: string(password)})
	if err != nil {
		return nil, err
	}
	return pgx.ConnectConfig(ctx, cfg)
}

// start starts a server that is stopped at the end of the test.
func start(t *testing.T, o pgembed.Options) *pgembed.Server {
	t.Helper()
	srv, err := pgembed.Start(t.Context(), o)
	if err != nil {
		e, _ := err.(*sparkwright.Error) //nolint:errorlint // for the message only
		t.Fatalf("start: %+v", e)
	}
	t.Cleanup(func() {
		if err := srv.Stop(context.Background()); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return srv
}

// ask returns the one value of a query, as text.
func ask(t *testing.T, srv *pgembed.Server, query string) string {
	t.Helper()
	conn, err := connect(t.Context(), srv)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	rows, _ := conn.Query(t.Context(), query, pgx.QueryExecModeSimpleProtocol)
	values, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return strings.Join(values, ";")
}

func stop(t *testing.T, srv *pgembed.Server) {
	t.Helper()
	if err := srv.Stop(t.Context()); err != nil {
		t.Fatalf("stop: %v", err)
	}
	<-srv.Done()
}

func TestServerKeepsItsData(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var told []string
	o := options(dir)
	o.Progress = func(text string) { told = append(told, text) }
	srv := start(t, o)
	if !strings.Contains(strings.Join(told, "\n"), "Creating the database cluster") {
		t.Errorf("progress %q", told)
	}
	for query, want := range map[string]string{
		"SELECT current_setting('server_version_num')::int / 10000 || ''":                                 "17",
		"SELECT current_setting('TimeZone')":                                                              "UTC",
		"SELECT current_setting('listen_addresses')":                                                      "127.0.0.1",
		"SELECT current_setting('shared_buffers')":                                                        "16MB",
		"SELECT datcollate||' '||pg_encoding_to_char(encoding) FROM pg_database WHERE datname='postgres'": "C UTF8",
		"SELECT auth_method FROM pg_hba_file_rules":                                                       "scram-sha-256",
	} {
		if got := ask(t, srv, query); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "password"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("password file: %v, %v", info, err)
	}
	for range 2 { // the second time it is there already
		if err = srv.CreateDatabase(t.Context(), `sh"op`); err != nil {
			t.Fatal(err)
		}
	}
	password, err := os.ReadFile(filepath.Join(dir, "password"))
	if err != nil {
		t.Fatal(err)
	}

	_, err = pgembed.Start(t.Context(), options(dir))
	if sparkwright.ErrorCode(err) != sparkwright.CodeConflict || !strings.Contains(err.Error(), "is in use") {
		t.Errorf("second start: %v", err)
	}

	stop(t, srv)
	stop(t, srv) // twice is fine
	srv = start(t, options(dir))
	if got := ask(t, srv, `SELECT count(*)::text FROM pg_database WHERE datname = 'sh"op'`); got != "1" {
		t.Errorf("the database was not kept: %s", got)
	}
	if again, _ := os.ReadFile(filepath.Join(dir, "password")); string(again) != string(password) {
		t.Errorf("the password has changed")
	}
}

func TestStartRepairsABrokenOffCreation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := filepath.Join(dir, "server", "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte("17\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, start(t, options(dir)), "SELECT 'works'"); got != "works" {
		t.Error(got)
	}
}

func TestStartErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		prepare func(t *testing.T, o *pgembed.Options)
		code    sparkwright.Code
		says    string
	}{
		{
			name: "setting with a quote", code: sparkwright.CodeInvalid, says: "log_directory",
			prepare: func(_ *testing.T, o *pgembed.Options) {
				o.Settings = map[string]string{"log_directory": `"; touch x; "`}
			},
		},
		{
			name: "setting that does not exist", code: sparkwright.CodeUnavailable, says: "no_such_setting",
			prepare: func(_ *testing.T, o *pgembed.Options) { o.Settings = map[string]string{"no_such_setting": "1"} },
		},
		{
			name: "no repository", code: sparkwright.CodeUnavailable, says: "127.0.0.1:1",
			prepare: func(t *testing.T, o *pgembed.Options) {
				t.Helper()
				o.CacheDir, o.RepositoryURL = t.TempDir(), "http://127.0.0.1:1/maven2"
			},
		},
		{
			name: "directory in a file", code: sparkwright.CodeResource, says: "file",
			prepare: func(t *testing.T, o *pgembed.Options) {
				t.Helper()
				file := filepath.Join(t.TempDir(), "file")
				if err := os.WriteFile(file, nil, 0o600); err != nil {
					t.Fatal(err)
				}
				o.Dir = filepath.Join(file, "pg")
			},
		},
		{
			name: "password lost", code: sparkwright.CodeConflict, says: "password of the embedded PostgreSQL is lost",
			prepare: func(t *testing.T, o *pgembed.Options) {
				t.Helper()
				mark(t, o.Dir, "17")
			},
		},
		{
			name: "data of another version", code: sparkwright.CodeConflict, says: "is of PostgreSQL 12",
			prepare: func(t *testing.T, o *pgembed.Options) {
				t.Helper()
				mark(t, o.Dir, "12")
				if err := os.WriteFile(filepath.Join(o.Dir, "password"), []byte("x"), 0o600); err != nil {
					t.Fatal(err)
				}
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := options(t.TempDir())
			tt.prepare(t, &o)
			srv, err := pgembed.Start(t.Context(), o)
			if err == nil {
				_ = srv.Stop(t.Context())
			}
			if sparkwright.ErrorCode(err) != tt.code || !strings.Contains(fmt.Sprint(err), tt.says) {
				t.Errorf("code %q, %v; want %q and %q", sparkwright.ErrorCode(err), err, tt.code, tt.says)
			}
		})
	}
}

// mark makes dir look like a finished cluster of that version.
func mark(t *testing.T, dir, version string) {
	t.Helper()
	data := filepath.Join(dir, "server", "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string]string{filepath.Join(data, "PG_VERSION"): version, filepath.Join(dir, "server", "complete"): version} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
