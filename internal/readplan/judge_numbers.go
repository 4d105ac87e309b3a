package readplan

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// cast judges CAST(expression AS type).
func (j *judge) cast(args []token) (why []string) {
	as := -1
	for i, t := range args {
		if t.is("AS") {
			as = i
		}
	}
	places, _ := j.places(args)
	if as < 0 || as+1 >= len(args) || len(places) == 0 {
		return []string{castWhy}
	}
	to := strings.ToUpper(args[as+1].text)
	for _, p := range places {
		safe := false
		switch p.col.BaseType {
		case "int2", "int4", "int8":
			safe = slices.Contains([]string{"INTEGER", "BIGINT", "NUMERIC", "FLOAT8", "TEXT"}, to)
		case "oid":
			safe = to == "NUMERIC" || to == "FLOAT8"
		case "float4", "float8":
			safe = to == "FLOAT8"
		case "numeric":
			safe = to == "FLOAT8" || to == "NUMERIC" && !unbounded(p.col)
		case "date", "timestamp", "timestamptz":
			safe = (to == "DATE" || to == "TIMESTAMP") && irregular(p.col) == ""
		case "text", "varchar":
			safe = to == "TEXT"
		}
		if !safe {
			why = append(why, whyOf(p.table, p.col, castWhy)...)
		}
	}
	return why
}

// computes judges arithmetic with numeric: both sides are exact while 38 digits
// hold the result, and divide with different digits.
func computes(places []place, list []token, operators []string) []string {
	digits, divides := 0, slices.Contains(operators, "/")
	if len(operators) == 0 {
		return nil
	}
	for _, t := range list {
		if t.kind == number {
			digits += len(t.text)
		}
	}
	var of *place
	for i, p := range places {
		switch p.col.BaseType {
		case "numeric":
			of = &places[i]
			precision, _ := sizes(p.col)
			digits += precision + 1
		case "int2", "int4", "int8", "oid":
			digits += 20
		}
	}
	if of == nil || slices.ContainsFunc(list, func(t token) bool { return t.is("FLOAT8") }) {
		return nil
	}
	if unbounded(of.col) {
		return whyOf(of.table, of.col, numericWhy)
	}
	if divides || digits > maxPrecision {
		return whyOf(of.table, of.col, castWhy)
	}
	return nil
}

// sizes are the precision and the scale of a numeric.
func sizes(c *sparkwright.Column) (precision, scale int) {
	m := numericModifier.FindStringSubmatch(c.Type)
	if m == nil {
		return maxPrecision, 18
	}
	precision, _ = strconv.Atoi(m[1])
	scale, _ = strconv.Atoi(m[2])
	return precision, scale
}

// list judges the aggregates of what is selected.
func (j *judge) list(list []token) (why []string) {
	for i, t := range list {
		if !t.sign("(") || i == 0 || list[i-1].kind != word {
			continue
		}
		switch f := strings.ToUpper(list[i-1].text); f {
		case "MIN", "MAX", "SUM", "AVG":
			why = append(why, j.aggregate(f, call(list, i))...)
		case "VAR_POP", "VAR_SAMP", "STDDEV_POP", "STDDEV_SAMP", "COVAR_POP", "COVAR_SAMP", "CORR", "REGR_INTERCEPT", "REGR_R2", "REGR_SLOPE", "REGR_SXY":
			why = append(why, j.overflows(call(list, i), 2)...)
		case "COUNT":
			if args := call(list, i); len(args) > 0 && args[0].is("DISTINCT") {
				why = append(why, j.equal(args)...)
			}
		}
	}
	return why
}

func (j *judge) aggregate(f string, args []token) (why []string) {
	places, _ := j.places(args)
	if f == "SUM" || f == "AVG" {
		why = append(why, j.overflows(args, 1)...)
	}
	if f == "AVG" {
		why = append(why, j.mean(args)...)
	}
	plain := !slices.ContainsFunc(args, func(t token) bool { return t.kind == sign })
	for _, p := range places {
		c := p.col
		if f == "MIN" || f == "MAX" {
			why = append(why, whyOf(p.table, c, orders(c), disorders(c))...)
		}
		switch {
		case unbounded(c):
			why = append(why, whyOf(p.table, c, numericWhy)...)
		case c.BaseType == "float4" && f == "SUM" && !wrapped(args, c.Name, "CAST"):
			why = append(why, whyOf(p.table, c, realWhy)...)
		case c.BaseType == "numeric" && plain:
			why = append(why, whyOf(p.table, c, totals(p.table, c, f))...)
		}
	}
	if !plain && !slices.ContainsFunc(args, func(t token) bool { return t.is("FLOAT8") }) {
		why = append(why, product(f, places, slices.ContainsFunc(args, func(t token) bool { return t.sign("*") }))...)
	}
	return why
}

