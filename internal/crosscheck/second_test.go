package crosscheck_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/crosscheck"
)

// table is a result in the job's form: rows separated by ;, cells by ,.
func table(text string) (*sparkwright.Manifest, crosscheck.Rows) {
	lines := strings.Split(text, ";")
	if text == "" {
		lines = nil
	}
	return &sparkwright.Manifest{RowCount: int64(len(lines))}, func(_ context.Context, _ *sparkwright.Manifest, each func([]json.RawMessage) error) error {
		for _, line := range lines {
			var row []json.RawMessage
			for cell := range strings.SplitSeq(line, ",") {
				row = append(row, json.RawMessage(cell))
			}
			if err := each(row); err != nil {
				return err
			}
		}
		return nil
	}
}

// says answers EXPLAIN with a cost, and the query with rows in the same form,
// as PostgreSQL writes them.
func says(cost int, text string, fail error) crosscheck.Asker {
	return func(_ context.Context, sql string, _ time.Duration) ([][]*string, error) {
		if strings.HasPrefix(sql, "EXPLAIN ") {
			plan := fmt.Sprintf(`[{"Plan": {"Total Cost": %d}}]`, cost)
			return [][]*string{{&plan}}, nil
		}
		var rows [][]*string
		for line := range strings.SplitSeq(text, ";") {
			var row []*string
			for cell := range strings.SplitSeq(line, ",") {
				if cell == "NULL" {
					row = append(row, nil)
					continue
				}
				row = append(row, &cell)
			}
			if text != "" {
				rows = append(rows, row)
			}
		}
		return rows, fail
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	q := crosscheck.Translation{SQL: "q"}
	for _, tt := range []struct {
		name, answer, other string
		t                   crosscheck.Translation
		state               sparkwright.SecondState
		why                 string
	}{
		{"the same", `"a",1;"b",2`, "a,1;b,2", q, sparkwright.SecondAgrees, ""},
		{"another order of rows and columns", `"a",1;"b",2`, "2,b;1,a", q, sparkwright.SecondAgrees, ""},
		{"a column more", `"a",1,true;"b",2,false`, "a,1;b,2", q, sparkwright.SecondAgrees, ""},
		{"a column less", `"a";"b"`, "a,1;b,2", q, sparkwright.SecondAgrees, ""},
		{"nothing on both sides", "", "", q, sparkwright.SecondAgrees, ""},
		{"NULL, zeros, booleans, dates, times", `null,1.50,true,"2025-01-02","2025-01-02T03:04:05Z"`, "NULL,1.5000,t,2025-01-02,2025-01-02 03:04:05+00", q, sparkwright.SecondAgrees, ""},
		{"an average with fewer digits", `1234.333333`, "1234.3333333333333333", q, sparkwright.SecondAgrees, ""},
		{"large numbers, all digits", `9007199254740993`, "9007199254740993", q, sparkwright.SecondAgrees, ""},
		{"large numbers that differ in the last", `9007199254740993`, "9007199254740992", q, sparkwright.SecondDiffers, "other ones"},
		{"a cent", `10.05`, "10.06", q, sparkwright.SecondDiffers, "other ones"},
		{"the same columns, other rows", `"a",1;"b",2`, "a,2;b,1", q, sparkwright.SecondDiffers, "other ones"},
		{"two equal columns", `1,1,"x";2,2,"y"`, "1,x,1;2,y,2", q, sparkwright.SecondAgrees, ""},
		{"NULL is not empty", `null`, "", q, sparkwright.SecondDiffers, "0 rows"},
		{"more rows", `"a",1;"b",2`, "a,1", q, sparkwright.SecondDiffers, "it has 1 rows, the answer has 2"},
		{"not certain", `"a",1;"b",2`, "a,1;c,2", crosscheck.Translation{SQL: "q", Key: "n"}, sparkwright.SecondNotCompared, "not certain"},
		{"not translated", `1`, "1", crosscheck.Translation{Why: "a window"}, sparkwright.SecondNotCompared, "a window"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, rows := table(tt.answer)
			second := sparkwright.SecondReading{Understood: "u", Code: "c"}
			got := crosscheck.Compare(t.Context(), second, tt.t, m, says(10, tt.other, nil), rows, crosscheck.Limits{})
			if got.State != tt.state || !strings.Contains(got.Why, tt.why) || got.Understood != "u" || got.Code != "c" {
				t.Errorf("%+v; want %s, %s", got, tt.state, tt.why)
			}
		})
	}
}

func TestCompareBounded(t *testing.T) {
	t.Parallel()
	q := crosscheck.Translation{SQL: "q"}
	m, rows := table("1")
	large, _ := table(strings.Repeat("1;", 5000) + "1")
	for _, tt := range []struct {
		m    *sparkwright.Manifest
		ask  crosscheck.Asker
		want string
	}{
		{m, says(2_000_001, "1", nil), "cost of 2000001"},
		{m, says(1, "1", errors.New("statement timeout")), "statement timeout"},
		{large, says(1, "1", nil), "more than 5000 rows"},
	} {
		got := crosscheck.Compare(t.Context(), sparkwright.SecondReading{}, q, tt.m, tt.ask, rows, crosscheck.Limits{})
		if got.State != sparkwright.SecondNotCompared || !strings.Contains(got.Why, tt.want) {
			t.Errorf("%+v; want %s", got, tt.want)
		}
	}
}
