// Package verify proves that the PostgreSQL way works end to end: it asks a
// question over HTTP like any client, then looks at AWS itself, not at what
// the server says, for the job run, its log events and its result objects.
package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/emrserverless"
	"github.com/aws/aws-sdk-go-v2/service/emrserverless/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/awscloud"
)

// Request is the question, and where to look afterwards.
type Request struct {
	URL         string // of the server
	Application string // the PostgreSQL application
	Question    string
	Table       Table
}

// Table is a PostgreSQL table as clients of the reference contract select it.
type Table struct {
	Connection string `json:"connection_name"`
	Database   string `json:"database"`
	Schema     string `json:"schema"`
	Table      string `json:"table"`
	JDBCURL    string `json:"jdbc_url"`
	SecretARN  string `json:"secret_arn"`
	AuthMethod string `json:"auth_method"`
}

// Line is one line of the report. A line that failed says what was found.
type Line struct {
	Text string `json:"text"`
	OK   bool   `json:"ok"`
}

// maxAnswer is the size of an answer that is read.
const maxAnswer = 64 << 20

// answer is what POST /spark/generate says.
type answer struct {
	status int
	Error  any `json:"error"`
	Result struct {
		Code    string `json:"spark_code"`
		Outcome string `json:"execution_result"`
		Message string `json:"execution_message"`
		Output  string `json:"s3_output_path"`
		RunID   string `json:"run_id"`
	} `json:"result"`
}

// Postgres asks and looks, and returns the lines of the report: the three of
// the reference's check first. An error means that the server could not be
// asked at all; whatever else is wrong is in the lines.
func Postgres(ctx context.Context, cfg aws.Config, req Request) ([]Line, error) {
	since := time.Now().Add(-time.Minute) // clocks differ
	a, err := ask(ctx, req)
	if err != nil {
		return nil, err
	}
	jdbc, secrets := strings.Contains(a.Result.Code, "jdbc:postgresql"), strings.Contains(a.Result.Code, "get_secret_value")
	lines := []Line{
		{fmt.Sprintf("Status: %d", a.status), a.status == http.StatusOK},
		{fmt.Sprintf("JDBC: %s, Secrets: %s", mark(jdbc), mark(secrets)), jdbc && secrets},
		{"Result: " + a.Result.Outcome, a.Result.Outcome == "success"},
	}
	if a.Result.Outcome != "success" {
		lines = append(lines, Line{"Message: " + a.message(), false})
	}
	return append(lines, look(ctx, cfg, req, a, since)...), nil
}

func mark(ok bool) string {
	if ok {
		return "✓"
	}
	return "✗"
}

func (a *answer) message() string {
	if a.Result.Message != "" || a.Error == nil {
		return a.Result.Message
	}
	return fmt.Sprint(a.Error)
}

func ask(ctx context.Context, req Request) (*answer, error) {
	body, err := json.Marshal(map[string]any{
		"prompt": req.Question, "session_id": fmt.Sprintf("pg-clean-%d", time.Now().Unix()), "framework": "spark",
		"execution_platform": "emr", "selected_postgres_tables": []Table{req.Table},
	})
	if err != nil {
		return nil, fmt.Errorf("write the request: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(req.URL, "/")+"/spark/generate", bytes.NewReader(body))
	if err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "%q is not the URL of a server: %w", req.URL, err)
	}
	r.Header.Set("Content-Type", "application/json")
	client := &http.Client{}
	defer client.CloseIdleConnections()
	res, err := client.Do(r)
	if err != nil {
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeUnavailable, Message: "the server cannot be asked", Because: err.Error(),
			Remedy: "start it with sparkwright serve, or leave --url out", Err: err,
		}
	}
	defer func() { _ = res.Body.Close() }()
	a := &answer{status: res.StatusCode}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeUnavailable, "the server's answer broke off: %w", err)
	}
	_ = json.Unmarshal(text, a) // what is no answer of ours has no result, and the lines say so
	return a, nil
}

// look finds in AWS what the answer must have left there.
func look(ctx context.Context, cfg aws.Config, req Request, a *answer, since time.Time) []Line {
	client := emrserverless.NewFromConfig(cfg)
	lines := []Line{application(ctx, client, req.Application)}
	job, err := find(ctx, client, req.Application, a.Result.RunID, since)
	if err != nil {
		return append(lines, Line{"Job run: " + err.Error(), false})
	}
	lines = append(lines, Line{fmt.Sprintf("Job run: %s %s", aws.ToString(job.JobRunId), job.State), job.State == types.JobRunStateSuccess})
	if d := aws.ToString(job.StateDetails); d != "" && job.State != types.JobRunStateSuccess {
		lines = append(lines, Line{"Details: " + d, false})
	}
	return append(lines, driver(job), logs(ctx, cfg, job), objects(ctx, cfg, "Result objects", a.Result.Output))
}

