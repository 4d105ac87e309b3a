package planner_test

import (
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/planner"
)

// clinic is a catalog in which careless readings go wrong: several dates,
// properties that are true or not of one table and values of another, and a
// table that another one is named with.
func clinic() *sparkwright.Catalog {
	key := func(name string) sparkwright.Column {
		return sparkwright.Column{Name: name, Type: "integer", BaseType: "int4"}
	}
	date := func(name, comment string) sparkwright.Column {
		return sparkwright.Column{Name: name, Type: "date", BaseType: "date", Comment: comment, Nullable: true}
	}
	text := func(name string, values ...string) sparkwright.Column {
		c := sparkwright.Column{Name: name, Type: "text", BaseType: "text", Stats: &sparkwright.ColumnStats{Distinct: float64(len(values))}}
		for _, v := range values {
			c.Stats.MostCommon = append(c.Stats.MostCommon, sparkwright.ValueCount{Value: v})
		}
		return c
	}
	yes := func(name string) sparkwright.Column {
		return sparkwright.Column{Name: name, Type: "boolean", BaseType: "bool"}
	}
	table := func(name string, columns ...sparkwright.Column) sparkwright.Table {
		return sparkwright.Table{
			Connection: "c", Schema: "public", Name: name, View: name, Kind: sparkwright.KindTable, RowEstimate: 100,
			Columns: columns, PrimaryKey: []string{columns[0].Name},
		}
	}
	refers := func(t sparkwright.Table, columns ...string) sparkwright.Table {
		for _, c := range columns {
			name, column, _ := strings.Cut(c, ".")
			t.ForeignKeys = append(t.ForeignKeys, sparkwright.ForeignKey{
				Columns: []string{column}, RefSchema: "public", RefTable: name, RefColumns: []string{column},
			})
		}
		return t
	}
	number := sparkwright.Column{Name: "score", Type: "numeric", BaseType: "numeric", Nullable: true}
	wards := table("wards", key("ward_id"), text("name", "North", "South"), yes("active"))
	return &sparkwright.Catalog{Tables: []sparkwright.Table{
		wards,
		refers(table("patients", key("patient_id"), key("ward_id"), text("name", "Ann", "Bob"), text("state", "open", "active", "closed"),
			date("birth_date", "Date of birth"), date("created_at", "When the patient registered")), "wards.ward_id"),
		refers(table("visits", key("visit_id"), key("patient_id"), date("opened_on", "When the visit began"), date("billed_on", "Day of the bill"),
			number, yes("succeeded")), "patients.patient_id"),
	}}
}

// Readings that come easily and are wrong.
func TestReadings(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, question string
		want           string // in the SQL; "" = declined
		reason         sparkwright.DeclineReason
	}{
		{name: "a date by the verb in its comment", question: "How many patients registered in 2023?", want: "p.created_at >= DATE '2023-01-01'"},
		{name: "none of the dates tells of the verb", question: "How many patients were treated in 2023?", reason: sparkwright.DeclineAmbiguous},
		{name: "the verb is another table's", question: "How many patients visited in 2023?", reason: sparkwright.DeclineNotUnderstood},
		{name: "a verb is not a value", question: "How many visits were opened by active patients?", want: "p.state = 'active'"},
		{name: "true of one table, a value of the other", question: "How many active patients are there?", want: "p.state = 'active'"},
		{name: "true of it", question: "How many active wards are there?", want: "WHERE w.active"},
		{name: "two tables named together are the second", question: "Which patient ward has the most patients?", want: "GROUP BY w.ward_id"},
		{name: "the last quarter of a year", question: "How many visits were opened in the last quarter of 2024?", want: "v.opened_on >= DATE '2024-10-01' AND v.opened_on < DATE '2025-01-01'"},
		{name: "first rows of each group", question: "For each ward, who are the 2 patients with the most visits?", reason: sparkwright.DeclineNotUnderstood},
		{name: "no sum of what is true", question: "How many visits succeeded per ward?", reason: sparkwright.DeclineNotUnderstood},
		{name: "the name of a property is no verb", question: "How many visits have no score?", want: "v.score IS NULL"},
		{name: "a verb between never and a table", question: "How many patients have never opened a visit?", want: "NOT EXISTS"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := ask(t, clinic(), tc.question, "")
			switch {
			case tc.want == "" && r.Declined == nil:
				t.Errorf("answered: %s\n%s", r.Analysis.Understood, r.Analysis.Code)
			case tc.want == "":
				if r.Declined.Reason != tc.reason {
					t.Errorf("declined as %s: %s", r.Declined.Reason, r.Declined.Message)
				}
			case r.Declined != nil:
				t.Errorf("declined: %s", r.Declined.Message)
			case !strings.Contains(r.Analysis.Code, tc.want):
				t.Errorf("want %s in\n%s", tc.want, r.Analysis.Code)
			}
		})
	}
}

// Each choice of a question that is asked back reads that question so.
func TestChoices(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, question string
		previous       []string
		want           []string // in the SQL of each choice, in their order
	}{
		{name: "dates", question: "How many patients were treated in 2023?", want: []string{"p.birth_date >= DATE '2023-01-01'", "p.created_at >= DATE '2023-01-01'"}},
		{name: "dates of a table", question: "How many visits are there per month?", want: []string{"'MONTH', v.opened_on", "'MONTH', v.billed_on"}},
		{name: "beside or in place", question: "per state", previous: []string{"How many patients are there per ward?"}, want: []string{"GROUP BY p.state", ", p.state"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			req := sparkwright.GenerateRequest{Question: tc.question, Catalog: clinic()}
			if tc.previous != nil {
				req.Previous = &sparkwright.Previous{Questions: tc.previous}
			}
			asked := generate(t, req)
			if asked.Declined == nil || asked.Declined.Reason != sparkwright.DeclineAmbiguous || len(asked.Declined.Choices) != len(tc.want) {
				t.Fatalf("not asked back: %+v", asked.Declined)
			}
			for i, choice := range asked.Declined.Choices {
				again := req
				again.Question = choice
				again.Clarifies = &sparkwright.Clarified{Question: tc.question, Asked: asked.Declined.Message, Choices: asked.Declined.Choices}
				r := generate(t, again)
				if r.Declined != nil {
					t.Fatalf("%s: %s", choice, r.Declined.Message)
				}
				if !strings.Contains(r.Analysis.Code, tc.want[i]) || !strings.Contains(strings.Join(r.Analysis.Assumptions, " "), choice) {
					t.Errorf("%s: want %s in\n%s%q", choice, tc.want[i], r.Analysis.Code, r.Analysis.Assumptions)
				}
			}
		})
	}
}

func generate(t *testing.T, req sparkwright.GenerateRequest) *sparkwright.GenerateReply {
	t.Helper()
	r, err := planner.New().Generate(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
