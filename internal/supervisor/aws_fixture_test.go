package supervisor_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/check"
	"github.com/sparkwright/sparkwright/internal/diagnose"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/placement"
	"github.com/sparkwright/sparkwright/internal/receipt"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
	"github.com/sparkwright/sparkwright/internal/store"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

const auroraARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:spark/postgres/aurora-1f2e3d4c-AbCdEf"

// aws is a service whose executors are in AWS. Nothing of it is reached: what
// counts here is what is asked of them.
type awsBundle struct {
	svc       *supervisor.Service
	generated int
	emr       *remote
	lambda    *remote
}

// remote is an executor that takes down what it is asked for.
type remote struct {
	mu      sync.Mutex
	name    string
	jobs    []sparkwright.Job
	later   int                                           // submits that have to wait
	outcome func(job sparkwright.Job) sparkwright.Outcome // nil = success
}

func (r *remote) Submit(_ context.Context, job sparkwright.Job) (sparkwright.Handle, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.jobs = append(r.jobs, job)
	if len(r.jobs) <= r.later {
		return sparkwright.Handle{}, &sparkwright.LaterError{Why: "waiting: the AWS credentials have expired", After: time.Millisecond}
	}
	raw, _ := json.Marshal(len(r.jobs) - 1)
	return sparkwright.Handle{Version: 1, Executor: r.name, Data: raw}, nil
}

func (r *remote) Poll(_ context.Context, h sparkwright.Handle, _ sparkwright.Sink) (sparkwright.Outcome, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var n int
	_ = json.Unmarshal(h.Data, &n)
	if r.outcome == nil {
		return sparkwright.Outcome{State: sparkwright.AttemptSucceeded, Billed: &sparkwright.Cost{VCPUHours: 0.5}}, nil
	}
	return r.outcome(r.jobs[n]), nil
}

func (r *remote) Wait(context.Context, sparkwright.Handle) {}

func (r *remote) Cancel(context.Context, sparkwright.Handle) error { return nil }

func (r *remote) PollEvery() time.Duration { return time.Millisecond }

// awsDatabases has one saved connection, opens given ones, and knows Glue.
type awsDatabases struct{}

func (awsDatabases) Names(context.Context) ([]string, error) { return []string{"aurora"}, nil }

func (awsDatabases) Open(_ context.Context, name string) (supervisor.Database, error) {
	if name != "aurora" {
		return nil, sparkwright.Errorf(sparkwright.CodeNotFound, "there is no connection %q", name)
	}
	return awsDatabase{conn: sparkwright.Connection{Name: "aurora", Host: "db.example.com", Port: 5432, Database: "shop", Secret: "aws-sm:" + auroraARN}}, nil
}

func (awsDatabases) OpenGiven(_ context.Context, t *sparkwright.GivenTable) (supervisor.Database, error) {
	return awsDatabase{distant: true, conn: sparkwright.Connection{
		Name: t.Connection, Host: "10.0.0.1", Port: 5432, Database: t.Database, Secret: "aws-sm:" + t.SecretARN,
	}}, nil
}

func (awsDatabases) FindTable(_ context.Context, name string) (*sparkwright.Table, error) {
	if name != "glue.lake.clicks" {
		return nil, nil
	}
	return &sparkwright.Table{
		Source: sparkwright.SourceGlue, Connection: "glue", Database: "lake", Schema: "lake", Name: "clicks", Location: "s3://lake/clicks", Format: "parquet",
		Bytes: 1 << 20, Readable: true, Columns: []sparkwright.Column{{Name: "customer", Type: "bigint", BaseType: "int8"}},
	}, nil
}

type awsDatabase struct {
	conn    sparkwright.Connection
	distant bool
}

func (d awsDatabase) Catalog(context.Context) (*sparkwright.Catalog, error) {
	if d.distant {
		return nil, sparkwright.Errorf(sparkwright.CodeUnavailable, "no route")
	}
	return &sparkwright.Catalog{Tables: []sparkwright.Table{{
		Connection: "aurora", Database: "shop", Schema: "public", Name: "orders", Readable: true, Bytes: 4 << 20,
		Columns: []sparkwright.Column{{Name: "id", Type: "bigint", BaseType: "int8"}},
	}}}, nil
}

