package agentcore_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/agentcore"
	fake "github.com/sparkwright/sparkwright/internal/fake/agentcore"
)

// core is AgentCore with one runtime.
type core struct{ *fake.Core }

func newCore(t *testing.T, container http.Handler) *core {
	t.Helper()
	c := &core{fake.Start(container)}
	t.Cleanup(c.Close)
	return c
}

func (c *core) client() *agentcore.Client {
	return agentcore.NewClient(aws.Config{
		Region: "us-east-1", BaseEndpoint: &c.URL, Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
	}, fake.ARN)
}

// service stands for the reference endpoints behind an agent.
type service struct {
	mu     sync.Mutex
	path   string
	asked  map[string]any
	config map[string]any
	answer string
	hold   chan struct{}
}

func (s *service) open(_ context.Context, config map[string]any) (http.Handler, error) {
	s.config = config
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.path, s.asked = r.URL.Path, map[string]any{}
		_ = json.NewDecoder(r.Body).Decode(&s.asked)
		s.mu.Unlock()
		if s.hold != nil {
			<-s.hold
		}
		_, _ = io.WriteString(w, s.answer)
	}), nil
}

const good = `{"success":true,"framework":"spark","result":{"spark_code":"x = 1","execution_result":"success","actual_results":[{"n":1}],"s3_output_path":"s3://o"}}`

func newAgent(s *service) *agentcore.Agent {
	return agentcore.NewAgent(agentcore.AgentConfig{Version: "v1", Open: s.open, Beat: time.Millisecond, Log: slog.New(slog.DiscardHandler)})
}

func payload() map[string]any {
	return map[string]any{
		"prompt": "how many?", "session_id": "s1", "s3_output_path": "s3://o", "selected_tables": []string{"lake.clicks"},
		"selected_postgres_tables": []any{map[string]any{"table": "t"}}, "execution_platform": "emr", "skip_generation": false,
		"config": map[string]any{"s3_bucket": "b", "jdbc_driver_path": "s3://b/x.jar"}, "s3_input_path": nil,
	}
}

// The payload of the reference goes in, its result object comes out, over a
// stream that says meanwhile that the run goes on.
func TestAgentCarriesOut(t *testing.T) {
	t.Parallel()
	s := &service{answer: good}
	c := newCore(t, newAgent(s))
	c.Throttle(1)
	got, err := c.client().Run(t.Context(), "s1", payload())
	if err != nil {
		t.Fatal(err)
	}
	var result map[string]any
	if err = json.Unmarshal(got, &result); err != nil || result["execution_result"] != "success" || result["spark_code"] != "x = 1" {
		t.Errorf("%s, %v", got, err)
	}
	want := map[string]any{
		"prompt": "how many?", "session_id": "s1", "s3_output_path": "s3://o", "execution_platform": "emr",
		"selected_tables":          []any{map[string]any{"database": "lake", "table": "clicks"}},
		"selected_postgres_tables": []any{map[string]any{"table": "t"}},
	}
	if diff := cmp.Diff(want, s.asked); diff != "" || s.path != "/spark/generate" {
		t.Errorf("%s %s", s.path, diff)
	}
	if s.config["jdbc_driver_path"] != "s3://b/x.jar" {
		t.Errorf("config %v", s.config)
	}
	for _, id := range c.Sessions() {
		if len(id) < 33 || !strings.Contains(id, "s1") {
			t.Errorf("session id %q", id)
		}
	}
	execute := map[string]any{"spark_code": "result = 1", "session_id": strings.Repeat("s", 40), "skip_generation": true}
	if _, err = c.client().Run(t.Context(), strings.Repeat("s", 40), execute); err != nil || s.path != "/spark/execute" || s.asked["spark_code"] != "result = 1" {
		t.Errorf("execute: %v, %s, %v", err, s.path, s.asked)
	}
}

// A connection that breaks after the result has lost nothing; one that breaks
// before it has, and what came until then is no result.
func TestConnectionThatBreaks(t *testing.T) {
	t.Parallel()
	result, err := json.Marshal(`{"execution_result":"success","spark_code":"x = 1"}`)
	if err != nil {
		t.Fatal(err)
	}
	for sent, whole := range map[string]bool{
		": running\n\nevent: result\ndata: " + string(result) + "\n\n":                 true,
		": running\n\nevent: result\ndata: " + string(result) + "\n":                   false,
		"event: progress\ndata: \"half\"\n\n: running\n\nevent: result\ndata: \"{\\\"": false,
		"data: " + string(result) + "\n\n":                                             false, // whether another one would have come is not known
	} {
		c := newCore(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, sent)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}))
		got, err := c.client().Run(t.Context(), "s1", payload())
		if (err == nil) != whole || whole && !strings.Contains(string(got), `"success"`) {
			t.Errorf("%q: %s, %v", sent, got, err)
		}
	}
}

func TestAgentSaysWhatFailed(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{`{"success":false,"error":"no such table"}`, `{"detail":[{"msg":"field required"}]}`, "Internal Server Error"} {
		got, err := newCore(t, newAgent(&service{answer: answer})).client().Run(t.Context(), "s1", payload())
		var result map[string]any
		if err != nil || json.Unmarshal(got, &result) != nil || result["execution_result"] != "failed" || result["execution_message"] == "" {
			t.Errorf("%s: %s, %v", answer, got, err)
		}
	}
}

