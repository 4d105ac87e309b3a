package redteam_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/broker"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
)

// statements are tried by a simple query and by the extended protocol. What
// they touch is MARK, a path that does not exist.
func statements() []string {
	return []string{
		"INSERT INTO orders VALUES (0, 0)", "UPDATE orders SET amount = 0", "DELETE FROM orders", "TRUNCATE orders", "DROP TABLE orders",
		"MERGE INTO orders o USING orders p ON o.id = p.id WHEN MATCHED THEN DELETE", "CREATE TABLE x (a int)", "CREATE TABLE x AS SELECT 1", "SELECT 1 INTO x",
		"ALTER TABLE orders ADD x int", "CREATE ROLE evil SUPERUSER LOGIN", "ALTER ROLE postgres PASSWORD 'x'", "GRANT ALL ON orders TO PUBLIC", "CREATE EXTENSION dblink",
		"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "DO $$ BEGIN DELETE FROM orders; END $$", "CALL f()", "LOAD 'dblink'", "VACUUM orders", "CREATE DATABASE x",
		"COPY orders TO PROGRAM 'touch MARK'", "COPY orders FROM PROGRAM 'echo 1,1; touch MARK'", "COPY orders TO 'MARK'", "COPY orders TO STDOUT", "COPY orders FROM STDIN",
		"COPY (SELECT * FROM secrets) TO STDOUT", "SELECT 1; INSERT INTO orders VALUES (0, 0)", "SELECT 1; COMMIT; INSERT INTO orders VALUES (0, 0)",
		"COMMIT; BEGIN READ WRITE; DELETE FROM orders; COMMIT", "ROLLBACK; DELETE FROM orders", "BEGIN READ WRITE", "START TRANSACTION READ WRITE", "SET TRANSACTION READ WRITE",
		"SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE", "SET default_transaction_read_only = off", "SET transaction_read_only = off", "SET ROLE postgres", "SET SESSION AUTHORIZATION postgres",
		"SET statement_timeout = 0", "SET search_path = evil", "RESET ALL", "DISCARD ALL", "SELECT set_config('transaction_read_only', 'off', false)", "SELECT set_config('role', 'postgres', false)",
		"WITH w AS (DELETE FROM orders RETURNING *) SELECT * FROM w", "WITH w AS (INSERT INTO orders VALUES (0, 0) RETURNING *) SELECT * FROM w",
		"EXPLAIN ANALYZE DELETE FROM orders", "EXPLAIN (ANALYZE) SELECT evil()", "PREPARE p AS DELETE FROM orders", "EXECUTE p", "DECLARE c CURSOR FOR SELECT * FROM secrets", "LISTEN x", "NOTIFY x",
		"LOCK TABLE orders", "SELECT * FROM orders FOR UPDATE", "PREPARE TRANSACTION 'x'", "CHECKPOINT", "REINDEX TABLE orders", "COMMENT ON TABLE orders IS 'x'", "IMPORT FOREIGN SCHEMA x FROM SERVER y INTO z",
		"SELECT evil()", "SELECT * FROM evil()", "SELECT * FROM orders WHERE id = evil()", "SELECT * FROM orders ORDER BY evil()", "VALUES (evil())", "SELECT nextval('counted')", "SELECT setval('counted', 9)",
		"SELECT lo_create(0)", "SELECT lo_from_bytea(0, 'x')", "SELECT lo_import('/etc/passwd')", "SELECT lo_export(1, 'MARK')", "SELECT lo_unlink(1)",
		"SELECT pg_read_file('/etc/passwd')", "SELECT pg_read_binary_file('/etc/passwd')", "SELECT * FROM pg_ls_dir('/')", "SELECT pg_stat_file('/etc/passwd')", "SELECT pg_file_write('MARK', 'x', false)",
		"SELECT * FROM dblink('dbname=postgres', 'DELETE FROM orders') AS t(a text)", "SELECT dblink_exec('dbname=postgres', 'DELETE FROM orders')", "SELECT query_to_xml('SELECT * FROM secrets', true, true, '')",
		"SELECT table_to_xml('secrets', true, true, '')", "SELECT * FROM ts_stat('SELECT password::tsvector FROM secrets')", "SELECT pg_terminate_backend(pg_backend_pid())", "SELECT pg_cancel_backend(1)",
		"SELECT pg_reload_conf()", "SELECT pg_rotate_logfile()", "SELECT pg_switch_wal()", "SELECT pg_create_restore_point('x')", "SELECT pg_logical_emit_message(false, 'a', 'b')", "SELECT pg_advisory_lock(1)",
		"SELECT pg_sleep(600)", "SELECT pg_notify('a', 'b')", "SELECT txid_current()", "SELECT current_setting('data_directory')", "SHOW data_directory", "SHOW ALL",
		"SELECT * FROM secrets", "SELECT (SELECT password FROM secrets)", "SELECT * FROM orders, secrets", "TABLE secrets", "WITH secrets AS (SELECT * FROM secrets) SELECT * FROM secrets",
		"SELECT * FROM pg_authid", "SELECT rolpassword FROM pg_catalog.pg_authid", "SELECT * FROM pg_stats", "SELECT * FROM pg_stat_activity", "SELECT * FROM pg_largeobject", "SELECT * FROM pg_settings",
		"SELECT * FROM pg_hba_file_rules", "SELECT * FROM information_schema.tables", "SELECT xmlparse(document '<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>')",
		"/* SELECT */ DELETE FROM orders", "--\nDELETE FROM orders", "(DELETE FROM orders)", "SELECT E'\\'; DELETE FROM orders; --'; DELETE FROM orders", "SELECT $a$ $b$ $a$; DELETE FROM orders -- $b$ $a$",
		"SELECT U&'\\0027; DELETE FROM orders; --' UESCAPE '\\'; DELETE FROM orders", "\uFEFFDELETE FROM orders", "select 1 \\; delete from orders", "SELECT * FROM \"pg_catalog\".\"pg_ls_dir\"('/')",
	}
}

