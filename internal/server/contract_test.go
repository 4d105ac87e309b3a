package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/server"
)

// call is one request of a scenario. A body that is a string is sent as it is.
type call struct {
	says, method, path string
	body               any
}

// scenario is a conversation with a server of its own; what is said on the
// wire is in testdata/wire.
type scenario struct {
	name    string
	prepare func(b *testBundle)
	with    []func(*server.Config)
	calls   []call
}

var order = map[string]string{"database": "shop", "schema": "sales", "table": "orders"}

func settingsBody(with map[string]any) map[string]any {
	body := map[string]any{
		"ray_private_ip": "10.0.0.1", "ray_public_ip": "", "s3_bucket": "ray-data", "ray_gateway_url": "https://gateway.example",
		"ray_supervisor_arn": "", "global_bedrock_model": "us.anthropic.claude-3-5-sonnet-20241022-v2:0",
		"global_code_gen_agent_arn": "", "global_bedrock_region": "eu-central-1", "spark_s3_bucket": "spark-data-123456789012-eu-central-1",
		"spark_lambda_function": "spark-on-lambda", "spark_emr_application_id": "00fv6g7rptsov009", "spark_max_retries": "2",
		"spark_file_size_threshold_mb": 50, "spark_result_preview_rows": 10.0, "spark_presigned_url_expiry_hours": 12,
		"spark_lambda_timeout_seconds": 200, "spark_emr_timeout_minutes": 20, "spark_supervisor_arn": "", "unknown": "ignored",
	}
	maps.Copy(body, with)
	return body
}

func connectionBody(with map[string]any) map[string]any {
	body := map[string]any{
		"name": "crm", "host": "crm.example.com", "port": "5433", "database": "crm", "auth_method": "user_password",
		"username": "reader", "password": "right", "is_update": false,
	}
	maps.Copy(body, with)
	return body
}

