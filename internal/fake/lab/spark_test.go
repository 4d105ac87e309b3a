package lab_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/diagnose"
	"github.com/sparkwright/sparkwright/internal/fake/awsemu"
	"github.com/sparkwright/sparkwright/internal/fake/lab"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/localruntime"
	"github.com/sparkwright/sparkwright/internal/readplan"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

// The tests of this file run Spark 3.5 one after the other, against one AWS
// that they break and mend.

// The product's own script as a job of the PostgreSQL application: the driver
// by --jars, the login from Secrets Manager by way of the VPC endpoint, the
// result in S3, the logs in CloudWatch.
func TestPostgresJob(t *testing.T) { //nolint:paralleltest // one Spark at a time
	l := sparkLab(t)
	job := postgresJob(t, l, "r-pg", analysis+"\nprint('analysed')")
	out, told := run(t, executor(l), job)
	if out.State != sparkwright.AttemptSucceeded {
		t.Fatalf("%s: %+v\n%s", out.State, out.Fault, told.text.String())
	}
	checkPreview(t, l, job, `[[0,203],[6,203],[13,203]]`)
	if !strings.Contains(told.text.String(), "analysed") {
		t.Errorf("the log lacks what the job printed:\n%s", told.text.String())
	}
	if strings.Contains(told.text.String(), password) {
		t.Error("the log holds the password")
	}
}

// checkPreview loads the result as the product does and compares its rows.
func checkPreview(t *testing.T, l *lab.Lab, job sparkwright.Job, want string) {
	t.Helper()
	m := manifest(t, l, job)
	if !strings.HasPrefix(m.Spark, "3.5.") {
		t.Errorf("it ran on Spark %s", m.Spark)
	}
	got, err := json.Marshal(m.Preview)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

// glueRead is a table of the Glue catalog whose files are in the bucket.
func glueRead(t *testing.T, l *lab.Lab) readplan.Read {
	t.Helper()
	if err := l.World.Put(t.Context(), "lake/products/p.csv", []byte("6,pear\n13,plum\n0,apple\n")); err != nil {
		t.Fatal(err)
	}
	return readplan.Read{
		View: "products", Columns: []readplan.SparkColumn{{Name: "id", Type: "int"}, {Name: "name", Type: "string"}},
		Table: sparkwright.Table{
			Source: sparkwright.SourceGlue, Connection: "glue", Database: "lake", Schema: "lake", Name: "products", View: "products",
			Location: "s3://" + awsemu.Bucket + "/lake/products", Format: "csv",
		},
	}
}

// Glue tables alone go to the standard application, without a driver.
func TestStandardJob(t *testing.T) { //nolint:paralleltest // one Spark at a time
	l := sparkLab(t)
	job := awsJob(t, "r-glue", awsemu.StandardApp, "", jobscript.AWSSpec{
		Analysis: `result = spark.sql("SELECT name FROM products WHERE id > 0 ORDER BY id")`, Reads: []readplan.Read{glueRead(t, l)},
	})
	out, told := run(t, executor(l), job)
	if out.State != sparkwright.AttemptSucceeded {
		t.Fatalf("%s: %+v\n%s", out.State, out.Fault, told.text.String())
	}
	checkPreview(t, l, job, `[["pear"],["plum"]]`)
}

// One question joins PostgreSQL and Glue, and the password changes between
// the job's first look at the secret and its login: the job looks once more.
func TestJoinWithGlueWhilePasswordRotates(t *testing.T) { //nolint:paralleltest // one Spark at a time
	l := sparkLab(t)
	ctx := context.WithoutCancel(t.Context())
	const next = "the new one"
	if err := asOwner(ctx, shared.pg, "ALTER ROLE "+reader+" PASSWORD "+quote(next)); err != nil {
		t.Fatal(err)
	}
	looks := 0
	l.EMR.OnJobCall(func(action string) {
		if action != "secretsmanager:GetSecretValue" {
			return
		}
		if looks++; looks == 1 {
			if err := l.World.Rotate(ctx, reader, next); err != nil {
				t.Error(err)
			}
		}
	})
	defer func() {
		l.EMR.OnJobCall(nil)
		if err := asOwner(ctx, shared.pg, "ALTER ROLE "+reader+" PASSWORD "+quote(password)); err != nil {
			t.Error(err)
		}
		if err := l.World.Rotate(ctx, reader, password); err != nil {
			t.Error(err)
		}
	}()
	base := postgresSpec(l, "r-join")
	base.Reads = append(base.Reads, glueRead(t, l))
	base.Analysis = `result = spark.sql("SELECT name, sum(quantity) AS sold FROM order_details JOIN products ON id = product_id GROUP BY 1 ORDER BY 2 DESC, 1")`
	job := awsJob(t, "r-join", awsemu.PostgresApp, awsemu.DriverURL, base)
	out, told := run(t, executor(l), job)
	if out.State != sparkwright.AttemptSucceeded {
		t.Fatalf("%s: %+v\n%s", out.State, out.Fault, told.text.String())
	}
	checkPreview(t, l, job, `[["apple",203],["pear",203],["plum",203]]`)
	if looks != 2 {
		t.Errorf("the secret was looked at %d times, want 2", looks)
	}
}

// What people meet when something of the set-up is missing, produced for real.
func TestClassicFailures(t *testing.T) { //nolint:paralleltest // one Spark at a time
	l := sparkLab(t)
	for _, test := range []struct {
		broken   string
		evidence []string // in the fault and the log
		because  string   // in the diagnosis
	}{
		{"driver", []string{"ClassNotFoundException: org.postgresql.Driver"}, "driver"},
		{"logs", []string{"Connect to logs.us-east-1.amazonaws.com:443", "connect timed out"}, "CloudWatch Logs"},
		{"secret-policy", []string{"AccessDeniedException", "secretsmanager:GetSecretValue", "no identity-based policy allows"}, "EMRSecretsManagerPolicy"},
		{"secrets-endpoint", []string{"Connect timeout on endpoint URL", "secretsmanager.us-east-1.amazonaws.com"}, "Secrets Manager"},
		{"password", []string{"password authentication failed"}, "password"},
	} {
		t.Run(test.broken, func(t *testing.T) {
			if err := l.Break(t.Context(), test.broken); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := l.World.Mend(context.WithoutCancel(t.Context()), test.broken, l.Driver, password); err != nil {
					t.Error(err)
				}
			}()
			begun := time.Now()
			out, told := run(t, executor(l), postgresJob(t, l, "r-"+test.broken, analysis))
			t.Logf("%s after %s", out.State, time.Since(begun).Round(time.Second))
			if out.State != sparkwright.AttemptFailed || out.Fault == nil {
				t.Fatalf("%s: %+v", out.State, out.Fault)
			}
			text := strings.Join([]string{out.Fault.Class, out.Fault.Message, out.Fault.Because, out.Fault.Log, told.text.String()}, "\n")
			for _, want := range test.evidence {
				if !strings.Contains(text, want) {
					t.Errorf("nothing says %q:\n%s", want, text)
				}
			}
			diagnose.Explain(out.Fault)
			if !strings.Contains(out.Fault.Because+out.Fault.Remedy, test.because) || out.Fault.Kind != sparkwright.FaultInfrastructure {
				t.Errorf("diagnosis: %s, %q, %q, want one with %q", out.Fault.Kind, out.Fault.Because, out.Fault.Remedy, test.because)
			}
		})
	}
}

