package readplan

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// judge looks at one statement that Spark's plan hands to PostgreSQL.
type judge struct {
	connection string
	columns    map[string][]place // by name; a name may be of several tables
	rows       int                // digits of how many the statement's tables could have together
}

// place is a column of a table.
type place struct {
	table *sparkwright.Table
	col   *sparkwright.Column
}

func newJudge(s Scan, reads []Read) *judge {
	j := &judge{columns: map[string][]place{}}
	for i := range reads {
		r := &reads[i]
		if !slices.Contains(s.Views, r.View) {
			continue
		}
		j.connection = r.Table.Connection
		j.rows += joined(&r.Table, max(1, strings.Count(s.SQL, quoteIdent(r.Table.Schema)+"."+quoteIdent(r.Table.Name))))
		for k := range r.Table.Columns {
			c := &r.Table.Columns[k]
			j.columns[c.Name] = append(j.columns[c.Name], place{&r.Table, c})
		}
	}
	return j
}

// aliases learns the names that a statement gives to columns.
func (j *judge) aliases(list []token) {
	for i := 2; i < len(list); i++ {
		if list[i].kind == ident && list[i-1].is("AS") && list[i-2].kind == ident {
			j.columns[list[i].text] = append(j.columns[list[i].text], j.columns[list[i-2].text]...)
		}
	}
}

// places are the columns that an expression names, each as often as it does.
func (j *judge) places(list []token) (out []place, unknown string) {
	for _, t := range list {
		if t.kind != ident {
			continue
		}
		of := j.columns[t.text]
		if len(of) == 0 {
			unknown = t.text
		}
		out = append(out, of...)
	}
	return out, unknown
}

// expression says why PostgreSQL could work out an expression differently.
func (j *judge) expression(list []token) (why []string) {
	for _, t := range terms(list) {
		why = append(why, j.term(t)...)
	}
	return why
}

// known are the words before a parenthesis whose meaning is the same on both sides.
var known = []string{
	"CAST", "EXTRACT", "IN", "SUM", "AVG", "MIN", "MAX", "COUNT", "VAR_POP", "VAR_SAMP", "STDDEV_POP", "STDDEV_SAMP", "COVAR_POP", "COVAR_SAMP",
	"CORR", "REGR_INTERCEPT", "REGR_R2", "REGR_SLOPE", "REGR_SXY", "NOT", "NUMERIC", "AND", "OR", "BY", "LIKE",
}

func (j *judge) term(list []token) (why []string) {
	comparing, rangy, like := false, false, false
	var operators []string
	for i, t := range list {
		switch {
		case t.kind == sign && slices.Contains([]string{"<", ">", "<=", ">="}, t.text):
			comparing, rangy = true, true
		case t.kind == sign && slices.Contains([]string{"=", "<>", "!="}, t.text), t.is("IN", "IS"):
			comparing = true
		case t.is("LIKE"):
			comparing, like = true, true
		case t.kind == sign && slices.Contains([]string{"*", "/", "%", "+", "-"}, t.text):
			operators = append(operators, t.text)
		case t.is("NaN", "Infinity"):
			why = append(why, nanWhy)
		case t.sign("(") && i > 0 && list[i-1].kind == word && !list[i-1].is(known...):
			why = append(why, "a call of "+list[i-1].text)
		}
	}
	places, unknown := j.places(list)
	if unknown != "" && comparing {
		why = append(why, fmt.Sprintf("%q is no column that is known", unknown))
	}
	for i, t := range list {
		if t.sign("(") && i > 0 && list[i-1].is("CAST") {
			why = append(why, j.cast(call(list, i))...)
		}
		if t.sign("(") && i > 0 && list[i-1].is("EXTRACT") {
			why = append(why, j.extract(call(list, i))...)
		}
	}
	if slices.Contains(operators, "%") && (slices.ContainsFunc(places, func(p place) bool { return floating(p.col) }) ||
		slices.ContainsFunc(list, func(t token) bool { return t.is("FLOAT8", "FLOAT4", "REAL", "DOUBLE") })) {
		why = append(why, remainderWhy)
	}
	why = append(why, computes(places, list, operators)...)
	if len(operators) > 0 {
		why = append(why, j.overflows(list, 2)...)
	}
	if !comparing {
		return why
	}
	for _, p := range places {
		why = append(why, whyOf(p.table, p.col, j.comparison(p, places, list, rangy, like))...)
	}
	return why
}

// comparison says why a comparison is not the same for a column.
func (j *judge) comparison(p place, all []place, list []token, rangy, like bool) string {
	c := p.col
	switch {
	case compares(c) != "":
		return compares(c)
	case unbounded(c):
		return numericWhy
	case rangy && orders(c) != "":
		return orders(c)
	case c.BaseType == "float4" && !wrapped(list, c.Name, "CAST"):
		return realWhy
	case c.BaseType == "time" && wrapped(list, c.Name, "EXTRACT"):
		return ""
	case refuses(c) != "" && (rangy || like || !alone(p, all) || !fits(c, list)):
		return refuses(c)
	case textual(c):
		for _, o := range all {
			if textual(o.col) && o.col.Collation != c.Collation {
				return "PostgreSQL may refuse to compare text of different collations"
			}
		}
	case dated(c):
		return times(c, all, list)
	}
	return ""
}

