package doctor

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/template"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/diagnose"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
)

//go:embed probe.py.tmpl
var probeText string

// Inside looks from where jobs run: it submits a small job that tries names,
// addresses, TLS, secrets, S3, logs, logins and rights one by one.
type Inside struct {
	Executor    sparkwright.Executor
	Load        func(ctx context.Context, location, runID, attemptID string) (*sparkwright.Manifest, error)
	Application string
	Driver      string // S3 URL of the JDBC driver
	Bucket      string
	Region      string
	Connections []sparkwright.Connection // their secrets are aws-sm: references; others are left out
	ID          string                   // of this look; unique
	Tell        func(text string)        // progress, for people
}

// target is a connection as the probe gets it.
type target struct {
	Name         string `json:"name"`
	Host         string `json:"host"`
	Port         int    `json:"port"`
	TLS          string `json:"tls"`
	URL          string `json:"url"`
	Secret       string `json:"secret"`
	SecretRegion string `json:"secret_region"`
}

// insideInfo says what each look of the probe is.
var insideInfo = map[string]Info{
	"inside.s3":     {Title: "S3 is reached", How: "s3:ListObjectsV2 from the job"},
	"inside.logs":   {Title: "CloudWatch Logs is reached", How: "logs:DescribeLogGroups from the job"},
	"inside.dns":    {Title: "the host name resolves", How: "getaddrinfo from the job"},
	"inside.tcp":    {Title: "PostgreSQL is reached", How: "a TCP connection from the job"},
	"inside.tls":    {Title: "the connection is encrypted", How: "SSLRequest and a TLS handshake from the job"},
	"inside.secret": {Title: "the job may read the secret", How: "secretsmanager:GetSecretValue from the job"},
	"inside.login":  {Title: "the login works", How: "a JDBC connection from Spark"},
	"inside.rights": {Title: "the role reads and does not write", How: "has_table_privilege, asked from Spark"},
}

const pollEvery = 2 * time.Second

func (in Inside) targets() ([]target, []string, error) {
	var list []target
	var secrets []string
	for _, c := range in.Connections {
		arn, found := strings.CutPrefix(c.Secret, "aws-sm:")
		parts := strings.Split(arn, ":")
		if !found || c.Host == "" || len(parts) < 7 {
			continue
		}
		if c.User == "" {
			c.User = "of the secret" // the URL holds none
		}
		url, err := postgres.JDBCURL(c, "sparkwright/doctor")
		if err != nil {
			return nil, nil, err
		}
		list = append(list, target{c.Name, c.Host, c.Port, string(postgres.TLS(c)), url, arn, parts[3]})
		secrets = append(secrets, arn)
	}
	return list, secrets, nil
}

// script renders the probe as a job like any other: its result is a table of
// findings.
func (in Inside) script(targets []target, attempt, location string) (string, error) {
	data, err := json.Marshal(map[string]any{"region": in.Region, "bucket": in.Bucket, "connections": targets})
	if err != nil {
		return "", fmt.Errorf("the probe's targets: %w", err)
	}
	literal, err := json.Marshal(string(data)) // a JSON text is a text of Python, too
	if err != nil {
		return "", fmt.Errorf("the probe's targets: %w", err)
	}
	t, err := template.New("probe").Parse(probeText)
	if err != nil {
		return "", fmt.Errorf("the probe: %w", err)
	}
	var analysis strings.Builder
	if err := t.Execute(&analysis, string(literal)); err != nil {
		return "", fmt.Errorf("the probe: %w", err)
	}
	return jobscript.RenderAWS(jobscript.AWSSpec{
		RunID: in.ID, AttemptID: attempt, Location: location, Analysis: analysis.String(), Driver: in.Driver, PreviewRows: 1000,
	})
}

// Run submits the probe, waits for it and returns what it found. When the job
// itself fails, that is the one finding, with its diagnosis.
func (in Inside) Run(ctx context.Context) (*Report, error) {
	started := time.Now()
	targets, secrets, err := in.targets()
	if err != nil {
		return nil, err
	}
	attempt := sparkwright.Attempt{ID: in.ID + "-1", RunID: in.ID, Number: 1, StartedAt: started.UTC()}
	location := "s3://" + in.Bucket + "/output/doctor/" + in.ID
	if attempt.Script, err = in.script(targets, attempt.ID, location); err != nil {
		return nil, err
	}
	job := sparkwright.Job{
		Attempt: attempt, Location: location,
		Placement: sparkwright.Placement{Executor: "emrserverless", Application: in.Application, Driver: in.Driver, Reason: "doctor --from-inside"},
		Access:    sparkwright.Access{Secrets: secrets},
	}
	handle, err := in.submit(ctx, job)
	if err != nil {
		return nil, err
	}
	outcome, log, err := in.follow(ctx, handle)
	if err != nil {
		return nil, err
	}
	if outcome.State != sparkwright.AttemptSucceeded {
		return report([]Finding{jobFailed(outcome, log)}, started), nil
	}
	manifest, err := in.Load(ctx, location, in.ID, attempt.ID)
	if err != nil {
		return nil, err
	}
	found, err := findings(manifest)
	return report(found, started), err
}

