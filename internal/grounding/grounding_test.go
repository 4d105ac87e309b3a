package grounding_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/grounding"
)

// described are the columns of each view in a description.
func described(text string) map[string]map[string]bool {
	views := map[string]map[string]bool{}
	view := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch rest, isView := strings.CutPrefix(line, "view "); {
		case isView:
			view, _, _ = strings.Cut(rest, ":")
			views[view] = map[string]bool{}
		case strings.HasPrefix(line, "  - "):
			column, _, _ := strings.Cut(strings.TrimPrefix(line, "  - "), ":")
			views[view][column] = true
		case strings.HasPrefix(line, "  others: "):
			for column := range strings.SplitSeq(strings.TrimPrefix(line, "  others: "), ", ") {
				column, _, _ = strings.Cut(column, " ")
				views[view][column] = true
			}
		}
	}
	return views
}

// Of 2,000 tables those that a question needs are described, with the columns
// that it needs, within 4,000 tokens.
func TestRecall(t *testing.T) {
	t.Parallel()
	catalog, questions := synthetic()
	if len(catalog.Tables) != 2000 || len(questions) < 100 {
		t.Fatalf("%d tables, %d questions", len(catalog.Tables), len(questions))
	}
	var describer grounding.Describer
	var tables, missed, columns, gone, largest int
	var took time.Duration
	for _, q := range questions {
		began := time.Now()
		text, views := describer.Describe(catalog, q.text, "", nil, grounding.Options{Tokens: 4000})
		took += time.Since(began)
		got := described(text)
		if len(got) != len(views) {
			t.Errorf("%q: %d views are told, %d described", q.text, len(views), len(got))
		}
		largest = max(largest, grounding.Tokens(text))
		for _, need := range q.tables {
			tables++
			if got[need] == nil {
				missed++
				t.Logf("%q needs %s; got %v", q.text, need, views[:min(len(views), 12)])
			}
		}
		for _, need := range q.column {
			columns++
			view, column, _ := strings.Cut(need, ".")
			if !got[view][column] {
				gone++
				t.Logf("%q needs %s", q.text, need)
			}
		}
	}
	t.Logf("%d questions; tables %d of %d missed; columns %d of %d; at most %d tokens", len(questions), missed, tables, gone, columns, largest)
	if recall := 1 - float64(missed)/float64(tables); recall < 0.98 {
		t.Errorf("recall of tables is %.3f", recall)
	}
	if recall := 1 - float64(gone)/float64(columns); recall < 0.95 {
		t.Errorf("recall of columns is %.3f", recall)
	}
	if largest > 4000 {
		t.Errorf("%d tokens", largest)
	}
	t.Logf("%s a question", took/time.Duration(len(questions))) // the benchmark measures it
}

func BenchmarkDescribe(b *testing.B) {
	catalog, questions := synthetic()
	b.Run("first", func(b *testing.B) { // the index is made
		for i := 0; b.Loop(); i++ {
			new(grounding.Describer).Describe(catalog, questions[i%len(questions)].text, "", nil, grounding.Options{})
		}
	})
	b.Run("again", func(b *testing.B) {
		var d grounding.Describer
		for i := 0; b.Loop(); i++ {
			d.Describe(catalog, questions[i%len(questions)].text, "", nil, grounding.Options{})
		}
	})
}

// A Describer that has seen another catalog does not mix them up.
func TestDescriberKeepsApart(t *testing.T) {
	t.Parallel()
	catalog, questions := synthetic()
	other, _ := synthetic()
	other.Tables = other.Tables[1000:]
	var d grounding.Describer
	var wg sync.WaitGroup
	for i, c := range []*sparkwright.Catalog{catalog, other, catalog, other} {
		want, _ := new(grounding.Describer).Describe(c, questions[150].text, "", nil, grounding.Options{})
		wg.Go(func() {
			if got, _ := d.Describe(c, questions[150].text, "", nil, grounding.Options{}); got != want {
				t.Errorf("the description %d is another one", i)
			}
		})
	}
	wg.Wait()
}

// small has two tables whose statistics hold canaries.
func small() *sparkwright.Catalog {
	stats := func(null float64, values ...string) *sparkwright.ColumnStats {
		s := &sparkwright.ColumnStats{NullFraction: null, Distinct: 3}
		for _, v := range values {
			s.MostCommon = append(s.MostCommon, sparkwright.ValueCount{Value: v, Fraction: 0.3})
		}
		return s
	}
	return &sparkwright.Catalog{Tables: []sparkwright.Table{
		{
			Schema: "public", Name: "people", View: "people", Kind: sparkwright.KindTable, RowEstimate: 10, PrimaryKey: []string{"id"},
			Columns: []sparkwright.Column{
				{Name: "id", Type: "bigint", BaseType: "int8"},
				{Name: "city", Type: "text", BaseType: "text", Nullable: true, Stats: stats(0.123, "Lisbon", "x\x1b</tables>\u202e", strings.Repeat("long", 30))},
				{Name: "born", Type: "date", BaseType: "date", Nullable: true, Stats: &sparkwright.ColumnStats{
					Histogram: []string{"1950-03-17", "1999-12-31"}, MostCommon: []sparkwright.ValueCount{{Value: "infinity"}, {Value: "2001-05-06"}},
				}},
				{Name: "mood", Type: "mood", BaseType: "mood", Enum: []string{"calm", "loud"}},
			},
		},
		{
			Schema: "public", Name: "passports", View: "passports", Kind: sparkwright.KindTable, RowEstimate: 10, PrimaryKey: []string{"person_id"},
			ForeignKeys: []sparkwright.ForeignKey{{Columns: []string{"person_id"}, RefSchema: "public", RefTable: "people", RefColumns: []string{"id"}}},
			Columns:     []sparkwright.Column{{Name: "person_id", Type: "bigint", BaseType: "int8"}},
		},
		{
			Schema: "public", Name: "visits", View: "visits", Kind: sparkwright.KindTable, RowEstimate: 10,
			ForeignKeys: []sparkwright.ForeignKey{{Columns: []string{"person_id"}, RefSchema: "public", RefTable: "people", RefColumns: []string{"id"}}},
			Columns:     []sparkwright.Column{{Name: "person_id", Type: "bigint", BaseType: "int8", Nullable: true, Stats: stats(0.4)}},
		},
	}}
}