var scenarios = []scenario{
	{
		name: "root", calls: []call{
			{"the banner", "GET", "/", nil},
			{"health", "GET", "/health", nil},
			{"an unknown path", "GET", "/nothing", nil},
			{"what the page of the reference calls and no server has", "POST", "/upload", nil},
			{"another method", "DELETE", "/settings", nil},
		},
	},
	{
		name: "settings", calls: []call{
			{"as they are at first", "GET", "/settings", nil},
			{"saved", "POST", "/settings", settingsBody(nil)},
			{"as they were saved", "GET", "/settings", nil},
			{"what is ours", "POST", "/settings", settingsBody(map[string]any{
				"emr_postgres_application_id": "00g0oddl52n83r09", "jdbc_driver_path": "s3://spark-data-123456789012-eu-central-1/jars/postgresql-42.7.8.jar",
			})},
			{"a value out of range", "POST", "/settings", settingsBody(map[string]any{"spark_emr_timeout_minutes": 0})},
			{"a field is missing", "POST", "/settings", `{"ray_private_ip":""}`},
			{"the values in force", "GET", "/spark/config", nil},
			{"the models", "GET", "/claude-models", nil},
			{"the executors", "GET", "/spark/status", nil},
			{"restored", "POST", "/settings/restore-defaults", nil},
			{"as they are then", "GET", "/spark/config", nil},
			{"the connections are still there", "GET", "/postgres/connections", nil},
		},
	},
	{
		name: "platforms", with: []func(*server.Config){withPlatforms}, calls: []call{{"the executors in AWS", "GET", "/spark/status", nil}},
	},
	{
		name: "glue_without_aws", calls: []call{
			{"databases", "GET", "/glue/databases", nil},
			{"tables", "GET", "/glue/tables/lake", nil},
			{"selection", "POST", "/sessions/s1/select-tables", map[string]any{"tables": []any{map[string]string{"database": "lake", "table": "clicks"}}, "session_id": "s1"}},
			{"a question", "POST", "/spark/generate", question(map[string]any{"selected_tables": []any{map[string]string{"database": "lake", "table": "clicks"}}})},
		},
	},
	{
		name: "glue", with: []func(*server.Config){withGlue}, calls: []call{
			{"databases", "GET", "/glue/databases", nil},
			{"tables", "GET", "/glue/tables/lake", nil},
			{"tables of a database that is not there", "GET", "/glue/tables/pond", nil},
			{"selection", "POST", "/sessions/s1/select-tables", map[string]any{"tables": []any{map[string]string{"database": "lake", "table": "clicks", "location": "x"}}, "session_id": "other"}},
			{"a table that is not there", "POST", "/sessions/s1/select-tables", map[string]any{"tables": []any{map[string]string{"database": "lake", "table": "klicks"}}, "session_id": "s1"}},
			{"a table without a name", "POST", "/sessions/s1/select-tables", map[string]any{"tables": []any{map[string]string{"database": "lake"}}, "session_id": "s1"}},
			{"no session_id in the body", "POST", "/sessions/s1/select-tables", `{"tables":[]}`},
		},
	},
	{
		name: "postgres", calls: []call{
			{"a login is tested", "POST", "/postgres/test-connection", connectionBody(nil)},
			{"with a wrong password", "POST", "/postgres/test-connection", connectionBody(map[string]any{"password": "wrong"})},
			{"without a password", "POST", "/postgres/test-connection", connectionBody(map[string]any{"password": nil})},
			{"without the secret", "POST", "/postgres/test-connection", connectionBody(map[string]any{"auth_method": "secrets_manager"})},
			{"by an unknown method", "POST", "/postgres/test-connection", connectionBody(map[string]any{"auth_method": "kerberos"})},
			{"a connection is saved", "POST", "/postgres/connections", connectionBody(nil)},
			{"it replaces the one of its name", "POST", "/postgres/connections", connectionBody(map[string]any{"port": 5434, "is_update": true})},
			{"by its secret", "POST", "/postgres/connections", connectionBody(map[string]any{"name": "aurora", "auth_method": "secrets_manager", "secret_arn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:spark/postgres/aurora-AbCdEf"})},
			{"by IAM", "POST", "/postgres/connections", connectionBody(map[string]any{"name": "iam", "auth_method": "iam", "username": nil})},
			{"without its secret", "POST", "/postgres/connections", connectionBody(map[string]any{"auth_method": "secrets_manager"})},
			{"without a password", "POST", "/postgres/connections", connectionBody(map[string]any{"password": ""})},
			{"by an unknown method", "POST", "/postgres/connections", connectionBody(map[string]any{"auth_method": ""})},
			{"with a name that cannot be one", "POST", "/postgres/connections", connectionBody(map[string]any{"name": "../x"})},
			{"with a host that changes the URL", "POST", "/postgres/connections", connectionBody(map[string]any{"host": "db/x?user=y"})},
			{"a field is missing", "POST", "/postgres/connections", `{"host":"h","auth_method":"iam"}`},
			{"all of them", "GET", "/postgres/connections", nil},
			{"databases", "GET", "/postgres/shop/databases", nil},
			{"databases of an unknown connection", "GET", "/postgres/shops/databases", nil},
			{"schemas", "GET", "/postgres/shop/schemas/archive", nil},
			{"schemas of an unknown connection", "GET", "/postgres/shops/schemas/shop", nil},
			{"tables", "GET", "/postgres/shop/tables/shop/sales", nil},
			{"tables of an unknown database", "GET", "/postgres/shop/tables/nowhere/sales", nil},
			{"selection", "POST", "/sessions/s1/select-postgres-tables", map[string]any{"connection_name": "shop", "tables": []any{order}}},
			{"selection of another database", "POST", "/sessions/s1/select-postgres-tables", map[string]any{"connection_name": "shop", "tables": []any{map[string]string{"database": "archive", "schema": "sales", "table": "recent"}}}},
			{"a table that is not there", "POST", "/sessions/s1/select-postgres-tables", map[string]any{"connection_name": "shop", "tables": []any{order, map[string]string{"database": "shop", "schema": "sales", "table": "oders"}}}},
			{"a table that may not be read", "POST", "/sessions/s1/select-postgres-tables", map[string]any{"connection_name": "shop", "tables": []any{map[string]string{"database": "shop", "schema": "sales", "table": "salaries"}}}},
			{"an unknown connection", "POST", "/sessions/s1/select-postgres-tables", map[string]any{"connection_name": "shops", "tables": []any{order}}},
			{"a table without schema", "POST", "/sessions/s1/select-postgres-tables", map[string]any{"connection_name": "shop", "tables": []any{map[string]string{"table": "orders"}}}},
		},
	},
	{
		name: "spark", prepare: func(b *testBundle) { b.answers(succeeded(), nil) }, calls: []call{
			{"an unknown session has no history", "GET", "/history/" + longID, nil},
			{"a question", "POST", "/spark/generate", question(nil)},
			{"an analysis", "POST", "/spark/execute", map[string]any{"spark_code": "result = spark.table('orders')", "session_id": longID, "selected_postgres_tables": question(nil)["selected_postgres_tables"]}},
			{"what was asked and executed", "GET", "/history/" + longID, nil},
			{"nothing is selected", "POST", "/spark/generate", question(map[string]any{"selected_postgres_tables": []any{}})},
			{"an unknown connection", "POST", "/spark/generate", question(map[string]any{"selected_postgres_tables": []any{map[string]any{"connection_name": "shops", "database": "shop", "schema": "sales", "table": "orders"}}})},
			{"a table without schema", "POST", "/spark/generate", question(map[string]any{"selected_postgres_tables": []any{map[string]any{"connection_name": "shop", "table": "orders"}}})},
			{"a foreign program", "POST", "/spark/execute", map[string]any{"spark_code": "spark = SparkSession.builder.getOrCreate()", "session_id": longID}},
			{"an unknown input", "POST", "/spark/generate", question(map[string]any{"s3_input_path": "/etc/passwd"})},
			{"an id that cannot be one", "POST", "/spark/generate", question(map[string]any{"session_id": "a\nb"})},
			{"the selection is reset", "POST", "/sessions/" + longID + "/reset", nil},
			{"that of an unknown session too", "POST", "/sessions/nobody/reset", nil},
		},
	},
	{
		name: "spark_failed", prepare: func(b *testBundle) {
			b.answers(&sparkwright.Run{
				ID: "r_2", State: sparkwright.RunFailed, Analysis: "result = 1", Placement: sparkwright.Placement{Executor: "emrserverless", Reason: "PostgreSQL tables"},
				Attempts: []sparkwright.Attempt{{Script: "# whole"}},
				Fault:    &sparkwright.Fault{Kind: sparkwright.FaultInfrastructure, Class: "x", Message: "the driver is missing", Because: "no --jars", Remedy: "set jdbc_driver_path"},
			}, nil)
		}, calls: []call{{"a failed job", "POST", "/spark/generate", question(nil)}, {"in the history", "GET", "/history/" + longID, nil}},
	},
	{
		name: "spark_declined", prepare: func(b *testBundle) {
			b.answers(&sparkwright.Run{ID: "r_3", State: sparkwright.RunDeclined, Declined: &sparkwright.Declined{
				Reason: sparkwright.DeclineUnanswerable, Message: "No column tells churn.", Near: []string{"sales.orders.state"}, Could: []string{"How many orders are there?"},
			}}, nil)
		}, calls: []call{{"a declined question", "POST", "/spark/generate", question(nil)}},
	},
	{
		name: "spark_without_code", prepare: func(b *testBundle) {
			b.answers(&sparkwright.Run{ID: "r_4", State: sparkwright.RunFailed, Fault: &sparkwright.Fault{
				Message: "the model refused the key", Remedy: "set OPENAI_API_KEY",
			}}, nil)
		}, calls: []call{{"a generator that failed", "POST", "/spark/generate", question(nil)}},
	},
	{
		name: "spark_refused", prepare: func(b *testBundle) {
			b.answers(nil, &sparkwright.Error{Code: sparkwright.CodeInvalid, Message: "the question is empty", Remedy: "ask something"})
		}, calls: []call{{"a request that is not accepted", "POST", "/spark/generate", question(nil)}},
	},
	{
		name: "upload", prepare: func(b *testBundle) { b.answers(succeeded(), nil) }, calls: []call{
			{"for Spark", "POST", "/spark/upload-csv", map[string]any{"filename": "../../jars/sales.csv", "content": "a,b\n1,2\n3,4\n5,6\n7,8\n9,10\n", "session_id": "s1"}},
			{"the shared one, without a session", "POST", "/upload-csv", map[string]any{"filename": "sales.csv", "content": "a\n1\n"}},
			{"a name that cannot be one", "POST", "/upload-csv", map[string]any{"filename": "x.jar", "content": "a\n1\n"}},
			{"nothing in it", "POST", "/spark/upload-csv", map[string]any{"filename": "x.csv", "content": ""}},
			{"too large", "POST", "/spark/upload-csv", map[string]any{"filename": "x.csv", "content": strings.Repeat("x", 3<<20+1)}},
			{"a question about it", "POST", "/spark/generate", map[string]any{"prompt": "sum of a", "session_id": "s1"}},
		},
	},
	{
		name: "ray", calls: []call{
			{"generate", "POST", "/generate", map[string]any{"prompt": "x", "session_id": longID}},
			{"generate with a short id", "POST", "/generate", map[string]any{"prompt": "x", "session_id": "short"}},
			{"execute", "POST", "/execute", map[string]any{"code": "x", "interactive": "yes", "inputs": []any{1}}},
			{"status", "GET", "/ray/status", nil},
			{"jobs", "GET", "/ray/jobs", nil},
			{"stop", "POST", "/ray/jobs/1/stop", nil},
		},
	},
}

