package server_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/readplan"
	"github.com/sparkwright/sparkwright/internal/server"
)

func TestGenerateOutcomes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		run     *sparkwright.Run
		err     error
		success bool
		says    string // in execution_message or error
	}{
		{
			"succeeded without a result is not success", &sparkwright.Run{State: sparkwright.RunSucceeded, Analysis: "x"},
			nil, true, "no result",
		},
		{"cancelled", &sparkwright.Run{State: sparkwright.RunCancelled, Analysis: "x"}, nil, true, "cancelled"},
		{"cancelled before there was code", &sparkwright.Run{State: sparkwright.RunCancelled}, nil, false, "cancelled"},
		{"a defect is not told", nil, errors.New("secret detail"), false, "internal error"},
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
			if asked := b.runs.only(t); asked.Engine != "spark" {
				t.Errorf("engine %q", asked.Engine)
			}
			said, _ := got["error"].(string)
			if tt.success {
				result, _ := got["result"].(map[string]any)
				said, _ = result["execution_message"].(string)
				if result["execution_result"] != "failed" {
					t.Errorf("execution_result %v", result["execution_result"])
				}
			}
			if !strings.Contains(said, tt.says) || strings.Contains(said, "secret detail") {
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
		asked                           string // of the supervisor
	}{
		{"a long id is kept", longID, "lambda", "auto", true, "fits", ""},
		{"a short id is replaced", "short", "lambda", "auto", false, "fits", ""},
		{"32 characters are short", longID[:32], "lambda", "auto", false, "fits", ""},
		{"33 are not", longID[:33], "lambda", "auto", true, "fits", ""},
		{"a platform that is not configured", longID, "emr", "auto", true, "emr is not configured; fits", "emr"},
		{"an engine that is not configured", longID, "lambda", "emr", true, "emr is not configured; fits", "emr"},
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
			if (id == tt.session) != tt.keeps || len(id) < 33 || !tt.keeps && !strings.HasPrefix(id, "spark-session-") {
				t.Errorf("session %q", id)
			}
			if reason, _ := got["placement_reason"].(string); !strings.HasPrefix(reason, tt.reason) || got["execution_platform"] != "local" {
				t.Errorf("platform %v, reason %q", got["execution_platform"], reason)
			}
			if asked := b.runs.only(t); asked.Executor != tt.asked || asked.Session != tt.session {
				t.Errorf("asked %+v", asked)
			}
		})
	}
}

// dict is a table dict of the reference.
func dict(with ...string) map[string]any {
	d := map[string]any{"connection_name": "aurora", "database": "postgres", "schema": "public", "table": "order_details"}
	for i := 0; i+1 < len(with); i += 2 {
		d[with[i]] = with[i+1]
	}
	return d
}

