package emrserverless_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/emrserverless"
	"github.com/aws/aws-sdk-go-v2/service/emrserverless/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	emr "github.com/sparkwright/sparkwright/internal/fake/emrserverless"
)

const (
	app     = "00fv6g7rptsov009"
	roleARN = "arn:aws:iam::123456789012:role/EMRServerlessExecutionRole"
	patient = 60 * time.Second
)

// bundle is an emulator without an AWS around it, and the real client.
type bundle struct {
	server *emr.Server
	client *emrserverless.Client
	ledger string
}

func setup(t *testing.T, change func(*emr.Config)) *bundle {
	t.Helper()
	b := &bundle{ledger: filepath.Join(t.TempDir(), "ledger.jsonl")}
	cfg := emr.Config{
		Runner: emr.ResultRunner{}, LedgerPath: b.ledger, MaxRunning: 20, Dir: t.TempDir(),
		Timing: emr.Timing{Step: 5 * time.Millisecond, LogFlush: 10 * time.Millisecond},
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if b.server, err = emr.Start(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.server.Close() })
	if err := b.server.AddApplication(app, json.RawMessage(`{"name":"std","releaseLabel":"emr-7.9.0","type":"SPARK"}`)); err != nil {
		t.Fatal(err)
	}
	b.client = b.as("test", "test", "")
	return b
}

// as returns a client with other keys. It does not retry.
func (b *bundle) as(key, secret, session string) *emrserverless.Client {
	return emrserverless.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(b.server.URL()), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(key, secret, session),
	})
}

func job(token string) *emrserverless.StartJobRunInput {
	return &emrserverless.StartJobRunInput{
		ApplicationId: aws.String(app), ClientToken: &token, ExecutionRoleArn: aws.String(roleARN), Name: aws.String("run-" + token),
		Tags:      map[string]string{"sparkwright:run": token},
		JobDriver: &types.JobDriverMemberSparkSubmit{Value: types.SparkSubmit{EntryPoint: aws.String("s3://b/s.py")}},
	}
}

func (b *bundle) start(t *testing.T, in *emrserverless.StartJobRunInput) string {
	t.Helper()
	out, err := b.client.StartJobRun(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.JobRunId)
}

func (b *bundle) get(t *testing.T, id string) *types.JobRun {
	t.Helper()
	out, err := b.client.GetJobRun(t.Context(), &emrserverless.GetJobRunInput{ApplicationId: aws.String(app), JobRunId: &id})
	if err != nil {
		t.Fatal(err)
	}
	return out.JobRun
}

// wait returns the job run in its terminal state.
func (b *bundle) wait(t *testing.T, id string) *types.JobRun {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	b.server.Wait(ctx, id)
	return b.get(t, id)
}

// until polls until the job run is in one of the states.
func (b *bundle) until(t *testing.T, id string, states ...types.JobRunState) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patient); time.Now().Before(end); <-tick.C {
		got := b.get(t, id).State
		if slices.Contains(states, got) {
			return
		}
	}
	t.Fatalf("job %s is %s, want one of %v", id, b.get(t, id).State, states)
}

func TestClientToken(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	first := b.start(t, job("same"))
	if again := b.start(t, job("same")); again != first {
		t.Errorf("the same token started %s after %s", again, first)
	}
	other := job("same")
	other.Name = aws.String("another")
	_, err := b.client.StartJobRun(t.Context(), other)
	if _, ok := errors.AsType[*types.ConflictException](err); !ok {
		t.Errorf("the same token for another request: %v", err)
	}
	b.server.ForgetTokens()
	if again := b.start(t, job("same")); again == first {
		t.Error("a forgotten token did not start another job")
	}
	entries, err := emr.ReadLedger(b.ledger)
	if err != nil {
		t.Fatal(err)
	}
	var outcomes []string
	for _, e := range entries {
		word, _, _ := strings.Cut(e.Outcome, ":")
		outcomes = append(outcomes, word)
	}
	if diff := cmp.Diff([]string{"accepted", "replayed", "refused", "accepted"}, outcomes); diff != "" {
		t.Error(diff)
	}
	if d := emr.Duplicates(entries); len(d["run-same"]) != 2 {
		t.Errorf("duplicates: %v", d)
	}
}

