package supervisor_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/broker"
	"github.com/sparkwright/sparkwright/internal/check"
	"github.com/sparkwright/sparkwright/internal/codegen"
	"github.com/sparkwright/sparkwright/internal/diagnose"
	"github.com/sparkwright/sparkwright/internal/executor/batch"
	"github.com/sparkwright/sparkwright/internal/executor/connect"
	direct "github.com/sparkwright/sparkwright/internal/executor/postgres"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/planner"
	"github.com/sparkwright/sparkwright/internal/reader"
	"github.com/sparkwright/sparkwright/internal/sandbox"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
	"github.com/sparkwright/sparkwright/internal/store"
	"github.com/sparkwright/sparkwright/internal/supervisor"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

func TestMain(m *testing.M) {
	pgembed.KeeperMain()
	sandbox.HelperMain()
	holdMain()
	os.Exit(m.Run())
}

// bundle is one real PostgreSQL, one real Spark, and a service over both.
type bundle struct {
	svc     *supervisor.Service
	config  supervisor.Config // of svc
	store   *store.Store
	spark   *connect.Executor
	results string
	runsDB  string
	broker  *broker.Broker
	owner   *pgx.Conn // superuser; for what the tests change
	reader  *database
	reads   reader.Config // of the service's Reader
	mu      sync.Mutex
}

const fixture = `
CREATE TABLE orders (id bigint PRIMARY KEY, customer text, amount numeric(12,2), created_at timestamptz);
INSERT INTO orders SELECT i, 'c' || i % 10, i + 0.25, timestamptz '2025-01-01 00:00+00' + i * interval '1 hour' FROM generate_series(1, 1000) i;
CREATE TABLE nothing (id int, name text);
CREATE TABLE secret (id int);
CREATE TABLE odd (id int, price money[], big numeric(60,10), kept text);
INSERT INTO odd VALUES (1, '{1}', 1.5, 'yes');
CREATE SCHEMA "My.Schema";
CREATE TABLE "My.Schema"."Käufe ""2025""" ("Order.Id" int, "naïve col" text, "a"  int);
INSERT INTO "My.Schema"."Käufe ""2025""" VALUES (7, 'ünïcode', 1);
DO $$ BEGIN EXECUTE 'CREATE TABLE wide (' || (SELECT string_agg('c' || i || ' int', ', ') FROM generate_series(1, 1600) i) || ')'; END $$;
INSERT INTO wide (c1, c1600) VALUES (1, 1600);
CREATE VIEW slow AS SELECT i, pg_sleep(0.1)::text AS s FROM generate_series(1, 10000) i;
CREATE TYPE mood AS ENUM ('sad', 'happy', 'calm');
CREATE TABLE words (id int, w text COLLATE "en-x-icu", m mood, c char(3), n numeric);
INSERT INTO words VALUES (1, 'a', 'sad', 'a', 0.1), (2, 'B', 'happy', 'b', 0.2), (3, 'b', 'calm', NULL, NULL), (4, 'ä', NULL, 'c', 1e-19), (5, NULL, 'sad', 'a', 2);
CREATE TABLE calls (id int PRIMARY KEY, begun_on date, billed_on date);
INSERT INTO calls SELECT i, date '2025-01-01' + i, date '2025-01-01' + i FROM generate_series(1, 100) i;
CREATE ROLE reader LOGIN PASSWORD 'canary-pw-7f3a' IN ROLE pg_read_all_data;
CREATE ROLE narrow LOGIN PASSWORD 'canary-pw-7f3a';
GRANT SELECT ON orders, nothing TO narrow;
ANALYZE;
`

const canary = "canary-pw-7f3a"

