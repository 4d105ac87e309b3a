package broker_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/sparkwright/sparkwright/internal/broker"
)

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
