package grounding

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sparkwright/sparkwright"
)

// Limits of what facts hold.
const (
	fewValues = 60 // distinct values up to which the common ones are worth telling
	maxValue  = 40 // runes of one value
)

// facts tells what is known of a column's values.
func (w *writer) facts(b *strings.Builder, table, column int32, d detail) {
	col := &w.catalog.Tables[table].Columns[column]
	if len(col.Enum) > 0 && w.opt.Share != ShareNone {
		b.WriteString(", one of")
		for i, label := range col.Enum {
			if i == d.labels {
				fmt.Fprintf(b, " and %d more", len(col.Enum)-i)
				break
			}
			b.WriteString(" " + exact(label))
		}
	}
	if col.Stats == nil {
		return
	}
	if share := col.Stats.NullFraction; col.Nullable && share >= 0.005 {
		fmt.Fprintf(b, ", %.0f%% null", max(1, 100*share))
	}
	if first, last, ok := months(col); ok && w.opt.Share != ShareNone {
		fmt.Fprintf(b, ", from %s to %s", first, last)
	}
	if w.opt.Share == ShareCommon && isText(col) && len(col.Enum) == 0 {
		w.common(b, table, column, d.values)
	}
}

// common tells most common values: those that the question mentions, and the
// others where there are few.
func (w *writer) common(b *strings.Builder, table, column int32, most int) {
	stats := w.catalog.Tables[table].Columns[column].Stats
	var asked []string
	if w.found != nil {
		asked = w.found.matched[[2]int32{table, column}]
	}
	var list []string
	for _, v := range stats.MostCommon {
		if len([]rune(v.Value)) > maxValue {
			continue
		}
		if mentioned := slices.Contains(asked, phrase(v.Value)); mentioned {
			list = slices.Insert(list, 0, exact(v.Value))
		} else if stats.Distinct <= fewValues {
			list = append(list, exact(v.Value))
		}
	}
	if len(list) > 0 && most > 0 {
		b.WriteString(", common values " + strings.Join(list[:min(len(list), most)], " "))
	}
}

// months are the first and the last month of a column of dates or times, as
// the statistics have them. A day would be of single rows.
func months(col *sparkwright.Column) (first, last string, ok bool) {
	switch col.BaseType {
	case "date", "timestamp", "timestamptz":
	default:
		return "", "", false
	}
	list := slices.Clone(col.Stats.Histogram)
	for _, v := range col.Stats.MostCommon {
		list = append(list, v.Value)
	}
	for _, text := range list {
		if len(text) < len(time.DateOnly) {
			continue
		}
		day, err := time.Parse(time.DateOnly, text[:len(time.DateOnly)])
		if err != nil { // BC, infinity
			continue
		}
		month := day.Format("2006-01")
		if first == "" || month < first {
			first = month
		}
		if month > last {
			last = month
		}
	}
	return first, last, first != ""
}

// join writes a foreign key as a join condition with its cardinality, when
// both tables are there.
func (w *writer) join(t *sparkwright.Table, fk *sparkwright.ForeignKey, d detail) string {
	ref := w.byName[[4]string{t.Connection, t.Database, fk.RefSchema, fk.RefTable}]
	if ref == nil || len(fk.Columns) != len(fk.RefColumns) {
		return ""
	}
	conditions := make([]string, len(fk.Columns))
	for k := range fk.Columns {
		conditions[k] = name(t.View) + "." + name(fk.Columns[k]) + " = " + name(ref.View) + "." + name(fk.RefColumns[k])
	}
	text := strings.Join(conditions, " AND ")
	if d.comment == 0 {
		return text
	}
	if unique(t, fk.Columns) {
		text += ", one to one"
	} else {
		text += ", many to one"
	}
	none := 0.0
	for _, key := range fk.Columns {
		if col := t.Column(key); col != nil && col.Nullable && col.Stats != nil {
			none = max(none, col.Stats.NullFraction)
		}
	}
	if none >= 0.005 {
		text += fmt.Sprintf(", %.0f%% have none", max(1, 100*none))
	}
	return text
}

// unique reports whether a table has each combination of these columns once.
func unique(t *sparkwright.Table, columns []string) bool {
	same := func(key []string) bool {
		if len(key) == 0 || len(key) > len(columns) {
			return false
		}
		for _, k := range key {
			if !slices.Contains(columns, k) {
				return false
			}
		}
		return true
	}
	return same(t.PrimaryKey) || slices.ContainsFunc(t.Uniques, same)
}