// embedded is a PostgreSQL with the fixture, and its owner's connection.
func embedded(t *testing.T) (sparkwright.Connection, *pgx.Conn) {
	t.Helper()
	srv, err := pgembed.Start(t.Context(), pgembed.Options{
		Dir: filepath.Join(t.TempDir(), "pg"), CacheDir: filepath.Join(testkit.Home(t), "runtime", "postgres"),
		RepositoryURL: testkit.MavenURL(t), Settings: map[string]string{"fsync": "off"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Stop(context.Background()) })
	conn := srv.Connection()
	conn.Name = "t"
	password, err := os.ReadFile(strings.TrimPrefix(conn.Secret, "file:"))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := postgres.Config(conn, sparkwright.Credentials{User: conn.User, Password: strings.TrimSpace(string(password))})
	if err != nil {
		t.Fatal(err)
	}
	delete(cfg.RuntimeParams, "default_transaction_read_only")
	owner, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = owner.Close(context.Background()) })
	if _, err = owner.Exec(t.Context(), fixture); err != nil {
		t.Fatal(err)
	}
	return conn, owner
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{results: filepath.Join(t.TempDir(), "results"), runsDB: filepath.Join(t.TempDir(), "runs.db")}
	var conn sparkwright.Connection
	var err error
	conn, b.owner = embedded(t)
	b.reader = &database{conn: conn, cred: sparkwright.Credentials{User: "reader", Password: canary}}
	b.reader.conn.User = "reader"
	narrow := &database{conn: conn, cred: sparkwright.Credentials{User: "narrow", Password: canary}}
	narrow.conn.Name = "narrow"
	if b.store, err = store.Open(t.Context(), b.runsDB); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.store.Close() })
	rt := testkit.Runtime(t)
	sockets, err := sandbox.SocketDir(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b.spark = connect.New(connect.Config{Runtime: rt, Master: "local[2]", DriverMemory: "1g", PoolSize: 2, Sockets: sockets})
	t.Cleanup(func() { b.spark.Close(context.Background()) })
	dbs := databases{"t": b.reader, "narrow": narrow}
	b.broker = broker.NewInside(slog.New(slog.DiscardHandler), sockets)
	t.Cleanup(func() { b.broker.Close(context.Background()) })
	ways := &broker.Ways{Broker: b.broker, Login: dbs.config, Explain: func(_ context.Context, _ string, err error) error { return postgres.Interpret(conn, err) }}
	b.reads = reader.Config{
		Ways: ways, Direct: b.spark.Direct,
		Local: map[string]bool{connect.Name: true, batch.Name: true}, Translate: b.spark.Translate, Plan: b.spark.Plan, Rows: artifact.Rows, Cores: 2, Log: slog.New(slog.DiscardHandler),
	}
	b.config = supervisor.Config{
		Varying: supervisor.Varying{
			Generator: planner.New(), GeneratorName: "planner", LoadResult: artifact.Load, Direct: supervisor.DirectLimits{Cost: 20_000, Time: time.Minute},
			Executors: map[string]sparkwright.Executor{
				direct.Name:  direct.New(direct.Config{Ways: ways, PreviewRows: 100}),
				connect.Name: b.spark, batch.Name: batch.New(batch.Config{Runtime: rt, Master: "local[2]", DriverMemory: "1g", Sockets: sockets}),
			},
			Limits: supervisor.Limits{QuestionChars: 4000, Repairs: 3, Losses: 3},
		},
		Store: b.store, Databases: dbs,
		CheckClient: func(ctx context.Context, runID string) (check.Client, error) { return b.spark.Client(ctx, runID) },
		Reader:      reader.New(b.reads), Readings: planner.New(),
		ViewsOf: codegen.Views, NewID: store.NewRunID, CheckSpace: func() error { return artifact.CheckSpace(b.results, 1) },
		Explain: diagnose.Explain, Nearest: postgres.Nearest, ResultsDir: b.results,
		PreviewRows: 100, Cores: 2, PlaceReason: "local Spark", Log: slog.New(slog.DiscardHandler),
	}
	b.svc = supervisor.New(b.config)
	if err = b.svc.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.svc.Close(context.Background()) })
	return b
}

// exec changes the database as its owner.
func (b *bundle) exec(t *testing.T, sql string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := b.owner.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// backends counts what the run does in PostgreSQL now.
func (b *bundle) backends(t *testing.T, runID string) (n int) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	row := b.owner.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND state = 'active' AND query LIKE '%"slow"%' AND query NOT LIKE '%WHERE 1=0%'`, "sparkwright/"+runID)
	if err := row.Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// left counts the backends of all runs.
func (b *bundle) left(t *testing.T) (n int) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.owner.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'sparkwright/%'`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

type databases map[string]*database

func (d databases) Open(_ context.Context, name string) (supervisor.Database, error) {
	if db := d[name]; db != nil {
		return db, nil
	}
	return nil, sparkwright.Errorf(sparkwright.CodeNotFound, "there is no connection %q", name)
}

func (d databases) Names(context.Context) ([]string, error) { return []string{"t", "narrow"}, nil }

func (d databases) config(_ context.Context, name string) (*pgconn.Config, error) {
	cfg, err := postgres.Config(d[name].conn, d[name].cred)
	if err != nil {
		return nil, err
	}
	return &cfg.Config, nil
}

// database keeps its catalog for the whole test, as a server does for some
// seconds.
type database struct {
	conn    sparkwright.Connection
	cred    sparkwright.Credentials
	mu      sync.Mutex
	catalog *sparkwright.Catalog
}

func (d *database) Catalog(ctx context.Context) (*sparkwright.Catalog, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.catalog != nil {
		return d.catalog, nil
	}
	src, err := postgres.Open(ctx, d.conn, d.cred)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	d.catalog, err = src.Catalog(ctx, postgres.Filter{})
	return d.catalog, err
}

func (d *database) JDBCURL(runID string) (string, error) {
	return postgres.JDBCURL(d.conn, "sparkwright/"+runID)
}
func (d *database) Credentials() sparkwright.Credentials { return d.cred }
func (d *database) CancelRun(ctx context.Context, runID string) error {
	src, err := postgres.Open(ctx, d.conn, d.cred)
	if err != nil {
		return err
	}
	defer src.Close()
	_, err = src.CancelRun(ctx, runID)
	return err
}

func (d *database) Runs(ctx context.Context) ([]string, error) {
	src, err := postgres.Open(ctx, d.conn, d.cred)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	return src.Runs(ctx)
}

func (d *database) EndRun(ctx context.Context, runID string) (int, error) {
	src, err := postgres.Open(ctx, d.conn, d.cred)
	if err != nil {
		return 0, err
	}
	defer src.Close()
	return src.EndRun(ctx, runID)
}

// eventually waits for something that ends soon.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-tick.C {
		if ok() {
			return
		}
	}
	t.Errorf("not so after 20 s: %s", what)
}