// overflows says where doubles may become too large: powers is of how many of
// them the result is a product.
func (j *judge) overflows(args []token, powers int) (why []string) {
	places, _ := j.places(args)
	for _, p := range places {
		why = append(why, whyOf(p.table, p.col, overflow(p.table, p.col, powers))...)
	}
	return why
}

const remainderWhy = "PostgreSQL has no remainder of doubles"

func floating(c *sparkwright.Column) bool { return c.BaseType == "float8" || c.BaseType == "float4" }

// maxExponent is that of a double, with some to spare.
const maxExponent = 300

func overflow(t *sparkwright.Table, c *sparkwright.Column, powers int) string {
	if digits, ok := largest(c); c.BaseType != "float8" || ok && powers*digits+rowDigits(t) < maxExponent {
		return ""
	}
	return overflowWhy
}

// Spark reads what PostgreSQL's aggregates make of numeric as decimal(38,18).
const (
	wholeDigits, fractionDigits = 20, 18
	totalsWhy                   = "Spark reads fewer digits of PostgreSQL's aggregates of it than they have"
)

// totals says why an aggregate of a numeric may not fit what Spark reads of it,
// or have other digits.
func totals(t *sparkwright.Table, c *sparkwright.Column, f string) string {
	precision, scale := sizes(c)
	whole := precision - scale
	if digits, ok := largest(c); ok {
		whole = min(whole, digits)
	}
	switch {
	case scale > fractionDigits || whole > wholeDigits:
		return totalsWhy
	case (f == "SUM" || f == "AVG") && whole+rowDigits(t) > wholeDigits:
		return totalsWhy
	case f == "AVG" && 16-4*max(0, (whole-1)/4) < scale+6: // digits behind the point of PostgreSQL's quotient, two to round by
		return "PostgreSQL divides with fewer digits than Spark"
	}
	return ""
}

// product judges an aggregate of a computed numeric.
func product(f string, places []place, multiplies bool) (why []string) {
	whole, scale := 0, 0
	var of *place
	for i, p := range places {
		w, s := 0, 0
		switch p.col.BaseType {
		case "numeric":
			of = &places[i]
			w, s = sizes(p.col)
			w -= s
		case "int2", "int4":
			w = 10
		case "int8":
			w = 19
			if digits, ok := largest(p.col); ok {
				w = min(w, digits)
			}
		}
		if multiplies {
			whole, scale = whole+w, scale+s
		} else {
			whole, scale = max(whole, w), max(scale, s)
		}
	}
	if of == nil || f == "MIN" || f == "MAX" {
		return nil
	}
	if f == "AVG" || scale > fractionDigits-4 || whole+rowDigits(of.table) > wholeDigits {
		return whyOf(of.table, of.col, totalsWhy)
	}
	return nil
}

// rowDigits are the digits of the number of rows, and one to spare.
func rowDigits(t *sparkwright.Table) int {
	if t.RowEstimate <= 0 {
		return 4
	}
	return int(math.Log10(float64(t.RowEstimate))) + 2
}

// largest is how many digits the largest values have before the point, by the
// statistics, and one to spare.
func largest(c *sparkwright.Column) (digits int, ok bool) {
	if c.Stats == nil || len(c.Stats.Histogram) < 2 {
		return 0, false
	}
	top := 0.0
	values := []string{c.Stats.Histogram[0], c.Stats.Histogram[len(c.Stats.Histogram)-1]}
	for _, v := range c.Stats.MostCommon {
		values = append(values, v.Value)
	}
	for _, v := range values {
		x, err := strconv.ParseFloat(v, 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return 0, false
		}
		top = max(top, math.Abs(x))
	}
	return int(math.Log10(top+1)) + 2, true
}
