// Package readplan decides how each table of a run is read from PostgreSQL:
// which columns, in how many parallel reads, along which column and bounds,
// and with what fetch size. It is pure: everything comes from the catalog.
//
// The rules, and where they come from (measurements: docs/architecture.md):
//
//   - Several views of one connection are read unpartitioned: Spark then hands
//     joins and aggregates over them to PostgreSQL as one statement, which
//     partitioned views lose.
//   - A single large table is read in parallel along an indexed integer or date
//     column whose bounds pg_stats knows; partial aggregates are still pushed.
//   - Everything else is one read.
package readplan

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

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

// Options are the limits of the machine that reads.
type Options struct {
	Cores          int // that work for this run
	MaxConnections int // reads at once, per connection
}

// Read is how one table is read.
type Read struct {
	View       string
	Table      sparkwright.Table
	Columns    []SparkColumn
	FetchSize  int
	Partitions int    // 1 = a single read
	Column     string // partition column, when Partitions > 1
	Lower      string
	Upper      string
	ByQuery    bool // the schema cannot be loaded as a whole: read by a query
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

// Plan decides for every table of the catalog that has a View set and is in
// used; nil used means all.
func Plan(catalog *sparkwright.Catalog, used []string, opt Options) []Read {
	isUsed := map[string]bool{}
	for _, v := range used {
		isUsed[v] = true
	}
	perConnection := map[string]int{}
	for i := range catalog.Tables {
		if t := &catalog.Tables[i]; used == nil || isUsed[t.View] {
			perConnection[t.Connection]++
		}
	}
	var reads []Read
	for i := range catalog.Tables {
		t := &catalog.Tables[i]
		if used != nil && !isUsed[t.View] {
			continue
		}
		r := Read{View: t.View, Table: *t, Partitions: 1}
		for j := range t.Columns {
			c := SparkType(&t.Columns[j])
			r.ByQuery = r.ByQuery || c.Unloadable
			r.Columns = append(r.Columns, c)
		}
		r.FetchSize = fetchSize(t)
		if perConnection[t.Connection] == 1 && !r.ByQuery {
			partition(&r, opt)
		}
		reads = append(reads, r)
	}
	return reads
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

// partition sets the partition column and bounds when the table is large and
// has a column that serves.
func partition(r *Read, opt Options) {
	t := &r.Table
	if t.Bytes < largeBytes {
		return
	}
	n := int(math.Ceil(float64(t.Bytes) / partitionBytes))
	n = min(n, 4*max(1, opt.Cores))
	if opt.MaxConnections > 0 {
		n = min(n, opt.MaxConnections)
	}
	if n < 2 {
		return
	}
	for _, name := range candidates(t) {
		col := t.Column(name)
		if col == nil || col.Stats == nil {
			continue
		}
		lower, upper, ok := bounds(col)
		if !ok {
			continue
		}
		r.Partitions, r.Column, r.Lower, r.Upper = n, name, lower, upper
		return
	}
}

// candidates are the leading columns of the primary key and the indexes.
func candidates(t *sparkwright.Table) []string {
	var names []string
	if len(t.PrimaryKey) > 0 {
		names = append(names, t.PrimaryKey[0])
	}
	for _, ix := range t.Indexes {
		if len(ix.Columns) > 0 {
			names = append(names, ix.Columns[0])
		}
	}
	return names
}

// bounds are the ends of the histogram, as Spark's lowerBound and upperBound
// want them. They only place the cuts: rows outside them, and nulls, are read
// by the first and the last partition.
func bounds(col *sparkwright.Column) (lower, upper string, ok bool) {
	h := col.Stats.Histogram
	if len(h) < 2 {
		return "", "", false
	}
	lower, upper = h[0], h[len(h)-1]
	switch col.BaseType {
	case "int2", "int4", "int8":
		a, errA := strconv.ParseInt(lower, 10, 64)
		b, errB := strconv.ParseInt(upper, 10, 64)
		return lower, upper, errA == nil && errB == nil && a < b
	case "date":
		return timeBounds(lower, upper, time.DateOnly)
	case "timestamp", "timestamptz":
		// Text of pg_stats: 2025-01-02 03:04:05.678+00 in a UTC session.
		cut := len(time.DateTime)
		if len(lower) < cut || len(upper) < cut {
			return "", "", false
		}
		return timeBounds(lower[:cut], upper[:cut], time.DateTime)
	default:
		return "", "", false
	}
}

func timeBounds(lower, upper, layout string) (lo, hi string, ok bool) {
	a, errA := time.Parse(layout, lower)
	b, errB := time.Parse(layout, upper)
	return lower, upper, errA == nil && errB == nil && a.Before(b)
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