// wire is one connection to the broker, spoken by hand.
type wire struct {
	t    *testing.T
	conn net.Conn
	fe   *pgproto3.Frontend
}

func dialWire(t *testing.T, s *broker.Session, params map[string]string, password string) (*wire, error) {
	t.Helper()
	host, port := s.Address()
	conn, err := net.Dial("tcp", net.JoinHostPort(host, fmt.Sprint(port)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	w := &wire{t: t, conn: conn, fe: pgproto3.NewFrontend(conn, conn)}
	all := map[string]string{"user": s.Login().User, "database": "postgres"}
	maps.Copy(all, params)
	w.fe.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: all})
	if err = w.fe.Flush(); err != nil {
		return w, err
	}
	if _, err = w.fe.Receive(); err != nil {
		return w, err
	}
	w.fe.Send(&pgproto3.PasswordMessage{Password: password})
	if err = w.fe.Flush(); err != nil {
		return w, err
	}
	_, err = w.answer()
	return w, err
}

// send writes messages and returns the rows of the answer, up to ReadyForQuery.
func (w *wire) send(messages ...pgproto3.FrontendMessage) (rows int, err error) {
	for _, m := range messages {
		w.fe.Send(m)
	}
	if err = w.fe.Flush(); err != nil {
		return 0, err
	}
	return w.answer()
}

func (w *wire) answer() (rows int, first error) {
	for {
		msg, err := w.fe.Receive()
		if err != nil {
			return rows, errors.Join(first, err)
		}
		switch m := msg.(type) {
		case *pgproto3.DataRow:
			rows++
		case *pgproto3.ErrorResponse:
			if first == nil {
				first = errors.New(m.Code + " " + m.Message)
			}
		case *pgproto3.CopyInResponse, *pgproto3.CopyOutResponse, *pgproto3.CopyBothResponse:
			w.t.Error("a copy has begun")
			return rows, nil
		case *pgproto3.ReadyForQuery:
			return rows, first
		}
	}
}

