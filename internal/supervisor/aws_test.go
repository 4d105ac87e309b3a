package supervisor_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
func (awsDatabase) Credentials() sparkwright.Credentials   { return sparkwright.Credentials{} }
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

func TestPostgresInAWS(t *testing.T) {
	t.Parallel()
	b := newAWS(t, nil)
	run := b.ask(t, sparkwright.Request{Question: "how many?", Tables: []string{"aurora.public.orders", "glue.lake.clicks"}, Session: "s1"})
	if run.State != sparkwright.RunSucceeded || len(b.emr.jobs) != 1 {
		t.Fatalf("%s, fault %+v, %d jobs", run.State, run.Fault, len(b.emr.jobs))
	}
	job := b.emr.jobs[0]
	if job.Location != "s3://data/output/s1/"+run.ID+"/1" || run.Result.Location != job.Location {
		t.Errorf("location %s", job.Location)
	}
	if p := job.Placement; p.Application != "00postgres" || p.Driver != "s3://data/jars/pg.jar" || p.Bytes != 5<<20 {
		t.Errorf("placement %+v", p)
	}
	want := sparkwright.Access{
		Secrets: []string{auroraARN}, Glue: []sparkwright.GlueTable{{Database: "lake", Table: "clicks"}}, Prefixes: []string{"s3://lake/clicks"},
	}
	if diff := cmp.Diff(want, job.Access); diff != "" {
		t.Error(diff)
	}
	for _, text := range []string{"jdbc:postgresql://db.example.com:5432/shop", `get_secret_value(SecretId="` + auroraARN + `")`, "spark.table(\"`lake`.`clicks`\")", `"none\":\"Sparkwright holds no snapshot for jobs elsewhere; and the job cannot hold one by itself: pg8000 is not there`} {
		if !strings.Contains(job.Attempt.Script, text) {
			t.Errorf("the script lacks %s", text)
		}
	}
	if r := run.Receipt; r == nil || len(r.Tables) != 2 || r.Expected.VCPUHours <= 0 || r.Expected.USD <= 0 || r.Actual.VCPUHours != 0.5 || r.Actual.USD != 0.025 || r.Actual.Seconds <= 0 {
		t.Errorf("receipt %+v", r)
	}
	if len(job.Secrets) != 0 {
		t.Error("logins travel beside a job in AWS")
	}
}

// Which state a job in AWS reads: the one that this process holds, taken over
// by a session of the job's where it is given the modules for that; and when
// there is neither, why. What this process holds it lets go of once, after the
// attempt, though each look at the job is a job of the queue.
func TestSnapshotOfAJobInAWS(t *testing.T) {
	t.Parallel()
	const url = "s3://data/scripts/0f.zip"
	id := sparkwright.Snapshot{Connection: "aurora", ID: "00000003-0000001B-1", LSN: "0/19", Time: time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)}
	none := sparkwright.Snapshot{Connection: "aurora", Time: id.Time, None: "the server is a standby and cannot export a snapshot"}
	given := func(context.Context) (string, error) { return url, nil }
	refused := func(context.Context) (string, error) { return "", errors.New("no package index") }
	for name, tt := range map[string]struct {
		held    sparkwright.Snapshot
		modules func(context.Context) (string, error)
		url     string
		script  []string
	}{
		"both":           {id, given, url, []string{`_one_state("aurora"`, `\"id\":\"00000003-0000001B-1\",\"lsn\":\"0/19\"`}},
		"the job's":      {none, given, url, []string{`_one_state("aurora"`, `\"none\":\"the server is a standby`}},
		"Sparkwright's":  {id, refused, "", []string{`"sessionInitStatement": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '00000003-0000001B-1'"`}},
		"not one at all": {none, refused, "", []string{"SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "a standby and cannot export a snapshot; and the job cannot hold one by itself: no package index"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &reading{begun: map[string]int{}, ended: map[string]int{}, snapshots: []sparkwright.Snapshot{tt.held}}
			b := newAWSWith(t, nil, func(c *supervisor.Config) { c.Reader, c.Modules = r, tt.modules })
			looks := 0
			b.emr.outcome = func(job sparkwright.Job) sparkwright.Outcome {
				r.mu.Lock()
				defer r.mu.Unlock()
				if tt.held.ID != "" && r.ended[job.Attempt.ID] > 0 {
					t.Error("the snapshot was let go of while the job runs")
				}
				if looks++; looks < 4 {
					return sparkwright.Outcome{State: sparkwright.AttemptRunning}
				}
				return sparkwright.Outcome{State: sparkwright.AttemptSucceeded}
			}
			run := b.ask(t, sparkwright.Request{Question: "how many?", Tables: []string{"aurora.public.orders"}})
			if run.State != sparkwright.RunSucceeded || len(b.emr.jobs) != 1 {
				t.Fatalf("%s, fault %+v, %d jobs", run.State, run.Fault, len(b.emr.jobs))
			}
			job := b.emr.jobs[0]
			if job.Modules != tt.url {
				t.Errorf("modules %q", job.Modules)
			}
			for _, text := range tt.script {
				if !strings.Contains(job.Attempt.Script, text) {
					t.Errorf("the script lacks %s", text)
				}
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.begun[job.Attempt.ID] != 1 || r.ended[job.Attempt.ID] != 1 {
				t.Errorf("begun %v, ended %v", r.begun, r.ended)
			}
		})
	}
}

