package broker_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/sparkwright/sparkwright"
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

const slow = "SELECT count(*) FROM generate_series(1, 1000000000000) i"

func TestClientCancels(t *testing.T) {
	t.Parallel()
	b := setup(t, broker.Limits{})
	conn := b.client(t, "")
	done := make(chan error, 1)
	go func() { _, err := conn.Exec(context.Background(), slow); done <- err }()
	eventually(t, "the statement runs", func() bool { return b.backends(t, "active") == 1 })
	if err := conn.PgConn().CancelRequest(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; sqlState(err) != "57014" {
		t.Errorf("error %v", err)
	}
	if n := value[int](t, conn, "SELECT 1"); n != 1 {
		t.Error("unusable after a cancel")
	}
}

// PostgreSQL overhears a cancel that comes between two messages: it is sent
// again while the statement goes on.
func TestCancelThatIsOverheard(t *testing.T) {
	t.Parallel()
	cfg, err := login()
	if err != nil {
		t.Fatal(err)
	}
	var heard atomic.Int32
	cfg.Host, cfg.Port = overhearing(t, net.JoinHostPort(cfg.Host, strconv.Itoa(int(cfg.Port))), &heard)
	cfg.Fallbacks = nil
	b := begin(t, broker.Limits{}, cfg)
	conn := b.client(t, "")
	done := make(chan error, 1)
	go func() { _, e := conn.Exec(context.Background(), slow); done <- e }()
	eventually(t, "the statement runs", func() bool { return b.backends(t, "active") == 1 })
	if err = conn.PgConn().CancelRequest(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case err = <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("the statement goes on")
	}
	if sqlState(err) != "57014" || heard.Load() < 2 {
		t.Errorf("error %v, %d requests", err, heard.Load())
	}
}

// overhearing hands everything on to a server but the first cancel request.
func overhearing(t *testing.T, to string, heard *atomic.Int32) (host string, port uint16) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	const cancelRequest = 80877102
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer in.Close() //nolint:errcheck // it is over
				start := make([]byte, 8)
				if _, err := io.ReadFull(in, start); err != nil || binary.BigEndian.Uint32(start[4:]) == cancelRequest && heard.Add(1) == 1 {
					return
				}
				out, err := new(net.Dialer).DialContext(context.Background(), "tcp", to)
				if err != nil {
					return
				}
				defer out.Close() //nolint:errcheck // it is over
				if _, err = out.Write(start); err != nil {
					return
				}
				go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
				_, _ = io.Copy(in, out)
			}()
		}
	}()
	at := l.Addr().(*net.TCPAddr)
	return "127.0.0.1", at.AddrPort().Port()
}

// A client that goes away takes its statement with it.
func TestClientGoes(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(net.Conn){
		"without a word": func(c net.Conn) { _ = c.Close() },
		"with a word":    func(c net.Conn) { _, _ = c.Write([]byte{'X', 0, 0, 0, 4}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, broker.Limits{})
			f := b.raw(t)
			f.send(&pgproto3.Query{String: slow})
			eventually(t, "the statement runs", func() bool { return b.backends(t, "active") == 1 })
			leave(f.conn)
			eventually(t, "the statement is cancelled", func() bool { return b.backends(t, "active") == 0 })
		})
	}
}

func TestCancelAndEnd(t *testing.T) {
	t.Parallel()
	b := setup(t, broker.Limits{})
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		conn := b.client(t, "")
		wg.Go(func() { _, errs[i] = conn.Exec(context.Background(), slow) })
	}
	idle := b.client(t, "")
	eventually(t, "all run", func() bool { return b.backends(t, "active") == len(errs) })
	b.b.Cancel(b.runID)
	wg.Wait()
	for _, err := range errs {
		if sqlState(err) != "57014" {
			t.Errorf("error %v", err)
		}
	}
	eventually(t, "nothing runs", func() bool { return b.backends(t, "active") == 0 })
	if _, err := idle.Exec(t.Context(), "SELECT 1"); err == nil {
		t.Error("a cancelled run reads on")
	}
	st, err := b.b.End(t.Context(), b.runID)
	if err != nil || len(st) != len(errs) {
		t.Errorf("%d statements, error %v", len(st), err)
	}
	for _, s := range st {
		if !strings.Contains(s.Error, "57014") {
			t.Errorf("statement %+v", s)
		}
	}
	eventually(t, "no backend is left", func() bool { return b.backends(t, "") == 0 })
	if _, err := pgx.Connect(t.Context(), b.dsn("connect_timeout=5")); err == nil {
		t.Error("the port is still open")
	}
	if _, err := b.b.End(t.Context(), b.runID); err != nil {
		t.Errorf("a second end: %v", err)
	}
}

