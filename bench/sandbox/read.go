package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/broker"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/sandbox"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
)

// readPair reads a table by a process of its own: inside, where the broker is
// reached over the sandbox's listener and a socket, and directly.
func readPair(ctx context.Context, dir string, rows int) (*pair, func(), error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, nil, fmt.Errorf("cache: %w", err)
	}
	srv, err := pgembed.Start(ctx, pgembed.Options{
		Dir: filepath.Join(dir, "pg"), CacheDir: filepath.Join(cache, "sparkwright-test", "postgresql"),
		Settings: map[string]string{"fsync": "off", "shared_buffers": "512MB"},
	})
	if err != nil {
		return nil, nil, err
	}
	stop := func() { _ = srv.Stop(context.WithoutCancel(ctx)) }
	p, end, err := readers(ctx, srv.Connection(), dir, rows)
	if err != nil {
		stop()
		return nil, nil, err
	}
	return p, func() { end(); stop() }, nil
}

func readers(ctx context.Context, conn sparkwright.Connection, dir string, rows int) (*pair, func(), error) {
	password, err := os.ReadFile(strings.TrimPrefix(conn.Secret, "file:"))
	if err != nil {
		return nil, nil, fmt.Errorf("password: %w", err)
	}
	cfg, err := postgres.Config(conn, sparkwright.Credentials{User: conn.User, Password: strings.TrimSpace(string(password))})
	if err == nil {
		err = fill(ctx, cfg, rows)
	}
	if err != nil {
		return nil, nil, err
	}
	sockets, err := sandbox.SocketDir(ctx, dir)
	if err != nil {
		return nil, nil, err
	}
	b := broker.NewInside(slog.New(slog.DiscardHandler), sockets)
	s, err := b.Begin(ctx, "r_bench", "bench", &cfg.Config, broker.Limits{})
	if err != nil {
		return nil, nil, fmt.Errorf("open the broker: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, nil, fmt.Errorf("find this program: %w", err)
	}
	host, port := s.Address()
	inside := fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=%s sslmode=disable", host, port, s.Login().User, s.Login().Password, conn.Database)
	direct := fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=%s sslmode=disable", conn.Host, conn.Port, conn.User, strings.TrimSpace(string(password)), conn.Database)
	return &pair{
		name: fmt.Sprintf("%d rows, read as text", rows), ratio: true,
		inside: &arm{run: func(context.Context) (float64, error) { return readInside(self, inside, sockets) }}, //nolint:contextcheck // what it dials has a limit
		outside: &arm{run: func(ctx context.Context) (float64, error) {
			out, err := exec.CommandContext(ctx, self, "-reader", direct).Output() //nolint:gosec // G204: this program
			if err != nil {
				return 0, fmt.Errorf("read directly: %w", err)
			}
			return seconds(string(out))
		}},
	}, func() { b.Close(context.WithoutCancel(ctx)) }, nil
}

func readInside(self, login, sockets string) (float64, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, fmt.Errorf("make a pipe: %w", err)
	}
	defer r.Close() //nolint:errcheck // read only
	box, err := sandbox.Start(sandbox.Spec{Path: self, Args: []string{"-reader", login}, Read: []string{self}, Listen: []int{sandbox.Port}},
		sandbox.Stdio{Stdout: w, Stderr: os.Stderr}, syscall.SIGKILL)
	_ = w.Close()
	if err != nil {
		return 0, err
	}
	defer box.Close()
	go sandbox.Forward(box.Listener(0), sandbox.Sockets(sockets))
	text, err := io.ReadAll(r)
	if err != nil {
		return 0, fmt.Errorf("read inside: %w", err)
	}
	return seconds(string(text))
}

// readAll reads every row, looks at none, and prints how long it took.
func readAll(ctx context.Context, login string) error {
	conn, err := pgconn.Connect(ctx, login)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is lost
	began := time.Now()
	r := conn.ExecParams(ctx, "SELECT * FROM orders", nil, nil, nil, nil)
	for r.NextRow() {
	}
	if _, err = r.Close(); err == nil {
		_, err = fmt.Fprint(os.Stdout, time.Since(began).Seconds())
	}
	return err
}

func fill(ctx context.Context, cfg *pgx.ConnConfig, rows int) error {
	cfg = cfg.Copy()
	delete(cfg.RuntimeParams, "default_transaction_read_only")
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is lost
	_, err = conn.Exec(ctx, fmt.Sprintf(`CREATE TABLE orders AS SELECT i::bigint AS id, (1 + i %% 100000)::int AS customer_id, (ARRAY['new','paid','sent','lost'])[1+i%%4] AS status,
		(i %% 1000000 / 100.0)::numeric(12,2) AS amount, timestamptz '2020-01-01' + i * interval '30 s' AS created_at, 'note ' || md5(i::text) AS note
		FROM generate_series(1, %d) i`, rows))
	if err == nil {
		_, err = conn.Exec(ctx, "VACUUM ANALYZE orders")
	}
	if err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	return nil
}