func (d awsDatabase) JDBCURL(runID string) (string, error) { return postgres.JDBCURL(d.conn, runID) }

func (awsDatabase) Credentials() sparkwright.Credentials { return sparkwright.Credentials{} }

func (awsDatabase) CancelRun(context.Context, string) error {
	return nil
}

func (d awsDatabase) Connection() sparkwright.Connection { return d.conn }

func (d awsDatabase) AWSConnection(runID string) (jobscript.AWSConnection, error) {
	url, err := postgres.JDBCURL(d.conn, runID)
	return jobscript.AWSConnection{URL: url, SecretARN: strings.TrimPrefix(d.conn.Secret, "aws-sm:"), Region: "us-east-1"}, err
}

// agreeable passes every analysis: the check has tests of its own.
type agreeable struct{}

func (agreeable) Policy(context.Context, string, []string) ([]sparkwright.Violation, error) {
	return nil, nil
}

func (agreeable) DryRun(context.Context, string, []sparkwright.EmptyView) ([]sparkwright.ResultColumn, *sparkwright.Fault, error) {
	return nil, nil, nil
}

func (agreeable) Close(context.Context) {}

// Generate counts what would be paid for.
func (b *awsBundle) Generate(_ context.Context, req sparkwright.GenerateRequest) (*sparkwright.GenerateReply, error) {
	b.generated++
	views := make([]string, 0, len(req.Catalog.Tables))
	for i := range req.Catalog.Tables {
		views = append(views, req.Catalog.Tables[i].View)
	}
	return &sparkwright.GenerateReply{Analysis: &sparkwright.Analysis{Code: "result = spark.table(\"" + views[0] + "\")", Views: views}}, nil
}

func newAWS(t *testing.T, change func(*placement.AWS)) *awsBundle {
	t.Helper()
	return newAWSWith(t, change, func(*supervisor.Config) {})
}

func newAWSWith(t *testing.T, change func(*placement.AWS), with func(*supervisor.Config)) *awsBundle {
	t.Helper()
	b := &awsBundle{emr: &remote{name: placement.EMR}, lambda: &remote{name: placement.Lambda}}
	st, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "runs.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	aws := placement.AWS{
		Application: "00standard", PostgresApplication: "00postgres", Bucket: "data", Function: "f", ThresholdMB: 100, Driver: "s3://data/jars/pg.jar",
	}
	if change != nil {
		change(&aws)
	}
	cfg := supervisor.Config{
		Varying: supervisor.Varying{
			Generator: b, GeneratorName: "test", AWS: aws, Limits: supervisor.Limits{QuestionChars: 4000},
			Executors: map[string]sparkwright.Executor{placement.EMR: b.emr, placement.Lambda: b.lambda},
			Rates:     map[string]receipt.Rate{placement.EMR: {VCPUs: 10, GB: 28, PerVCPUHour: 0.05, PerGBHour: 0.005}},
			LoadResult: func(location, runID, attemptID string) (*sparkwright.Manifest, error) {
				return &sparkwright.Manifest{Version: 1, RunID: runID, AttemptID: attemptID, Location: location}, nil
			},
		},
		Store: st, Databases: awsDatabases{},
		CheckClient: func(context.Context, string) (check.Client, error) { return agreeable{}, nil },
		ViewsOf:     func(string, *sparkwright.Catalog) []string { return nil }, NewID: store.NewRunID,
		Explain: diagnose.Explain, Nearest: postgres.Nearest, ResultsDir: t.TempDir(), PreviewRows: 100, Cores: 2, PlaceReason: "local Spark",
		Log: slog.New(slog.DiscardHandler),
	}
	with(&cfg)
	b.svc = supervisor.New(cfg)
	if err = b.svc.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.svc.Close(context.Background()) })
	return b
}

// ask carries a request to its end.
func (b *awsBundle) ask(t *testing.T, req sparkwright.Request) *sparkwright.Run {
	t.Helper()
	run, err := b.svc.Submit(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	for after := int64(0); !run.State.Final(); after++ {
		if err = b.svc.Changed(ctx, run.ID, after); err != nil {
			t.Fatal(err)
		}
		if run, err = b.svc.Run(ctx, run.ID); err != nil {
			t.Fatal(err)
		}
	}
	return run
}