func TestBudgets(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		lim  broker.Limits
		says string
	}{
		"rows":  {broker.Limits{Rows: 10000}, "10000 rows"},
		"bytes": {broker.Limits{Bytes: 100000}, "100000 bytes"},
		"age":   {broker.Limits{SnapshotAge: 300 * time.Millisecond}, "older than the limit"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, tt.lim)
			conn := b.client(t, "")
			var err error
			for err == nil {
				_, err = conn.Exec(t.Context(), "SELECT * FROM t, brief")
			}
			if tt.lim.SnapshotAge == 0 && sqlState(err) != "53400" || tt.lim.SnapshotAge == 0 && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v", err)
			}
			eventually(t, "nothing runs", func() bool { return b.backends(t, "active") == 0 })
		})
	}
}

// Clients beyond the budget wait; the server never sees more.
func TestConnectionBudget(t *testing.T) {
	t.Parallel()
	const limit, clients = 5, 20
	b := setup(t, broker.Limits{Connections: limit})
	stop := make(chan struct{})
	most := make(chan int, 1)
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				most <- n
				return
			default:
				n = max(n, b.backends(t, ""))
			}
		}
	}()
	var wg sync.WaitGroup
	errs := make([]error, clients)
	for i := range errs {
		wg.Go(func() {
			conn, err := pgx.Connect(t.Context(), b.dsn(""))
			if err == nil {
				_, err = conn.Exec(t.Context(), "SELECT * FROM brief, brief b")
				err = errors.Join(err, conn.Close(t.Context()))
			}
			errs[i] = err
		})
	}
	wg.Wait()
	close(stop)
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	if n := <-most; n > limit || n < 3 {
		t.Errorf("the server saw %d connections, the budget is %d", n, limit)
	}
}

// A role with few connections gets a smaller budget, and none when the last
// ones are at stake.
func TestGoodGuest(t *testing.T) {
	t.Parallel()
	owner := setup(t, broker.Limits{}).owner
	if _, err := owner.Exec(t.Context(), "CREATE ROLE guest LOGIN PASSWORD 'guest' CONNECTION LIMIT 8 IN ROLE pg_read_all_data"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = owner.Exec(context.Background(), "DROP ROLE guest") })
	cfg, err := login()
	if err != nil {
		t.Fatal(err)
	}
	cfg.User, cfg.Password = "guest", "guest"
	b := broker.New(slog.New(slog.DiscardHandler))
	defer b.Close(context.Background())
	first, err := b.Begin(t.Context(), "r_guest_1", "guest", &cfg.Config, broker.Limits{Connections: 8})
	if err != nil {
		t.Fatal(err)
	}
	if n := first.Notes(); len(n) != 1 || !strings.Contains(n[0], "at most 4 connections") {
		t.Errorf("notes %q", n)
	}
	if _, err = owner.Exec(t.Context(), "ALTER ROLE guest CONNECTION LIMIT 4"); err != nil {
		t.Fatal(err)
	}
	_, err = b.Begin(t.Context(), "r_guest_2", "guest", &cfg.Config, broker.Limits{})
	if sparkwright.ErrorCode(err) != sparkwright.CodeResource || !strings.Contains(err.Error(), "1 are free") {
		t.Errorf("error %v", err)
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

// The guard looks at the real server: a transaction of somebody else that is
// open is told of, and keeps a run from beginning where it is to be refused.
func TestGuardLooksAtTheServer(t *testing.T) {
	t.Parallel()
	cfg, err := login()
	if err != nil {
		t.Fatal(err)
	}
	other, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close(context.Background()) })
	if _, err = other.Exec(t.Context(), "BEGIN; SELECT pg_sleep(0.01)"); err != nil {
		t.Fatal(err)
	}
	limits := broker.Limits{Guard: broker.Guard{Transaction: time.Millisecond}}
	if notes := strings.Join(setup(t, limits).Notes(), " "); !strings.Contains(notes, "another transaction has been open") {
		t.Errorf("told %q", notes)
	}
	limits.Guard.Refuse = true
	_, err = broker.New(slog.New(slog.DiscardHandler)).Begin(t.Context(), "r_refused", "test", &cfg.Config, limits)
	if sparkwright.ErrorCode(err) != sparkwright.CodeUnavailable {
		t.Errorf("begun: %v", err)
	}
}
