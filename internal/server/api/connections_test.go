package api_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/server/api"
)

// canary is what must never come back.
const canary = "canary-9c44"

// desk keeps connections and settings in memory and says what it got.
type desk struct {
	mu     sync.Mutex
	list   map[string]api.ConnectionChange
	change api.SettingsChange
	tried  api.ConnectionChange
	demo   api.DemoState
}

func (d *desk) Connections(context.Context) ([]api.Connection, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []api.Connection
	for name, c := range d.list {
		out = append(out, api.Connection{Name: name, Host: c.Host, Port: c.Port, HasSecret: c.Password != "" || c.Secret != ""})
	}
	return out, nil
}

func (d *desk) PutConnection(_ context.Context, c api.ConnectionChange, mustBeNew bool) (*api.Connection, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.list[c.Name]; ok && mustBeNew {
		return nil, sparkwright.Errorf(sparkwright.CodeConflict, "there is a connection of that name")
	}
	d.list[c.Name] = c
	return &api.Connection{Name: c.Name, Host: c.Host, Port: c.Port, HasSecret: true}, nil
}

func (d *desk) DeleteConnection(_ context.Context, name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.list[name]; !ok {
		return sparkwright.Errorf(sparkwright.CodeNotFound, "there is no such connection")
	}
	delete(d.list, name)
	return nil
}

func (d *desk) TestConnection(_ context.Context, name string) (*api.ConnectionTest, error) {
	switch name {
	case "shop":
		return &api.ConnectionTest{OK: true, Saw: []string{"PostgreSQL 17"}}, nil
	case "locked":
		return nil, &sparkwright.Error{Code: sparkwright.CodeUnauthorized, Message: "the login was refused", Remedy: "check the password"}
	default:
		return nil, sparkwright.Errorf(sparkwright.CodeNotFound, "there is no such connection")
	}
}

func (d *desk) TryConnection(ctx context.Context, c api.ConnectionChange) (*api.ConnectionTest, error) {
	d.mu.Lock()
	d.tried = c
	d.mu.Unlock()
	return d.TestConnection(ctx, c.Name)
}

func (d *desk) SettingKeys(context.Context) ([]api.SettingKey, error) {
	return []api.SettingKey{{Key: "spark.master", Kind: "text", Default: "local[*]", About: "where", Variable: "SPARKWRIGHT_SPARK_MASTER", Environment: true}}, nil
}

func (d *desk) Suggest(_ context.Context, req sparkwright.Request, n int) ([]api.Suggestion, error) {
	if req.Connection != "shop" {
		return nil, sparkwright.Errorf(sparkwright.CodeNotFound, "there is no such connection")
	}
	all := []api.Suggestion{{Question: "How many t0000 are there?", Tables: req.Tables}, {Question: "two", Tables: []string{}}}
	return all[:min(n, len(all))], nil
}

func (d *desk) Demo(context.Context) (*api.DemoState, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &d.demo, nil
}

func (d *desk) StartDemo(ctx context.Context) (*api.DemoState, error) {
	d.mu.Lock()
	d.demo = api.DemoState{State: "failed", Connection: "shop", Err: &sparkwright.Error{Code: sparkwright.CodeResource, Message: "the disk is full", Remedy: "free some"}}
	d.mu.Unlock()
	return d.Demo(ctx)
}

func (d *desk) Settings(context.Context) (*api.SettingsBody, error) {
	return &api.SettingsBody{Values: map[string]any{"spark.master": "local[*]"}, Secrets: map[string]bool{"model.api_key": true}}, nil
}

func (d *desk) ChangeSettings(ctx context.Context, change api.SettingsChange) (*api.SettingsBody, error) {
	d.change = change
	return d.Settings(ctx)
}

