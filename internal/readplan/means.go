package readplan

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// Spark adds whole numbers up as doubles and divides once; PostgreSQL makes a
// numeric quotient of them, which ends elsewhere. As doubles, AVG(CAST(x AS
// FLOAT8)), PostgreSQL does what Spark does, but in an order of its own. While
// no sum can pass 2^53 every addition is exact and no order shows: sum, number
// and quotient are the same to the last bit. Beyond, Spark's own answer depends
// on the order of rows, and nothing is handed over.
const (
	exactDigits = 15 // 10^15 < 2^53
	inexactWhy  = "the statistics do not show that its sum as a double stays exact"
)

// mean judges the argument of AVG.
func (j *judge) mean(args []token) (why []string) {
	values := results(args)
	places, _ := j.places(values)
	if slices.ContainsFunc(places, func(p place) bool { return !whole(p.col) }) {
		return nil
	}
	doubles, numbers, computed := false, false, false
	for _, t := range values {
		doubles = doubles || t.is("FLOAT8")
		numbers = numbers || t.kind == number
		computed = computed || t.kind == sign && strings.Contains("*/%+-", t.text)
	}
	switch {
	case !doubles && len(places) == 0 && numbers && !slices.ContainsFunc(values, fraction):
		return []string{meanWhy}
	case len(places) == 0:
		return nil
	case !doubles:
		return whyOf(places[0].table, places[0].col, meanWhy)
	}
	for _, p := range places {
		if computed || numbers || !wrapped(values, p.col.Name, "CAST") || !exact(p.col, j.rows) {
			why = append(why, whyOf(p.table, p.col, inexactWhy)...)
		}
	}
	return why
}

func fraction(t token) bool { return t.kind == number && strings.ContainsAny(t.text, ".eE") }

// results are the tokens of an expression that give its value: without the
// conditions of CASE.
func results(list []token) (out []token) {
	on := true
	var outer []bool
	for _, t := range list {
		switch {
		case t.is("CASE"):
			outer, on = append(outer, on), false
		case len(outer) == 0:
			out = append(out, t)
		case t.is("WHEN"):
			on = false
		case t.is("THEN", "ELSE"):
			on = outer[len(outer)-1]
		case t.is("END"):
			on, outer = outer[len(outer)-1], outer[:len(outer)-1]
		case on:
			out = append(out, t)
		}
	}
	return out
}

// exact reports whether no sum of the column over so many rows, by their
// digits, can pass what doubles hold exactly.
func exact(c *sparkwright.Column, rows int) bool {
	digits, ok := map[string]int{"int2": 5, "int4": 10, "int8": 19, "oid": 10}[c.BaseType]
	if known, is := largest(c); is {
		digits = min(digits, known)
	} else if bounded(c.Stats) {
		top := 0.0
		for _, v := range c.Stats.MostCommon {
			x, err := strconv.ParseFloat(v.Value, 64)
			if err != nil {
				x = math.MaxInt64
			}
			top = max(top, math.Abs(x))
		}
		digits = min(digits, int(math.Log10(top+1))+2)
	}
	return ok && digits+rows <= exactDigits
}

// joined are the digits of the number of rows that tables could have together.
func joined(t *sparkwright.Table, times int) int {
	if t.RowEstimate <= 0 {
		return exactDigits
	}
	return rowDigits(t) * times
}

// doubleMean is a mean in code that the plan would show to be one of doubles.
var doubleMean = regexp.MustCompile("avg\\(\\s*cast\\(\\s*(?:`?\\w+`?\\.)?`?(\\w+)`?\\s+as\\s+double\\s*\\)\\s*\\)")

// withoutExact is the code without the means of whole numbers that are the same
// in PostgreSQL, as far as a column is concerned.
func (w written) withoutExact(c *sparkwright.Column, rows int) written {
	return written{doubleMean.ReplaceAllStringFunc(w.lower, func(s string) string {
		name := doubleMean.FindStringSubmatch(s)[1]
		if strings.EqualFold(name, c.Name) && (!whole(c) || !exact(c, rows)) {
			return s
		}
		return " " + name + " "
	})}
}
