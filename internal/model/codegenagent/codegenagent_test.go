package codegenagent_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/model/codegenagent"
	"github.com/sparkwright/sparkwright/internal/model/codegenagent/codegenagenttest"
	"github.com/sparkwright/sparkwright/internal/model/modeltest"
)

func make1(t *testing.T, opt modeltest.Options) sparkwright.Model {
	t.Helper()
	m, err := codegenagent.New(codegenagent.Config{
		AWS: aws.Config{
			Region: "eu-west-1", BaseEndpoint: &opt.URL, Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", modeltest.Secret),
		},
		ARN: codegenagenttest.ARN, Model: modeltest.ModelName, Timeout: opt.Timeout, Idle: opt.Idle, Wait: opt.Wait,
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSuite(t *testing.T) {
	t.Parallel()
	modeltest.Run(t, codegenagenttest.Dialect{}, make1)
}

// Agents answer in several forms; each call has a session of its own.
func TestForms(t *testing.T) {
	t.Parallel()
	once, _ := json.Marshal("```python\nresult = 1\n```")
	twice, _ := json.Marshal(string(once))
	for _, tt := range []struct{ name, media, body, want string }{
		{"JSON text", "application/json", string(once), "```python\nresult = 1\n```"},
		{"JSON text in JSON text", "application/json", string(twice), "```python\nresult = 1\n```"},
		{"plain text", "text/plain", "result = 1", "result = 1"},
		{"an object", "application/json", `{"data": "result = 1"}`, "result = 1"},
		{"events of objects", "text/event-stream", "data: {\"init\": true}\n\ndata: {\"data\": \"a\"}\n\ndata: \"b\"\n\n", "ab"},
		{"an unfinished last event", "text/event-stream", "data: \"a\"\n\ndata: \"b\"", "ab"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var sessions []string
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				sessions = append(sessions, r.Header.Get("X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"))
				w.Header().Set("Content-Type", tt.media)
				_, _ = io.WriteString(w, tt.body)
			}))
			t.Cleanup(s.Close)
			m := make1(t, modeltest.Options{URL: s.URL})
			for range 2 {
				if reply, err := m.Complete(t.Context(), sparkwright.ModelRequest{User: "q"}, nil); err != nil || reply.Text != tt.want {
					t.Errorf("%+v, %v", reply, err)
				}
			}
			if len(sessions) != 2 || len(sessions[0]) < 33 || sessions[0] == sessions[1] {
				t.Errorf("sessions %q", sessions)
			}
		})
	}
}

func TestConfigRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []codegenagent.Config{{Model: "m"}, {Model: "m", ARN: "arn:aws:lambda:x"}, {ARN: codegenagenttest.ARN}} {
		if _, err := codegenagent.New(c); sparkwright.ErrorCode(err) != sparkwright.CodeInvalid {
			t.Errorf("New: %v", err)
		}
	}
}