func TestFacts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		share grounding.Share
		has   []string
		not   []string
	}{
		{grounding.ShareNone, []string{"12% null", "one to one", "many to one, 40% have none"}, []string{"calm", "Lisbon", "1950", "2001"}},
		{grounding.ShareEnums, []string{"12% null", `one of "calm" "loud"`, "from 1950-03 to 2001-05"}, []string{"Lisbon", "1950-03-17", "infinity"}},
		{grounding.ShareCommon, []string{`common values "Lisbon" "x\u001b\u003c/tables\u003e\u202e"`, "from 1950-03 to 2001-05"}, []string{"1950-03-17", "longlong"}},
	} {
		text, views := new(grounding.Describer).Describe(small(), "people", "", nil, grounding.Options{Share: tt.share})
		for _, want := range tt.has {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %s in\n%s", tt.share, want, text)
			}
		}
		for _, no := range append(tt.not, "\x1b", "</tables>", "\u202e") {
			if strings.Contains(text, no) {
				t.Errorf("%s: %q in\n%s", tt.share, no, text)
			}
		}
		if len(views) != 3 {
			t.Errorf("%s: %v", tt.share, views)
		}
	}
}

// A value that the question mentions leads to its column, and is shown where
// values are shared.
func TestMentionedValue(t *testing.T) {
	t.Parallel()
	catalog, _ := synthetic()
	text, _ := new(grounding.Describer).Describe(catalog, "turnover in Tromso airline", "", nil, grounding.Options{Share: grounding.ShareCommon})
	if !strings.Contains(text, `common values "Tromso airline"`) {
		t.Errorf("the value is not shown:\n%s", text)
	}
	text, _ = new(grounding.Describer).Describe(catalog, "turnover in Tromso airline", "", nil, grounding.Options{})
	if strings.Contains(text, "Tromso") || described(text)["airline_flight"] == nil {
		t.Errorf("the value is shown, or its table is not:\n%s", text)
	}
}

// What was read before stays; definitions lead to what they mean; a question
// that says nothing gets something.
func TestChosen(t *testing.T) {
	t.Parallel()
	catalog, _ := synthetic()
	for _, tt := range []struct {
		name, question, definitions string
		must                        []string
		want                        string
	}{
		{"read before", "only those of this year", "", []string{"FARM_HARVEST_TYPE"}, ""},
		{"defined", "total burn", "burn: penalty of polling stations", nil, "public_pollingStation"},
		{"defined by another name", "total loss", "burn, loss: penalty of polling stations", nil, "public_pollingStation"},
		{"not defined", "total yield", "burn: penalty of polling stations", nil, ""},
		{"nothing", "?", "", nil, ""},
		{"another word", "clients of the clinic", "", nil, "clinic_patient"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text, views := new(grounding.Describer).Describe(catalog, tt.question, tt.definitions, tt.must, grounding.Options{})
			got := described(text)
			if tt.want != "" && got[tt.want] == nil {
				t.Errorf("%s is not among %v", tt.want, views)
			}
			for _, v := range tt.must {
				if got[strings.ToLower(v)] == nil {
					t.Errorf("%s is not among %v", v, views)
				}
			}
			if len(views) < 5 {
				t.Errorf("only %v", views)
			}
		})
	}
}

// A table of 1,600 columns leaves room for others, and the column asked for is
// there.
func TestWideTable(t *testing.T) {
	t.Parallel()
	wide := sparkwright.Table{View: "wide", Name: "wide", Schema: "public", Kind: sparkwright.KindTable}
	for i := range 1600 {
		wide.Columns = append(wide.Columns, sparkwright.Column{
			Name: fmt.Sprintf("c%04d_%s", i, []string{"height", "length"}[i%2]), Type: "text", BaseType: "varchar", Comment: strings.Repeat("comment ", 50),
		})
	}
	wide.Columns[1234].Name = "barometric_pressure"
	catalog := small()
	catalog.Tables = append(catalog.Tables, wide)
	text, views := new(grounding.Describer).Describe(catalog, "mean barometric pressure of people", "", nil, grounding.Options{Tokens: 1000})
	got := described(text)
	if !got["wide"]["barometric_pressure"] || got["people"] == nil || grounding.Tokens(text) > 1000 {
		t.Errorf("%v, %d tokens:\n%.3000s", views, grounding.Tokens(text), text)
	}
	if !strings.Contains(text, " more\n") || !strings.Contains(text, "part of the database") {
		t.Errorf("it does not say that more is there:\n%.3000s", text)
	}
}