// A cancel ends the job and everything that it has started.
func TestCancelledJobIsGone(t *testing.T) { //nolint:paralleltest // one Spark at a time
	l := sparkLab(t)
	e := executor(l)
	job := awsJob(t, "r-cancel", awsemu.StandardApp, "", jobscript.AWSSpec{
		Analysis: "print('here we are', flush=True)\nimport time\ntime.sleep(600)\nresult = spark.range(1)",
	})
	h, err := e.Submit(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{}
	for end := time.Now().Add(3 * time.Minute); !strings.Contains(s.text.String(), "here we are"); {
		out, pollErr := e.Poll(t.Context(), h, s)
		if pollErr != nil || out.State.Final() || time.Now().After(end) {
			t.Fatalf("%+v, %v\n%s", out, pollErr, s.text.String())
		}
		e.Wait(t.Context(), h)
	}
	if err = e.Cancel(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	out, err := e.Poll(t.Context(), h, s)
	for end := time.Now().Add(time.Minute); err == nil && !out.State.Final() && time.Now().Before(end); {
		e.Wait(t.Context(), h)
		out, err = e.Poll(t.Context(), h, s)
	}
	if err != nil || out.State != sparkwright.AttemptCancelled {
		t.Fatalf("%+v, %v", out, err)
	}
}

// The script of a run over Glue, on Spark 3.5, in the function.
func TestLambdaRunsTheScript(t *testing.T) { //nolint:paralleltest // one Spark at a time
	testkit.Long(t)
	l := sparkLab(t)
	rt, err := localruntime.InstallEMR(t.Context(), install(t))
	if err != nil {
		t.Fatal(err)
	}
	job := awsJob(t, "r-lambda", "spark", "", jobscript.AWSSpec{
		Analysis: `result = spark.sql("SELECT count(*) AS n FROM products")`, Reads: []readplan.Read{glueRead(t, l)},
	})
	f := startFunction(t, l, rt.SparkHome, 5*time.Minute, append(l.Env(), rt.Env()...))
	status, message, log := f.invoke(t, map[string]any{
		"spark_code": job.Attempt.Script, "s3_output_path": job.Location, "run_id": job.Attempt.RunID, "attempt_id": job.Attempt.ID,
	})
	if status != "success" {
		t.Fatalf("%s, %q\n%s", status, message, log)
	}
	checkPreview(t, l, job, `[[3]]`)
}
