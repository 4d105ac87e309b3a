package check

import (
	"regexp"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/readplan"
)

// Facts are what the lint knows of one view: keys, types, shares of NULL.
type Facts struct {
	Name    string       `json:"name"`
	Keys    [][]string   `json:"keys"` // each identifies a row
	Columns []ColumnFact `json:"columns"`
}

// ColumnFact is what the lint knows of one column.
type ColumnFact struct {
	Name         string   `json:"name"`
	Type         string   `json:"type"` // pg_type.typname
	Nullable     bool     `json:"nullable"`
	NullFraction *float64 `json:"null_fraction"`       // nil = never analysed
	TextDate     bool     `json:"text_date,omitempty"` // text that holds dates, in no order of text
	Repeated     bool     `json:"repeated,omitempty"`  // many rows have one value, as the statistics show
}

// FactsOf are those of what a run reads.
func FactsOf(reads []readplan.Read) []Facts {
	out := make([]Facts, 0, len(reads))
	for i := range reads {
		t := &reads[i].Table
		f := Facts{Name: reads[i].View, Keys: [][]string{}, Columns: []ColumnFact{}}
		if len(t.PrimaryKey) > 0 {
			f.Keys = append(f.Keys, t.PrimaryKey)
		}
		f.Keys = append(f.Keys, t.Uniques...) // NULL may be there many times, but joins nothing
		for _, c := range reads[i].Kept() {
			col := t.Column(c.Name)
			if col == nil {
				continue
			}
			fact := ColumnFact{Name: c.Name, Type: col.BaseType, Nullable: col.Nullable, TextDate: textDate(col)}
			if col.Stats != nil {
				share := col.Stats.NullFraction
				fact.NullFraction = &share
				unique := false
				unique, fact.Repeated = spread(t, col.Stats)
				if unique && len(t.PrimaryKey)+len(t.Uniques) == 0 {
					f.Keys = append(f.Keys, []string{c.Name})
				}
			}
			f.Columns = append(f.Columns, fact)
		}
		out = append(out, f)
	}
	return out
}

// spread tells from the statistics whether each row has its own value, or many
// have one. In between neither is certain.
func spread(t *sparkwright.Table, s *sparkwright.ColumnStats) (unique, repeated bool) {
	if t.RowEstimate <= 0 || s.Distinct <= 0 {
		return false, false
	}
	share := s.Distinct / float64(t.RowEstimate)
	return share >= 0.999 && s.NullFraction == 0, share < 0.9
}

var dayFirst = regexp.MustCompile(`^\d{1,2}[./-]\d{1,2}[./-]\d{2,4}$`)

// textDate reports whether the values that are known of a text column are dates
// written in a way whose order as text is not that of time.
func textDate(c *sparkwright.Column) bool {
	if c.Stats == nil || c.BaseType != "text" && c.BaseType != "varchar" && c.BaseType != "bpchar" {
		return false
	}
	var values []string
	for _, v := range c.Stats.MostCommon {
		values = append(values, v.Value)
	}
	values = append(values, c.Stats.Histogram...)
	dates := 0
	for _, v := range values {
		switch {
		case dayFirst.MatchString(v):
			dates++
		default:
			for _, layout := range []string{"2 January 2006", "January 2, 2006", "Jan 2, 2006", "2 Jan 2006", "02-Jan-2006"} {
				if _, err := time.Parse(layout, v); err == nil {
					dates++
					break
				}
			}
		}
	}
	return len(values) > 0 && dates == len(values)
}
