package crosscheck_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/crosscheck"
)

var manifest = sparkwright.Manifest{
	RowCount: 3,
	Schema: []sparkwright.ResultColumn{
		{Name: "status", Type: "string"}, {Name: "total", Type: "decimal(22,2)"}, {Name: "n", Type: "bigint"}, {Name: "f", Type: "double"},
	},
}

var cells = [][]string{{`"new"`, "10.10", "3", "0.1"}, {`"paid"`, "9007199254740993.05", "4", "0.2"}, {"null", "null", "5", "null"}}

func rows(_ context.Context, _ *sparkwright.Manifest, each func([]json.RawMessage) error) error {
	for _, row := range cells {
		raw := make([]json.RawMessage, len(row))
		for i, c := range row {
			raw[i] = json.RawMessage(c)
		}
		if err := each(raw); err != nil {
			return err
		}
	}
	return nil
}

// postgres answers EXPLAIN with a cost and the query with values.
func postgres(cost string, fail error, values ...string) (ask crosscheck.Asker, asked *[]string) {
	asked = &[]string{}
	return func(_ context.Context, sql string, _ time.Duration) ([][]*string, error) {
		*asked = append(*asked, sql)
		if strings.HasPrefix(sql, "EXPLAIN ") {
			plan := `[{"Plan": {"Node Type": "Aggregate", "Total Cost": ` + cost + `}}]`
			return [][]*string{{&plan}}, nil
		}
		row := make([]*string, len(values))
		for i := range values {
			if values[i] != "NULL" {
				row[i] = &values[i]
			}
		}
		return [][]*string{row}, fail
	}, asked
}

func TestCheck(t *testing.T) {
	t.Parallel()
	good := []string{"3", "2", "9007199254741003.15", "12", "0.30000000000000004"}
	change := func(at int, value string) []string {
		out := append([]string(nil), good...)
		out[at] = value
		return out
	}
	tests := []struct {
		name   string
		t      crosscheck.Translation
		cost   string
		fail   error
		values []string
		state  sparkwright.CrosscheckState
		says   string
	}{
		{"all agree", crosscheck.Translation{SQL: "q"}, "10", nil, good, sparkwright.CrosscheckVerified, ""},
		{"another order of doubles", crosscheck.Translation{SQL: "q"}, "10", nil, change(4, "0.3"), sparkwright.CrosscheckVerified, ""},
		{"one cent", crosscheck.Translation{SQL: "q"}, "10", nil, change(2, "9007199254741003.16"), sparkwright.CrosscheckMismatch, "total of total"},
		{"one cent of an average", crosscheck.Translation{SQL: "q", Loose: true}, "10", nil, change(2, "9007199254741003.16"), sparkwright.CrosscheckVerified, ""},
		{"a row", crosscheck.Translation{SQL: "q"}, "10", nil, change(0, "4"), sparkwright.CrosscheckMismatch, "number of rows"},
		{"a lost value", crosscheck.Translation{SQL: "q"}, "10", nil, change(1, "3"), sparkwright.CrosscheckMismatch, "values of status"},
		{"no sum", crosscheck.Translation{SQL: "q"}, "10", nil, change(3, "NULL"), sparkwright.CrosscheckMismatch, "total of n"},
		{"NaN", crosscheck.Translation{SQL: "q"}, "10", nil, change(4, "NaN"), sparkwright.CrosscheckMismatch, "total of f"},
		{"the key alone", crosscheck.Translation{SQL: "q", Key: "N"}, "10", nil, []string{"3", "12"}, sparkwright.CrosscheckVerified, ""},
		{"not translated", crosscheck.Translation{Why: "a window"}, "10", nil, nil, sparkwright.CrosscheckNotChecked, "a window"},
		{"too dear", crosscheck.Translation{SQL: "q"}, "2000001", nil, good, sparkwright.CrosscheckNotChecked, "cost of 2000001"},
		{"it fails", crosscheck.Translation{SQL: "q"}, "10", errors.New("statement timeout"), nil, sparkwright.CrosscheckNotChecked, "statement timeout"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ask, _ := postgres(tt.cost, tt.fail, tt.values...)
			got := crosscheck.Check(t.Context(), tt.t, &manifest, ask, rows, crosscheck.Limits{})
			if got.State != tt.state || !strings.Contains(got.Why, tt.says) {
				t.Errorf("%+v", got)
			}
			if got.State == sparkwright.CrosscheckMismatch && (got.Expected == "" || got.Got == "" || got.Expected == got.Got) {
				t.Errorf("both values are not shown: %+v", got)
			}
		})
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	ask, asked := postgres("1", nil, "3", "2", "9007199254741003.15", "12", "0.3")
	crosscheck.Check(t.Context(), crosscheck.Translation{SQL: "SELECT 1"}, &manifest, ask, rows, crosscheck.Limits{})
	want := "SELECT count(*), count(c1), sum(round(c2::numeric, 2)), sum(round(c3::numeric, 0)), sum(c4::float8) FROM (SELECT 1) AS q (c1, c2, c3, c4)"
	if diff := cmp.Diff([]string{"EXPLAIN (FORMAT JSON) " + want, want}, *asked); diff != "" {
		t.Error(diff)
	}
}
