package broker_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/sparkwright/sparkwright/internal/broker"
)

func TestReads(t *testing.T) {
	t.Parallel()
	b := setup(t, broker.Limits{})
	for name, mode := range map[string]pgx.QueryExecMode{
		"prepared": pgx.QueryExecModeCacheStatement, "described": pgx.QueryExecModeDescribeExec,
		"unnamed": pgx.QueryExecModeExec, "simple": pgx.QueryExecModeSimpleProtocol,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := b.client(t, "")
			for range 2 {
				var n, k, sum int64
				if err := conn.QueryRow(t.Context(), "SELECT count(*), count(maybe), sum(id) FROM t WHERE id <= $1", mode, 7000).Scan(&n, &k, &sum); err != nil {
					t.Fatal(err)
				}
				if n != 7000 || k != 6000 || sum != 24503500 {
					t.Errorf("count %d, not null %d, sum %d", n, k, sum)
				}
			}
			rows, err := conn.Query(t.Context(), "SELECT id, note FROM t ORDER BY id", mode)
			if err != nil {
				t.Fatal(err)
			}
			seen := 0
			var id int
			var note string
			_, err = pgx.ForEachRow(rows, []any{&id, &note}, func() error { seen++; return nil })
			if err != nil || seen != 20000 || id != 20000 {
				t.Errorf("%d rows, last %d, error %v", seen, id, err)
			}
			if big := value[string](t, conn, "SELECT text FROM big LIMIT 1"); len(big) != 700000 {
				t.Errorf("a long value came with %d bytes", len(big))
			}
		})
	}
}

// A driver with a fetch size reads a portal piece by piece, inside a
// transaction that it began and ends.
func TestFetchSize(t *testing.T) {
	t.Parallel()
	b := setup(t, broker.Limits{})
	f := b.raw(t)
	f.send(&pgproto3.Parse{Query: "BEGIN"}, &pgproto3.Bind{}, &pgproto3.Execute{},
		&pgproto3.Parse{Query: "SELECT id FROM t ORDER BY id"}, &pgproto3.Bind{DestinationPortal: "C_1"},
		&pgproto3.Describe{ObjectType: 'P', Name: "C_1"}, &pgproto3.Execute{Portal: "C_1", MaxRows: 15000}, &pgproto3.Sync{})
	if got := f.until('Z'); got != "12C12T"+strings.Repeat("D", 15000)+"sZ" || f.status != 'T' {
		t.Errorf("answers %.40s…%s, transaction %c", got, got[len(got)-3:], f.status)
	}
	f.send(&pgproto3.Execute{Portal: "C_1", MaxRows: 15000}, &pgproto3.Flush{})
	if got := f.until('C'); got != strings.Repeat("D", 5000)+"C" {
		t.Errorf("the rest is %d messages", len(got))
	}
	f.send(&pgproto3.Close{ObjectType: 'P', Name: "C_1"}, &pgproto3.Sync{}, &pgproto3.Parse{Query: "COMMIT"}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Sync{})
	if got := f.until('Z') + f.until('Z'); got != "3Z12CZ" || f.status != 'I' {
		t.Errorf("answers %s, transaction %c", got, f.status)
	}
	st := b.Statements()
	if len(st) != 1 || st[0].Rows != 20000 || st[0].SQL != "SELECT id FROM t ORDER BY id" || st[0].Bytes < 200000 {
		t.Errorf("statements %+v", st)
	}
}

// A statement's time is PostgreSQL's: from when it was sent, or the one before
// it in the batch had ended, not from when its answer was read.
func TestStatementTimes(t *testing.T) {
	t.Parallel()
	b := setup(t, broker.Limits{})
	f := b.raw(t)
	one := []pgproto3.FrontendMessage{&pgproto3.Parse{Query: "SELECT slept FROM brief"}, &pgproto3.Bind{}, &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}}
	began := time.Now()
	f.send(append(append(append([]pgproto3.FrontendMessage{}, one...), one...), &pgproto3.Sync{})...)
	f.until('Z')
	whole := time.Since(began).Seconds()
	st := b.Statements()
	if len(st) != 2 || st[0].Seconds+st[1].Seconds < 0.2 || st[0].Seconds+st[1].Seconds > whole {
		t.Errorf("two that sleep 0.1 s took %.3f s: %+v", whole, st)
	}
}

