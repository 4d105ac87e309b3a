package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/server/api"
)

// A profile tells what the statistics know; values of columns are told only
// where the settings allow it, in the table itself too.
func TestProfile(t *testing.T) {
	t.Parallel()
	d := &desk{list: map[string]api.ConnectionChange{}}
	shown := true
	b := setup(t, func(c *api.Config) { c.Catalog, c.ShowValues = d, func(context.Context) bool { return shown } })
	const path = "/api/v1/connections/shop/tables/crm/t0777"
	profile := func() api.TableProfile {
		return want[api.TableProfile](t, b.call(t, http.MethodGet, path+"/profile", nil), http.StatusOK)
	}
	p := profile()
	if !p.Values || !p.Analysed || p.Qualified != "shop.crm.t0777" || p.RowEstimate != 777 || len(p.Columns) != 2 {
		t.Fatalf("%+v", p)
	}
	if id := p.Columns[0]; !id.Unique || id.NullShare != nil || id.Common != nil {
		t.Errorf("a key that was never analysed: %+v", id)
	}
	if c := p.Columns[1]; c.Unique || *c.NullShare != 0.25 || *c.Distinct != 3 || c.Common[0].Value != "2025-01-01" || c.Low != "2024-01-01" || c.High != "2025-12-31" {
		t.Errorf("%+v", c)
	}
	if r := b.call(t, http.MethodGet, path, nil); !strings.Contains(r.text, "2025-01-01") {
		t.Errorf("the table: %s", r.text)
	}
	shown = false
	if c := profile().Columns[1]; *c.NullShare != 0.25 || c.Common != nil || c.Low != "" || c.High != "" {
		t.Errorf("without values: %+v", c)
	}
	if r := b.call(t, http.MethodGet, path, nil); strings.Contains(r.text, "2025-") || !strings.Contains(r.text, "null_fraction") {
		t.Errorf("the table without values: %s", r.text)
	}
	if other := want[api.TableProfile](t, b.call(t, http.MethodGet, "/api/v1/connections/shop/tables/sales/t0000/profile", nil), http.StatusOK); other.Analysed {
		t.Errorf("never analysed: %+v", other)
	}
	wantProblem(t, b.call(t, http.MethodGet, "/api/v1/connections/shop/tables/crm/nope/profile", nil), http.StatusNotFound, sparkwright.CodeNotFound, "tables")
}

func TestSuggestions(t *testing.T) {
	t.Parallel()
	b, _ := withDesk(t)
	const path = "/api/v1/connections/shop/suggestions"
	got := want[api.Suggestions](t, b.call(t, http.MethodGet, path+"?limit=1&table=shop.sales.t0000", nil), http.StatusOK)
	if len(got.Suggestions) != 1 || got.Suggestions[0].Tables[0] != "shop.sales.t0000" {
		t.Errorf("%+v", got)
	}
	if all := want[api.Suggestions](t, b.call(t, http.MethodGet, path, nil), http.StatusOK); len(all.Suggestions) != 2 {
		t.Errorf("%+v", all)
	}
	wantProblem(t, b.call(t, http.MethodGet, path+"?limit=0", nil), http.StatusUnprocessableEntity, sparkwright.CodeInvalid, "limit")
	wantProblem(t, b.call(t, http.MethodGet, "/api/v1/connections/nope/suggestions", nil), http.StatusNotFound, sparkwright.CodeNotFound, "")
}

func TestDemo(t *testing.T) {
	t.Parallel()
	b, d := withDesk(t)
	d.demo = api.DemoState{State: "absent", Connection: "shop"}
	if got := want[api.DemoState](t, b.call(t, http.MethodGet, "/api/v1/demo", nil), http.StatusOK); got.State != "absent" || got.Problem != nil {
		t.Errorf("%+v", got)
	}
	got := want[api.DemoState](t, b.call(t, http.MethodPost, "/api/v1/demo", nil), http.StatusAccepted)
	if got.State != "failed" || got.Problem == nil || got.Problem.Code != sparkwright.CodeResource || got.Problem.Remedy != "free some" {
		t.Errorf("%+v", got)
	}
}

// Two runs are compared row by row; runs without a result cannot be.
func TestCompare(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	first, second := b.ask(t, nil).ID, b.ask(t, nil).ID
	b.succeed(t, first)
	wantProblem(t, b.call(t, http.MethodGet, "/api/v1/runs/"+first+"/compare/"+second, nil), http.StatusConflict, sparkwright.CodeConflict, "")
	b.succeed(t, second)
	b.engine.bring(t, b.ask(t, nil).ID, sparkwright.RunFailed, nil)
	got := want[api.Comparison](t, b.call(t, http.MethodGet, "/api/v1/runs/"+first+"/compare/"+second, nil), http.StatusOK)
	if got.A.ID != first || got.B.ID != second || !got.SameCode || got.Same != int64(len(rows)) || got.OnlyA+got.OnlyB != 0 || !got.InOrder || len(got.Columns) != 3 || got.Schema[0].Name != "id" {
		t.Errorf("%+v", got)
	}
	wantProblem(t, b.call(t, http.MethodGet, "/api/v1/runs/"+first+"/compare/r_nothing", nil), http.StatusNotFound, sparkwright.CodeNotFound, "")
	wantProblem(t, b.call(t, http.MethodGet, "/api/v1/runs/"+first+"/compare/"+second+"?limit=1001", nil), http.StatusUnprocessableEntity, sparkwright.CodeInvalid, "limit")
}
