package lab_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/diagnose"
	"github.com/sparkwright/sparkwright/internal/fake/awsemu"
	"github.com/sparkwright/sparkwright/internal/fake/lab"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

// byIAM is a job over order_details that logs in to RDS as user.
func byIAM(t *testing.T, l *lab.Lab, run, user string) sparkwright.Job {
	t.Helper()
	spec := postgresSpec(l, run)
	c := &spec.Connections[0]
	c.IAM, c.SecretARN, c.User, c.Host, c.Port = true, "", user, l.RDS.Host(), l.RDS.Port()
	c.URL = fmt.Sprintf("jdbc:postgresql://%s:%d/shop?ApplicationName=sparkwright%%2F%s&sslmode=require", c.Host, c.Port, run)
	spec.Analysis = analysis
	return awsJob(t, run, awsemu.PostgresApp, awsemu.DriverURL, spec)
}

// A job makes its token itself, by boto3 with its own keys, and Spark logs in
// with it; what RDS refuses is named by the diagnosis. No password and no
// secret is anywhere.
func TestJobLogsInByIAM(t *testing.T) { //nolint:paralleltest // one Spark at a time
	testkit.Long(t)
	l := sparkLab(t)
	ctx := context.WithoutCancel(t.Context())
	if err := asOwner(ctx, shared.pg, "CREATE ROLE reporter LOGIN IN ROLE rds_iam", "CREATE ROLE bystander LOGIN", "GRANT SELECT ON order_details TO reporter, bystander"); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, user string
		ahead      time.Duration // of RDS's clock
		broken     string
		class      string // of the diagnosis; "" = the job succeeds
		refused    string // why RDS refused the token; "" = it was asked for none, or took it
	}{
		{name: "good", user: "reporter"},
		{name: "expired", user: "reporter", ahead: 16 * time.Minute, class: "postgres.iam", refused: "expired"},
		{name: "not-allowed", user: "reporter", broken: "login-policy", class: "postgres.iam", refused: "no identity-based policy allows the rds-db:connect action"},
		{name: "no-member", user: "bystander", class: "postgres.password"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.broken != "" {
				if err := l.Break(ctx, tt.broken); err != nil {
					t.Fatal(err)
				}
				defer func() {
					if err := l.World.Mend(ctx, tt.broken, l.Driver, password); err != nil {
						t.Error(err)
					}
				}()
			}
			l.RDS.Advance(tt.ahead)
			defer l.RDS.Advance(0)
			before := len(l.RDS.Logins())
			job := byIAM(t, l, "r-iam-"+tt.name, tt.user)
			out, told := run(t, executor(l), job)
			logins := l.RDS.Logins()[before:]
			for _, login := range logins {
				if login.User != tt.user || !strings.HasPrefix(login.AccessKey, "ASIA") || (login.Refused == "") != (tt.refused == "") || !strings.Contains(login.Refused, tt.refused) {
					t.Errorf("%+v", login)
				}
			}
			if (tt.class == "" || tt.refused != "") && len(logins) == 0 {
				t.Errorf("RDS has seen no token\n%s", told.text.String())
			}
			if tt.class == "" {
				if out.State != sparkwright.AttemptSucceeded {
					t.Fatalf("%s: %+v\n%s", out.State, out.Fault, told.text.String())
				}
				checkPreview(t, l, job, `[[0,203],[6,203],[13,203]]`)
				return
			}
			if out.State != sparkwright.AttemptFailed || out.Fault == nil {
				t.Fatalf("%s: %+v", out.State, out.Fault)
			}
			diagnose.Explain(out.Fault)
			if d := out.Fault.Diagnosis; d == nil || d.Class != tt.class || out.Fault.Kind != sparkwright.FaultInfrastructure {
				t.Errorf("diagnosis: %+v of %+v", d, out.Fault)
			}
			if said := told.text.String(); !strings.Contains(said, "the login was refused; it is fetched once more") || strings.Contains(said, "X-Amz-Signature") {
				t.Errorf("the log:\n%s", said)
			}
		})
	}
}