func TestPaging(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	want := map[string]bool{}
	for i := range 7 {
		want[b.start(t, job(fmt.Sprintf("t%d", i)))] = true
	}
	for id := range want {
		b.wait(t, id)
	}
	pages := emrserverless.NewListJobRunsPaginator(b.client, &emrserverless.ListJobRunsInput{
		ApplicationId: aws.String(app), MaxResults: aws.Int32(3), States: []types.JobRunState{types.JobRunStateSuccess},
		CreatedAtAfter: aws.Time(time.Now().Add(-time.Hour)),
	})
	n := 0
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n++
		for _, j := range page.JobRuns {
			delete(want, aws.ToString(j.Id))
		}
	}
	if n != 3 || len(want) != 0 {
		t.Errorf("%d pages, not found: %v", n, want)
	}
	none, err := b.client.ListJobRuns(t.Context(), &emrserverless.ListJobRunsInput{ApplicationId: aws.String(app), CreatedAtAfter: aws.Time(time.Now().Add(time.Hour))})
	if err != nil || len(none.JobRuns) != 0 {
		t.Errorf("jobs of the future: %v, %v", none, err)
	}
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *emr.Config) {
		c.Credentials = map[string]emr.Credential{
			"test": {Secret: "test"}, "session": {Secret: "s", Token: "tok"}, "old": {Secret: "s", Expired: true},
		}
	})
	for _, test := range []struct{ key, secret, token, want string }{
		{"test", "test", "", ""},
		{"session", "s", "tok", ""},
		{"session", "s", "another", "UnrecognizedClientException"},
		{"test", "wrong", "", "InvalidSignatureException"},
		{"nobody", "test", "", "UnrecognizedClientException"},
		{"old", "s", "", "ExpiredTokenException"},
	} {
		c := b.as(test.key, test.secret, test.token)
		calls := map[string]error{}
		_, calls["list"] = c.ListJobRuns(t.Context(), &emrserverless.ListJobRunsInput{
			ApplicationId: aws.String(app), States: []types.JobRunState{types.JobRunStateFailed, types.JobRunStateSuccess}, CreatedAtAfter: aws.Time(time.Now()),
		})
		_, calls["tags"] = c.ListTagsForResource(t.Context(), &emrserverless.ListTagsForResourceInput{
			ResourceArn: aws.String("arn:aws:emr-serverless:us-east-1:123456789012:/applications/" + app),
		})
		_, calls["start"] = c.StartJobRun(t.Context(), job("x-"+test.key))
		for name, err := range calls {
			if got := errorCode(err); got != test.want {
				t.Errorf("%s as %s: %q (%v), want %q", name, test.key, got, err, test.want)
			}
		}
	}
	res, err := http.Get(b.server.URL() + "/applications")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusForbidden || res.Header.Get("X-Amzn-Errortype") != "MissingAuthenticationTokenException" {
		t.Errorf("unsigned: %s, %v", res.Status, res.Header)
	}
}

func errorCode(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for name, test := range map[string]struct {
		change func(*emrserverless.StartJobRunInput)
		want   string
	}{
		"no application": {func(in *emrserverless.StartJobRunInput) { in.ApplicationId = aws.String("00none") }, "ResourceNotFoundException"},
		"bad token":      {func(in *emrserverless.StartJobRunInput) { in.ClientToken = aws.String("a b") }, "ValidationException"},
		"bad role": {func(in *emrserverless.StartJobRunInput) {
			in.ExecutionRoleArn = aws.String("EMRServerlessExecutionRole-is-a-name")
		}, "ValidationException"},
		"open quote": {parameter(`--conf 'a=b`), "ValidationException"},
		"master":     {parameter(`--master local[2]`), "ValidationException"},
		"too long":   {parameter(strings.Repeat("x", 102401)), "ValidationException"},
		"no driver":  {func(in *emrserverless.StartJobRunInput) { in.JobDriver = nil }, "ValidationException"},
		"hive is not played": {func(in *emrserverless.StartJobRunInput) {
			in.JobDriver = &types.JobDriverMemberHive{Value: types.Hive{Query: aws.String("q")}}
		}, "ValidationException"},
	} {
		in := job("r")
		test.change(in)
		_, err := b.client.StartJobRun(t.Context(), in)
		if got := errorCode(err); got != test.want {
			t.Errorf("%s: %q (%v), want %q", name, got, err, test.want)
		}
	}
}

func parameter(text string) func(*emrserverless.StartJobRunInput) {
	return func(in *emrserverless.StartJobRunInput) {
		in.JobDriver = &types.JobDriverMemberSparkSubmit{Value: types.SparkSubmit{EntryPoint: aws.String("s3://b/s.py"), SparkSubmitParameters: &text}}
	}
}
