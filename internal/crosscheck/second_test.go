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

// Readings of one question agree when their rows are the same, whatever their
// order and that of their columns; what is not certain or not cheap is not said.
func TestAgree(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name          string
		first, second string // rows
		cost          int    // of each
		key           string // of the second
		fail          error
		want          sparkwright.SecondState
		why           string
	}{
		{"the same", "a,1;b,2", "a,1;b,2", 10, "", nil, sparkwright.SecondAgrees, ""},
		{"in another order", "a,1;b,2", "2,b;1.0,a", 10, "", nil, sparkwright.SecondAgrees, ""},
		{"nothing twice", "", "", 10, "", nil, sparkwright.SecondAgrees, ""},
		{"NULL is NULL", "NULL", "NULL", 10, "", nil, sparkwright.SecondAgrees, ""},
		{"one value", "3", "7", 10, "", nil, sparkwright.SecondDiffers, "one has 3, another 7"},
		{"no value", "3", "NULL", 10, "", nil, sparkwright.SecondDiffers, "another no value"},
		{"more rows", "a,1", "a,1;b,2", 10, "", nil, sparkwright.SecondDiffers, "one has 1 row, another 2 rows"},
		{"nothing and something", "", "a", 10, "", nil, sparkwright.SecondDiffers, "one has 0 rows"},
		{"other rows", "a,1;b,2", "a,2;b,1", 10, "", nil, sparkwright.SecondDiffers, "other rows"},
		{"more columns", "a,1;b,2", "a,1,x;b,2,y", 10, "", nil, sparkwright.SecondDiffers, "other rows"},
		{"first rows that are open", "a,1;b,2", "a,1;c,2", 10, "n", nil, sparkwright.SecondNotCompared, "not certain"},
		{"first rows that are open, and the same", "a,1;b,2", "a,1;b,2", 10, "n", nil, sparkwright.SecondAgrees, ""},
		{"dear together", "1", "1", 60, "", nil, sparkwright.SecondNotCompared, "cost of 120"},
		{"refused", "1", "1", 10, "", errors.New("no"), sparkwright.SecondNotCompared, "could not carry out"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			one, two := says(tt.cost, tt.first, tt.fail), says(tt.cost, tt.second, tt.fail)
			ask := func(ctx context.Context, sql string, limit time.Duration) ([][]*string, error) {
				if strings.Contains(sql, "(two)") {
					return two(ctx, sql, limit)
				}
				return one(ctx, sql, limit)
			}
			readings := []crosscheck.Translation{{SQL: "one"}, {SQL: "two", Key: tt.key}}
			state, why := crosscheck.Agree(t.Context(), readings, ask, crosscheck.Limits{Cost: 100})
			if state != tt.want || !strings.Contains(why, tt.why) {
				t.Errorf("%s (%s); want %s (%s)", state, why, tt.want, tt.why)
			}
		})
	}
	state, why := crosscheck.Agree(t.Context(), []crosscheck.Translation{{SQL: "one"}, {Why: "it is none"}}, says(1, "1", nil), crosscheck.Limits{})
	if state != sparkwright.SecondNotCompared || why != "it is none" {
		t.Errorf("no statement: %s (%s)", state, why)
	}
}
