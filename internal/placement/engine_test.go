package placement_test

import (
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright/internal/placement"
)

func TestMayAnswer(t *testing.T) {
	t.Parallel()
	auto := placement.EngineInput{Setting: "auto", Executor: placement.Connect}
	change := func(f func(*placement.EngineInput)) placement.EngineInput {
		in := auto
		f(&in)
		return in
	}
	for _, tt := range []struct {
		name string
		in   placement.EngineInput
		want bool
	}{
		{"the setting", auto, true},
		{"the request before the setting", change(func(in *placement.EngineInput) { in.Asked = "spark" }), false},
		{"the request against the setting", change(func(in *placement.EngineInput) { in.Setting, in.Asked = "spark", "auto" }), true},
		{"no setting", change(func(in *placement.EngineInput) { in.Setting = "" }), false},
		{"another place", change(func(in *placement.EngineInput) { in.Executor = placement.EMR }), false},
		{"a place was asked for", change(func(in *placement.EngineInput) { in.Place = "local" }), false},
		{"any place was asked for", change(func(in *placement.EngineInput) { in.Place = "auto" }), true},
		{"own code", change(func(in *placement.EngineInput) { in.Code = true }), false},
	} {
		if got := placement.MayAnswer(tt.in); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		p    placement.Promise
		yes  bool
		says string
	}{
		{placement.Promise{Cost: 10, Rows: 5, MaxCost: 10, MaxRows: 5}, true, "expected cost of 10 (spark.direct_cost is 10)"},
		{placement.Promise{Cost: 11, Rows: 5, MaxCost: 10, MaxRows: 5}, false, "cost of 11"},
		{placement.Promise{Cost: 10, Rows: 6, MaxCost: 10, MaxRows: 5}, false, "6 rows"},
		{placement.Promise{Why: "a window", MaxCost: 10}, false, "a window"},
	} {
		if yes, reason := placement.Answer(tt.p); yes != tt.yes || !strings.Contains(reason, tt.says) {
			t.Errorf("%+v: %v, %s", tt.p, yes, reason)
		}
	}
}