// Catalog has 2,000 tables.
func (d *desk) Catalog(_ context.Context, connection string) (*sparkwright.Catalog, error) {
	if connection != "shop" {
		return nil, sparkwright.Errorf(sparkwright.CodeNotFound, "there is no such connection")
	}
	c := &sparkwright.Catalog{}
	for i := range 2000 {
		t := sparkwright.Table{
			Connection: "shop", Database: "shop", Schema: []string{"sales", "crm"}[i%2], Name: fmt.Sprintf("t%04d", i), Kind: sparkwright.KindTable,
			Columns: []sparkwright.Column{{Name: "id", Type: "bigint", BaseType: "int8"}}, RowEstimate: int64(i), Readable: true,
		}
		if i == 777 {
			t.Comment = "Subscriptions that were cancelled"
			t.Columns = append(t.Columns, sparkwright.Column{Name: "churned_at", Type: "timestamp with time zone", BaseType: "timestamptz", Comment: "when"})
			t.PrimaryKey = []string{"id"}
			t.Columns[1].Stats = &sparkwright.ColumnStats{
				NullFraction: 0.25, Distinct: 3, AvgWidth: 8, MostCommon: []sparkwright.ValueCount{{Value: "2025-01-01", Fraction: 0.5}},
				Histogram: []string{"2024-01-01", "2024-06-01", "2025-12-31"},
			}
		}
		c.Tables = append(c.Tables, t)
	}
	return c, nil
}

func (d *desk) Plan(_ context.Context, req sparkwright.Request) (*api.Plan, error) {
	return &api.Plan{Placement: sparkwright.Placement{Executor: "connect", Reason: "asked: " + req.Question}, Tables: []sparkwright.TableUse{{Table: "shop.sales.t0000"}}, Bytes: 5}, nil
}

func withDesk(t *testing.T) (*bundle, *desk) {
	t.Helper()
	d := &desk{list: map[string]api.ConnectionChange{}}
	return setup(t, func(c *api.Config) {
		c.Connections, c.Settings, c.Catalog, c.Planner, c.Suggester, c.Demo = d, d, d, d, d, d
	}), d
}

func TestConnections(t *testing.T) {
	t.Parallel()
	b, d := withDesk(t)
	change := map[string]any{"name": "shop", "host": "db", "user": "reader", "password": canary + "-pw"}
	r := b.call(t, http.MethodPost, "/api/v1/connections", change)
	if got := want[api.Connection](t, r, http.StatusCreated); !got.HasSecret || got.Port != 5432 || d.list["shop"].Password != canary+"-pw" {
		t.Errorf("%+v", got)
	}
	replies := r.text
	call := func(method, path string, body any) reply {
		r := b.call(t, method, path, body)
		replies += r.text
		return r
	}
	wantProblem(t, call(http.MethodPost, "/api/v1/connections", change), http.StatusConflict, sparkwright.CodeConflict, "")
	want[api.Connection](t, call(http.MethodPut, "/api/v1/connections/shop", change), http.StatusOK)
	wantProblem(t, call(http.MethodPut, "/api/v1/connections/other", change), http.StatusBadRequest, sparkwright.CodeInvalid, "differ")
	for _, bad := range []map[string]any{
		{"name": "a.b", "password": canary},
		{"name": "x", "port": 0, "password": canary},
		{"name": "x", "tls": "prefer", "password": canary},
		{"name": "x", "passwort": canary},
		{"name": "x", "password": []string{canary}},
		{"password": canary},
	} {
		wantProblem(t, call(http.MethodPost, "/api/v1/connections", bad), http.StatusUnprocessableEntity, sparkwright.CodeInvalid, "body")
	}
	wantProblem(t, call(http.MethodPost, "/api/v1/connections", map[string]any{"name": "x", "password": canary, "secret": "env:" + canary}), http.StatusBadRequest, sparkwright.CodeInvalid, "exclude")
	if list := want[api.ConnectionList](t, call(http.MethodGet, "/api/v1/connections", nil), http.StatusOK); len(list.Connections) != 1 {
		t.Errorf("%+v", list)
	}
	if got := want[api.ConnectionTest](t, call(http.MethodPost, "/api/v1/connections/shop/test", nil), http.StatusOK); !got.OK || got.Saw[0] != "PostgreSQL 17" {
		t.Errorf("%+v", got)
	}
	if got := want[api.ConnectionTest](t, call(http.MethodPost, "/api/v1/connections/locked/test", nil), http.StatusOK); got.OK || got.Problem == nil || got.Problem.Remedy != "check the password" {
		t.Errorf("%+v", got)
	}
	wantProblem(t, call(http.MethodPost, "/api/v1/connections/nope/test", nil), http.StatusNotFound, sparkwright.CodeNotFound, "")
	try := map[string]any{"name": "shop", "host": "db", "user": "reader", "password": canary + "-try", "auth_method": "iam"}
	if got := want[api.ConnectionTest](t, call(http.MethodPost, "/api/v1/connections/test", try), http.StatusOK); !got.OK || d.tried.Password != canary+"-try" || d.tried.AuthMethod != "iam" || d.list["shop"].Password != canary+"-pw" {
		t.Errorf("%+v, tried %+v", got, d.tried)
	}
	try["name"] = "locked"
	if got := want[api.ConnectionTest](t, call(http.MethodPost, "/api/v1/connections/test", try), http.StatusOK); got.OK || got.Problem == nil {
		t.Errorf("%+v", got)
	}
	wantProblem(t, call(http.MethodPost, "/api/v1/connections/test", map[string]any{"name": "x", "password": canary, "secret": "env:" + canary}), http.StatusBadRequest, sparkwright.CodeInvalid, "exclude")
	if r := call(http.MethodDelete, "/api/v1/connections/shop", nil); r.StatusCode != http.StatusNoContent {
		t.Errorf("HTTP %d", r.StatusCode)
	}
	wantProblem(t, call(http.MethodDelete, "/api/v1/connections/shop", nil), http.StatusNotFound, sparkwright.CodeNotFound, "")
	if strings.Contains(replies, canary) || strings.Contains(b.log.String(), canary) {
		t.Error("a password came back, or is in the log")
	}
}

