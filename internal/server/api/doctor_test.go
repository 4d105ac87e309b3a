package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/doctor"
	"github.com/sparkwright/sparkwright/internal/server/api"
)

// examiner runs real checks of its own.
type examiner []doctor.Check

func (e examiner) Examine(ctx context.Context, full bool) (*doctor.Report, error) {
	if len(e) == 0 {
		return nil, sparkwright.Errorf(sparkwright.CodeUnavailable, "cannot look")
	}
	if full {
		return doctor.Run(ctx, e), nil
	}
	return doctor.Run(ctx, doctor.Cheap(e)), nil
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	check := func(id string, cheap bool, found doctor.Finding) doctor.Check {
		found.Info = doctor.Info{ID: id, Group: "local", Title: "t", How: "h", About: "shop", Cheap: cheap}
		return doctor.Check{Info: found.Info, Run: func(context.Context) doctor.Finding { return found }}
	}
	checks := examiner{
		check("local.memory", true, doctor.Finding{Level: doctor.OK, Message: "enough"}),
		check("local.disk", false, doctor.Finding{
			Level: doctor.Fail, Message: "full", Because: "no space", Fixable: true, Fixes: []doctor.Fix{{Kind: doctor.Command, Text: "rm x"}},
		}),
	}
	b := setup(t, func(c *api.Config) { c.Doctor = checks })
	quick := want[api.DoctorReport](t, b.call(t, http.MethodGet, "/api/v1/doctor", nil), http.StatusOK)
	if quick.Level != "ok" || len(quick.Findings) != 1 || quick.Findings[0].ID != "local.memory" {
		t.Errorf("the quick checks: %+v", quick)
	}
	r := b.call(t, http.MethodGet, "/api/v1/doctor?full=1", nil)
	full := want[api.DoctorReport](t, r, http.StatusOK)
	if full.Level != "fail" || len(full.Findings) != 2 || full.Findings[1].Fixes[0] != (api.DoctorFix{Kind: "command", Text: "rm x"}) {
		t.Errorf("all checks: %s", r.text)
	}

	// The JSON is that of sparkwright doctor --json, times aside.
	report, err := checks.Examine(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	var theirs, ours map[string]any
	if err := json.Unmarshal(text, &theirs); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(r.text), &ours); err != nil {
		t.Fatal(err)
	}
	timeless := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == `["seconds"]` }, cmp.Ignore())
	if diff := cmp.Diff(theirs, ours, timeless); diff != "" {
		t.Error(diff)
	}

	wantProblem(t, b.call(t, http.MethodGet, "/api/v1/doctor?full=perhaps", nil), http.StatusUnprocessableEntity, sparkwright.CodeInvalid, "full")
	none := setup(t, nil)
	wantProblem(t, none.call(t, http.MethodGet, "/api/v1/doctor", nil), http.StatusServiceUnavailable, sparkwright.CodeUnavailable, "doctor")
	blind := setup(t, func(c *api.Config) { c.Doctor = examiner{} })
	wantProblem(t, blind.call(t, http.MethodGet, "/api/v1/doctor", nil), http.StatusServiceUnavailable, sparkwright.CodeUnavailable, "cannot look")
}
