package planner_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/planner"
)

// Every question that is proposed is answered, and they are of several kinds.
func TestSuggest(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"library", "flights"} {
		cat := catalog(t, name)
		got := planner.Suggest(t.Context(), cat, 6)
		if len(got) < 5 {
			t.Errorf("%s: only %q", name, got)
		}
		kinds := map[string]bool{}
		for i, suggested := range got {
			q := suggested.Question
			kinds[strings.Join(strings.Fields(q)[:3], " ")] = true
			if a := ask(t, cat, q, "").Analysis; a == nil || !slices.Equal(a.Views, suggested.Views) {
				t.Errorf("%s: %q is proposed and not answered, or not from %q", name, q, suggested.Views)
			}
			if slices.ContainsFunc(got[:i], func(s planner.Suggestion) bool { return s.Question == q }) {
				t.Errorf("%s: %q is proposed twice", name, q)
			}
		}
		if len(kinds) < 2 {
			t.Errorf("%s: all alike: %q", name, got)
		}
		if few := planner.Suggest(t.Context(), cat, 2); !cmp.Equal(few, got[:2]) {
			t.Errorf("%s: two are %q", name, few)
		}
	}
}

// Two thousand tables, none of them readable but a few; nothing to ask about.
func TestSuggestLimits(t *testing.T) {
	t.Parallel()
	big := &sparkwright.Catalog{}
	for i := range 2000 {
		name := fmt.Sprintf("readings%04d", i)
		big.Tables = append(big.Tables, sparkwright.Table{
			Connection: "c", Schema: "s", Name: name, View: name, Kind: sparkwright.KindTable, Readable: i%2 == 1, RowEstimate: int64(i),
			Columns: []sparkwright.Column{{Name: "id", Type: "bigint", BaseType: "int8"}, {Name: "seen_on", Type: "date", BaseType: "date"}},
		})
	}
	got := planner.Suggest(t.Context(), big, 3)
	if len(got) != 3 || !slices.Equal(got[0].Views, []string{"readings1999"}) {
		t.Errorf("of the largest readable table: %q", got)
	}
	if none := planner.Suggest(t.Context(), &sparkwright.Catalog{}, 3); len(none) != 0 || none == nil {
		t.Errorf("of nothing: %q", none)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if none := planner.Suggest(gone, big, 3); len(none) != 0 {
		t.Errorf("for nobody: %q", none)
	}
}

// What is proposed has an answer of more than one row and of not too many, also
// beside a question that was not understood.
func TestSuggestionsAreOfUse(t *testing.T) {
	t.Parallel()
	text := func(name string, distinct float64, enum ...string) sparkwright.Column {
		return sparkwright.Column{Name: name, Type: "text", BaseType: "text", Stats: &sparkwright.ColumnStats{Distinct: distinct}, Enum: enum}
	}
	date := func(distinct float64, first, last string) sparkwright.Column {
		return sparkwright.Column{Name: "seen_on", Type: "date", BaseType: "date", Stats: &sparkwright.ColumnStats{Distinct: distinct, Histogram: []string{first, last}}}
	}
	for _, tt := range []struct {
		name    string
		columns []sparkwright.Column
		want    []string
	}{
		{"of use", []sparkwright.Column{text("region", 8), date(900, "2023-01-01", "2025-12-31")}, []string{"How many agents are there per month?", "What are the top 5 regions by number of agents?", "How many agents are there for each region?", "How many agents are there?"}},
		{"names, one value, one date", []sparkwright.Column{text("name", 30), text("first_name", 20), text("country", 1), date(1, "2025-01-01", "2025-01-01")}, []string{"How many agents are there?"}},
		{"one value that there can be", []sparkwright.Column{text("kind", 2, "only")}, []string{"How many agents are there?"}},
		{"nearly as many values as rows", []sparkwright.Column{text("region", 30)}, []string{"How many agents are there?"}},
		{"a thousand years", []sparkwright.Column{date(5000, "1000-01-01", "2025-12-31")}, []string{"How many agents are there?"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rows := int64(40)
			if tt.name == "a thousand years" || tt.name == "of use" {
				rows = 20_000
			}
			cat := &sparkwright.Catalog{Tables: []sparkwright.Table{{
				Connection: "c", Schema: "crm", Name: "agents", View: "agents", Kind: sparkwright.KindTable, Readable: true, RowEstimate: rows,
				Columns:    append([]sparkwright.Column{{Name: "agent_id", Type: "integer", BaseType: "int4"}}, tt.columns...),
				PrimaryKey: []string{"agent_id"},
			}}}
			var got []string
			for _, s := range planner.Suggest(t.Context(), cat, 6) {
				got = append(got, s.Question)
			}
			if !cmp.Equal(tt.want, got) {
				t.Errorf("proposed %q, want %q", got, tt.want)
			}
			d := ask(t, cat, "Which agents fly to the moon?", "").Declined
			if d == nil {
				t.Fatal("it was understood")
			}
			for _, q := range d.Could {
				if !slices.Contains(tt.want, strings.Replace(q, "many Agents", "many agents", 1)) {
					t.Errorf("%q could be asked, it says; want some of %q", q, tt.want)
				}
			}
		})
	}
}