func TestTables(t *testing.T) {
	t.Parallel()
	b, _ := withDesk(t)
	list := func(query string) api.TableList {
		return want[api.TableList](t, b.call(t, http.MethodGet, "/api/v1/connections/shop/tables?"+query, nil), http.StatusOK)
	}
	seen := map[string]bool{}
	last := ""
	for offset := 0; ; {
		page := list(fmt.Sprintf("limit=300&offset=%d", offset))
		if page.Total != 2000 {
			t.Fatalf("total %d", page.Total)
		}
		for _, h := range page.Tables {
			if key := h.Schema + "." + h.Name; key <= last || seen[h.Qualified] {
				t.Errorf("%s after %s", key, last)
			} else {
				last = key
			}
			seen[h.Qualified] = true
		}
		if page.NextOffset == nil {
			break
		}
		offset = *page.NextOffset
	}
	if len(seen) != 2000 {
		t.Errorf("%d tables", len(seen))
	}
	for query, total := range map[string]int{"q=CHURNED": 1, "q=cancelled+subscriptions": 1, "q=crm.t1": 500, "schema=sales": 1000, "q=nothing": 0, "offset=5000": 2000} {
		if got := list(query); got.Total != total {
			t.Errorf("%s: %d", query, got.Total)
		}
	}
	table := want[sparkwright.Table](t, b.call(t, http.MethodGet, "/api/v1/connections/shop/tables/crm/t0777", nil), http.StatusOK)
	if len(table.Columns) != 2 || table.Columns[1].Comment != "when" || table.PrimaryKey[0] != "id" {
		t.Errorf("%+v", table)
	}
	wantProblem(t, b.call(t, http.MethodGet, "/api/v1/connections/shop/tables/crm/nope", nil), http.StatusNotFound, sparkwright.CodeNotFound, "tables")
	wantProblem(t, b.call(t, http.MethodGet, "/api/v1/connections/nope/tables", nil), http.StatusNotFound, sparkwright.CodeNotFound, "")
}

