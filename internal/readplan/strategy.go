package readplan

import (
	"fmt"
	"math"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// partition chooses how a table whose rows travel is read in parallel. rows
// says that they do for certain: then nothing is lost by reads that take part
// in no aggregate.
func partition(r *Read, opt Options, rows bool) {
	t := &r.Table
	n := count(t.Bytes, opt)
	if n < 2 {
		r.Why = "small"
		return
	}
	if rows && byLeaves(r, opt.Leaves[t.View], opt) {
		return
	}
	for _, name := range candidates(t) {
		col := t.Column(name)
		if col == nil || col.Stats == nil {
			continue
		}
		if even(col, n) && !r.ByQuery {
			if lower, upper, ok := bounds(col); ok {
				r.Strategy, r.Partitions, r.Column, r.Lower, r.Upper = ByColumn, n, name, lower, upper
				r.Why = "equal steps of " + name
				return
			}
		}
		if rows && byRanges(r, col, n) {
			return
		}
	}
	if rows && opt.Pages && !r.ByQuery && (t.Kind == sparkwright.KindTable || t.Kind == sparkwright.KindMaterializedView || t.Kind == sparkwright.KindPartitioned) {
		byPages(r, n)
		return
	}
	// Uneven steps are better than none.
	for _, name := range candidates(t) {
		col := t.Column(name)
		if col == nil || col.Stats == nil || r.ByQuery {
			continue
		}
		if lower, upper, ok := bounds(col); ok {
			r.Strategy, r.Partitions, r.Column, r.Lower, r.Upper = ByColumn, n, name, lower, upper
			r.Why = "equal steps of " + name + ", which hold unequally many rows"
			return
		}
	}
	r.Why = "no column serves for parallel reads"
}

// count is how many reads the size is worth, within cores and connections.
func count(bytes int64, opt Options) int {
	if bytes < largeBytes {
		return 1
	}
	n := int(math.Ceil(float64(bytes) / partitionBytes))
	n = min(n, 4*max(1, opt.Cores))
	if opt.MaxConnections > 0 {
		n = min(n, opt.MaxConnections)
	}
	if n > opt.Cores && opt.Cores > 0 {
		n -= n % opt.Cores // no core waits for the last read of another
	}
	return n
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

// byRanges reads in ranges of equal frequency. The first takes NULL too, the
// outer ones have no outer bound: each row is in exactly one, however old the
// statistics are.
func byRanges(r *Read, col *sparkwright.Column, n int) bool {
	cuts := cutsOf(col, n)
	if len(cuts) == 0 {
		return false
	}
	name := quoteIdent(col.Name)
	r.Predicates = []string{fmt.Sprintf("(%s < %s OR %s IS NULL)", name, cuts[0], name)}
	for i := 1; i < len(cuts); i++ {
		r.Predicates = append(r.Predicates, fmt.Sprintf("%s >= %s AND %s < %s", name, cuts[i-1], name, cuts[i]))
	}
	r.Predicates = append(r.Predicates, fmt.Sprintf("%s >= %s", name, cuts[len(cuts)-1]))
	r.Strategy, r.Partitions, r.Column = ByRanges, len(r.Predicates), col.Name
	r.Why = "ranges of " + col.Name + " that hold about equally many rows"
	return true
}

// blockSize is that of nearly every server; another one only makes the ranges
// unequal.
const blockSize = 8192

// byPages reads ranges of the table's pages. The last has no end: the table
// may have grown. On a partitioned table every partition is cut in the same way.
func byPages(r *Read, n int) {
	pages := r.Table.Bytes / blockSize
	if r.Table.Kind == sparkwright.KindPartitioned && r.Table.LargestPartition > 0 {
		pages = r.Table.LargestPartition / blockSize
	}
	r.Predicates = pageRanges(pages, n)
	r.Strategy, r.Partitions = ByPages, n
	r.Why = "ranges of pages: no column serves better"
}

// pageRanges are n ranges of pages, of which the last has no end.
func pageRanges(pages int64, n int) []string {
	at := func(i int) string { return fmt.Sprintf("'(%d,0)'::tid", pages*int64(i)/int64(n)) }
	out := []string{"ctid < " + at(1)}
	for i := 1; i < n-1; i++ {
		out = append(out, fmt.Sprintf("ctid >= %s AND ctid < %s", at(i), at(i+1)))
	}
	return append(out, "ctid >= "+at(n-1))
}

func quoteIdent(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// Large reports whether one of the tables is worth parallel reads.
func Large(reads []Read) bool {
	for i := range reads {
		if FromPostgres(&reads[i].Table) && reads[i].Table.Bytes >= largeBytes {
			return true
		}
	}
	return false
}

// OnePartition reports whether what travels is small enough for one partition:
// then Spark sorts without a look at the rows beforehand, for which it would
// have PostgreSQL carry out the same query once more.
func OnePartition(reads []Read) bool {
	var bytes int64
	for i := range reads {
		r := &reads[i]
		t := &r.Table
		if !FromPostgres(t) || r.Partitions > 1 {
			return false
		}
		if r.Answered {
			continue
		}
		if t.Kind != sparkwright.KindTable && t.Kind != sparkwright.KindMaterializedView && t.Kind != sparkwright.KindPartitioned {
			return false // of others the size is not known
		}
		bytes += t.Bytes
	}
	return len(reads) > 0 && bytes < largeBytes
}

// WholeReads are the same reads without parallel ones.
func WholeReads(reads []Read) []Read {
	out := make([]Read, len(reads))
	for i := range reads {
		out[i] = reads[i]
		out[i].Strategy, out[i].Partitions, out[i].Predicates = Whole, 1, nil
	}
	return out
}
