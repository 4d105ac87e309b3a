package doctor_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/awscloud"
	"github.com/sparkwright/sparkwright/internal/doctor"
	"github.com/sparkwright/sparkwright/internal/executor/emrserverless"
	"github.com/sparkwright/sparkwright/internal/fake/awsemu"
	fakeemr "github.com/sparkwright/sparkwright/internal/fake/emrserverless"
	"github.com/sparkwright/sparkwright/internal/localruntime"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

// endpoints lead single services elsewhere, as AWS_ENDPOINT_URL_SERVICE does.
type endpoints map[string]string

// GetServiceBaseEndpoint is what the SDK asks a source of configuration for.
func (e endpoints) GetServiceBaseEndpoint(_ context.Context, sdkID string) (string, bool, error) {
	url, ok := e[sdkID]
	return url, ok, nil
}

// The probe runs as a real Spark job in the emulated EMR Serverless, for a
// connection that is well and one whose secret holds a wrong password.
func TestFromInside(t *testing.T) {
	t.Parallel()
	rt, err := localruntime.InstallEMR(t.Context(), localruntime.Options{Home: testkit.Home(t), MavenURL: testkit.MavenURL(t)})
	if err != nil {
		t.Fatal(err)
	}
	c := newCloudFor(t, "inside", fakeemr.SparkRunner{SparkHome: rt.SparkHome, Env: rt.Env(), Java: rt.JavaOptions()})
	cfg := c.aws
	cfg.ConfigSources = []any{endpoints{"EMR Serverless": c.emr.URL()}}
	executor := emrserverless.New(emrserverless.Config{
		AWS: cfg, Instance: "test", Bucket: awsemu.Bucket, RoleARN: awsemu.RoleARN, ExecutorMemory: "1g", ExecutorCores: 1, TimeoutMinutes: 10, LogGroup: "/aws/emr-serverless", Interval: 200 * time.Millisecond,
	})
	text := `{"username": "` + c.conn.User + `", "password": "not-the-password", "host": "x", "port": 1, "database": "x"}`
	made, err := secretsmanager.NewFromConfig(c.aws).CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("spark/postgres/broken"), SecretString: &text})
	if err != nil {
		t.Fatal(err)
	}
	well := c.config(t).Settings.Connections()[0]
	broken := well
	broken.Name, broken.Secret = "broken", "aws-sm:"+aws.ToString(made.ARN)
	r, err := doctor.Inside{
		Executor: executor, Load: artifact.NewS3(awscloud.NewS3(cfg)).Load, Application: awsemu.PostgresApp, Driver: awsemu.DriverURL,
		Bucket: awsemu.Bucket, Region: awsemu.Region, Connections: []sparkwright.Connection{well, broken}, ID: "r_inside", Tell: func(text string) { t.Log(text) },
	}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]doctor.Level{"broken inside.login": doctor.Fail, "broken inside.rights": doctor.Skipped}
	for _, f := range r.Findings {
		t.Logf("%-8s %-16s %-8s %s %s", f.About, f.ID, f.Level, f.Message, f.Because)
		level := want[f.About+" "+f.ID]
		if level == "" {
			level = doctor.OK
		}
		if f.Level != level {
			t.Errorf("%s of %q is %s", f.ID, f.About, f.Level)
		}
		if f.Level == doctor.Fail && (!strings.Contains(f.Because, "secret holds a wrong or an old password") || len(f.Fixes) == 0) {
			t.Errorf("because %q, fixes %v", f.Because, f.Fixes)
		}
	}
	if len(r.Findings) != 2+2*6 {
		t.Errorf("%d findings", len(r.Findings))
	}
}

func wantFailure(t *testing.T, r *doctor.Report, id string) doctor.Finding {
	t.Helper()
	f := finding(t, r, id)
	if f.Level != doctor.Fail || len(f.Fixes) == 0 {
		t.Errorf("%s is %s: %s, fixes %v", id, f.Level, f.Message, f.Fixes)
	}
	wantNoFailureBut(t, r, id)
	return f
}

// refusing is an executor whose job never comes to its end.
type refusing struct{ sparkwright.Executor }

func (refusing) Submit(context.Context, sparkwright.Job) (sparkwright.Handle, error) {
	return sparkwright.Handle{Version: 1}, nil
}

func (refusing) Poll(_ context.Context, _ sparkwright.Handle, sink sparkwright.Sink) (sparkwright.Outcome, error) {
	sink.Log("stderr", `botocore.exceptions.ConnectTimeoutError: Connect timeout on endpoint URL: "https://secretsmanager.us-east-1.amazonaws.com/"`)
	return sparkwright.Outcome{State: sparkwright.AttemptFailed, Fault: &sparkwright.Fault{Message: "Job failed"}}, nil
}

// A probe that fails as a whole is diagnosed like any job.
func TestProbeThatFails(t *testing.T) {
	t.Parallel()
	r, err := doctor.Inside{Executor: refusing{}, Bucket: "b", Region: "us-east-1", ID: "r_1", Tell: func(string) {}}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if f := wantFailure(t, r, "inside.job"); !strings.Contains(f.Because, "no endpoint for Secrets Manager") {
		t.Errorf("because %q", f.Because)
	}
}