func TestTablesOfARequest(t *testing.T) {
	t.Parallel()
	const arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:spark/postgres/aurora-AbCdEf"
	whole := dict("jdbc_url", "jdbc:postgresql://h:5432/postgres", "secret_arn", arn, "auth_method", "user_password")
	whole["columns"] = []any{map[string]any{"name": "id", "type": "integer"}, map[string]any{"name": "qty", "type": "integer", "nullable": false}}
	wrong := dict("jdbc_url", "jdbc:postgresql://h:5432/postgres", "secret_arn", arn)
	wrong["columns"] = []any{map[string]any{"name": "id"}}
	given := sparkwright.GivenTable{
		Connection: "aurora", JDBCURL: "jdbc:postgresql://h:5432/postgres", SecretARN: arn, AuthMethod: sparkwright.AuthUserPassword,
		Database: "postgres", Schema: "public", Table: "order_details",
		Columns: []sparkwright.Column{{Name: "id", Type: "integer", Nullable: true}, {Name: "qty", Type: "integer"}},
	}
	for _, tt := range []struct {
		name   string
		tables []any
		want   []string
		given  []sparkwright.GivenTable
	}{
		{"of a saved connection", []any{dict("connection_name", "shop", "database", "shop")}, []string{"shop.public.order_details"}, nil},
		{"of another database of it", []any{dict("connection_name", "shop")}, []string{"shop/postgres.public.order_details"}, nil},
		{"described whole", []any{whole}, nil, []sparkwright.GivenTable{given}},
		{"both", []any{dict("connection_name", "shop", "database", ""), whole}, []string{"shop.public.order_details"}, []sparkwright.GivenTable{given}},
		{"unknown, without a URL", []any{dict("secret_arn", arn)}, nil, nil},
		{"unknown, with a secret of this server's", []any{dict("jdbc_url", "jdbc:postgresql://h/d", "secret_arn", "local:aurora")}, nil, nil},
		{"columns that are none", []any{wrong}, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.answers(succeeded(), nil)
			got := b.post(t, "/spark/generate", question(map[string]any{"selected_postgres_tables": tt.tables}))
			if tt.want == nil && tt.given == nil {
				if got["success"] != false || len(b.runs.asked) > 0 {
					t.Errorf("not refused: %v", got)
				}
				return
			}
			asked := b.runs.only(t)
			if diff := cmp.Diff(tt.want, asked.Tables); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.given, asked.Given); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestTablesOfASession: a request without tables is about the session's, under
// the id that the client sends, or was answered.
func TestTablesOfASession(t *testing.T) {
	t.Parallel()
	b := setup(t, withGlue)
	b.answers(succeeded(), nil)
	for path, body := range map[string]any{
		"/sessions/short/select-postgres-tables": map[string]any{"connection_name": "shop", "tables": []any{order}},
		"/sessions/short/select-tables":          map[string]any{"session_id": "", "tables": []any{map[string]string{"database": "lake", "table": "clicks"}}},
		"/spark/upload-csv":                      map[string]any{"filename": "x.csv", "content": "a\n1\n", "session_id": "short"},
	} {
		if got := b.post(t, path, body); got["success"] != true {
			t.Fatalf("%s: %v", path, got)
		}
	}
	all := []string{"shop.sales.orders", "glue.lake.clicks", "files.x.csv"}
	ask := func(with map[string]any) []string {
		t.Helper()
		body := map[string]any{"prompt": "how many", "session_id": "short"}
		maps.Copy(body, with)
		got := b.post(t, "/spark/generate", body)
		if got["success"] != true {
			t.Fatalf("%v: %v", with, got)
		}
		return b.runs.asked[len(b.runs.asked)-1].Tables
	}
	reply := b.post(t, "/spark/generate", map[string]any{"prompt": "how many", "session_id": "short"})
	answered, _ := reply["session_id"].(string)
	for _, tt := range []struct {
		name string
		with map[string]any
		want []string
	}{
		{"nothing", nil, all},
		{"an empty list", map[string]any{"selected_postgres_tables": []any{}, "selected_tables": nil}, all},
		{"under the id that was answered", map[string]any{"session_id": answered}, all},
		{"PostgreSQL tables", map[string]any{"selected_postgres_tables": []any{dict("connection_name", "shop")}}, []string{"shop/postgres.public.order_details"}},
		{"Glue tables", map[string]any{"selected_tables": []any{map[string]string{"database": "lake", "table": "clicks"}}}, []string{"shop.sales.orders", "glue.lake.clicks"}},
		{"an upload", map[string]any{"s3_input_path": "x.csv"}, []string{"shop.sales.orders", "files.x.csv"}},
		{"an S3 path", map[string]any{"s3_input_path": "s3://lake/raw/"}, []string{"shop.sales.orders", "s3://lake/raw/"}},
	} {
		if diff := cmp.Diff(tt.want, ask(tt.with)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.name, diff)
		}
	}
	if got := b.post(t, "/sessions/"+answered+"/reset", nil); got["success"] != true {
		t.Errorf("reset: %v", got)
	}
	if got := b.post(t, "/spark/generate", map[string]any{"prompt": "how many", "session_id": "short"}); got["success"] != false {
		t.Errorf("after the reset: %v", got)
	}
	if got := b.get(t, "/history/"+answered); len(got["conversation_history"].([]any)) < 5 { //nolint:forcetypeassert // the test may panic
		t.Errorf("the history is gone: %v", got)
	}
}

// TestFollowUp: a question in a session names the one before it.
func TestFollowUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	n := 0
	b.runs.carry = func(sparkwright.Request) (*sparkwright.Run, error) {
		n++
		run := succeeded()
		run.ID = fmt.Sprintf("r_%d", n)
		if n == 2 { // declined: there is nothing to follow up
			run.Analysis, run.Result, run.State = "", nil, sparkwright.RunDeclined
			run.Declined = &sparkwright.Declined{Message: "no"}
		}
		return run, nil
	}
	for range 3 {
		b.post(t, "/spark/generate", question(nil))
	}
	b.post(t, "/spark/generate", question(map[string]any{"session_id": "another"}))
	var parents []string
	for _, req := range b.runs.asked {
		parents = append(parents, req.Parent)
	}
	if diff := cmp.Diff([]string{"", "r_1", "r_1", ""}, parents); diff != "" {
		t.Error(diff)
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
	const analysis = "result = spark.table('orders')"
	for _, tt := range []struct {
		name string
		code string
		with []any               // selected_postgres_tables
		want sparkwright.Request // zero = refused
	}{
		{"a script of ours", script, nil, sparkwright.Request{Code: analysis, Tables: []string{"shop.sales.orders"}}},
		{"a script of ours on other tables", script, []any{dict("connection_name", "shop")}, sparkwright.Request{Code: analysis, Tables: []string{"shop/postgres.public.order_details"}}},
		{"an analysis on the session's tables", analysis, nil, sparkwright.Request{Code: analysis, Tables: []string{"shop.sales.orders"}}},
		{"a foreign program", "from pyspark.sql import SparkSession\nspark = SparkSession.builder.getOrCreate()", nil, sparkwright.Request{}},
		{"a foreign program with a login", "u = 'jdbc:postgresql://h/d'", nil, sparkwright.Request{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.answers(succeeded(), nil)
			b.post(t, "/sessions/"+longID+"/select-postgres-tables", map[string]any{"connection_name": "shop", "tables": []any{order}})
			got := b.post(t, "/spark/execute", map[string]any{
				"spark_code": tt.code, "session_id": longID, "selected_postgres_tables": tt.with, "s3_output_path": "s3://b/out",
			})
			if tt.want.Code == "" {
				if got["success"] != false || len(b.runs.asked) > 0 {
					t.Errorf("not refused: %v", got)
				}
				return
			}
			tt.want.Session, tt.want.OutputPath, tt.want.Engine = longID, "s3://b/out", "spark"
			if diff := cmp.Diff(tt.want, b.runs.only(t)); diff != "" {
				t.Error(diff)
			}
			if _, there := got["execution_platform"]; there {
				t.Error("the reference answers no platform here")
			}
		})
	}
}

// TestDisconnect: a client that leaves does not end the run; its outcome is in
// the history.
func TestDisconnect(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.runs.wait = make(chan struct{})
	accepted := make(chan struct{})
	b.runs.carry = func(sparkwright.Request) (*sparkwright.Run, error) {
		close(accepted)
		return succeeded(), nil
	}
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		<-accepted
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
	if got := b.get(t, "/history/"+longID); len(got["execution_results"].([]any)) != 0 { //nolint:forcetypeassert // the test may panic
		t.Errorf("ended too early: %v", got)
	}
	close(b.runs.wait)
	if got := b.get(t, "/history/"+longID); len(got["execution_results"].([]any)) != 1 { //nolint:forcetypeassert // the test may panic
		t.Errorf("the run is lost: %v", got)
	}
}

// TestSessionsDoNotMix has many sessions select, ask and read their history at
// the same time. Every one sees its own tables, questions and nothing else.
func TestSessionsDoNotMix(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.runs.carry = func(req sparkwright.Request) (*sparkwright.Run, error) {
		run := succeeded()
		run.ID, run.Understood = "r_"+req.Session+"_"+req.Question, strings.Join(req.Tables, " ")
		return run, nil
	}
	const sessions, questions = 12, 4
	var all sync.WaitGroup
	for i := range sessions {
		all.Go(func() {
			id := fmt.Sprintf("s%d", i) // short: its handle must be its own too
			table := []string{"orders", "recent"}[i%2]
			selection := map[string]any{"connection_name": "shop", "tables": []any{map[string]string{"database": "shop", "schema": "sales", "table": table}}}
			if got := b.post(t, "/sessions/"+id+"/select-postgres-tables", selection); got["success"] != true {
				t.Errorf("%s: %v", id, got)
			}
			var asked sync.WaitGroup
			for q := range questions {
				asked.Go(func() {
					text := fmt.Sprintf("question %d of %s", q, id)
					got := b.post(t, "/spark/generate", map[string]any{"prompt": text, "session_id": id})
					result, _ := got["result"].(map[string]any)
					if result["run_id"] != "r_"+id+"_"+text || result["execution_message"] != "shop.sales."+table {
						t.Errorf("%s was answered %v", text, got)
					}
				})
			}
			asked.Wait()
			got := b.get(t, "/history/"+id)
			history, _ := got["conversation_history"].([]any)
			if len(history) != questions {
				t.Errorf("%s has %d questions", id, len(history))
			}
			for _, h := range history {
				if prompt, _ := h.(map[string]any)["prompt"].(string); !strings.HasSuffix(prompt, " of "+id) {
					t.Errorf("%s has %q in its history", id, prompt)
				}
			}
		})
	}
	all.Wait()
}

// TestUsersDoNotMix: the same id of two users is two sessions.
func TestUsersDoNotMix(t *testing.T) {
	t.Parallel()
	b := setup(t, func(cfg *server.Config) {
		cfg.Auth = byHeader{}
	})
	b.answers(succeeded(), nil)
	as := func(user, method, path string, body any) map[string]any {
		resp, reply := b.call(t, method, path, encode(t, body), func(r *http.Request) { r.Header.Set("X-Test-User", user) }) //nolint:bodyclose // call has read and closed it
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("HTTP %d: %s", resp.StatusCode, reply)
		}
		return decode[map[string]any](t, reply)
	}
	as("ann", "POST", "/sessions/same/select-postgres-tables", map[string]any{"connection_name": "shop", "tables": []any{order}})
	mine := as("ann", "POST", "/spark/generate", map[string]any{"prompt": "how many", "session_id": "same"})
	if mine["success"] != true || b.runs.only(t).User != "ann" {
		t.Errorf("reply %v", mine)
	}
	id, _ := mine["session_id"].(string)
	for _, path := range []string{"/history/same", "/history/" + id} {
		if got := as("bob", "GET", path, nil); len(got["conversation_history"].([]any)) > 0 { //nolint:forcetypeassert // the test may panic
			t.Errorf("bob sees %v", got)
		}
	}
	if got := as("bob", "POST", "/spark/generate", map[string]any{"prompt": "how many", "session_id": id}); got["success"] != false {
		t.Errorf("bob asks ann's tables: %v", got)
	}
}
