package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/broker"
	"github.com/sparkwright/sparkwright/internal/executor/connect"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/localruntime"
	"github.com/sparkwright/sparkwright/internal/readplan"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
)

// scanAll has every row travel to Spark, which keeps one number of each.
const scanAll = "result = spark.sql('SELECT count(*) AS n, sum(crc32(concat_ws(chr(1), id, customer_id, status, amount, created_at, note))) AS s FROM orders')"

const groups = "result = spark.sql('SELECT status, sum(amount) AS s, count(*) AS n FROM orders GROUP BY status')"

const join = "result = spark.sql(\"SELECT c.country, sum(o.amount) AS s FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.status = 'paid' GROUP BY c.country\")"

// naive reads as generated code does that knows nothing of the tables: one
// connection, no fetch size, nothing pushed but filters.
const naive = `for _t in ("orders", "customers"):
    spark.read.format("jdbc").options(url=%q, driver="org.postgresql.Driver", user=%q, password=%q, dbtable="public." + _t).load().createOrReplaceTempView(_t)
`

type sparkBed struct {
	e       *connect.Executor
	dir     string
	n       int
	session *broker.Session
	reads   []readplan.Read // planned as for rows that travel
	whole   []readplan.Read
}

// sparkArms are the arms of a warm local Spark.
func sparkArms(ctx context.Context, b *bed, session *broker.Session, dir string) ([]*arm, func(), error) {
	home := os.Getenv("SPARKWRIGHT_TEST_HOME")
	if home == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, nil, fmt.Errorf("cache: %w", err)
		}
		home = filepath.Join(cache, "sparkwright-test")
	}
	rt, err := localruntime.Install(ctx, localruntime.Options{Home: home, Progress: func(string) {}})
	if err != nil {
		return nil, nil, err
	}
	src, err := postgres.Open(ctx, b.conn, b.cred)
	if err != nil {
		return nil, nil, err
	}
	defer src.Close()
	catalog, err := src.Catalog(ctx, postgres.Filter{})
	if err != nil {
		return nil, nil, err
	}
	readplan.NameViews(catalog)
	s := &sparkBed{e: connect.New(connect.Config{Runtime: rt, Master: "local[2]", DriverMemory: "2g", PoolSize: 2, Unconfined: true}), dir: dir, session: session}
	s.whole = readplan.Plan(catalog, nil, readplan.Options{Cores: 2, Scanned: map[string]bool{}})
	s.reads = readplan.Plan(catalog, nil, readplan.Options{Cores: 2, MaxConnections: 8, Scanned: map[string]bool{"orders": true}, Pages: true})
	url, err := postgres.JDBCURL(b.conn, "sparkwright/bench")
	if err != nil {
		return nil, nil, err
	}
	simple := fmt.Sprintf(naive, url, b.cred.User, b.cred.Password)
	planned := func(reads []readplan.Read, analysis string) func(context.Context) error {
		return func(ctx context.Context) error { return s.run(ctx, reads, analysis) }
	}
	arms := []*arm{
		{name: "Spark, all rows, naive", run: planned(nil, simple+scanAll)},
		{name: "Spark, all rows, planned, through the broker", run: planned(s.reads, scanAll)},
		{name: "Spark, groups, naive", run: planned(nil, simple+groups)},
		{name: "Spark, groups, planned, through the broker", run: planned(s.whole, groups)},
		{name: "Spark, join and groups, naive", run: planned(nil, simple+join)},
		{name: "Spark, join and groups, planned, through the broker", run: planned(s.whole, join)},
	}
	return arms, func() { s.e.Close(context.WithoutCancel(ctx)) }, nil
}

// run carries out one job to its end.
func (s *sparkBed) run(ctx context.Context, reads []readplan.Read, analysis string) error {
	s.n++
	id := fmt.Sprintf("r_bench%d", s.n)
	location := filepath.Join(s.dir, id)
	spec := jobscript.Spec{RunID: id, AttemptID: id + "-1", Location: location, Analysis: analysis, Reads: reads, PreviewRows: 10}
	secrets := map[string]string{}
	if len(reads) > 0 {
		spec.Connections = []jobscript.Connection{{Name: "bench", URL: s.session.JDBCURL()}}
		secrets[jobscript.UserEnv(0)], secrets[jobscript.PasswordEnv(0)] = s.session.Login().User, s.session.Login().Password
	}
	script, err := jobscript.Render(spec)
	if err != nil {
		return err
	}
	h, err := s.e.Submit(ctx, sparkwright.Job{
		Attempt: sparkwright.Attempt{ID: id + "-1", RunID: id, Script: script}, Location: location, Secrets: secrets,
	})
	if err != nil {
		return err
	}
	for {
		s.e.Wait(ctx, h)
		out, err := s.e.Poll(ctx, h, nothing{})
		if err != nil {
			return err
		}
		if out.State == sparkwright.AttemptSucceeded {
			return nil
		}
		if out.State.Final() {
			return fmt.Errorf("the job %s: %+v", out.State, out.Fault)
		}
	}
}

// nothing is a sink that keeps nothing.
type nothing struct{}

func (nothing) Log(string, string)            {}
func (nothing) Progress(sparkwright.Progress) {}
