package emrserverless

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/emrserverless"
	"github.com/aws/aws-sdk-go-v2/service/emrserverless/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/awscloud"
)

// Submit implements sparkwright.Executor. It is idempotent on the attempt's
// ID, also over processes.
func (e *Executor) Submit(ctx context.Context, job sparkwright.Job) (sparkwright.Handle, error) {
	if job.Placement.Application == "" || !strings.HasPrefix(job.Location, "s3://") {
		return sparkwright.Handle{}, sparkwright.Errorf(sparkwright.CodeInternal, "an attempt on EMR Serverless needs an application and an s3:// location")
	}
	d := &data{
		Application: job.Placement.Application, RunID: job.Attempt.RunID, Attempt: job.Attempt.ID, Location: job.Location,
		Since: job.Attempt.StartedAt,
	}
	if d.Since.IsZero() {
		d.Since = time.Now().UTC()
	}
	in, err := e.request(ctx, &job)
	if err != nil {
		return sparkwright.Handle{}, later("the job cannot be prepared", err)
	}
	if err = e.upload(ctx, &job); err != nil {
		return sparkwright.Handle{}, later("the job's script cannot be stored in s3://"+e.cfg.Bucket, err)
	}
	if job.Again { // an earlier process, or an answer that was lost, may have started it
		if d.Job, err = e.find(ctx, d, *in.Name); err != nil {
			return sparkwright.Handle{}, later("the jobs of the application "+d.Application+" cannot be listed", err)
		}
	}
	if d.Job == "" {
		out, err := e.emr.StartJobRun(ctx, in)
		switch {
		case err == nil:
			d.Job = text(out.JobRunId)
		case awscloud.Classify(err) == awscloud.Conflict:
			// The token is taken by a request that differs: ours, from before an update.
			if d.Job, _ = e.find(ctx, d, *in.Name); d.Job == "" {
				return sparkwright.Handle{}, e.refused(ctx, d.Application, err)
			}
		default:
			return sparkwright.Handle{}, e.refused(ctx, d.Application, err)
		}
	}
	e.application(d)
	e.expire(d)
	return d.handle()
}

// find returns the job run of that name; "" = there is none.
func (e *Executor) find(ctx context.Context, d *data, name string) (string, error) {
	found := ""
	err := e.list(ctx, d.Application, d.Since, func(j *types.JobRunSummary) bool {
		if text(j.Name) == name {
			found = text(j.Id)
		}
		return found == ""
	})
	return found, err
}

// later keeps what will pass apart from what has failed.
func later(what string, err error) error {
	if awscloud.Passing(err) {
		return &sparkwright.LaterError{Why: what + "; " + waiting(err), After: 5 * time.Second, Err: err}
	}
	return awscloud.Error(what, err)
}

// refused says why a job was not started. An application that is on its way,
// or that has to be started, is a matter of waiting.
func (e *Executor) refused(ctx context.Context, id string, err error) error {
	const what = "the job cannot be started on EMR Serverless"
	if awscloud.Passing(err) {
		return later(what, err)
	}
	app, stateErr := e.State(ctx, id)
	switch {
	case stateErr != nil:
	case app.State == "TERMINATED":
		return &sparkwright.Error{
			Code: sparkwright.CodeConflict, Message: what, Because: "the application " + id + " is TERMINATED",
			Remedy: "set spark.emr_application_id or spark.emr_postgres_application_id to one that exists", Err: err,
		}
	case app.State == "STOPPED" && !app.AutoStart:
		if _, startErr := e.emr.StartApplication(ctx, &emrserverless.StartApplicationInput{ApplicationId: &id}); startErr != nil {
			return later("the application "+id+" is STOPPED and cannot be started", startErr)
		}
		return &sparkwright.LaterError{Why: "the application " + id + " was STOPPED and is being started", After: 10 * time.Second, Err: err}
	case app.State == "CREATING", app.State == "STARTING", app.State == "STOPPING":
		return &sparkwright.LaterError{Why: "the application " + id + " is " + app.State, After: 10 * time.Second, Err: err}
	}
	return awscloud.Error(what, err)
}

// Application is the state of an EMR Serverless application.
type Application struct {
	State     string
	Details   string
	AutoStart bool
	VPC       bool
}

// Ready reports whether jobs can be started: at once, or because the
// application starts by itself.
func (a Application) Ready() bool {
	return a.State == "CREATED" || a.State == "STARTED" || (a.State == "STOPPED" || a.State == "STARTING") && a.AutoStart
}

// State asks for the state of an application.
func (e *Executor) State(ctx context.Context, id string) (Application, error) {
	out, err := e.emr.GetApplication(ctx, &emrserverless.GetApplicationInput{ApplicationId: &id})
	if err != nil {
		return Application{}, awscloud.Error("the state of the application "+id+" cannot be read", err)
	}
	app := Application{State: string(out.Application.State), Details: text(out.Application.StateDetails)}
	if s := out.Application.AutoStartConfiguration; s != nil {
		app.AutoStart = s.Enabled == nil || *s.Enabled
	}
	app.VPC = out.Application.NetworkConfiguration != nil && len(out.Application.NetworkConfiguration.SubnetIds) > 0
	return app, nil
}

// upload puts the script where StartJobRun expects it. The same script has the
// same key.
func (e *Executor) upload(ctx context.Context, job *sparkwright.Job) error {
	key := scriptKey(job.Attempt.Script)
	_, err := e.s3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &e.cfg.Bucket, Key: &key, Body: strings.NewReader(job.Attempt.Script), ContentType: aws.String("text/x-python"),
	})
	return err
}

