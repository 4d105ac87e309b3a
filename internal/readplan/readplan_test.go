package readplan_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/readplan"
)

func table(change func(*sparkwright.Table)) sparkwright.Table {
	t := sparkwright.Table{
		Connection: "shop", Schema: "sales", Name: "orders", View: "orders", Bytes: 512 << 20, PrimaryKey: []string{"id"},
		Columns: []sparkwright.Column{
			{Name: "id", Type: "bigint", BaseType: "int8", Stats: &sparkwright.ColumnStats{AvgWidth: 8, Histogram: []string{"1", "500", "1000"}}},
			{Name: "note", Type: "text", BaseType: "text", Stats: &sparkwright.ColumnStats{AvgWidth: 92}},
			{Name: "day", Type: "date", BaseType: "date", Stats: &sparkwright.ColumnStats{Histogram: []string{"2023-01-01", "2025-12-31"}}},
			{Name: "at", Type: "timestamp with time zone", BaseType: "timestamptz", Stats: &sparkwright.ColumnStats{
				Histogram: []string{"2023-01-01 00:00:00.5+00", "2025-12-31 23:59:59+00"},
			}},
		},
	}
	if change != nil {
		change(&t)
	}
	return t
}

func TestPlan(t *testing.T) {
	t.Parallel()
	type want struct {
		Partitions           int
		Column, Lower, Upper string
	}
	tests := []struct {
		name   string
		tables []sparkwright.Table
		opt    readplan.Options
		want   want
	}{
		{"a large table by its key", []sparkwright.Table{table(nil)}, readplan.Options{Cores: 2}, want{8, "id", "1", "1000"}},
		{"bounded by connections", []sparkwright.Table{table(nil)}, readplan.Options{Cores: 8, MaxConnections: 5}, want{5, "id", "1", "1000"}},
		{"a small table is one read", []sparkwright.Table{table(func(t *sparkwright.Table) { t.Bytes = 1 << 20 })}, readplan.Options{Cores: 2}, want{Partitions: 1}},
		{"never analysed", []sparkwright.Table{table(func(t *sparkwright.Table) { t.Columns[0].Stats = nil })}, readplan.Options{Cores: 2}, want{Partitions: 1}},
		{"a text key", []sparkwright.Table{table(func(t *sparkwright.Table) { t.PrimaryKey = []string{"note"} })}, readplan.Options{Cores: 2}, want{Partitions: 1}},
		{
			"an indexed date",
			[]sparkwright.Table{table(func(t *sparkwright.Table) {
				t.PrimaryKey, t.Indexes = nil, []sparkwright.Index{{Columns: []string{"day"}}}
			})},
			readplan.Options{Cores: 2},
			want{8, "day", "2023-01-01", "2025-12-31"},
		},
		{
			"an indexed time",
			[]sparkwright.Table{table(func(t *sparkwright.Table) {
				t.PrimaryKey, t.Indexes = nil, []sparkwright.Index{{Columns: []string{"at"}}}
			})},
			readplan.Options{Cores: 2},
			want{8, "at", "2023-01-01 00:00:00", "2025-12-31 23:59:59"},
		},
		{
			"several tables of one connection stay whole",
			[]sparkwright.Table{
				table(nil), table(func(t *sparkwright.Table) { t.Name, t.View = "items", "items" }),
			},
			readplan.Options{Cores: 2},
			want{Partitions: 1},
		},
		{
			"tables of two connections do not hinder one another",
			[]sparkwright.Table{
				table(nil), table(func(t *sparkwright.Table) { t.Connection, t.View = "other", "other" }),
			},
			readplan.Options{Cores: 2},
			want{8, "id", "1", "1000"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			reads := readplan.Plan(&sparkwright.Catalog{Tables: tt.tables}, nil, tt.opt)
			r := reads[0]
			if diff := cmp.Diff(tt.want, want{r.Partitions, r.Column, r.Lower, r.Upper}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPlanReadsOnlyWhatIsUsed(t *testing.T) {
	t.Parallel()
	other := table(func(t *sparkwright.Table) { t.Name, t.View = "items", "items" })
	reads := readplan.Plan(&sparkwright.Catalog{Tables: []sparkwright.Table{table(nil), other}}, []string{"items"}, readplan.Options{Cores: 2})
	if len(reads) != 1 || reads[0].View != "items" || reads[0].Partitions != 8 {
		t.Errorf("reads %+v", reads)
	}
}

func TestFetchSize(t *testing.T) {
	t.Parallel()
	wide := table(func(t *sparkwright.Table) { t.Columns[1].Stats.AvgWidth = 1 << 20 })
	narrow := table(func(t *sparkwright.Table) { t.Columns = t.Columns[:1] })
	for name, tt := range map[string]struct {
		t    sparkwright.Table
		want int
	}{"wide rows": {wide, 100}, "narrow rows": {narrow, 10_000}} {
		if got := readplan.Plan(&sparkwright.Catalog{Tables: []sparkwright.Table{tt.t}}, nil, readplan.Options{})[0].FetchSize; got != tt.want {
			t.Errorf("%s: fetch size %d, want %d", name, got, tt.want)
		}
	}
}

func TestNameViews(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		tables [][2]string // schema, name
		want   []string
	}{
		{"plain names stay", [][2]string{{"sales", "orders"}, {"crm", "customers"}}, []string{"orders", "customers"}},
		{"the same name twice", [][2]string{{"a", "t"}, {"b", "t"}}, []string{"a_t", "b_t"}},
		{"names that differ in case", [][2]string{{"a", "T"}, {"b", "t"}}, []string{"a_T", "b_t"}},
		{"odd names", [][2]string{{"a", `we"ird.näme`}, {"a", "2024"}}, []string{"we_ird_n_me", "t_2024"}},
		{"odd names that become one", [][2]string{{"a", "x.y"}, {"a", "x-y"}}, []string{"a_x_y", "c_a_x_y"}},
		{"a third", [][2]string{{"a", "x.y"}, {"a", "x-y"}, {"a", "x y"}}, []string{"a_x_y", "c_a_x_y", "c_a_x_y_2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := &sparkwright.Catalog{}
			for _, n := range tt.tables {
				c.Tables = append(c.Tables, sparkwright.Table{Connection: "c", Schema: n[0], Name: n[1]})
			}
			readplan.NameViews(c)
			var got []string
			for i := range c.Tables {
				got = append(got, c.Tables[i].View)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOnePartition(t *testing.T) {
	t.Parallel()
	small := func(t *sparkwright.Table) { t.Kind, t.Bytes = sparkwright.KindTable, 1<<20 }
	large := func(t *sparkwright.Table) { t.Kind, t.PrimaryKey = sparkwright.KindTable, nil }
	for name, tt := range map[string]struct {
		tables []sparkwright.Table
		opt    readplan.Options
		want   bool
	}{
		"no table":                           {},
		"a small one":                        {[]sparkwright.Table{table(small)}, readplan.Options{Cores: 2}, true},
		"a large one":                        {[]sparkwright.Table{table(large)}, readplan.Options{Cores: 2}, false},
		"parallel reads":                     {[]sparkwright.Table{table(nil)}, readplan.Options{Cores: 2}, false},
		"PostgreSQL answers for a large one": {[]sparkwright.Table{table(large)}, readplan.Options{Scanned: map[string]bool{}}, true},
		"PostgreSQL answers for what has no known size": {[]sparkwright.Table{table(func(t *sparkwright.Table) { t.Kind, t.Bytes = sparkwright.KindView, 0 })}, readplan.Options{Scanned: map[string]bool{}}, true},
		"a view, whose size is not known":               {[]sparkwright.Table{table(func(t *sparkwright.Table) { t.Kind, t.Bytes = sparkwright.KindView, 0 })}, readplan.Options{Cores: 2}, false},
		"files":                                         {[]sparkwright.Table{table(small), {Source: sparkwright.SourceFiles, View: "f"}}, readplan.Options{Cores: 2}, false},
	} {
		reads := readplan.Plan(&sparkwright.Catalog{Tables: tt.tables}, nil, tt.opt)
		if got := readplan.OnePartition(reads); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if many := readplan.Plan(&sparkwright.Catalog{Tables: slices.Repeat([]sparkwright.Table{table(small)}, 70)}, nil, readplan.Options{Cores: 2}); readplan.OnePartition(many) {
		t.Error("seventy of 1 MB")
	}
}