func TestSettingsAndPlan(t *testing.T) {
	t.Parallel()
	b, d := withDesk(t)
	r := b.call(t, http.MethodPut, "/api/v1/settings", map[string]any{
		"values": map[string]any{"spark.pool_size": 3, "spark.master": nil}, "secrets": map[string]any{"model.api_key": canary},
	})
	got := want[api.SettingsBody](t, r, http.StatusOK)
	if !got.Secrets["model.api_key"] || d.change.Secrets["model.api_key"] != canary || d.change.Values["spark.pool_size"] != 3.0 {
		t.Errorf("%+v, asked %+v", got, d.change)
	}
	if value, ok := d.change.Values["spark.master"]; !ok || value != nil {
		t.Errorf("null became %v", value)
	}
	want[api.SettingsBody](t, b.call(t, http.MethodGet, "/api/v1/settings", nil), http.StatusOK)
	if strings.Contains(r.text, canary) || strings.Contains(b.log.String(), canary) {
		t.Error("a secret came back, or is in the log")
	}
	keys := want[api.SettingKeys](t, b.call(t, http.MethodGet, "/api/v1/settings/reference", nil), http.StatusOK)
	if len(keys.Keys) != 1 || keys.Keys[0].Variable != "SPARKWRIGHT_SPARK_MASTER" || !keys.Keys[0].Environment {
		t.Errorf("%+v", keys)
	}
	plan := want[api.Plan](t, b.call(t, http.MethodPost, "/api/v1/plan", map[string]any{"question": "q"}), http.StatusOK)
	if plan.Placement.Reason != "asked: q" || plan.Bytes != 5 {
		t.Errorf("%+v", plan)
	}
	if page, err := b.engine.List(t.Context(), sparkwright.RunFilter{}); err != nil || len(page.Runs) > 0 {
		t.Errorf("a plan made a run: %v, %v", page.Runs, err)
	}
}

// A server without a resource says so.
func TestAbsentResources(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for _, path := range []string{"/api/v1/connections", "/api/v1/connections/x/tables", "/api/v1/connections/x/suggestions", "/api/v1/settings", "/api/v1/settings/reference", "/api/v1/demo"} {
		wantProblem(t, b.call(t, http.MethodGet, path, nil), http.StatusServiceUnavailable, sparkwright.CodeUnavailable, "not served here")
	}
	wantProblem(t, b.call(t, http.MethodPost, "/api/v1/plan", map[string]any{"question": "q"}), http.StatusServiceUnavailable, sparkwright.CodeUnavailable, "not served here")
}

// Questions, code and answers are in no log line and no metric.
func TestNothingIsTold(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	run := b.ask(t, map[string]any{"question": canary + " question", "code": "result = '" + canary + "'", "session": canary, "instructions": canary}, "Idempotency-Key", canary)
	b.engine.say(t, run.ID, sparkwright.Event{Type: sparkwright.EventLog, Text: canary})
	b.succeed(t, run.ID)
	for _, path := range []string{
		"/api/v1/runs?q=" + canary, "/api/v1/runs?session=" + canary, "/api/v1/runs/" + run.ID, "/api/v1/runs/" + run.ID + "/events", "/api/v1/runs/" + run.ID + "/logs",
		"/api/v1/runs/" + run.ID + "/result?sort=id&filter=id:eq:" + canary, "/api/v1/runs/" + canary, "/" + canary, "/api/v1/" + canary,
	} {
		b.call(t, http.MethodGet, path, nil)
	}
	b.call(t, http.MethodPost, "/api/v1/runs", map[string]any{"question": canary}, "Idempotency-Key", canary)
	b.call(t, http.MethodPost, "/api/v1/runs", map[string]any{canary: canary})
	metrics := b.call(t, http.MethodGet, "/metrics", nil).text
	log := b.log.String()
	if strings.Contains(log, canary) || strings.Contains(metrics, canary) {
		t.Errorf("it is told: %s", log)
	}
	if !strings.Contains(log, `"run_id":"`+run.ID+`"`) || !strings.Contains(metrics, `route="/api/v1/runs/{id}/events"`) {
		t.Error("the run's id or the route is not told")
	}
	for line := range strings.Lines(log) {
		if !strings.Contains(line, `"request_id":"`) {
			t.Errorf("a line without the request's id: %s", line)
		}
	}
}
