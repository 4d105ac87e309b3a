package check

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/readplan"
)

func TestFactsOf(t *testing.T) {
	t.Parallel()
	cat := &sparkwright.Catalog{Tables: []sparkwright.Table{{
		Schema: "s", Name: "T", View: "t", Kind: sparkwright.KindTable, PrimaryKey: []string{"a", "b"}, Uniques: [][]string{{"c"}},
		Columns: []sparkwright.Column{
			{Name: "a", Type: "integer", BaseType: "int4", Stats: &sparkwright.ColumnStats{}},
			{Name: "b", Type: "timestamp with time zone", BaseType: "timestamptz", Nullable: true, Stats: &sparkwright.ColumnStats{NullFraction: 0.5}},
			{Name: "c", Type: "text", BaseType: "text"},
		},
	}}}
	zero, half := 0.0, 0.5
	want := []Facts{{Name: "t", Keys: [][]string{{"a", "b"}, {"c"}}, Columns: []ColumnFact{
		{Name: "a", Type: "int4", NullFraction: &zero}, {Name: "b", Type: "timestamptz", Nullable: true, NullFraction: &half}, {Name: "c", Type: "text"},
	}}}
	if d := cmp.Diff(want, FactsOf(readplan.Plan(cat, []string{"t"}, readplan.Options{Cores: 1}))); d != "" {
		t.Error(d)
	}
}

// A table without declared keys has those that its statistics show.
func TestFactsFromStatistics(t *testing.T) {
	t.Parallel()
	number := func(name string, distinct, nulls float64) sparkwright.Column {
		return sparkwright.Column{Name: name, Type: "integer", BaseType: "int4", Stats: &sparkwright.ColumnStats{Distinct: distinct, NullFraction: nulls}}
	}
	cat := &sparkwright.Catalog{Tables: []sparkwright.Table{{
		Schema: "s", Name: "t", View: "t", Kind: sparkwright.KindTable, RowEstimate: 1000,
		Columns: []sparkwright.Column{number("own", 1000, 0), number("some", 950, 0), number("shared", 10, 0), number("gaps", 1000, 0.1)},
	}}}
	got := FactsOf(readplan.Plan(cat, []string{"t"}, readplan.Options{Cores: 1}))[0]
	if d := cmp.Diff([][]string{{"own"}}, got.Keys); d != "" {
		t.Error(d)
	}
	for _, c := range got.Columns {
		if c.Repeated != (c.Name == "shared") {
			t.Errorf("%+v", c)
		}
	}
	cat.Tables[0].PrimaryKey = []string{"shared", "own"}
	if got = FactsOf(readplan.Plan(cat, []string{"t"}, readplan.Options{Cores: 1}))[0]; len(got.Keys) != 1 || len(got.Keys[0]) != 2 {
		t.Errorf("beside a declared key: %v", got.Keys)
	}
}

func TestTextDate(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		values []string
		want   bool
	}{
		{"day first", []string{"01.02.2025", "28.02.2024"}, true},
		{"slashes", []string{"1/2/25"}, true},
		{"in words", []string{"2 January 2025", "13 March 2024"}, true},
		{"in the order of text", []string{"2025-01-02"}, false},
		{"not only dates", []string{"01.02.2025", "never"}, false},
		{"no values", nil, false},
	} {
		c := &sparkwright.Column{BaseType: "text", Stats: &sparkwright.ColumnStats{Histogram: tc.values}}
		if got := textDate(c); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
		c.BaseType = "date"
		if textDate(c) {
			t.Errorf("%s: a date is no text", tc.name)
		}
	}
	if textDate(&sparkwright.Column{BaseType: "text"}) {
		t.Error("a column that was never analysed")
	}
}
