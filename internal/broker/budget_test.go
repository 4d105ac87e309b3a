package broker_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/broker"
)

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
