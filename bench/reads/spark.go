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

// scanAll has every row travel to Spark, which throws it away.
const scanAll = `spark.table(%q).write.format("noop").mode("overwrite").save()
result = spark.sql("SELECT 1 AS done")`

// question is what PostgreSQL can answer alone, too.
type question struct{ name, sql string }

var questions = []question{
	{"groups", "SELECT status, sum(amount) AS s, count(*) AS n FROM orders GROUP BY status"},
	{"filtered first rows", "SELECT id, amount, created_at FROM orders WHERE status = 'paid' ORDER BY amount DESC, id DESC LIMIT 10"},
	{"join of three and groups", "SELECT r.region, sum(o.amount) AS s FROM orders o JOIN customers c ON c.id = o.customer_id JOIN countries r ON r.code = c.country WHERE o.status = 'paid' GROUP BY r.region"},
}

func (q question) analysis() string { return fmt.Sprintf("result = spark.sql(%q)", q.sql) }

// naive reads as generated code does that knows nothing of the tables: one
// connection, no fetch size, nothing pushed but filters.
const naive = `for _t in ("orders", "customers", "countries"):
    spark.read.format("jdbc").options(url=%q, driver="org.postgresql.Driver", user=%q, password=%q, dbtable="public." + _t).load().createOrReplaceTempView(_t)
`

type sparkBed struct {
	e     *connect.Executor
	b     *bed
	dir   string
	n     int
	reads []readplan.Read // planned as for rows that travel
	whole []readplan.Read
}

// way is how a job reaches PostgreSQL.
type way struct {
	url   string
	login sparkwright.Credentials
}

// newSpark is a local Spark with 2 GB.
func newSpark(ctx context.Context, b *bed, dir string) (*sparkBed, error) {
	home := os.Getenv("SPARKWRIGHT_TEST_HOME")
	if home == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("cache: %w", err)
		}
		home = filepath.Join(cache, "sparkwright-test")
	}
	rt, err := localruntime.Install(ctx, localruntime.Options{Home: home, Progress: func(string) {}})
	if err != nil {
		return nil, err
	}
	src, err := postgres.Open(ctx, b.conn, b.cred)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	catalog, err := src.Catalog(ctx, postgres.Filter{})
	if err != nil {
		return nil, err
	}
	readplan.NameViews(catalog)
	s := &sparkBed{e: connect.New(connect.Config{Runtime: rt, Master: "local[2]", DriverMemory: "2g", PoolSize: 2, Unconfined: true}), b: b, dir: dir}
	s.whole = readplan.Plan(catalog, nil, readplan.Options{Cores: 2, Scanned: map[string]bool{}})
	s.reads = readplan.Plan(catalog, []string{"orders"}, readplan.Options{Cores: 2, MaxConnections: 7, Scanned: map[string]bool{"orders": true}, Pages: true})
	return s, nil
}

// sparkArms are the arms of a warm local Spark.
func sparkArms(ctx context.Context, b *bed, session *broker.Session, dir string) ([]*arm, func(), error) {
	s, err := newSpark(ctx, b, dir)
	if err != nil {
		return nil, nil, err
	}
	url, err := postgres.JDBCURL(b.conn, "sparkwright/bench")
	if err != nil {
		return nil, nil, err
	}
	simple := fmt.Sprintf(naive, url, b.cred.User, b.cred.Password)
	scan := fmt.Sprintf(scanAll, "orders")
	direct, brokered := way{url, b.cred}, way{session.JDBCURL(), session.Login()}
	job := func(w way, reads []readplan.Read, analysis string) func(context.Context) error {
		return func(ctx context.Context) error { return s.run(ctx, w, reads, analysis) }
	}
	arms := []*arm{
		{name: "Spark, a job that reads nothing: the constant", run: job(brokered, s.whole, `result = spark.sql("SELECT 1 AS done")`)},
		{name: "Spark, all rows, naive", run: job(direct, nil, simple+scan)},
		{name: "Spark, all rows, planned, direct", run: job(direct, s.reads, scan)},
		{name: "Spark, all rows, planned, direct, binary", run: job(way{url + "&prepareThreshold=-1", b.cred}, s.reads, scan)},
		{name: "Spark, all rows, planned, through the broker, binary", run: job(brokered, s.reads, scan)},
	}
	for _, q := range questions {
		arms = append(arms,
			&arm{name: "Spark, " + q.name + ", naive", run: job(direct, nil, simple+q.analysis())},
			&arm{name: "Spark, " + q.name + ", planned, through the broker", run: job(brokered, s.whole, q.analysis())})
	}
	return arms, func() { s.e.Close(context.WithoutCancel(ctx)) }, nil
}

// run carries out one job to its end.
func (s *sparkBed) run(ctx context.Context, w way, reads []readplan.Read, analysis string) error {
	s.n++
	id := fmt.Sprintf("r_bench%d", s.n)
	location := filepath.Join(s.dir, id)
	spec := jobscript.Spec{RunID: id, AttemptID: id + "-1", Location: location, Analysis: analysis, Reads: reads, PreviewRows: 10}
	secrets := map[string]string{}
	if len(reads) > 0 {
		spec.Connections = []jobscript.Connection{{Name: "bench", URL: w.url}}
		secrets[jobscript.UserEnv(0)], secrets[jobscript.PasswordEnv(0)] = w.login.User, w.login.Password
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
