package planner_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/planner"
)

func clinicWords() *sparkwright.Definitions {
	return &sparkwright.Definitions{
		Terms: []sparkwright.Term{
			{Name: "clients", Table: "public.patients"},
			{Name: "unit", Synonyms: []string{"department"}, Column: "public.wards.name"},
			{Name: "running", Column: "public.patients.state", Value: "open"},
			{Name: "good visits", Means: "visits with a score above 8"},
		},
		Metrics: []sparkwright.Metric{
			{
				Name: "quality", Synonyms: []string{"care index"}, Table: "public.visits", Expression: "sum(score) / nullif(count(visit_id), 0)",
				Only: []sparkwright.DefaultFilter{{Table: "public.patients", Where: "state <> 'closed'"}}, By: map[string]string{"place": "public.wards.name"},
			},
			{Name: "load", Table: "public.visits", Expression: "count(visit_id)"},
		},
		Filters: []sparkwright.DefaultFilter{{Table: "public.wards", Where: "active"}},
	}
}

func TestDefinitions(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, question string
		want           []string // in the SQL; none = declined
		assumed        string
	}{
		{"a table by another name", "How many clients are there?", []string{"COUNT(*) AS number_of_patients", "FROM patients p"}, ""},
		{"a column by another name", "How many patients are there per department?", []string{"w.name", "GROUP BY w.ward_id, w.name"}, ""},
		{"a value by another name", "How many running clients are there?", []string{"p.state = 'open'"}, ""},
		{"words by other words", "How many good visits are there?", []string{"v.score > 8"}, ""},
		{
			"a metric by a word that it knows", "quality by place",
			[]string{"sum(v.score) / nullif(count(v.visit_id), 0) AS quality", "(p.state <> 'closed')", "w.name"},
			"By definition, quality is sum(score) / nullif(count(visit_id), 0), where patients has state <> 'closed'.",
		},
		{"a metric by a synonym, ranked", "Which ward has the highest care index?", []string{"ORDER BY sum(v.score)", "LIMIT 1"}, ""},
		{"a metric alone", "What is the total load?", []string{"count(v.visit_id) AS load"}, ""},
		{"two figures, one of some rows only", "quality and number of visits by ward", nil, ""},
		{"two figures of all rows", "load and average score of visits by ward", []string{"count(v.visit_id) AS load", "AVG(v.score)"}, ""},
		{"an average of a figure", "What is the average load of visits?", nil, ""},
		{"a figure is no property", "Which visits have a quality above 3?", nil, ""},
		{"a default filter", "How many wards are there?", []string{"WHERE (w.active)"}, "By definition, only wards with active count."},
		{"the question says something of it", "How many wards are not active?", []string{"WHERE NOT w.active"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r, err := planner.New().Generate(t.Context(), sparkwright.GenerateRequest{Question: tc.question, Catalog: clinic(), Definitions: clinicWords()})
			if err != nil {
				t.Fatal(err)
			}
			if len(tc.want) == 0 {
				if r.Declined == nil {
					t.Errorf("answered: %s\n%s", r.Analysis.Understood, r.Analysis.Code)
				}
				return
			}
			if r.Declined != nil {
				t.Fatalf("declined: %s", r.Declined.Message)
			}
			for _, want := range tc.want {
				if !strings.Contains(r.Analysis.Code, want) {
					t.Errorf("want %s in\n%s", want, r.Analysis.Code)
				}
			}
			if tc.assumed != "" && !slices.Contains(r.Analysis.Assumptions, tc.assumed) {
				t.Errorf("assumed %q", r.Analysis.Assumptions)
			}
			if strings.Contains(tc.name, "says something") && strings.Contains(r.Analysis.Code, "(w.active)") {
				t.Errorf("the default filter holds, too:\n%s", r.Analysis.Code)
			}
		})
	}
}

// A join that is defined is one; without it there is none.
func TestDefinedJoin(t *testing.T) {
	t.Parallel()
	cat := clinic()
	cat.Tables[2].ForeignKeys = nil
	cat.Tables[2].Columns[1].Name = "who"
	ask := func(d *sparkwright.Definitions) *sparkwright.GenerateReply {
		r, err := planner.New().Generate(t.Context(), sparkwright.GenerateRequest{Question: "How many visits are there per state of patients?", Catalog: cat, Definitions: d})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := ask(nil); r.Declined == nil {
		t.Errorf("answered without a join: %s", r.Analysis.Code)
	}
	r := ask(&sparkwright.Definitions{Joins: []sparkwright.JoinHint{{From: "public.visits.who", To: "public.patients.patient_id"}}})
	if r.Declined != nil || !strings.Contains(r.Analysis.Code, "ON p.patient_id = v.who") {
		t.Errorf("%+v", r)
	}
}
