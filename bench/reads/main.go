// Command reads measures how rows get from PostgreSQL to Spark: the broker
// against a direct connection, and the planned reads against what naive code
// does and against COPY. Every round measures each arm once, in turn; medians
// are printed. It makes its own PostgreSQL and table in a temporary directory.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/broker"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
)

func main() {
	pgembed.KeeperMain()
	rows := flag.Int("rows", 5_000_000, "rows of the table")
	rounds := flag.Int("rounds", 5, "measurements of each arm")
	spark := flag.Bool("spark", true, "measure Spark too")
	flag.Parse()
	if err := measure(context.Background(), *rows, *rounds, *spark); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// arm is one way to do the same work.
type arm struct {
	name  string
	run   func(ctx context.Context) error
	times []float64
}

// bed is what the arms work on.
type bed struct {
	conn  sparkwright.Connection
	cred  sparkwright.Credentials
	login *pgx.ConnConfig
}

func measure(ctx context.Context, rows, rounds int, spark bool) error {
	dir, err := os.MkdirTemp("", "sparkwright-bench-")
	if err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	b, stop, err := start(ctx, dir, rows)
	if err != nil {
		return err
	}
	defer stop()
	ways := broker.New(slog.New(slog.DiscardHandler))
	defer ways.Close(ctx)
	session, err := ways.Begin(ctx, "r_bench", "bench", &b.login.Config, broker.Limits{})
	if err != nil {
		return fmt.Errorf("open the broker: %w", err)
	}
	host, port := session.Address()
	dummy, err := pgx.ParseConfig(fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=%s sslmode=disable", host, port, session.Login().User, session.Login().Password, b.conn.Database))
	if err != nil {
		return fmt.Errorf("dummy login: %w", err)
	}
	arms := []*arm{
		{name: "COPY binary, thrown away", run: func(ctx context.Context) error { return copyOut(ctx, b.login) }},
		{name: "rows as text, direct", run: func(ctx context.Context) error { return stream(ctx, b.login) }},
		{name: "rows as text, through the broker", run: func(ctx context.Context) error { return stream(ctx, dummy) }},
	}
	if spark {
		more, end, err := sparkArms(ctx, b, session, dir)
		if err != nil {
			return err
		}
		defer end()
		arms = append(arms, more...)
	}
	for round := range rounds + 1 { // the first warms up
		for _, a := range arms {
			began := time.Now()
			if err := a.run(ctx); err != nil {
				return fmt.Errorf("%s: %w", a.name, err)
			}
			if round > 0 {
				a.times = append(a.times, time.Since(began).Seconds())
			}
		}
	}
	return report(os.Stdout, rows, rounds, arms)
}

func report(w io.Writer, rows, rounds int, arms []*arm) error {
	if _, err := fmt.Fprintf(w, "%d rows, medians of %d\n", rows, rounds); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	for _, a := range arms {
		slices.Sort(a.times)
		_, _ = fmt.Fprintf(w, "%-44s %7.2f s  (%.2f to %.2f)\n", a.name, a.times[len(a.times)/2], a.times[0], a.times[len(a.times)-1])
	}
	return nil
}

func start(ctx context.Context, dir string, rows int) (*bed, func(), error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, nil, fmt.Errorf("cache: %w", err)
	}
	srv, err := pgembed.Start(ctx, pgembed.Options{
		Dir: filepath.Join(dir, "pg"), CacheDir: filepath.Join(cache, "sparkwright-test", "postgresql"),
		Settings: map[string]string{"fsync": "off", "shared_buffers": "512MB", "max_wal_size": "4GB"},
	})
	if err != nil {
		return nil, nil, err
	}
	stop := func() { _ = srv.Stop(context.WithoutCancel(ctx)) }
	b := &bed{conn: srv.Connection()}
	password, err := os.ReadFile(strings.TrimPrefix(b.conn.Secret, "file:"))
	if err != nil {
		stop()
		return nil, nil, fmt.Errorf("password: %w", err)
	}
	b.conn.Name = "bench"
	b.cred = sparkwright.Credentials{User: b.conn.User, Password: strings.TrimSpace(string(password))}
	if b.login, err = postgres.Config(b.conn, b.cred); err == nil {
		err = fill(ctx, b.login, rows)
	}
	if err != nil {
		stop()
		return nil, nil, err
	}
	return b, stop, nil
}

func fill(ctx context.Context, cfg *pgx.ConnConfig, rows int) error {
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is lost
	_, err = conn.Exec(ctx, fmt.Sprintf(`CREATE TABLE customers AS SELECT i AS id, 'name ' || i AS name, (ARRAY['DE','FR','US','IT'])[1+i%%4] AS country FROM generate_series(1, 100000) i;
		CREATE TABLE orders AS SELECT i::bigint AS id, (1 + (i::bigint * 7919) %% 100000)::int AS customer_id, (ARRAY['new','paid','sent','lost'])[1+i%%4] AS status,
			(i %% 1000000 / 100.0)::numeric(12,2) AS amount, timestamptz '2020-01-01' + i * interval '30 s' AS created_at, 'note ' || md5(i::text) AS note
			FROM generate_series(1, %d) i;
		ALTER TABLE orders ADD PRIMARY KEY (id); ALTER TABLE customers ADD PRIMARY KEY (id)`, rows))
	if err == nil {
		_, err = conn.Exec(ctx, "VACUUM ANALYZE")
	}
	if err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	return nil
}

func copyOut(ctx context.Context, cfg *pgx.ConnConfig) error {
	conn, err := pgconn.ConnectConfig(ctx, &cfg.Config)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is lost
	_, err = conn.CopyTo(ctx, io.Discard, "COPY orders TO STDOUT (FORMAT binary)")
	return err
}

// stream reads every row and looks at none.
func stream(ctx context.Context, cfg *pgx.ConnConfig) error {
	conn, err := pgconn.ConnectConfig(ctx, &cfg.Config)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is lost
	r := conn.ExecParams(ctx, "SELECT * FROM orders", nil, nil, nil, nil)
	for r.NextRow() {
	}
	_, err = r.Close()
	return err
}
