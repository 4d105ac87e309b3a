package bedrock_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/model/bedrock"
	"github.com/sparkwright/sparkwright/internal/model/bedrock/bedrocktest"
	"github.com/sparkwright/sparkwright/internal/model/modeltest"
)

func config(url string) aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", modeltest.Secret),
	}
}

func make1(t *testing.T, opt modeltest.Options) sparkwright.Model {
	t.Helper()
	m, err := bedrock.New(bedrock.Config{
		AWS: config(opt.URL), Model: modeltest.ModelName, Timeout: opt.Timeout, Idle: opt.Idle, Wait: opt.Wait,
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSuite(t *testing.T) {
	t.Parallel()
	modeltest.Run(t, bedrocktest.Dialect{}, make1)
}

// A model that cannot stream is asked again for the whole.
func TestWhole(t *testing.T) {
	t.Parallel()
	var paths []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.Path)
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "-stream") {
			w.Header().Set("X-Amzn-ErrorType", "ValidationException")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"message":"This model doesn't support the streaming mode."}`)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"output":     map[string]any{"message": map[string]any{"role": "assistant", "content": []any{map[string]any{"text": "o"}, map[string]any{"text": "k"}}}},
			"stopReason": "end_turn", "usage": map[string]any{"inputTokens": 3, "outputTokens": 2, "totalTokens": 5, "cacheReadInputTokens": 4},
			"metrics": map[string]any{"latencyMs": 1},
		})
	}))
	t.Cleanup(s.Close)
	reply, err := make1(t, modeltest.Options{URL: s.URL}).Complete(t.Context(), sparkwright.ModelRequest{System: "s", User: "u", MaxTokens: 5}, nil)
	if err != nil || reply.Text != "ok" || reply.InputTokens != 7 || reply.OutputTokens != 2 {
		t.Errorf("%+v, %v", reply, err)
	}
	if len(paths) != 2 || paths[1] != "/model/"+modeltest.ModelName+"/converse" {
		t.Errorf("asked %q", paths)
	}
}

func TestNoCredentials(t *testing.T) {
	t.Parallel()
	cfg := config("http://127.0.0.1:1")
	cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, errors.New("no EC2 IMDS role found")
	})
	m, err := bedrock.New(bedrock.Config{AWS: cfg, Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = m.Complete(t.Context(), sparkwright.ModelRequest{User: "q"}, nil); sparkwright.ErrorCode(err) != sparkwright.CodeUnauthorized {
		t.Errorf("Complete: %v", err)
	}
}

func TestConfigRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []bedrock.Config{{AWS: config("http://x")}, {Model: "m"}} {
		if _, err := bedrock.New(c); sparkwright.ErrorCode(err) != sparkwright.CodeInvalid {
			t.Errorf("New: %v", err)
		}
	}
}