// alone reports whether an expression names one column only.
func alone(p place, all []place) bool {
	return !slices.ContainsFunc(all, func(o place) bool { return o.col.Name != p.col.Name })
}

var canonicalUUID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// fits reports whether the literals that a column is compared with are written
// as Spark reads its values.
func fits(c *sparkwright.Column, list []token) bool {
	if c.BaseType != "uuid" && len(c.Enum) == 0 || strings.HasPrefix(c.BaseType, "_") {
		return false
	}
	for _, t := range list {
		switch {
		case t.kind == number:
			return false
		case t.kind != text:
		case c.BaseType == "uuid" && !canonicalUUID.MatchString(t.text), len(c.Enum) > 0 && !slices.Contains(c.Enum, t.text):
			return false
		}
	}
	return true
}

// wrapped reports whether each mention of the column is the direct argument of
// the function.
func wrapped(list []token, name, function string) bool {
	for i, t := range list {
		if t.kind != ident || t.text != name {
			continue
		}
		k := i - 1
		if function == "EXTRACT" { // EXTRACT(HOUR FROM "t")
			k -= 2
		}
		if k < 1 || !list[k].sign("(") || !list[k-1].is(function) {
			return false
		}
	}
	return true
}

// The years in which both sides mean the same by a date: later than the gap of
// 1582, and no end of Spark's range, which stands for infinity there.
const firstYear, lastYear = 1583, 9998

func regular(value string) bool {
	before, _, ok := strings.Cut(value, "-")
	if !ok || len(before) != 4 || strings.HasSuffix(value, " BC") {
		return false
	}
	y, err := strconv.Atoi(before)
	return err == nil && y >= firstYear && y <= lastYear
}

// irregular says why the calendar may not be the same for a column's values;
// "" when the statistics have none that it is not the same for.
func irregular(c *sparkwright.Column) string {
	const why = "PostgreSQL and Spark differ in infinite dates and in those before 1583" // Spark takes infinity for the end of 9999
	if !bounded(c.Stats) {
		return why + ", and the statistics do not show that there are none"
	}
	for _, v := range c.Stats.Histogram {
		if !regular(v) {
			return why
		}
	}
	for _, v := range c.Stats.MostCommon {
		if !regular(v.Value) {
			return why
		}
	}
	return ""
}

// disorders says why dates may be equal, or in another order, when Spark reads
// them: infinity becomes the end of 9999, and -infinity the third day of year 1.
func disorders(c *sparkwright.Column) string {
	if !dated(c) {
		return ""
	}
	return irregular(c)
}

// bounded reports whether no value is beyond those that the statistics name: the
// ends of a histogram, or the common values where they are all. A single value
// besides them makes no histogram.
func bounded(s *sparkwright.ColumnStats) bool {
	return s != nil && (len(s.Histogram) > 1 || len(s.MostCommon) > 0 && s.Distinct <= float64(len(s.MostCommon)))
}

// times judges a comparison of dates and times.
func times(c *sparkwright.Column, all []place, list []token) string {
	for _, t := range list {
		if t.kind != text {
			continue
		}
		if !regular(t.text) {
			return "PostgreSQL and Spark differ in dates of the years before 1583 and after 9998"
		}
	}
	if len(all) > 1 { // with another one, or with itself in another row
		return irregular(c)
	}
	return ""
}

// extract judges EXTRACT(field FROM column).
func (j *judge) extract(args []token) (why []string) {
	if len(args) > 0 && args[0].is("SECOND") {
		why = append(why, "PostgreSQL's seconds have a fraction")
	}
	places, _ := j.places(args)
	for _, p := range places {
		if dated(p.col) {
			why = append(why, whyOf(p.table, p.col, irregular(p.col))...)
		}
	}
	return why
}

// equal judges what groups and DISTINCT take for the same.
func (j *judge) equal(list []token) (why []string) {
	places, _ := j.places(list)
	for _, p := range places {
		w := cmp.Or(compares(p.col), disorders(p.col))
		if unbounded(p.col) {
			w = numericWhy
		}
		why = append(why, whyOf(p.table, p.col, w)...)
	}
	return why
}

// order judges what first rows are chosen by.
func (j *judge) order(list []token) (why []string) {
	places, _ := j.places(list)
	for _, p := range places {
		w := cmp.Or(orders(p.col), disorders(p.col))
		if unbounded(p.col) {
			w = numericWhy
		}
		if strings.HasPrefix(p.col.BaseType, "_") {
			w = refuses(p.col)
		}
		why = append(why, whyOf(p.table, p.col, w)...)
	}
	return why
}
