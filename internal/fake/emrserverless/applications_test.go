package emrserverless_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/emrserverless"
	"github.com/aws/aws-sdk-go-v2/service/emrserverless/types"
	"github.com/google/go-cmp/cmp"

	emr "github.com/sparkwright/sparkwright/internal/fake/emrserverless"
)

func createInput() *emrserverless.CreateApplicationInput {
	return &emrserverless.CreateApplicationInput{
		Name: aws.String("made"), ReleaseLabel: aws.String("emr-7.9.0"), Type: aws.String("SPARK"), ClientToken: aws.String("c1"),
		Tags:                    map[string]string{"team": "data"},
		NetworkConfiguration:    &types.NetworkConfiguration{SubnetIds: []string{"subnet-1"}, SecurityGroupIds: []string{"sg-1"}},
		MonitoringConfiguration: &types.MonitoringConfiguration{CloudWatchLoggingConfiguration: &types.CloudWatchLoggingConfiguration{Enabled: aws.Bool(true)}},
		MaximumCapacity:         &types.MaximumAllowedResources{Cpu: aws.String("4 vCPU"), Memory: aws.String("16 GB")},
		AutoStopConfiguration:   &types.AutoStopConfig{Enabled: aws.Bool(true), IdleTimeoutMinutes: aws.Int32(1)},
	}
}

// appIn polls until the application has the state.
func (b *bundle) appIn(t *testing.T, id string, state types.ApplicationState) *types.Application {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patient); ; <-tick.C {
		out, err := b.client.GetApplication(t.Context(), &emrserverless.GetApplicationInput{ApplicationId: &id})
		if err != nil {
			t.Fatal(err)
		}
		if out.Application.State == state {
			return out.Application
		}
		if time.Now().After(end) {
			t.Fatalf("application is %s, want %s", out.Application.State, state)
		}
	}
}

func TestApplicationLife(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	ctx := t.Context()
	made, err := b.client.CreateApplication(ctx, createInput())
	if err != nil {
		t.Fatal(err)
	}
	id := aws.ToString(made.ApplicationId)
	var again *emrserverless.CreateApplicationOutput
	if again, err = b.client.CreateApplication(ctx, createInput()); err != nil || aws.ToString(again.ApplicationId) != id {
		t.Errorf("the same token: %v, %v", again, err)
	}
	got := b.appIn(t, id, types.ApplicationStateCreated)
	if diff := cmp.Diff([]string{"subnet-1"}, got.NetworkConfiguration.SubnetIds); diff != "" {
		t.Error(diff)
	}
	if !aws.ToBool(got.MonitoringConfiguration.CloudWatchLoggingConfiguration.Enabled) || aws.ToString(got.MaximumCapacity.Cpu) != "4 vCPU" || got.Architecture != types.ArchitectureX8664 {
		t.Errorf("incomplete: %+v", got)
	}
	if _, err = b.client.UpdateApplication(ctx, &emrserverless.UpdateApplicationInput{
		ApplicationId: &id, ClientToken: aws.String("u"), MaximumCapacity: &types.MaximumAllowedResources{Cpu: aws.String("8 vCPU"), Memory: aws.String("32 GB")},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err = b.client.StartApplication(ctx, &emrserverless.StartApplicationInput{ApplicationId: &id}); err != nil {
		t.Fatal(err)
	}
	if got := b.appIn(t, id, types.ApplicationStateStarted); aws.ToString(got.MaximumCapacity.Cpu) != "8 vCPU" || len(got.NetworkConfiguration.SubnetIds) != 1 {
		t.Errorf("after the update: %+v", got)
	}
	_, err = b.client.DeleteApplication(ctx, &emrserverless.DeleteApplicationInput{ApplicationId: &id})
	if got := errorCode(err); got != "ConflictException" {
		t.Errorf("delete of a started application: %q", got)
	}
	if _, err = b.client.StopApplication(ctx, &emrserverless.StopApplicationInput{ApplicationId: &id}); err != nil {
		t.Fatal(err)
	}
	b.appIn(t, id, types.ApplicationStateStopped)
	if _, err = b.client.DeleteApplication(ctx, &emrserverless.DeleteApplicationInput{ApplicationId: &id}); err != nil {
		t.Fatal(err)
	}
	b.appIn(t, id, types.ApplicationStateTerminated)
	list, err := b.client.ListApplications(ctx, &emrserverless.ListApplicationsInput{States: []types.ApplicationState{types.ApplicationStateTerminated}})
	if err != nil || len(list.Applications) != 1 || aws.ToString(list.Applications[0].Id) != id {
		t.Errorf("list: %+v, %v", list, err)
	}
}

// A job starts an application that is stopped, and an idle one stops.
func TestApplicationStartsAndStopsByItself(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *emr.Config) { c.Timing.Minute = 50 * time.Millisecond })
	made, err := b.client.CreateApplication(t.Context(), createInput())
	if err != nil {
		t.Fatal(err)
	}
	id := aws.ToString(made.ApplicationId)
	in := job("j")
	in.ApplicationId = &id
	b.server.Wait(t.Context(), b.start(t, in))
	b.appIn(t, id, types.ApplicationStateStopped)
	no := createInput()
	no.ClientToken, no.AutoStartConfiguration = aws.String("c2"), &types.AutoStartConfig{Enabled: aws.Bool(false)}
	made, err = b.client.CreateApplication(t.Context(), no)
	if err != nil {
		t.Fatal(err)
	}
	in = job("j2")
	in.ApplicationId = made.ApplicationId
	if _, err = b.client.StartJobRun(t.Context(), in); errorCode(err) != "ConflictException" {
		t.Errorf("a job on an application that does not start by itself: %v", err)
	}
}

func TestTagsAndDashboard(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	ctx := t.Context()
	id := b.start(t, job("tagged"))
	arn := aws.ToString(b.get(t, id).Arn)
	if _, err := b.client.TagResource(ctx, &emrserverless.TagResourceInput{ResourceArn: &arn, Tags: map[string]string{"a": "1", "b": "2"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.client.UntagResource(ctx, &emrserverless.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	got, err := b.client.ListTagsForResource(ctx, &emrserverless.ListTagsForResourceInput{ResourceArn: &arn})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"b": "2", "sparkwright:run": "tagged"}, got.Tags); diff != "" {
		t.Error(diff)
	}
	board, err := b.client.GetDashboardForJobRun(ctx, &emrserverless.GetDashboardForJobRunInput{ApplicationId: aws.String(app), JobRunId: &id})
	if err != nil || aws.ToString(board.Url) == "" {
		t.Errorf("dashboard: %+v, %v", board, err)
	}
}
