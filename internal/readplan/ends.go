package readplan

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// WithEnds returns the reads with what PostgreSQL itself says of dates whose ends
// the statistics do not tell, as those of a view or of a partitioned table that
// nobody has analyzed: otherwise nothing could be handed over that depends on
// their order. It is asked of the columns that are wanted, where that is quick, and
// is for Guards, Regular and Comparable alone: bounds of partitions need more than
// two ends. A table of which the error tells is as it was.
func WithEnds(reads []Read, wanted func(r *Read, c *sparkwright.Column) bool, ask func(connection, sql string) ([][]*string, error)) ([]Read, error) {
	var errs []error
	out := slices.Clone(reads)
	for i := range out {
		t := &out[i].Table
		var columns []int
		for k := range t.Columns {
			if c := &t.Columns[k]; FromPostgres(t) && dated(c) && !bounded(c.Stats) && soonFound(t, c) && wanted(&reads[i], c) {
				columns = append(columns, k)
			}
		}
		if len(columns) == 0 {
			continue
		}
		rows, err := ask(t.Connection, endsQuery(t, columns))
		if err == nil && (len(rows) != 1 || len(rows[0]) != 2*len(columns)) {
			err = errors.New("unexpected rows")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", t.QualifiedName(), err))
			continue
		}
		t.Columns = slices.Clone(t.Columns)
		for k, c := range columns {
			t.Columns[c].Stats = ends(rows[0][2*k], rows[0][2*k+1])
		}
	}
	return out, errors.Join(errs...)
}

// soonFound reports whether the ends of a column are not far: the table is not
// large, or an index has them.
func soonFound(t *sparkwright.Table, c *sparkwright.Column) bool {
	return t.Bytes < largeBytes || slices.ContainsFunc(t.Indexes, func(x sparkwright.Index) bool { return len(x.Columns) > 0 && x.Columns[0] == c.Name })
}

// Mentioned wants the columns that code may speak of.
func Mentioned(code string) func(r *Read, c *sparkwright.Column) bool {
	w := codeOf(code)
	return func(_ *Read, c *sparkwright.Column) bool { return w.names(c) }
}

// Comparable reports whether two values of a column are equal for PostgreSQL when
// they are for Spark, as it reads them, and sums have all digits in both.
func Comparable(c *sparkwright.Column) bool {
	return compares(c) == "" && !unbounded(c) && Regular(c)
}

// Regular reports whether a column has no dates, or only those that mean the same
// in PostgreSQL and in Spark.
func Regular(c *sparkwright.Column) bool { return disorders(c) == "" }

func endsQuery(t *sparkwright.Table, columns []int) string {
	list := make([]string, 0, len(columns))
	for _, c := range columns {
		name := quoteIdent(t.Columns[c].Name)
		list = append(list, "min("+name+")::text, max("+name+")::text")
	}
	return "SELECT " + strings.Join(list, ", ") + " FROM " + quoteIdent(t.Schema) + "." + quoteIdent(t.Name)
}

// ends are statistics that tell no more than the first and the last value.
func ends(first, last *string) *sparkwright.ColumnStats {
	if first == nil || last == nil { // no values, none of them odd
		return &sparkwright.ColumnStats{Histogram: []string{"2000-01-01", "2000-01-01"}}
	}
	return &sparkwright.ColumnStats{Histogram: []string{*first, *last}}
}