func TestOneSnapshot(t *testing.T) {
	t.Parallel()
	if conn, err := login(); err == nil {
		t.Cleanup(func() { forget(t, conn) })
	}
	b := setup(t, broker.Limits{})
	if s := b.Snapshot(); s.ID == "" || s.LSN == "" || s.None != "" || time.Since(s.Time).Abs() > time.Hour {
		t.Fatalf("snapshot %+v", s)
	}
	count := func(conn *pgx.Conn) int64 {
		return value[int64](t, conn, "SELECT count(*) FROM grows WHERE run = $1", b.runID)
	}
	first := b.client(t, "")
	if n := count(first); n != 0 {
		t.Errorf("%d rows before any", n)
	}
	if _, err := b.owner.Exec(t.Context(), "INSERT INTO grows SELECT $1, i FROM generate_series(1, 10) i", b.runID); err != nil {
		t.Fatal(err)
	}
	second := b.client(t, "")
	tx, err := second.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := count(second); n != 0 {
		t.Errorf("a later transaction of the run sees %d rows", n)
	}
	if err = tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, m := count(first), count(second); n != 0 || m != 0 {
		t.Errorf("the run sees %d and %d rows that came later", n, m)
	}
	if n := count(b.owner); n != 10 {
		t.Errorf("the test must tear without the snapshot; the owner sees %d rows", n)
	}
}

// forget empties the table that grows, so that the test can be repeated.
func forget(t *testing.T, cfg *pgx.ConnConfig) {
	t.Helper()
	conn, err := pgx.ConnectConfig(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background()) //nolint:errcheck // nothing is lost
	if _, err = conn.Exec(context.Background(), "DELETE FROM grows"); err != nil {
		t.Fatal(err)
	}
}

// writes are routes by which analysis code has written, or would.
var writes = []string{
	"INSERT INTO grows VALUES ('x', 1)",
	"SELECT 1; INSERT INTO grows VALUES ('x', 1)",
	"COMMIT; BEGIN READ WRITE; INSERT INTO grows VALUES ('x', 1); COMMIT",
	"BEGIN READ WRITE",
	"START TRANSACTION READ /* no */ WRITE",
	"WITH w AS (INSERT INTO grows VALUES ('x', 1) RETURNING n) SELECT * FROM w",
	"SELECT n INTO copy_of FROM grows",
	"SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
	"SET default_transaction_read_only = off",
	"RESET ALL",
	"SET ROLE postgres",
	"DO $$ BEGIN INSERT INTO grows VALUES ('x', 1); END $$",
	"CALL nothing()",
	"COPY grows TO STDOUT",
	"COPY grows FROM PROGRAM 'true'",
	"CREATE TEMP TABLE mine (i int)",
	"LOCK TABLE t",
	"PREPARE p AS SELECT 1",
	"EXECUTE p",
	"LISTEN x",
	"SAVEPOINT s",
	"ROLLBACK TO SAVEPOINT s",
	"COMMIT AND CHAIN",
	"PREPARE TRANSACTION 'x'",
	"SELECT * FROM t FOR UPDATE",
	"SELECT set_config('transaction_read_only', 'off', false)",
	"SELECT nextval('serial')",
	"SELECT lo_create(0)",
	"EXPLAIN ANALYZE INSERT INTO grows VALUES ('x', 1)",
	"SELECT date'\\'; INSERT INTO grows VALUES ('x', 1); --'",
	"/* ; */ -- ;\nDELETE FROM grows",
}