// Modules that are not there at once are not waited for in silence.
func TestModulesThatTakeTime(t *testing.T) {
	t.Parallel()
	var b *awsBundle
	b = newAWSWith(t, nil, func(c *supervisor.Config) {
		c.Modules = func(ctx context.Context) (string, error) {
			eventually(t, "the run says what it waits for", func() bool {
				page, err := b.svc.List(ctx, sparkwright.RunFilter{})
				if err != nil || len(page.Runs) != 1 {
					return false
				}
				events, err := b.svc.Events(ctx, page.Runs[0].ID, 0, 100)
				return err == nil && slices.ContainsFunc(events, func(e sparkwright.Event) bool { return strings.Contains(e.Text, "pg8000") })
			})
			return "s3://data/scripts/0f.zip", nil
		}
	})
	run := b.ask(t, sparkwright.Request{Question: "how many?", Tables: []string{"aurora.public.orders"}})
	if run.State != sparkwright.RunSucceeded || len(b.emr.jobs) != 1 || b.emr.jobs[0].Modules == "" {
		t.Errorf("%s, fault %+v, %+v", run.State, run.Fault, b.emr.jobs)
	}
}

// A table that only the request knows, in a database that only the job reaches.
func TestGivenTable(t *testing.T) {
	t.Parallel()
	b := newAWS(t, nil)
	given := sparkwright.GivenTable{
		Connection: "aurora", JDBCURL: "jdbc:postgresql://10.0.0.1:5432/postgres", SecretARN: auroraARN, Database: "postgres", Schema: "public",
		Table: "order_details", Columns: []sparkwright.Column{{Name: "quantity", Type: "smallint"}, {Name: "note", Type: "character varying"}},
	}
	run := b.ask(t, sparkwright.Request{Question: "how many?", Given: []sparkwright.GivenTable{given}, OutputPath: "s3://mine/out/"})
	if run.State != sparkwright.RunSucceeded || len(b.emr.jobs) != 1 {
		t.Fatalf("%s, fault %+v, %d jobs", run.State, run.Fault, len(b.emr.jobs))
	}
	if loc := b.emr.jobs[0].Location; loc != "s3://mine/out/"+run.ID+"/1" {
		t.Errorf("location %s", loc)
	}
	if run.Views[0].Table != "aurora.public.order_details" {
		t.Errorf("views %+v", run.Views)
	}
	given.Columns = nil
	if run = b.ask(t, sparkwright.Request{Question: "how many?", Given: []sparkwright.GivenTable{given}}); run.State != sparkwright.RunFailed {
		t.Errorf("without columns: %s", run.State)
	}
}

// A setting that is missing is told before a model is paid.
func TestMissingSettingIsToldFirst(t *testing.T) {
	t.Parallel()
	b := newAWS(t, func(a *placement.AWS) { a.Driver = "" })
	run := b.ask(t, sparkwright.Request{Question: "how many?", Tables: []string{"aurora.public.orders"}})
	if run.State != sparkwright.RunFailed || run.Fault == nil || !strings.Contains(run.Fault.Message, "postgres.jdbc_driver_path") {
		t.Errorf("%s, %+v", run.State, run.Fault)
	}
	if b.generated != 0 {
		t.Errorf("the generator was asked %d times", b.generated)
	}
}

// A conversation goes on only with runs of the same user.
func TestFollowUpOfAnotherUser(t *testing.T) {
	t.Parallel()
	b := newAWS(t, nil)
	first := b.ask(t, sparkwright.Request{Question: "how many?", Tables: []string{"glue.lake.clicks"}, User: "ada"})
	own := b.ask(t, sparkwright.Request{Question: "and in May?", Tables: []string{"glue.lake.clicks"}, User: "ada", Parent: first.ID})
	if own.State != sparkwright.RunSucceeded {
		t.Fatalf("the user's own: %s, fault %+v", own.State, own.Fault)
	}
	asked := b.generated
	other := b.ask(t, sparkwright.Request{Question: "and in May?", Tables: []string{"glue.lake.clicks"}, User: "eve", Parent: first.ID})
	if other.State != sparkwright.RunFailed || b.generated != asked {
		t.Errorf("another user's: %s, the generator was asked %d times", other.State, b.generated-asked)
	}
}

