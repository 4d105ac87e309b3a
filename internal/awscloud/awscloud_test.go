package awscloud_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/emrserverless"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/awscloud"
)

// call makes a real call of the SDK against an answer.
func call(t *testing.T, ctx context.Context, status int, kind string, credential aws.CredentialsProvider) error { //nolint:revive // t first, as in every helper
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amzn-ErrorType", kind)
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, `{"message":"as it is"}`)
	}))
	defer srv.Close()
	cfg := aws.Config{Region: "us-east-1", BaseEndpoint: &srv.URL, RetryMaxAttempts: 1, Credentials: credential}
	_, err := emrserverless.NewFromConfig(cfg).GetApplication(ctx, &emrserverless.GetApplicationInput{ApplicationId: aws.String("00abc")})
	return err
}

func TestClassify(t *testing.T) {
	t.Parallel()
	static := credentials.NewStaticCredentialsProvider("a", "b", "")
	none := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, fmt.Errorf("no credentials are to be found")
	})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		status  int
		kind    string
		want    awscloud.Class
		code    sparkwright.Code
		passing bool
	}{
		{400, "ValidationException", awscloud.Invalid, sparkwright.CodeInvalid, false},
		{404, "ResourceNotFoundException", awscloud.NotFound, sparkwright.CodeNotFound, false},
		{409, "ConflictException", awscloud.Conflict, sparkwright.CodeConflict, false},
		{402, "ServiceQuotaExceededException", awscloud.Throttled, sparkwright.CodeResource, true},
		{429, "ThrottlingException", awscloud.Throttled, sparkwright.CodeResource, true},
		{403, "ExpiredTokenException", awscloud.Credentials, sparkwright.CodeUnauthorized, true},
		{403, "AccessDeniedException", awscloud.Denied, sparkwright.CodeUnauthorized, false},
		{500, "InternalServerException", awscloud.Unavailable, sparkwright.CodeUnavailable, true},
		{418, "SomethingNew", awscloud.Invalid, sparkwright.CodeInvalid, false},
	} {
		err := call(t, t.Context(), tt.status, tt.kind, static)
		if got := awscloud.Classify(err); got != tt.want || awscloud.Passing(err) != tt.passing {
			t.Errorf("%s: %s, passing %v (%v)", tt.kind, got, awscloud.Passing(err), err)
		}
		told := awscloud.Error("it failed", err)
		if sparkwright.ErrorCode(told) != tt.code || !strings.Contains(told.Error(), tt.kind+": as it is") {
			t.Errorf("%s is told as %v", tt.kind, told)
		}
	}
	if err := call(t, t.Context(), 200, "", none); awscloud.Classify(err) != awscloud.Credentials {
		t.Errorf("no credentials: %s (%v)", awscloud.Classify(err), err)
	}
	if err := call(t, gone, 200, "", static); awscloud.Classify(err) != awscloud.Cancelled {
		t.Errorf("cancelled: %s (%v)", awscloud.Classify(err), err)
	}
	if awscloud.Classify(nil) != "" || awscloud.Passing(sparkwright.Errorf(sparkwright.CodeJobFailed, "x")) {
		t.Error("what is no error of AWS is taken for one")
	}
	dead := "http://127.0.0.1:1"
	cfg := aws.Config{Region: "us-east-1", BaseEndpoint: &dead, RetryMaxAttempts: 1, Credentials: static}
	_, err := emrserverless.NewFromConfig(cfg).ListApplications(t.Context(), &emrserverless.ListApplicationsInput{})
	if awscloud.Classify(err) != awscloud.Unavailable {
		t.Errorf("unreachable: %s (%v)", awscloud.Classify(err), err)
	}
}

func TestSplitS3(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		url, bucket, key string
		ok               bool
	}{
		{"s3://b/a/c/", "b", "a/c", true},
		{"s3://b", "b", "", true},
		{"s3://", "", "", false},
		{"/tmp/x", "", "", false},
	} {
		if b, k, ok := awscloud.SplitS3(tt.url); b != tt.bucket || k != tt.key || ok != tt.ok {
			t.Errorf("%s: %q, %q, %v", tt.url, b, k, ok)
		}
	}
}

func TestLoad(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	if _, err := awscloud.Load(t.Context(), awscloud.Options{}); sparkwright.ErrorCode(err) != sparkwright.CodeInvalid || !strings.Contains(err.Error(), "region") {
		t.Errorf("without a region: %v", err)
	}
	t.Setenv("AWS_REGION", "eu-west-1")
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
	cfg, err := awscloud.Load(t.Context(), awscloud.Options{})
	if err != nil || cfg.Region != "eu-west-1" || aws.ToString(cfg.BaseEndpoint) != "http://127.0.0.1:9" {
		t.Errorf("region %q, endpoint %q, %v", cfg.Region, aws.ToString(cfg.BaseEndpoint), err)
	}
	cfg, err = awscloud.Load(t.Context(), awscloud.Options{Region: "us-west-2"})
	if err != nil || cfg.Region != "us-west-2" {
		t.Errorf("the setting's region: %q, %v", cfg.Region, err)
	}
}