func TestPing(t *testing.T) {
	t.Parallel()
	s := &service{answer: good, hold: make(chan struct{})}
	agent := newAgent(s)
	status := func() string {
		out := httptest.NewRecorder()
		agent.ServeHTTP(out, httptest.NewRequest(http.MethodGet, "/ping", nil))
		var body struct{ Status string }
		_ = json.Unmarshal(out.Body.Bytes(), &body)
		return body.Status
	}
	if got := status(); got != "Healthy" {
		t.Errorf("idle: %s", got)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		agent.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/invocations", strings.NewReader(`{"prompt":"x"}`)))
	}()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(60 * time.Second); status() != "HealthyBusy" && time.Now().Before(end); <-tick.C {
	}
	if got := status(); got != "HealthyBusy" {
		t.Errorf("while a run goes on: %s", got)
	}
	close(s.hold)
	<-done
}

// prototype is an agent of the reference system: it knows no handshake, and
// claims success whatever it is asked.
func prototype(code any) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		result, _ := json.Marshal(map[string]any{
			"spark_code": code, "execution_result": "success", "execution_message": "done", "execution_output": []string{},
			"actual_results": []any{map[string]any{"n": 42}}, "s3_output_path": "s3://o",
		})
		text, _ := json.Marshal(string(result)) // JSON inside JSON
		_, _ = w.Write(text)
	})
}

func TestHandshake(t *testing.T) {
	t.Parallel()
	info, ok, err := newCore(t, newAgent(&service{})).client().Handshake(t.Context())
	if err != nil || !ok || info.Version != "v1" || info.Protocol != agentcore.Protocol {
		t.Errorf("%+v, %v, %v", info, ok, err)
	}
	if _, ok, err = newCore(t, prototype("x")).client().Handshake(t.Context()); ok || err != nil {
		t.Errorf("a prototype: %v, %v", ok, err)
	}
	newer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"sparkwright_handshake":{"protocol":9,"version":"v9"}}`)
	})
	if _, _, err = newCore(t, newer).client().Handshake(t.Context()); sparkwright.ErrorCode(err) != sparkwright.CodeConflict {
		t.Errorf("another protocol: %v", err)
	}
}

// A prototype writes code, and nothing that it says of the outcome gets through.
func TestPrototypeIsAGeneratorOnly(t *testing.T) {
	t.Parallel()
	reply, err := agentcore.NewModel(newCore(t, prototype("result = spark.table(\"t\")")).client(), "m").Complete(
		t.Context(), sparkwright.ModelRequest{System: "s", User: "u"}, nil)
	if err != nil || reply.Text != "```python\nresult = spark.table(\"t\")\n```" {
		t.Errorf("%+v, %v", reply, err)
	}
	if _, err = agentcore.NewModel(newCore(t, prototype(nil)).client(), "m").Complete(t.Context(), sparkwright.ModelRequest{}, nil); err == nil {
		t.Error("no code was taken for an answer")
	}
}

func TestDelegate(t *testing.T) {
	t.Parallel()
	whole := `{"prompt":"p","session_id":"s1","execution_platform":"emr","selected_postgres_tables":[{"table":"t","jdbc_url":"j","secret_arn":"a"}]}`
	for _, tt := range []struct {
		name, path, body string
		agent            http.Handler
		here             bool
	}{
		{name: "handed over", path: "/spark/generate", body: whole, agent: newAgent(&service{answer: good})},
		{name: "code", path: "/spark/execute", body: `{"spark_code":"x","session_id":"s1"}`, agent: newAgent(&service{answer: good})},
		{name: "a prototype", path: "/spark/generate", body: whole, agent: prototype("x"), here: true},
		{name: "the session's tables", path: "/spark/generate", body: `{"prompt":"p","session_id":"s1"}`, agent: newAgent(&service{answer: good}), here: true},
		{name: "a saved connection", path: "/spark/generate", body: `{"prompt":"p","session_id":"s1","selected_postgres_tables":[{"table":"t"}]}`, agent: newAgent(&service{answer: good}), here: true},
		{name: "another endpoint", path: "/health", body: whole, agent: newAgent(&service{answer: good}), here: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := &agentcore.Delegate{
				Client: newCore(t, tt.agent).client(), Log: slog.New(slog.DiscardHandler),
				Config: func(postgres bool) map[string]any { return map[string]any{"postgres": postgres} },
				Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					body, _ := io.ReadAll(r.Body)
					_, _ = fmt.Fprintf(w, "here %s", body)
				}),
			}
			out := httptest.NewRecorder()
			d.ServeHTTP(out, httptest.NewRequest(http.MethodPost, tt.path, strings.NewReader(tt.body)))
			if tt.here {
				if out.Body.String() != "here "+tt.body {
					t.Errorf("%s; want it to stay here, whole", out.Body)
				}
				return
			}
			var answer struct {
				Success bool
				Result  map[string]any
			}
			if err := json.Unmarshal(out.Body.Bytes(), &answer); err != nil || !answer.Success || answer.Result["execution_result"] != "success" {
				t.Errorf("%s, %v", out.Body, err)
			}
		})
	}
}