// TestContract has every conversation said to the server and compares what
// goes over the wire, byte by byte.
func TestContract(t *testing.T) {
	t.Parallel()
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, sc.with...)
			if sc.prepare != nil {
				sc.prepare(b)
			}
			var wire strings.Builder
			for _, c := range sc.calls {
				body, sent := "", ""
				switch v := c.body.(type) {
				case nil:
				case string:
					body, sent = v, v
				default:
					body = encode(t, v)
					sent = body
				}
				if len(sent) > 2000 {
					sent = fmt.Sprintf("(%d bytes)", len(sent))
				}
				resp, reply := b.call(t, c.method, c.path, body, nil) //nolint:bodyclose // call has read and closed it
				fmt.Fprintf(&wire, "# %s\n%s %s\n", c.says, c.method, c.path)
				if sent != "" {
					fmt.Fprintf(&wire, "%s\n", sent)
				}
				fmt.Fprintf(&wire, "HTTP %d\n%s\n", resp.StatusCode, steady(b, indented(t, reply)))
			}
			checkGolden(t, "wire/"+sc.name+".golden", wire.String())
		})
	}
}

func withPlatforms(cfg *server.Config) {
	cfg.Platforms = func(context.Context) server.Platforms {
		return server.Platforms{Lambda: "ready", EMR: "ready", EMRPostgres: "error", Why: "the application was not found"}
	}
}

