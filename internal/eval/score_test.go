package eval

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestExpandGold(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, gold string
		want       []alternative
	}{
		{"plain", "SELECT a FROM t", []alternative{{SQL: "SELECT a FROM t"}}},
		{"two", "SELECT a FROM t; SELECT ';' FROM u;", []alternative{{SQL: "SELECT a FROM t"}, {SQL: "SELECT ';' FROM u"}}},
		{"braces", "SELECT {a, b AS c}, count(*) FROM t GROUP BY {}", []alternative{
			{SQL: "SELECT a, count(*) FROM t GROUP BY a", Braces: true},
			{SQL: "SELECT b AS c, count(*) FROM t GROUP BY b", Braces: true},
			{SQL: "SELECT a, b AS c, count(*) FROM t GROUP BY a, b", Braces: true},
		}},
		{"braces in a literal", "SELECT '{a}' FROM t", []alternative{{SQL: "SELECT '{a}' FROM t"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if d := cmp.Diff(tc.want, expandGold(tc.gold)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestAsksOrder(t *testing.T) {
	t.Parallel()
	for question, want := range map[string]bool{
		"List the names in alphabetical order":     true,
		"Names ordered by price":                   true,
		"From highest to lowest":                   true,
		"In order to pay, what is needed?":         false,
		"How many orders are there?":               false,
		"Which book has the highest price?":        false,
		"Show them in order of their date, please": true,
	} {
		if got := asksOrder(question); got != want {
			t.Errorf("%q: %v", question, got)
		}
	}
}

func TestOrderOf(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		sql   string
		names []string
		want  goldOrder
	}{
		{"SELECT a, b FROM t", []string{"a", "b"}, goldOrder{Any: true}},
		{"SELECT a, b FROM t ORDER BY t.b DESC NULLS LAST LIMIT 3", []string{"a", "b"}, goldOrder{Cols: []int{1}}},
		{"SELECT a, count(*) FROM t GROUP BY 1 ORDER BY 2, count( * )", []string{"a", "count"}, goldOrder{Cols: []int{1, 1}}},
		{"SELECT a FROM t ORDER BY b", []string{"a"}, goldOrder{All: true}},
		{"SELECT rank() OVER (ORDER BY a) FROM t", []string{"rank"}, goldOrder{Any: true}},
	} {
		if d := cmp.Diff(tc.want, orderOf(tc.sql, tc.names)); d != "" {
			t.Errorf("%s: %s", tc.sql, d)
		}
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	day := time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name    string
		gold    gold
		rows    [][]any
		ordered bool
		want    bool
	}{
		{"same", gold{Rows: [][]any{{"a", 1.0}}}, [][]any{{"a", 1.0}}, false, true},
		{"columns turned round", gold{Rows: [][]any{{"a", 1.0}, {"b", 2.0}}}, [][]any{{2.0, "b"}, {1.0, "a"}}, false, true},
		{"within the tolerance", gold{Rows: [][]any{{1000000.0}}}, [][]any{{1000000.5}}, false, true},
		{"outside the tolerance", gold{Rows: [][]any{{1000000.0}}}, [][]any{{1000002.0}}, false, false},
		{"a number as text", gold{Rows: [][]any{{12.5}}}, [][]any{{json.Number("12.50")}}, false, true},
		{"a date at midnight", gold{Rows: [][]any{{day}}}, [][]any{{"2024-05-01"}}, false, true},
		{"an offset", gold{Rows: [][]any{{day}}}, [][]any{{"2024-05-01T02:00:00+02:00"}}, false, true},
		{"null is not zero", gold{Rows: [][]any{{nil}}}, [][]any{{0.0}}, false, false},
		{"a further column", gold{Rows: [][]any{{"a"}}}, [][]any{{"a", 1.0}}, false, false},
		{"a further column with braces", gold{Rows: [][]any{{"a"}}, Braces: true}, [][]any{{"a", 1.0}}, false, true},
		{"a row twice", gold{Rows: [][]any{{"a"}, {"b"}}}, [][]any{{"a"}, {"a"}}, false, false},
		{"other order", gold{Rows: [][]any{{"a"}, {"b"}}, Order: goldOrder{Cols: []int{0}}}, [][]any{{"b"}, {"a"}}, false, true},
		{"other order, asked for", gold{Rows: [][]any{{"a"}, {"b"}}, Order: goldOrder{Cols: []int{0}}}, [][]any{{"b"}, {"a"}}, true, false},
		{"ties", gold{Rows: [][]any{{"a", 1.0}, {"b", 1.0}}, Order: goldOrder{Cols: []int{1}}}, [][]any{{"b", 1.0}, {"a", 1.0}}, true, true},
		{"both empty", gold{}, nil, false, true},
		{"one empty", gold{Rows: [][]any{{"a"}}}, nil, false, false},
		{"true", gold{Rows: [][]any{{true}}}, [][]any{{"t"}}, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := matches(tc.gold, tc.rows, tc.ordered); got != tc.want {
				t.Errorf("matches = %v", got)
			}
		})
	}
}

func TestTranslate(t *testing.T) {
	t.Parallel()
	got := translate("SELECT CAST(1 AS DOUBLE), `T`.`a` FROM `T` WHERE a = 'O\\\\u0027Hara'")
	if want := `SELECT CAST(1 AS DOUBLE PRECISION), "T"."a" FROM "T" WHERE a = 'O''Hara'`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
