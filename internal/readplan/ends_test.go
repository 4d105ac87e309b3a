package readplan_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/readplan"
)

// endsOf is a table whose dates nobody knows anything of, but of "known".
func endsOf(change func(t *sparkwright.Table)) []readplan.Read {
	t := sparkwright.Table{
		Connection: "t", Schema: "s", Name: `v"w`, View: "v", Kind: sparkwright.KindView,
		Columns: []sparkwright.Column{
			{Name: "id", BaseType: "int4", Type: "integer"},
			{Name: `d"ay`, BaseType: "date", Type: "date"},
			{Name: "at", BaseType: "timestamptz", Type: "timestamp with time zone"},
			{Name: "known", BaseType: "date", Type: "date", Stats: &sparkwright.ColumnStats{Histogram: []string{"2020-01-01", "2021-01-01"}}},
		},
	}
	if change != nil {
		change(&t)
	}
	return readplan.Plan(&sparkwright.Catalog{Tables: []sparkwright.Table{t}}, nil, readplan.Options{Cores: 1})
}

func TestWithEnds(t *testing.T) {
	t.Parallel()
	text := func(s string) *string { return &s }
	large := func(t *sparkwright.Table) { t.Bytes = 1 << 30 }
	for _, tt := range []struct {
		name    string
		change  func(t *sparkwright.Table)
		code    string
		rows    [][]*string
		err     error
		asked   string
		regular []bool // day, at
	}{
		{
			"a common date", nil, "SELECT `d\"ay` FROM v",
			[][]*string{{text("2020-01-01"), text("2024-01-01")}},
			nil,
			`SELECT min("d""ay")::text, max("d""ay")::text FROM "s"."v""w"`,
			[]bool{true, false},
		},
		{
			"two, one of them infinite", nil, "SELECT * FROM v WHERE at > `d\"ay`",
			[][]*string{{text("2020-01-01"), text("infinity"), text("2020-01-01 00:00:00+00"), text("2020-01-02 00:00:00+00")}},
			nil,
			`SELECT min("d""ay")::text, max("d""ay")::text, min("at")::text, max("at")::text FROM "s"."v""w"`,
			[]bool{false, true},
		},
		{"before Christ", nil, `d"ay`, [][]*string{{text("0044-03-15 BC"), text("2020-01-01")}}, nil, "min", []bool{false, false}},
		{"no values", nil, `d"ay`, [][]*string{{nil, nil}}, nil, "min", []bool{true, false}},
		{"none that the code names", nil, "SELECT id, known FROM v", nil, nil, "", []bool{false, false}},
		{"it fails", nil, `d"ay`, nil, errors.New("timeout"), "min", []bool{false, false}},
		{"no answer", nil, `d"ay`, nil, nil, "min", []bool{false, false}},
		{"a large table", large, `d"ay`, nil, nil, "", []bool{false, false}},
		{
			"a large table with an index", func(t *sparkwright.Table) {
				large(t)
				t.Indexes = []sparkwright.Index{{Columns: []string{`d"ay`, "at"}}}
			}, "SELECT `d\"ay`", [][]*string{{text("2020-01-01"), text("2020-01-01")}}, nil, `min("d""ay")::text, max("d""ay")::text FROM`, []bool{true, false},
		},
		{"a file", func(t *sparkwright.Table) { t.Source = sparkwright.SourceFiles }, `d"ay`, nil, nil, "", []bool{false, false}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			reads := endsOf(tt.change)
			asked := ""
			got, err := readplan.WithEnds(reads, readplan.Mentioned(tt.code), func(connection, sql string) ([][]*string, error) {
				asked += connection + ": " + sql
				return tt.rows, tt.err
			})
			if (tt.asked == "") != (asked == "") || !strings.Contains(asked, tt.asked) || strings.Contains(asked, "known") {
				t.Errorf("asked %q, want %q", asked, tt.asked)
			}
			if wrong := tt.asked != "" && tt.rows == nil; wrong != (err != nil) {
				t.Errorf("error %v", err)
			}
			columns := got[0].Table.Columns
			if diff := cmp.Diff(tt.regular, []bool{readplan.Regular(&columns[1]), readplan.Regular(&columns[2])}); diff != "" {
				t.Error(diff)
			}
			if !readplan.Regular(&columns[0]) || !readplan.Regular(&columns[3]) {
				t.Error("a number, or a date that is known, is odd")
			}
			if reads[0].Table.Columns[1].Stats != nil {
				t.Error("the reads themselves were changed")
			}
		})
	}
}

func TestComparable(t *testing.T) {
	t.Parallel()
	known := &sparkwright.ColumnStats{Histogram: []string{"2020-01-01", "2021-01-01"}}
	for _, tt := range []struct {
		column sparkwright.Column
		want   bool
	}{
		{sparkwright.Column{BaseType: "int8", Type: "bigint"}, true},
		{sparkwright.Column{BaseType: "text", Type: "text"}, true},
		{sparkwright.Column{BaseType: "text", Type: "text", Collation: "de-x-icu"}, true},
		{sparkwright.Column{BaseType: "text", Type: "text", Collation: "folds", Nondeterministic: true}, false},
		{sparkwright.Column{BaseType: "citext", Type: "citext"}, false},
		{sparkwright.Column{BaseType: "jsonb", Type: "jsonb"}, false},
		{sparkwright.Column{BaseType: "numeric", Type: "numeric(12,2)"}, true},
		{sparkwright.Column{BaseType: "numeric", Type: "numeric"}, false},
		{sparkwright.Column{BaseType: "date", Type: "date"}, false},
		{sparkwright.Column{BaseType: "date", Type: "date", Stats: known}, true},
		{sparkwright.Column{BaseType: "uuid", Type: "uuid"}, true},
	} {
		if got := readplan.Comparable(&tt.column); got != tt.want {
			t.Errorf("%+v: %v", tt.column, got)
		}
	}
}