func report(found []Finding, started time.Time) *Report {
	return &Report{Level: worst(found), Findings: found, Seconds: time.Since(started).Seconds()}
}

// submit waits where the executor asks for it.
func (in Inside) submit(ctx context.Context, job sparkwright.Job) (sparkwright.Handle, error) {
	for {
		handle, err := in.Executor.Submit(ctx, job)
		wait, isLater := errors.AsType[*sparkwright.LaterError](err)
		if !isLater {
			return handle, err
		}
		in.Tell(wait.Why)
		if err := pause(ctx, max(wait.After, pollEvery)); err != nil {
			return handle, err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return sparkwright.Errorf(sparkwright.CodeCancelled, "the look from inside was given up: %w", ctx.Err())
	}
}

// follow polls until the job ends; a job that is given up is cancelled.
func (in Inside) follow(ctx context.Context, h sparkwright.Handle) (sparkwright.Outcome, string, error) {
	sink := &logSink{}
	state := sparkwright.AttemptState("")
	for {
		out, err := in.Executor.Poll(ctx, h, sink)
		_, isLater := errors.AsType[*sparkwright.LaterError](err)
		switch {
		case err != nil && !isLater && ctx.Err() == nil:
			return out, sink.text.String(), err
		case err == nil && out.State.Final():
			return out, sink.text.String(), nil
		case err == nil && out.State != state:
			state = out.State
			in.Tell("the probe is " + string(state))
		}
		if err := pause(ctx, pollEvery); err != nil {
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
			defer cancel()
			return out, "", errors.Join(err, in.Executor.Cancel(stop, h))
		}
	}
}

// logSink keeps what the job prints.
type logSink struct{ text strings.Builder }

// Log implements sparkwright.Sink.
func (s *logSink) Log(_, text string) {
	const most = 1 << 20
	if s.text.Len() < most {
		s.text.WriteString(text + "\n")
	}
}

// Progress implements sparkwright.Sink.
func (s *logSink) Progress(sparkwright.Progress) {}

// jobFailed is the finding of a probe that did not come to its end.
func jobFailed(out sparkwright.Outcome, log string) Finding {
	f := fail("the probe did not run to its end: "+string(out.State), "")
	f.Info = Info{ID: "inside.job", Group: "inside", Title: "a job runs", How: "submits a small job to the configured application"}
	fault := &sparkwright.Fault{}
	if out.Fault != nil {
		fault = out.Fault
		f.Because = firstOf(fault.Because, fault.Message)
	}
	if found := diagnose.Find(fault, diagnose.Log{Name: "driver log", Text: log}); found != nil {
		f.Because = found.Class.Because + " (" + strings.Join(found.Evidence, " · ") + ")"
		f.Fixes = []Fix{command(found.Class.Remedy)}
	} else if fault.Remedy != "" {
		f.Fixes = []Fix{command(fault.Remedy)}
	}
	return f
}

// findings reads the probe's result.
func findings(m *sparkwright.Manifest) ([]Finding, error) {
	const columns = 5
	var out []Finding
	for _, row := range m.Preview {
		var cell [columns]string
		if len(row) != columns {
			return nil, sparkwright.Errorf(sparkwright.CodeInternal, "the probe's result has %d columns", len(row))
		}
		for i := range cell {
			if err := json.Unmarshal(row[i], &cell[i]); err != nil {
				return nil, sparkwright.Errorf(sparkwright.CodeInternal, "the probe's result cannot be read: %w", err)
			}
		}
		f := Finding{Info: insideInfo[cell[0]], Level: Level(cell[2]), Message: cell[3], Because: cell[4]}
		f.ID, f.Group, f.About = cell[0], "inside", cell[1]
		if f.Level == Fail {
			explain(&f)
		}
		out = append(out, f)
	}
	return out, nil
}

// explain turns the error that the probe met into cause and fix.
func explain(f *Finding) {
	if f.ID == "inside.rights" && strings.Contains(f.Because, "can write") {
		f.Message = "the role can write"
		f.Fixes = []Fix{command("sparkwright doctor --only postgres --fix")}
		return
	}
	if found := diagnose.Find(&sparkwright.Fault{Message: f.Because}); found != nil {
		f.Message, f.Because = found.Class.Title, found.Class.Because
		f.Fixes = []Fix{command(found.Class.Remedy)}
		return
	}
	if f.ID == "inside.tcp" {
		f.Fixes = []Fix{command("aws ec2 authorize-security-group-ingress --group-id DATABASE_GROUP --protocol tcp --port 5432 --source-group JOBS_GROUP")}
	}
	if f.ID == "inside.dns" {
		f.Fixes = []Fix{command("aws ec2 modify-vpc-attribute --vpc-id VPC --enable-dns-support")}
	}
}