// What passes by itself is waited for, and the same attempt is submitted again.
func TestSubmitWaits(t *testing.T) {
	t.Parallel()
	b := newAWS(t, nil)
	b.emr.later = 2
	run := b.ask(t, sparkwright.Request{Question: "how many?", Tables: []string{"aurora.public.orders"}})
	if run.State != sparkwright.RunSucceeded || len(run.Attempts) != 1 || len(b.emr.jobs) != 3 {
		t.Fatalf("%s, %d attempts, %d submits, fault %+v", run.State, len(run.Attempts), len(b.emr.jobs), run.Fault)
	}
	if b.emr.jobs[0].Again || !b.emr.jobs[2].Again || b.emr.jobs[0].Attempt.Script != b.emr.jobs[2].Attempt.Script {
		t.Error("the second submit is not the first one again")
	}
	events, err := b.svc.Events(t.Context(), run.ID, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	said := 0
	for i := range events {
		if strings.Contains(events[i].Text, "credentials have expired") {
			said++
		}
	}
	if said != 1 {
		t.Errorf("the waiting is told %d times", said)
	}
}

func TestLambdaMovesToEMROnce(t *testing.T) {
	t.Parallel()
	b := newAWS(t, nil)
	fail := func(sparkwright.Job) sparkwright.Outcome {
		return sparkwright.Outcome{State: sparkwright.AttemptFailed, Fault: &sparkwright.Fault{
			Kind: sparkwright.FaultInfrastructure, Class: "LAMBDA_RESOURCES", Message: "the run needs more than Lambda has", Because: "signal: killed",
		}}
	}
	b.lambda.outcome = fail
	run := b.ask(t, sparkwright.Request{Question: "how many?", Tables: []string{"glue.lake.clicks"}})
	if run.State != sparkwright.RunSucceeded || len(b.lambda.jobs) != 1 || len(b.emr.jobs) != 1 {
		t.Fatalf("%s, %d on Lambda, %d on EMR, fault %+v", run.State, len(b.lambda.jobs), len(b.emr.jobs), run.Fault)
	}
	if p := run.Placement; p.Executor != placement.EMR || p.Application != "00standard" || !strings.Contains(p.Reason, "moved from Lambda") || !strings.Contains(p.Reason, "signal: killed") {
		t.Errorf("placement %+v", p)
	}
	// The same fault of EMR Serverless moves nothing.
	b.emr.outcome = fail
	if run = b.ask(t, sparkwright.Request{Question: "how many?", Tables: []string{"glue.lake.clicks"}}); run.State != sparkwright.RunFailed || len(run.Attempts) != 2 {
		t.Errorf("%s, %d attempts", run.State, len(run.Attempts))
	}
}

// A job that is followed by one who did not begin it has a snapshot that nobody
// holds here: its answer is not checked, and says why.
func TestAnswerOfAJobThatIsFollowedLater(t *testing.T) {
	t.Parallel()
	none := sparkwright.Snapshot{Connection: "aurora", None: "the server is a standby and cannot export a snapshot"}
	r := &reading{begun: map[string]int{}, ended: map[string]int{}, snapshots: []sparkwright.Snapshot{none}}
	b := newAWSWith(t, nil, func(c *supervisor.Config) { c.Reader, c.Timing.Slice = r, time.Millisecond })
	looks := 0
	b.emr.outcome = func(sparkwright.Job) sparkwright.Outcome {
		r.mu.Lock()
		defer r.mu.Unlock()
		if looks++; looks < 4 {
			return sparkwright.Outcome{State: sparkwright.AttemptRunning}
		}
		return sparkwright.Outcome{State: sparkwright.AttemptSucceeded}
	}
	run := b.ask(t, sparkwright.Request{Question: "how many?", Tables: []string{"aurora.public.orders"}})
	if run.State != sparkwright.RunSucceeded {
		t.Fatalf("%s, fault %+v", run.State, run.Fault)
	}
	if c := run.Crosscheck; c == nil || c.State != sparkwright.CrosscheckNotChecked || !strings.Contains(c.Why, "holds no snapshot of this job") {
		t.Errorf("cross-check %+v", c)
	}
}
