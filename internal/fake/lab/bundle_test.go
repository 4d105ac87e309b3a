package lab_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/awscloud"
	"github.com/sparkwright/sparkwright/internal/executor/emrserverless"
	"github.com/sparkwright/sparkwright/internal/fake/awsemu"
	emr "github.com/sparkwright/sparkwright/internal/fake/emrserverless"
	"github.com/sparkwright/sparkwright/internal/fake/lab"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/localruntime"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/readplan"
	"github.com/sparkwright/sparkwright/internal/secret"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

func TestMain(m *testing.M) {
	pgembed.KeeperMain()
	if dir := os.Getenv(victimDir); dir != "" {
		if err := victim(dir); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	stopShared()
	os.Exit(code)
}

const reader, password = "order_reader", "pa'ss w\\ord"

// shared is what the tests that run Spark have in common: one AWS and one
// PostgreSQL. Spark runs one job at a time.
var shared struct {
	once sync.Once
	lab  *lab.Lab
	pg   *pgembed.Server
	dir  string
	err  error
}

func stopShared() {
	ctx := context.Background()
	if shared.lab != nil {
		shared.lab.Close(ctx)
	}
	if shared.pg != nil {
		_ = shared.pg.Stop(ctx)
	}
	if shared.dir != "" {
		_ = os.RemoveAll(shared.dir)
	}
}

func install(t *testing.T) localruntime.Options {
	t.Helper()
	return localruntime.Options{Home: testkit.Home(t), MavenURL: testkit.MavenURL(t), Progress: func(s string) { t.Log(s) }}
}

// sparkLab starts the shared AWS with Spark, and PostgreSQL with orders.
func sparkLab(t *testing.T) *lab.Lab {
	t.Helper()
	shared.once.Do(func() {
		shared.dir, shared.err = os.MkdirTemp("", "sparkwright-lab-") //nolint:usetesting // outlives the test
		if shared.err == nil {
			shared.err = startShared(t)
		}
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.lab
}

func startShared(t *testing.T) error {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	opt := install(t)
	var err error
	shared.pg, err = pgembed.Start(ctx, pgembed.Options{
		Dir: filepath.Join(shared.dir, "pg"), CacheDir: filepath.Join(opt.Home, "runtime", "postgres"), RepositoryURL: opt.MavenURL,
	})
	if err != nil {
		return err
	}
	if err = orders(ctx, shared.pg); err != nil {
		return err
	}
	login, err := ownerLogin(ctx, shared.pg)
	if err != nil {
		return err
	}
	shared.lab, err = lab.Start(ctx, lab.Options{
		Owner: &login.Config, Install: opt, Dir: shared.dir, Timing: emr.Timing{Step: 20 * time.Millisecond, Connect: 2 * time.Second},
		Database: awsemu.Database{
			Name: "aurora", Host: "127.0.0.1", Port: shared.pg.Connection().Port, Database: "shop", User: reader, Password: password,
		},
	})
	return err
}

// orders makes the database that the jobs read.
func orders(ctx context.Context, pg *pgembed.Server) error {
	if err := pg.CreateDatabase(ctx, "shop"); err != nil {
		return err
	}
	return asOwner(ctx, pg,
		"CREATE TABLE order_details (product_id int, quantity smallint, unit_price numeric(10,2))",
		"INSERT INTO order_details SELECT g % 20, 1 + g % 7, 2.50 FROM generate_series(1, 1000) g",
		"CREATE ROLE "+reader+" LOGIN PASSWORD "+quote(password), "GRANT SELECT ON order_details TO "+reader)
}

// ownerLogin is the superuser's login to the database of the orders.
func ownerLogin(ctx context.Context, pg *pgembed.Server) (*pgx.ConnConfig, error) {
	conn := pg.Connection()
	cred, err := secret.Resolve(ctx, conn)
	if err != nil {
		return nil, err
	}
	cred.User, conn.Database = conn.User, "shop"
	return postgres.Config(conn, cred)
}

func asOwner(ctx context.Context, pg *pgembed.Server, statements ...string) error {
	cfg, err := ownerLogin(ctx, pg)
	if err != nil {
		return err
	}
	db, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close(ctx) }()
	for _, sql := range statements {
		if _, err := db.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// executor is the product's own executor on the lab.
func executor(l *lab.Lab) *emrserverless.Executor {
	cfg := l.Config()
	cfg.RetryMaxAttempts = 4
	return emrserverless.New(emrserverless.Config{
		AWS: cfg, Instance: "lab", Bucket: awsemu.Bucket, TimeoutMinutes: 10, LogGroup: "/aws/emr-serverless",
		Interval: 50 * time.Millisecond,
	})
}

const analysis = `result = spark.sql("SELECT product_id, sum(quantity) AS sold FROM order_details GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 3")`

// postgresJob is an attempt over order_details on the PostgreSQL application.
func postgresJob(t *testing.T, l *lab.Lab, run, code string) sparkwright.Job {
	t.Helper()
	spec := postgresSpec(l, run)
	spec.Analysis = code
	return awsJob(t, run, awsemu.PostgresApp, awsemu.DriverURL, spec)
}

func postgresSpec(l *lab.Lab, run string) jobscript.AWSSpec {
	table := sparkwright.Table{
		Connection: "aurora", Database: "shop", Schema: "public", Name: "order_details", View: "order_details",
		Columns: []sparkwright.Column{{Name: "product_id", BaseType: "int4"}, {Name: "quantity", BaseType: "int2"}},
	}
	port := shared.pg.Connection().Port
	return jobscript.AWSSpec{
		Connections: []jobscript.AWSConnection{{
			Name: "aurora", URL: fmt.Sprintf("jdbc:postgresql://127.0.0.1:%d/shop?ApplicationName=sparkwright%%2F%s&sslmode=disable", port, run),
			SecretARN: l.World.SecretARN, Region: awsemu.Region,
		}},
		Reads: readplan.Plan(&sparkwright.Catalog{Tables: []sparkwright.Table{table}}, nil, readplan.Options{Cores: 2}),
	}
}

func awsJob(t *testing.T, run, app, driver string, spec jobscript.AWSSpec) sparkwright.Job {
	t.Helper()
	spec.RunID, spec.AttemptID, spec.Driver, spec.PreviewRows = run, run+"-1", driver, 100
	spec.Location = "s3://" + awsemu.Bucket + "/output/" + run + "/1"
	script, err := jobscript.RenderAWS(spec)
	if err != nil {
		t.Fatal(err)
	}
	return sparkwright.Job{
		Access:   access(spec),
		Attempt:  sparkwright.Attempt{ID: spec.AttemptID, RunID: run, Number: 1, Script: script, StartedAt: time.Now().UTC()},
		Location: spec.Location, Placement: sparkwright.Placement{Executor: emrserverless.Name, Application: app, Driver: driver},
	}
}

// access is what the script reads.
func access(spec jobscript.AWSSpec) sparkwright.Access {
	var a sparkwright.Access
	for _, c := range spec.Connections {
		if c.IAM {
			a.Logins = append(a.Logins, sparkwright.RDSLogin{Region: c.Region, User: c.User})
			continue
		}
		a.Secrets = append(a.Secrets, c.SecretARN)
	}
	for i := range spec.Reads {
		t := spec.Reads[i].Table
		if t.Source == sparkwright.SourceGlue {
			a.Glue = append(a.Glue, sparkwright.GlueTable{Database: t.Database, Table: t.Name})
			a.Prefixes = append(a.Prefixes, t.Location)
		}
	}
	return a
}

// sink keeps what a job told.
type sink struct{ text strings.Builder }

func (s *sink) Log(_, text string)            { s.text.WriteString(text) }
func (s *sink) Progress(sparkwright.Progress) {}

// run submits a job and polls it to its end.
func run(t *testing.T, e *emrserverless.Executor, job sparkwright.Job) (sparkwright.Outcome, *sink) {
	t.Helper()
	return runAnd(t, e, job, "", nil)
}

// runAnd does something once, when the job has told a certain text.
func runAnd(t *testing.T, e *emrserverless.Executor, job sparkwright.Job, text string, do func()) (sparkwright.Outcome, *sink) {
	t.Helper()
	h, err := e.Submit(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{}
	for end := time.Now().Add(8 * time.Minute); time.Now().Before(end); {
		out, err := e.Poll(t.Context(), h, s)
		if err != nil {
			t.Fatal(err)
		}
		if do != nil && strings.Contains(s.text.String(), text) {
			do()
			do = nil
		}
		if out.State.Final() {
			return out, s
		}
		e.Wait(t.Context(), h)
	}
	t.Fatal("the job has no end")
	return sparkwright.Outcome{}, nil
}

// manifest loads the result of a job as the product does.
func manifest(t *testing.T, l *lab.Lab, job sparkwright.Job) *sparkwright.Manifest {
	t.Helper()
	m, err := artifact.NewS3(awscloud.NewS3(l.AWS.Config())).Load(t.Context(), job.Location, job.Attempt.RunID, job.Attempt.ID)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
