package server_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/readplan"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

func TestGenerateSucceeds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.answers(succeeded(), nil)
	resp, text := b.call(t, http.MethodPost, "/spark/generate", encode(t, question(nil)), nil) //nolint:bodyclose // call has read and closed it
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("HTTP %d: %s", resp.StatusCode, text)
	}
	checkGolden(t, "success.json.golden", text)
	if diff := cmp.Diff([]string{"shop.sales.orders"}, b.service.only(t).Tables); diff != "" {
		t.Error(diff)
	}
}

func TestGenerateOutcomes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		run     *sparkwright.Run
		err     error
		success bool
		result  string // execution_result
		says    string // in execution_message or error
	}{
		{
			"a failed job", &sparkwright.Run{State: sparkwright.RunFailed, Analysis: "x", Fault: &sparkwright.Fault{Message: "the disk is full", Remedy: "free some"}},
			sparkwright.Errorf(sparkwright.CodeJobFailed, "x"), true, "failed", "the disk is full. free some",
		},
		{
			"a declined question", &sparkwright.Run{State: sparkwright.RunDeclined, Declined: &sparkwright.Declined{Message: "no column tells churn"}},
			nil, true, "failed", "churn",
		},
		{
			"succeeded without a result is not success", &sparkwright.Run{State: sparkwright.RunSucceeded, Analysis: "x"},
			nil, true, "failed", "",
		},
		{
			"an unknown connection", &sparkwright.Run{State: sparkwright.RunFailed},
			sparkwright.Errorf(sparkwright.CodeNotFound, `there is no connection "shop"`), false, "", "no connection",
		},
		{"nothing recorded", nil, sparkwright.Errorf(sparkwright.CodeInvalid, "the question is empty"), false, "", "empty"},
		{"a defect is not told", nil, context.DeadlineExceeded, false, "", "internal error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.answers(tt.run, tt.err)
			got := b.post(t, "/spark/generate", question(nil))
			if got["success"] != tt.success {
				t.Fatalf("reply %v", got)
			}
			said, _ := got["error"].(string)
			if tt.success {
				result, _ := got["result"].(map[string]any)
				said, _ = result["execution_message"].(string)
				if result["execution_result"] != tt.result {
					t.Errorf("execution_result %v", result["execution_result"])
				}
			}
			if !strings.Contains(said, tt.says) {
				t.Errorf("said %q, want %q", said, tt.says)
			}
		})
	}
}

func TestSessionAndPlatform(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, session, platform, engine string
		keeps                           bool
		reason                          string
	}{
		{"a long id is kept", session, "lambda", "auto", true, "fits"},
		{"a short id is replaced", "short", "lambda", "auto", false, "fits"},
		{"a platform that is not configured", session, "emr", "auto", true, "emr is not configured; fits"},
		{"an engine that is not configured", session, "lambda", "emr", true, "emr is not configured; fits"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.answers(succeeded(), nil)
			got := b.post(t, "/spark/generate", question(map[string]any{
				"session_id": tt.session, "execution_platform": tt.platform, "execution_engine": tt.engine,
			}))
			id, _ := got["session_id"].(string)
			if (id == tt.session) != tt.keeps || len(id) < 33 {
				t.Errorf("session %q", id)
			}
			if reason, _ := got["placement_reason"].(string); !strings.HasPrefix(reason, tt.reason) || got["execution_platform"] != "local" {
				t.Errorf("platform %v, reason %q", got["execution_platform"], reason)
			}
		})
	}
}

func TestSelectionsThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for name, with := range map[string]map[string]any{
		"none":         {"selected_postgres_tables": nil},
		"no schema":    {"selected_postgres_tables": []any{map[string]any{"connection_name": "shop", "table": "t"}}},
		"Glue as well": {"selected_tables": []any{map[string]any{"database": "d", "table": "t"}}},
	} {
		b := setup(t)
		if got := b.post(t, "/spark/generate", question(with)); got["success"] != false {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestExecute(t *testing.T) {
	t.Parallel()
	script, err := jobscript.Render(jobscript.Spec{
		RunID: "r_1", AttemptID: "r_1-1", Location: "/r", Analysis: "result = spark.table('orders')",
		Reads: []readplan.Read{{View: "orders", Table: sparkwright.Table{Connection: "shop", Schema: "sales", Name: "orders"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, code string
		want       *supervisor.Request // nil = refused
	}{
		{"a script of ours", script, &supervisor.Request{Code: "result = spark.table('orders')", Tables: []string{"shop.sales.orders"}}},
		{"an analysis", "result = spark.range(3)", &supervisor.Request{Code: "result = spark.range(3)"}},
		{"a foreign program", "from pyspark.sql import SparkSession\nspark = SparkSession.builder.getOrCreate()", nil},
		{"a foreign program with a login", "u = 'jdbc:postgresql://h/d'", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.answers(succeeded(), nil)
			got := b.post(t, "/spark/execute", map[string]any{"spark_code": tt.code, "session_id": session})
			if tt.want == nil {
				if got["success"] != false || len(b.service.asked) > 0 {
					t.Errorf("not refused: %v", got)
				}
				return
			}
			asked := b.service.only(t)
			if asked.Code != tt.want.Code || cmp.Diff(tt.want.Tables, asked.Tables) != "" {
				t.Errorf("asked %+v", asked)
			}
		})
	}
}

func TestDisconnectCancels(t *testing.T) {
	t.Parallel()
	b := setup(t)
	began, over := make(chan struct{}), make(chan error, 1)
	b.service.ask = func(ctx context.Context, _ supervisor.Request) (*sparkwright.Run, error) {
		close(began)
		err := ended(ctx)
		over <- err
		return nil, err
	}
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		<-began
		leave()
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url+"/spark/generate", strings.NewReader(encode(t, question(nil))))
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := new(http.Client).Do(req); err == nil {
		_ = resp.Body.Close()
		t.Fatal("a reply to a client that has left")
	}
	if err := <-over; err == nil {
		t.Error("the service was not told")
	}
}
