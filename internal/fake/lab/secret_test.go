package lab_test

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/fake/awsemu"
	emr "github.com/sparkwright/sparkwright/internal/fake/emrserverless"
	"github.com/sparkwright/sparkwright/internal/jobscript"
)

// thief is a job that does nothing but ask for the secret, with the keys and
// endpoints of the job, through the real boto3.
type thief struct {
	python, arn string
	said        chan string
}

const ask = `
import boto3, sys
try:
    boto3.client("secretsmanager").get_secret_value(SecretId=sys.argv[1])
    print("it was read")
except Exception as e:
    print(e)
`

// Run implements emr.Runner.
func (j *thief) Run(ctx context.Context, t emr.Task) emr.Exit {
	cmd := exec.CommandContext(ctx, j.python, "-c", ask, j.arn)
	cmd.Env = t.Env
	out, err := cmd.CombinedOutput()
	if err != nil {
		out = append(out, err.Error()...)
	}
	j.said <- string(out)
	return emr.Exit{}
}

// A job of the standard application may not read the secret, though its role
// may: the policy of the job names what it reads. One of the PostgreSQL
// application reads its own secret, and no other.
func TestStandardJobsReadNoSecret(t *testing.T) {
	t.Parallel()
	j := &thief{said: make(chan string, 1)}
	l := plainLab(t, j)
	j.python, j.arn = l.AWS.Python(), l.World.SecretARN
	for _, tt := range []struct {
		name, app, driver string
		secrets           []string
		want              string
	}{
		{"standard", awsemu.StandardApp, "", nil, "no session policy allows the secretsmanager:GetSecretValue action"},
		{"postgres", awsemu.PostgresApp, awsemu.DriverURL, []string{l.World.SecretARN}, "it was read"},
		{
			"another's", awsemu.PostgresApp, awsemu.DriverURL,
			[]string{strings.Replace(l.World.SecretARN, "aurora", "other", 1)},
			"no session policy allows the secretsmanager:GetSecretValue action",
		},
	} {
		job := awsJob(t, "r-secret-"+tt.name[:5], tt.app, tt.driver, jobscript.AWSSpec{Analysis: "result = spark.range(1)"})
		job.Access = sparkwright.Access{Secrets: tt.secrets}
		run(t, executor(l), job)
		if said := <-j.said; !strings.Contains(said, tt.want) {
			t.Errorf("%s: %s, want %q", tt.name, said, tt.want)
		}
	}
}