func scriptKey(script string) string { return contentKey([]byte(script), ".py") }

func contentKey(content []byte, ending string) string {
	sum := sha256.Sum256(content)
	return "scripts/" + hex.EncodeToString(sum[:]) + ending
}

// PutModules stores an archive of Python modules beside the scripts and returns
// its s3:// URL, for Job.Modules. The same archive has the same URL; what ages
// in the bucket is there again with each call.
func (e *Executor) PutModules(ctx context.Context, archive []byte) (string, error) {
	key := contentKey(archive, ".zip")
	_, err := e.s3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &e.cfg.Bucket, Key: &key, Body: bytes.NewReader(archive), ContentType: aws.String("application/zip"),
	})
	if err != nil {
		return "", awscloud.Error("the job's Python modules cannot be stored in s3://"+e.cfg.Bucket, err)
	}
	return "s3://" + e.cfg.Bucket + "/" + key, nil
}

const maxToken = 64

var notToken = regexp.MustCompile(`[^A-Za-z0-9._-]`)

// request is the whole StartJobRun of an attempt. The same attempt makes the
// same request.
func (e *Executor) request(ctx context.Context, job *sparkwright.Job) (*emrserverless.StartJobRunInput, error) {
	role, err := e.executionRole(ctx, job)
	if err != nil {
		return nil, err
	}
	policy, err := e.policy(role, job)
	if err != nil {
		return nil, err
	}
	name := e.cfg.Instance + "-" + job.Attempt.ID
	token := notToken.ReplaceAllString(name, "_")
	if len(token) > maxToken {
		sum := sha256.Sum256([]byte(name))
		token = hex.EncodeToString(sum[:])
	}
	in := &emrserverless.StartJobRunInput{
		ApplicationId: &job.Placement.Application, ClientToken: &token, Name: &name, ExecutionRoleArn: &role,
		ExecutionIamPolicy: &types.JobRunExecutionIamPolicy{Policy: &policy},
		JobDriver: &types.JobDriverMemberSparkSubmit{Value: types.SparkSubmit{
			EntryPoint:            aws.String("s3://" + e.cfg.Bucket + "/" + scriptKey(job.Attempt.Script)),
			SparkSubmitParameters: aws.String(e.parameters(job)),
		}},
		ConfigurationOverrides: &types.ConfigurationOverrides{MonitoringConfiguration: e.monitoring()},
		Tags: map[string]string{
			"sparkwright:instance": e.cfg.Instance, "sparkwright:run": job.Attempt.RunID, "sparkwright:attempt": job.Attempt.ID,
		},
	}
	if e.cfg.TimeoutMinutes > 0 {
		in.ExecutionTimeoutMinutes = aws.Int64(int64(e.cfg.TimeoutMinutes))
	}
	return in, nil
}

// parameters are spark-submit's. Sizes and the driver's URL have been checked
// by the settings: they hold no blanks, as the modules' does not.
func (e *Executor) parameters(job *sparkwright.Job) string {
	p := fmt.Sprintf("--conf spark.executor.memory=%s --conf spark.executor.cores=%d",
		cmp.Or(e.cfg.ExecutorMemory, "4g"), cmp.Or(e.cfg.ExecutorCores, 2))
	if e.cfg.DriverMemory != "" {
		p += " --conf spark.driver.memory=" + e.cfg.DriverMemory
	}
	if e.cfg.DriverCores > 0 {
		p += fmt.Sprintf(" --conf spark.driver.cores=%d", e.cfg.DriverCores)
	}
	if job.Placement.Driver != "" {
		p += " --jars " + job.Placement.Driver
	}
	if job.Modules != "" {
		p += " --py-files " + job.Modules
	}
	return p
}

// logPrefix is the key below which EMR Serverless writes logs.
const logPrefix = "logs/emr/"

func (e *Executor) monitoring() *types.MonitoringConfiguration {
	m := &types.MonitoringConfiguration{
		S3MonitoringConfiguration: &types.S3MonitoringConfiguration{LogUri: aws.String("s3://" + e.cfg.Bucket + "/" + logPrefix)},
	}
	if e.cfg.LogGroup != "" {
		m.CloudWatchLoggingConfiguration = &types.CloudWatchLoggingConfiguration{
			Enabled: aws.Bool(true), LogGroupName: &e.cfg.LogGroup,
		}
	}
	return m
}

// defaultRole is the role of the reference system's set-up.
const defaultRole = "EMRServerlessExecutionRole"

// executionRole is the configured role, else the default one of the caller's
// account. A job without the JDBC driver reads no PostgreSQL.
func (e *Executor) executionRole(ctx context.Context, job *sparkwright.Job) (string, error) {
	if e.cfg.StandardRoleARN != "" && job.Placement.Driver == "" {
		return e.cfg.StandardRoleARN, nil
	}
	if e.cfg.RoleARN != "" {
		return e.cfg.RoleARN, nil
	}
	e.mu.Lock()
	role := e.role
	e.mu.Unlock()
	if role != "" {
		return role, nil
	}
	who, err := e.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", err
	}
	parts := strings.SplitN(text(who.Arn), ":", 6)
	if len(parts) != 6 || text(who.Account) == "" {
		return "", errors.New("AWS did not say whose account this is")
	}
	role = "arn:" + parts[1] + ":iam::" + text(who.Account) + ":role/" + defaultRole
	e.mu.Lock()
	defer e.mu.Unlock()
	e.role = role
	return role, nil
}
