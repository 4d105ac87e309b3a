package lab_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright/internal/fake/awsemu"
	emr "github.com/sparkwright/sparkwright/internal/fake/emrserverless"
	"github.com/sparkwright/sparkwright/internal/fake/lab"
)

// plainLab is an AWS whose jobs leave a result without Spark.
func plainLab(t *testing.T, runner emr.Runner) *lab.Lab {
	t.Helper()
	l, err := lab.Start(t.Context(), lab.Options{
		Install: install(t), Dir: t.TempDir(), Runner: runner, Timing: emr.Timing{Step: 20 * time.Millisecond, Connect: time.Second},
		Database: awsemu.Database{Name: "aurora", Host: "127.0.0.1", Port: 5432, Database: "shop", User: reader, Password: password},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(context.WithoutCancel(t.Context())) })
	return l
}

// cli runs the real AWS command line against the lab.
func cli(t *testing.T, l *lab.Lab, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), l.AWS.CLI(), args...)
	cmd.Env = append(os.Environ(), l.Env()...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// The verification commands of the PostgreSQL documents, word for word.
func TestVerificationCommands(t *testing.T) {
	t.Parallel()
	l := plainLab(t, emr.ResultRunner{})
	fragment := l.World.Settings()
	text, err := json.Marshal(map[string]any{"app": fragment["spark"], "driver": fragment["postgres"]})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"emr_postgres_application_id":"00g0oddl52n83r09"`, `"jdbc_driver_path":"s3://spark-data-123456789012-us-east-1/jars/postgresql-42.7.8.jar"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the settings lack %s: %s", want, text)
		}
	}
	var endpoints []struct{ Service, State string }
	decode(t, cli(t, l, "ec2", "describe-vpc-endpoints", "--filters", "Name=vpc-id,Values="+l.World.VPC,
		"--query", "VpcEndpoints[*].{Service:ServiceName,State:State}"), &endpoints)
	states := map[string]string{}
	for _, e := range endpoints {
		states[e.Service] = e.State
	}
	for _, service := range []string{"logs", "secretsmanager"} {
		if got := states["com.amazonaws.us-east-1."+service]; got != "available" {
			t.Errorf("the endpoint of %s is %q", service, got)
		}
	}
	var role struct {
		PolicyName     string
		PolicyDocument struct {
			Statement []struct {
				Action, Resource []string
				Effect           string
			}
		}
	}
	decode(t, cli(t, l, "iam", "get-role-policy", "--role-name", "EMRServerlessExecutionRole", "--policy-name", "EMRSecretsManagerPolicy"), &role)
	if st := role.PolicyDocument.Statement; len(st) != 1 ||
		!cmp.Equal(st[0].Action, []string{"secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"}) ||
		!cmp.Equal(st[0].Resource, []string{"arn:aws:secretsmanager:us-east-1:123456789012:secret:spark/postgres/*"}) {
		t.Errorf("policy: %+v", role)
	}
	if out := cli(t, l, "s3", "ls", "s3://spark-data-123456789012-us-east-1/jars/postgresql-42.7.8.jar"); !strings.Contains(out, "postgresql-42.7.8.jar") {
		t.Errorf("s3 ls: %s", out)
	}
	var app struct {
		Name, State string
		VPC         struct {
			Subnets []string `json:"subnetIds"`
			Groups  []string `json:"securityGroupIds"`
		}
	}
	decode(t, cli(t, l, "emr-serverless", "get-application", "--application-id", awsemu.PostgresApp,
		"--query", "application.{Name:name,State:state,VPC:networkConfiguration}"), &app)
	if app.Name != "spark-postgres-interpreter-app" || app.State != "CREATED" || len(app.VPC.Subnets) != 3 || len(app.VPC.Groups) != 1 {
		t.Errorf("application: %+v", app)
	}
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
}
