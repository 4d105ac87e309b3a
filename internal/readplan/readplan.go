// Package readplan decides how each table of a run is read from PostgreSQL:
// which columns, in how many parallel reads, along which column and bounds,
// and with what fetch size. It is pure: everything comes from the catalog.
//
// The rules, and where they come from (measurements: docs/architecture.md):
//
//   - Spark's plan over unpartitioned views tells which tables PostgreSQL answers
//     for by itself: those need no parallel reads, and would lose joins by them.
//     Without that plan several views of one connection stay unpartitioned.
//   - A large table whose rows travel is read in parallel: along an indexed
//     integer or date column in equal steps where its values are spread evenly,
//     in ranges of equal frequency from pg_stats where they are not, and by
//     ranges of pages where no column serves. A partitioned table is read
//     partition by partition, without those that the plan's conditions rule out.
//   - Everything else is one read.
package readplan

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sparkwright/sparkwright"
)

const (
	// largeBytes is where parallel reads begin to pay off.
	largeBytes = 64 << 20
	// partitionBytes is the aim for one parallel read.
	partitionBytes = 32 << 20
	// fetchBytes is the aim for one fetch of rows; between 1,000 and 50,000 rows
	// the fetch size makes no difference, without one the driver buffers all.
	fetchBytes = 4 << 20
)

// Options are the limits of the machine that reads, and what is known.
type Options struct {
	Cores          int // that work for this run
	MaxConnections int // reads at once, per connection
	// Scanned are the views whose rows travel to Spark, by Spark's own plan; nil
	// = not known. For the others PostgreSQL answers by itself.
	Scanned map[string]bool
	// Pages allows ranges of pages: PostgreSQL 14 or later, and one snapshot,
	// without which a row that is updated meanwhile could be met twice.
	Pages bool
	// Leaves are the partitions of partitioned tables, by view, on that snapshot.
	Leaves map[string][]Leaf
}

// Strategy is how the rows of one table travel.
type Strategy string

// The strategies.
const (
	Whole    Strategy = "whole"  // one read, or none: PostgreSQL answers by itself
	ByColumn Strategy = "column" // equal steps of a column; partial aggregates stay in PostgreSQL
	ByRanges Strategy = "ranges" // ranges of a column that hold equally many rows
	ByPages  Strategy = "pages"  // ranges of the table's pages
	ByLeaves Strategy = "leaves" // partition by partition, those that the conditions leave
)

// Read is how one table is read.
type Read struct {
	View       string
	Table      sparkwright.Table
	Columns    []SparkColumn
	FetchSize  int
	Partitions int    // 1 = a single read
	Column     string // partition column, when Partitions > 1; "" for pages
	Lower      string
	Upper      string
	ByQuery    bool // the schema cannot be loaded as a whole: read by a query
	Answered   bool // PostgreSQL answers by itself, by Spark's own plan: the table's rows do not travel
	Strategy   Strategy
	Predicates []string // of ByRanges, ByPages and ByLeaves: each row is in exactly one
	Why        string   // the choice, for people
}

// Kept are the columns that the view shows.
func (r *Read) Kept() []SparkColumn {
	kept := make([]SparkColumn, 0, len(r.Columns))
	for _, c := range r.Columns {
		if c.Skip == "" {
			kept = append(kept, c)
		}
	}
	return kept
}

// ForSpark35 is the read as Spark 3.5 needs it: by a query where it does not
// read the table's columns as they are.
func ForSpark35(r Read) Read {
	r.ByQuery = r.ByQuery || slices.ContainsFunc(r.Columns, func(c SparkColumn) bool { return c.Query35 })
	return r
}

// Plan decides for every table of the catalog that has a View set and is in
// used; nil used means all.
func Plan(catalog *sparkwright.Catalog, used []string, opt Options) []Read {
	isUsed := map[string]bool{}
	for _, v := range used {
		isUsed[v] = true
	}
	perConnection := map[string]int{}
	for i := range catalog.Tables {
		if t := &catalog.Tables[i]; FromPostgres(t) && (used == nil || isUsed[t.View]) {
			perConnection[t.Connection]++
		}
	}
	var reads []Read
	for i := range catalog.Tables {
		t := &catalog.Tables[i]
		if used != nil && !isUsed[t.View] {
			continue
		}
		r := Read{View: t.View, Table: *t, Partitions: 1, Strategy: Whole}
		for j := range t.Columns {
			c := SparkType(&t.Columns[j])
			if t.Source == sparkwright.SourceGlue { // its types are Spark's own
				c = SparkColumn{Name: t.Columns[j].Name, Type: t.Columns[j].Type}
			}
			r.ByQuery = r.ByQuery || c.Unloadable
			r.Columns = append(r.Columns, c)
		}
		if !FromPostgres(t) { // Spark splits files by itself
			reads = append(reads, r)
			continue
		}
		r.FetchSize = fetchSize(t)
		switch scanned := opt.Scanned[t.View]; {
		case opt.Scanned != nil && !scanned:
			r.Answered, r.Why = true, "PostgreSQL answers by itself"
		case opt.Scanned == nil && perConnection[t.Connection] > 1:
			r.Why = "several tables of one connection: PostgreSQL may join them"
		default:
			partition(&r, opt, scanned)
		}
		reads = append(reads, r)
	}
	return reads
}

// FromPostgres reports whether a table is read over JDBC; others are files.
func FromPostgres(t *sparkwright.Table) bool {
	return t.Source == "" || t.Source == sparkwright.SourcePostgres
}

func fetchSize(t *sparkwright.Table) int {
	width := 0
	for i := range t.Columns {
		w := 16
		if s := t.Columns[i].Stats; s != nil && s.AvgWidth > 0 {
			w = s.AvgWidth
		}
		width += w
	}
	return max(100, min(10_000, fetchBytes/max(1, width)))
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// NameViews gives every table of the catalog the name of its temp view: the
// table's own name where it is plain and alone, else schema_table, else
// connection_schema_table, else numbered. Names differ in more than case.
func NameViews(catalog *sparkwright.Catalog) {
	count := map[string]int{}
	for i := range catalog.Tables {
		count[strings.ToLower(plain(catalog.Tables[i].Name))]++
	}
	taken := map[string]bool{}
	for i := range catalog.Tables {
		t := &catalog.Tables[i]
		options := []string{
			plain(t.Schema + "_" + t.Name),
			plain(t.Connection + "_" + t.Schema + "_" + t.Name),
		}
		if own := plain(t.Name); count[strings.ToLower(own)] == 1 {
			options = append([]string{own}, options...)
		}
		t.View = ""
		for _, name := range options {
			if !taken[strings.ToLower(name)] {
				t.View = name
				break
			}
		}
		for n := 2; t.View == ""; n++ {
			if name := fmt.Sprintf("%s_%d", options[len(options)-1], n); !taken[strings.ToLower(name)] {
				t.View = name
			}
		}
		taken[strings.ToLower(t.View)] = true
	}
}

// plain makes an unquoted SQL identifier of any name.
func plain(name string) string {
	if plainName.MatchString(name) {
		return name
	}
	var b strings.Builder
	for _, r := range name {
		switch {
		case r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z':
			b.WriteRune(r)
		default:
			b.WriteByte('_')
		}
	}
	out := b.String()
	if out == "" || out[0] >= '0' && out[0] <= '9' {
		out = "t_" + out
	}
	return out[:min(len(out), 120)]
}
