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
// their order. Only the dates that scans speak of are asked for, and only where
// something is held back. It is for Guards: bounds of partitions need more than
// two ends. A table of which the error tells is as it was.
func WithEnds(reads []Read, scans []Scan, ask func(connection, sql string) ([][]*string, error)) ([]Read, error) {
	guards := Guards(scans, reads)
	var errs []error
	out := slices.Clone(reads)
	for i := range out {
		t := &out[i].Table
		columns := untold(t, out[i].View, scans)
		if !guards[t.Connection].Any() || len(columns) == 0 {
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

// untold are the columns of a table, by their place, whose ends have to be asked for.
func untold(t *sparkwright.Table, view string, scans []Scan) (columns []int) {
	for i := range t.Columns {
		c := &t.Columns[i]
		if !dated(c) || bounded(c.Stats) {
			continue
		}
		if slices.ContainsFunc(scans, func(s Scan) bool {
			return slices.Contains(s.Views, view) && strings.Contains(s.SQL, quoteIdent(c.Name))
		}) {
			columns = append(columns, i)
		}
	}
	return columns
}

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