// Whatever a client says to the broker, as a role that may do everything:
// nothing is changed, and nothing is read but the run's table.
func TestWire(t *testing.T) {
	v := newVictim(t)
	cfg, err := postgres.Config(v.conn, sparkwright.Credentials{User: v.conn.User, Password: v.password})
	if err != nil {
		t.Fatal(err)
	}
	b := broker.New(slog.New(slog.DiscardHandler))
	s, err := b.Begin(t.Context(), "r_red", "victim", &cfg.Config, broker.Limits{
		Tables: []sparkwright.Relation{{Schema: "public", Name: "orders"}, {Schema: "public", Name: "trap"}}, StatementTimeout: 20 * time.Second, Rows: 100_000,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, e := b.End(context.WithoutCancel(t.Context()), "r_red"); e != nil {
			t.Error(e)
		}
	})
	before, mark := v.state(t), filepath.Join(t.TempDir(), "mark")
	login := func(params map[string]string) *wire {
		w, err := dialWire(t, s, params, s.Login().Password)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}

	w := login(nil)
	if rows, err := w.send(&pgproto3.Query{String: "SELECT * FROM orders"}); err != nil || rows != 100 {
		t.Fatalf("a plain read: %d rows, %v", rows, err)
	}
	attacks := 0
	for _, sql := range statements() {
		sql = strings.ReplaceAll(sql, "MARK", mark)
		for name, messages := range map[string][]pgproto3.FrontendMessage{
			"simple": {&pgproto3.Query{String: sql}},
			"extended": {
				&pgproto3.Parse{Query: sql}, &pgproto3.Bind{}, &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}, &pgproto3.Sync{},
			},
		} {
			rows, err := w.send(messages...)
			if err == nil || rows > 0 {
				t.Errorf("%s %q: %d rows, error %v", name, sql, rows, err)
			}
			attacks++
		}
		if rows, err := w.send(&pgproto3.Query{String: "ROLLBACK"}); err != nil || rows != 0 {
			t.Fatalf("after %q: %v", sql, err)
		}
	}
	// A view of the run's tables that writes: its definition is not judged, and the
	// transaction alone stops it.
	attacks++
	if rows, err := w.send(&pgproto3.Query{String: "SELECT * FROM trap"}); err == nil || rows > 0 || !strings.Contains(err.Error(), "25006") {
		t.Errorf("a view that writes: %d rows, %v", rows, err)
	}
	attacks += sequences(t, w, login)
	attacks += strangers(t, s)
	if attacks < 240 {
		t.Errorf("%d attacks", attacks)
	}
	if after := v.state(t); after != before {
		t.Errorf("changed:\n%s\n%s", before, after)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("a program of the server's was started")
	}
	if rows, err := login(nil).send(&pgproto3.Query{String: "SELECT * FROM orders"}); err != nil || rows != 100 {
		t.Errorf("afterwards a plain read has %d rows, %v", rows, err)
	}
	tried := 0
	for _, st := range s.Statements() {
		if strings.HasPrefix(st.Error, "refused") {
			tried++
		}
	}
	if tried < 200 {
		t.Errorf("the receipt tells of %d refused statements", tried)
	}
}

