package supervisor_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/placement"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

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
