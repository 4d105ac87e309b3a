package planner_test

import (
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright"
)

// A table whose column of the same name holds the numbers: its rows are not
// what a total means, and a count is not clear.
func TestTotalOfAColumnNamedAsItsTable(t *testing.T) {
	t.Parallel()
	cat := &sparkwright.Catalog{Tables: []sparkwright.Table{{
		Connection: "c", Schema: "public", Name: "visits", View: "visits", Columns: []sparkwright.Column{
			{Name: "page", Type: "text", BaseType: "text"},
			{Name: "day", Type: "date", BaseType: "date"},
			{Name: "visits", Type: "integer", BaseType: "int4"},
		},
	}}}
	for _, q := range []string{"What is the total visits by page?", "Total visits per day", "What is the share of total visits by page?"} {
		r := ask(t, cat, q, "")
		if r.Analysis == nil || !strings.Contains(r.Analysis.Code, "SUM(v.visits)") {
			t.Errorf("%s: %+v %+v", q, r.Analysis, r.Declined)
		}
	}
	for _, q := range []string{"How many visits are there per page?", "Visits per page", "What is the number of visits by day?"} {
		r := ask(t, cat, q, "")
		if r.Declined == nil || r.Declined.Reason != sparkwright.DeclineAmbiguous {
			t.Errorf("%s: %+v %+v", q, r.Analysis, r.Declined)
		}
	}
}