func application(ctx context.Context, client *emrserverless.Client, id string) Line {
	app, err := client.GetApplication(ctx, &emrserverless.GetApplicationInput{ApplicationId: &id})
	if err != nil {
		return Line{"Application: " + awscloud.Error("it cannot be read", err).Error(), false}
	}
	vpc := app.Application.NetworkConfiguration != nil && len(app.Application.NetworkConfiguration.SubnetIds) > 0
	return Line{fmt.Sprintf("Application: %s (%s), VPC %s", id, aws.ToString(app.Application.Name), mark(vpc)), vpc}
}

// find returns the job run of a run: its name holds the run's id.
func find(ctx context.Context, client *emrserverless.Client, application, runID string, since time.Time) (*types.JobRun, error) {
	if runID == "" {
		return nil, fmt.Errorf("none: the answer names no run")
	}
	pages := emrserverless.NewListJobRunsPaginator(client, &emrserverless.ListJobRunsInput{ApplicationId: &application, CreatedAtAfter: &since})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, awscloud.Error("the job runs cannot be listed", err)
		}
		for _, j := range page.JobRuns { // newest first
			if strings.Contains(aws.ToString(j.Name), runID) {
				out, err := client.GetJobRun(ctx, &emrserverless.GetJobRunInput{ApplicationId: &application, JobRunId: j.Id})
				if err != nil {
					return nil, awscloud.Error("the job run cannot be read", err)
				}
				return out.JobRun, nil
			}
		}
	}
	return nil, fmt.Errorf("none of the run %s in the application %s", runID, application)
}

func driver(job *types.JobRun) Line {
	submit, ok := job.JobDriver.(*types.JobDriverMemberSparkSubmit)
	if ok {
		words := strings.Fields(aws.ToString(submit.Value.SparkSubmitParameters))
		for i, w := range words {
			if w == "--jars" && i+1 < len(words) {
				return Line{"Driver: " + words[i+1], true}
			}
		}
	}
	return Line{"Driver: the job has no --jars", false}
}

// logs looks for events in CloudWatch, and for files in S3 where the job has
// only those.
func logs(ctx context.Context, cfg aws.Config, job *types.JobRun) Line {
	path := "applications/" + aws.ToString(job.ApplicationId) + "/jobs/" + aws.ToString(job.JobRunId)
	var m *types.MonitoringConfiguration
	if job.ConfigurationOverrides != nil {
		m = job.ConfigurationOverrides.MonitoringConfiguration
	}
	if m == nil || m.CloudWatchLoggingConfiguration == nil || !aws.ToBool(m.CloudWatchLoggingConfiguration.Enabled) {
		if m == nil || m.S3MonitoringConfiguration == nil {
			return Line{"Logs: the job has no log destination", false}
		}
		return objects(ctx, cfg, "Logs", strings.TrimSuffix(aws.ToString(m.S3MonitoringConfiguration.LogUri), "/")+"/"+path)
	}
	cw := m.CloudWatchLoggingConfiguration
	group := aws.ToString(cw.LogGroupName)
	if group == "" {
		group = "/aws/emr-serverless"
	}
	prefix := path
	if p := aws.ToString(cw.LogStreamNamePrefix); p != "" {
		prefix = strings.TrimSuffix(p, "/") + "/" + path
	}
	out, err := cloudwatchlogs.NewFromConfig(cfg).FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{
		LogGroupName: &group, LogStreamNamePrefix: &prefix, Limit: aws.Int32(1000),
	})
	if err != nil {
		return Line{"Logs: " + awscloud.Error(group+" cannot be read", err).Error(), false}
	}
	return Line{fmt.Sprintf("Logs: %s, %s: %d events", group, prefix, len(out.Events)), len(out.Events) > 0}
}

// objects looks for objects below an s3:// URL.
func objects(ctx context.Context, cfg aws.Config, what, location string) Line {
	bucket, key, ok := awscloud.SplitS3(location)
	if !ok || key == "" {
		return Line{fmt.Sprintf("%s: %q is not in S3", what, location), false}
	}
	out, err := awscloud.NewS3(cfg).ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: aws.String(key + "/")})
	if err != nil {
		return Line{what + ": " + awscloud.Error(location+" cannot be listed", err).Error(), false}
	}
	return Line{fmt.Sprintf("%s: %s: %d", what, location, len(out.Contents)), len(out.Contents) > 0}
}