// With a role that may do everything, nothing is written by any route.
func TestNothingIsWritten(t *testing.T) {
	t.Parallel()
	b := setup(t, broker.Limits{})
	if _, err := b.owner.Exec(t.Context(), "CREATE SEQUENCE IF NOT EXISTS serial"); err != nil {
		t.Fatal(err)
	}
	before := value[string](t, b.owner, "SELECT pg_current_xact_id()::text")
	for _, sql := range writes {
		for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec} {
			conn := b.client(t, "options='-c default_transaction_read_only=off'")
			if _, err := conn.Exec(t.Context(), sql, mode); err == nil {
				t.Errorf("carried out: %s", sql)
			}
			if n := value[int](t, conn, "SELECT 1"); n != 1 {
				t.Errorf("the connection is unusable after %s", sql)
			}
			_ = conn.Close(t.Context())
		}
	}
	if n := value[int](t, b.owner, "SELECT count(*)::int FROM grows WHERE run = 'x'"); n != 0 {
		t.Errorf("%d rows were written", n)
	}
	if n := value[int](t, b.owner, "SELECT count(*)::int FROM pg_class WHERE xmin::text::bigint >= $1::bigint AND relname IN ('copy_of', 'mine')", before); n != 0 {
		t.Errorf("%d relations were made", n)
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	b := setup(t, broker.Limits{})
	for name, extra := range map[string]string{"a wrong password": "password=x", "another user": "user=postgres"} {
		if conn, err := pgx.Connect(t.Context(), b.dsn(extra)); err == nil {
			_ = conn.Close(t.Context())
			t.Errorf("%s is let in", name)
		}
	}
	real, err := login()
	if err != nil {
		t.Fatal(err)
	}
	if url := b.JDBCURL(); strings.Contains(url, real.Password) || strings.Contains(url, b.Login().Password) || strings.Contains(url, real.User) {
		t.Errorf("the URL holds a login: %s", url)
	}
	conn := b.client(t, "application_name=mine options='-c statement_timeout=1'")
	if got := value[string](t, conn, "SHOW application_name"); got != "sparkwright/"+b.runID {
		t.Errorf("application_name %q", got)
	}
	if got := value[string](t, conn, "SELECT current_user::text"); got != real.User {
		t.Errorf("the session is of %q", got)
	}
	if got := value[string](t, conn, "SHOW statement_timeout"); got != "0" {
		t.Errorf("the client's options took effect: %s", got)
	}
}

func TestErrorsKeepTheConnection(t *testing.T) {
	t.Parallel()
	b := setup(t, broker.Limits{})
	conn := b.client(t, "")
	_, err := conn.Exec(t.Context(), "SELECT no_such FROM t")
	if sqlState(err) != "42703" {
		t.Errorf("error %v", err)
	}
	if n := value[int](t, conn, "SELECT 1"); n != 1 {
		t.Error("unusable after an error")
	}
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err = tx.Exec(t.Context(), "SELECT 1/0"); sqlState(err) != "22012" {
		t.Errorf("error %v", err)
	}
	if _, err = tx.Exec(t.Context(), "SELECT 1"); sqlState(err) != "25P02" {
		t.Errorf("a failed transaction goes on: %v", err)
	}
	if err = tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := value[int](t, conn, "SELECT 1"); n != 1 {
		t.Error("unusable after a rollback")
	}
}

func TestQueryOfOurOwn(t *testing.T) {
	t.Parallel()
	b := setup(t, broker.Limits{})
	rows, err := b.Query(t.Context(), "SELECT count(*), NULL, 'a' FROM t", time.Minute)
	if err != nil || len(rows) != 1 || *rows[0][0] != "20000" || rows[0][1] != nil || *rows[0][2] != "a" {
		t.Errorf("rows %v, error %v", rows, err)
	}
	if _, err = b.Query(t.Context(), slow, 100*time.Millisecond); err == nil || !strings.Contains(err.Error(), "statement timeout") {
		t.Errorf("error %v", err)
	}
	if _, err = b.Query(t.Context(), "DELETE FROM t", time.Minute); err == nil {
		t.Error("a write was carried out")
	}
}
