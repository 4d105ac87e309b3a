// Command reads measures how rows get from PostgreSQL to Spark: the broker
// against a direct connection, and the planned reads against what naive code
// does, against COPY and against PostgreSQL's own answer. Every round measures
// each arm once, in turn; medians are printed. With -memory it measures the
// memory of Spark's driver instead, while it reads the table once and ten times
// over. It makes its own PostgreSQL and tables in a temporary directory.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
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
	memory := flag.Bool("memory", false, "measure the memory of Spark's driver instead")
	flag.Parse()
	// When it is ended early, the rounds that are done are reported.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	work := func(ctx context.Context) error { return measure(ctx, *rows, *rounds, *spark) }
	if *memory {
		work = func(ctx context.Context) error { return measureMemory(ctx, os.Stdout, *rows) }
	}
	err := work(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// arm is one way to do the same work.
type arm struct {
	name  string
	run   func(ctx context.Context) error
	times []float64
	spent []spent
}

// bed is what the arms work on.
type bed struct {
	conn  sparkwright.Connection
	cred  sparkwright.Credentials
	login *pgx.ConnConfig
}

// onBed has something done on a PostgreSQL with so many rows, and a session of
// the broker there.
func onBed(ctx context.Context, rows int, do func(dir string, b *bed, session *broker.Session) error) error {
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
	return do(dir, b, session)
}

func measure(ctx context.Context, rows, rounds int, spark bool) error {
	return onBed(ctx, rows, func(dir string, b *bed, session *broker.Session) error {
		return measureArms(ctx, rows, rounds, spark, dir, b, session)
	})
}

func measureArms(ctx context.Context, rows, rounds int, spark bool, dir string, b *bed, session *broker.Session) error {
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
	for _, q := range questions {
		arms = append(arms, &arm{name: q.name + ", PostgreSQL alone", run: func(ctx context.Context) error { return answer(ctx, b.login, q.sql) }})
	}
	if spark {
		more, end, err := sparkArms(ctx, b, session, dir)
		if err != nil {
			return err
		}
		defer end()
		arms = append(arms, more...)
	}
	done := 0
	for round := range rounds + 1 { // the first warms up
		times, used := make([]float64, len(arms)), make([]spent, len(arms))
		for i, a := range arms {
			began, before := time.Now(), spentNow()
			err := a.run(ctx)
			if ctx.Err() != nil {
				return report(os.Stdout, rows, done, arms)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", a.name, err)
			}
			times[i], used[i] = time.Since(began).Seconds(), spentNow().since(before)
		}
		for i, a := range arms {
			if round > 0 {
				a.times, a.spent = append(a.times, times[i]), append(a.spent, used[i])
			}
		}
		done = round
	}
	return report(os.Stdout, rows, done, arms)
}

func report(w io.Writer, rows, rounds int, arms []*arm) error {
	if _, err := fmt.Fprintf(w, "%d rows, medians of %d\n", rows, rounds); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	for _, a := range arms {
		if len(a.times) == 0 {
			return errors.New("no round was ended")
		}
		of := slices.Clone(a.times)
		slices.Sort(of)
		middle := of[len(of)/2]
		_, _ = fmt.Fprintf(w, "%-62s %7.2f s  (%.2f to %.2f)  processor: %s\n", a.name, middle, of[0], of[len(of)-1], a.spent[slices.Index(a.times, middle)])
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
		CREATE TABLE countries AS SELECT * FROM (VALUES ('DE', 'EMEA'), ('FR', 'EMEA'), ('US', 'AMER'), ('IT', 'EMEA')) AS v (code, region);
		CREATE TABLE orders AS SELECT i::bigint AS id, (1 + (i::bigint * 7919) %% 100000)::int AS customer_id, (ARRAY['new','paid','sent','lost'])[1+i%%4] AS status,
			(i %% 1000000 / 100.0)::numeric(12,2) AS amount, timestamptz '2020-01-01' + i * interval '30 s' AS created_at, 'note ' || md5(i::text) AS note
			FROM generate_series(1, %d) i;
		ALTER TABLE orders ADD PRIMARY KEY (id); ALTER TABLE customers ADD PRIMARY KEY (id);
		CREATE VIEW orders_often AS SELECT o.* FROM orders o, generate_series(1, 10)`, rows))
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

// answer has PostgreSQL answer by itself.
func answer(ctx context.Context, cfg *pgx.ConnConfig, sql string) error {
	conn, err := pgconn.ConnectConfig(ctx, &cfg.Config)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is lost
	_, err = conn.ExecParams(ctx, sql, nil, nil, nil, nil).Close()
	return err
}