func indented(t *testing.T, text string) string {
	t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, []byte(text), "", " "); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return out.String()
}

// steady puts names in the place of what differs between two runs.
func steady(b *testBundle, text string) string {
	text = strings.ReplaceAll(text, b.home, "HOME")
	for pattern, name := range map[*regexp.Regexp]string{
		regexp.MustCompile(`"timestamp": -?[0-9.e+]+`): `"timestamp": 0`,
		regexp.MustCompile(`[0-9a-f]{32}`):             "HANDLE",
	} {
		text = pattern.ReplaceAllString(text, name)
	}
	return text
}

// reference lists the endpoints of the reference system.
var reference = []string{
	"GET /", "GET /health", "POST /sessions/{session_id}/reset", "GET /history/{session_id}", "GET /settings", "POST /settings",
	"POST /settings/restore-defaults", "GET /claude-models", "GET /glue/databases", "GET /glue/tables/{database}",
	"POST /sessions/{session_id}/select-tables", "POST /generate", "POST /execute", "POST /upload-csv", "GET /ray/status", "GET /ray/jobs",
	"POST /ray/jobs/{job_id}/stop", "POST /spark/generate", "POST /spark/execute", "GET /spark/config", "GET /spark/status",
	"POST /spark/upload-csv", "POST /postgres/test-connection", "POST /postgres/connections", "GET /postgres/connections",
	"GET /postgres/{connection_name}/databases", "GET /postgres/{connection_name}/schemas/{database}",
	"GET /postgres/{connection_name}/tables/{database}/{schema}", "POST /sessions/{session_id}/select-postgres-tables",
}

// TestContractIsComplete: the server has exactly the reference's endpoints, and
// the scenarios drive each of them.
func TestContractIsComplete(t *testing.T) {
	t.Parallel()
	routes := server.Routes()
	mux := http.NewServeMux()
	driven := map[string]bool{}
	for _, r := range routes {
		mux.HandleFunc(r, func(http.ResponseWriter, *http.Request) {})
	}
	for _, sc := range scenarios {
		for _, c := range sc.calls {
			req, err := http.NewRequestWithContext(t.Context(), c.method, "http://127.0.0.1"+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, pattern := mux.Handler(req)
			driven[pattern] = true
		}
	}
	var have []string
	for _, r := range routes {
		if !driven[r] {
			t.Errorf("no scenario calls %s", r)
		}
		have = append(have, strings.TrimSuffix(r, "{$}"))
	}
	want := slices.Sorted(slices.Values(reference))
	if slices.Sort(have); !slices.Equal(have, want) {
		t.Errorf("the server has\n%s\nthe reference\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
	}
	if len(want) != 29 {
		t.Errorf("the reference has 29 operations, not %d", len(want))
	}
}
