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