// sequences are attacks by more than one statement.
func sequences(t *testing.T, w *wire, login func(map[string]string) *wire) (attacks int) {
	t.Helper()
	write := func(name string, w *wire) {
		attacks++
		if _, err := w.send(&pgproto3.Query{String: "SHOW transaction_read_only"}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if rows, err := w.send(&pgproto3.Query{String: "DELETE FROM orders RETURNING id"}); err == nil || rows > 0 {
			t.Errorf("%s: written: %d rows", name, rows)
		}
	}
	for _, params := range []map[string]string{
		{"options": "-c default_transaction_read_only=off"},
		{"options": "-c transaction_read_only=off -c role=postgres"},
		{"replication": "true"},
		{"replication": "database"},
		{"default_transaction_read_only": "off"},
		{"session_authorization": "postgres"},
		{"search_path": "evil"},
		{"database": "template1"},
		{"_pq_.evil": "1"},
		{"application_name": "x'; DELETE FROM orders; --"},
	} {
		c := login(params)
		write(fmt.Sprint(params), c)
		_ = c.conn.Close()
	}
	// A statement that was refused cannot be carried out under its name.
	attacks++
	if _, err := w.send(&pgproto3.Parse{Name: "evil", Query: "DELETE FROM orders"}, &pgproto3.Sync{}); err == nil {
		t.Error("DELETE can be prepared")
	}
	if _, err := w.send(&pgproto3.Bind{PreparedStatement: "evil"}, &pgproto3.Execute{}, &pgproto3.Sync{}); err == nil {
		t.Error("a refused statement is carried out by its name")
	}
	// A name is not the statement that it was when it was judged.
	attacks++
	_, _ = w.send(&pgproto3.Parse{Name: "a", Query: "SELECT 1"}, &pgproto3.Sync{})
	if rows, err := w.send(&pgproto3.Parse{Name: "a", Query: "DELETE FROM orders RETURNING 1"}, &pgproto3.Bind{PreparedStatement: "a"}, &pgproto3.Execute{}, &pgproto3.Sync{}); err == nil || rows > 0 {
		t.Error("a name is another statement")
	}
	// Errors do not let what follows in the batch through.
	attacks++
	if rows, err := w.send(&pgproto3.Parse{Query: "SELECT 1/0"}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Parse{Query: "DELETE FROM orders RETURNING 1"}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Sync{}); err == nil || rows > 0 {
		t.Error("a batch goes on after its error")
	}
	// Neither COMMIT nor BEGIN leave the read-only transaction.
	for _, sql := range []string{"COMMIT", "ROLLBACK", "BEGIN", "END", "ABORT"} {
		_, _ = w.send(&pgproto3.Query{String: sql})
		write(sql, w)
	}
	// Functions by number, and copies that nobody has asked for.
	for _, m := range []pgproto3.FrontendMessage{
		&pgproto3.FunctionCall{Function: 957, Arguments: [][]byte{{0, 0, 0, 0}}, ArgFormatCodes: []uint16{1}, ResultFormatCode: 1}, &pgproto3.CopyData{Data: []byte("x")}, &pgproto3.CopyDone{},
	} {
		attacks++
		c := login(nil)
		if rows, err := c.send(m, &pgproto3.Sync{}); err == nil || rows > 0 {
			t.Errorf("%T is let through", m)
		}
		_ = c.conn.Close()
	}
	return attacks
}

// strangers do not know the run's login, or do not speak the protocol.
func strangers(t *testing.T, s *broker.Session) (attacks int) {
	t.Helper()
	for name, try := range map[string]struct {
		params   map[string]string
		password string
	}{
		"no password": {}, "another's password": {password: "postgres"}, "another's name": {map[string]string{"user": "postgres"}, s.Login().Password},
	} {
		attacks++
		if _, err := dialWire(t, s, try.params, try.password); err == nil {
			t.Errorf("%s: logged in", name)
		}
	}
	host, port := s.Address()
	huge := binary.BigEndian.AppendUint32([]byte{'Q'}, 0xffffffff)
	for name, bytes := range map[string][]byte{
		"nothing": nil, "http": []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "huge start": huge[1:], "negative": {0x80, 0, 0, 0, 0, 3, 0, 0}, "old protocol": {0, 0, 0, 8, 0, 2, 0, 0},
		"query before login": append([]byte{0, 0, 0, 26, 0, 3, 0, 0}, "user\x00sparkwright\x00\x00Q\x00\x00\x00\x05\x00"...),
		"cancel of others":   {0, 0, 0, 16, 4, 210, 22, 46, 0, 0, 0, 1, 0, 0, 0, 0},
	} {
		attacks++
		conn, err := net.Dial("tcp", net.JoinHostPort(host, fmt.Sprint(port)))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write(bytes)
		_ = conn.(*net.TCPConn).CloseWrite()
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		answer, _ := io.ReadAll(io.LimitReader(conn, 1<<16))
		_ = conn.Close()
		if strings.Contains(string(answer), canary) || len(answer) > 4096 {
			t.Errorf("%s: answered by %q", name, answer)
		}
	}
	return attacks
}
