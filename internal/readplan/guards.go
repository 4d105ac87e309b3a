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

// Guard says what Spark may not hand to PostgreSQL for a connection, because
// PostgreSQL would answer differently, or not at all, and why.
type Guard struct {
	Aggregates, Limits, Filters bool
	Why                         []string
}

// Any reports whether something is held back.
func (g Guard) Any() bool { return g.Aggregates || g.Limits || g.Filters }

// add joins two guards.
func (g *Guard) add(o Guard) {
	g.Aggregates, g.Limits, g.Filters = g.Aggregates || o.Aggregates, g.Limits || o.Limits, g.Filters || o.Filters
	for _, why := range o.Why {
		if !slices.Contains(g.Why, why) {
			g.Why = append(g.Why, why)
		}
	}
}

// Describe is a guard in words.
func (g Guard) Describe() string {
	var what []string
	for _, p := range []struct {
		on   bool
		text string
	}{{g.Aggregates, "aggregates"}, {g.Limits, "first rows"}, {g.Filters, "filters"}} {
		if p.on {
			what = append(what, p.text)
		}
	}
	return fmt.Sprintf("%s are worked out by Spark: %s", strings.Join(what, ", "), strings.Join(g.Why, "; "))
}

// Guards finds for each connection what its queries may not be handed: where
// PostgreSQL orders, compares or computes differently than Spark, or refuses.
func Guards(scans []Scan, reads []Read) map[string]Guard {
	out := map[string]Guard{}
	for _, s := range scans {
		j := newJudge(s, reads)
		list := tokens(s.SQL)
		j.aliases(list)
		p := takeApart(list)
		var g Guard
		for _, c := range p.conditions {
			if why := j.expression(c); len(why) > 0 {
				g.add(Guard{Filters: true, Why: why})
			}
		}
		for _, c := range p.lists {
			if why := append(j.list(c), j.expression(c)...); len(why) > 0 {
				g.add(Guard{Aggregates: true, Why: why})
			}
		}
		for _, c := range p.groups {
			if why := append(j.equal(c), j.expression(c)...); len(why) > 0 {
				g.add(Guard{Aggregates: true, Why: why})
			}
		}
		for _, c := range p.orders {
			if why := append(j.order(c), j.expression(c)...); len(why) > 0 {
				g.add(Guard{Limits: true, Why: why})
			}
		}
		if g.Any() {
			of := out[j.connection]
			of.add(g)
			out[j.connection] = of
		}
	}
	return out
}

// AllGuards holds back what the code could have PostgreSQL order or compare
// differently, for connections that have such columns: for a plan that is not
// known. No first rows are handed over without a limit in the code, no smallest
// value without min or max, no range without an operator or between, and nothing
// for the sake of a column that the code does not name.
func AllGuards(reads []Read, code string) map[string]Guard {
	c := codeOf(code)
	out, rows := map[string]Guard{}, map[string]int{}
	for i := range reads {
		rows[reads[i].Table.Connection] += joined(&reads[i].Table, max(1, strings.Count(c.lower, strings.ToLower(reads[i].View))))
	}
	long := c.long(reads)
	for i := range reads {
		r := &reads[i]
		if !FromPostgres(&r.Table) {
			continue
		}
		for j := range r.Table.Columns {
			col := &r.Table.Columns[j]
			g := c.withoutExact(col, rows[r.Table.Connection]).guard(&r.Table, col)
			if long && (col.BaseType == "int2" || col.BaseType == "int4") && c.names(col) {
				g.add(Guard{Aggregates: true, Filters: true, Why: []string{longWhy}})
			}
			if !g.Any() {
				continue
			}
			for k := range g.Why {
				g.Why[k] = r.Table.Name + "." + col.Name + ": " + g.Why[k]
			}
			of := out[r.Table.Connection]
			of.add(g)
			out[r.Table.Connection] = of
		}
	}
	return out
}

const longWhy = "Spark writes a cast to bigint so that PostgreSQL does not know it"

var (
	arithmetic = regexp.MustCompile("[a-z_`)\\]\"]\\s*[-+*/%]\\s*[\\w`(]|[\\w`)\\]\"]\\s*[-+*/%]\\s*[a-z_`(]")
	longNumber = regexp.MustCompile(`\d{10}`)
)

// long reports whether the code may compute with bigint: then Spark casts the
// smaller whole numbers to it.
func (w written) long(reads []Read) bool {
	if !arithmetic.MatchString(strings.ReplaceAll(w.lower, "(*)", "")) {
		return false
	}
	return longNumber.MatchString(w.lower) || slices.ContainsFunc(reads, func(r Read) bool {
		return slices.ContainsFunc(r.Table.Columns, func(c sparkwright.Column) bool { return c.BaseType == "int8" && w.names(&c) })
	})
}

// written is code of which the plan is not known.
type written struct{ lower string }

func codeOf(code string) written {
	return written{strings.ToLower(escaped.ReplaceAllStringFunc(code, func(s string) string {
		if n, err := strconv.ParseInt(s[2:], 16, 32); err == nil {
			return string(rune(n))
		}
		return s[1:]
	}))}
}

// escaped are the signs that a string of Python may hold in another spelling:
// those of comparisons, and of names.
var escaped = regexp.MustCompile(`\\(?:[uU]0*[0-9a-fA-F]{1,6}|x[0-9a-fA-F]{2}|["'\\])`)

func (w written) has(words ...string) bool {
	return slices.ContainsFunc(words, func(s string) bool { return strings.Contains(w.lower, s) })
}

// names reports whether the code may speak of the column: by its name, of all
// columns at once, or without names.
func (w written) names(c *sparkwright.Column) bool {
	name := strings.ToLower(c.Name)
	return w.has(name, strings.ReplaceAll(name, "`", "``"), "distinct", "duplicates", "columns", "dtypes", "schema", "except", "intersect", "subtract", "describe",
		"summary", "union", "natural", ".na", "fillna", "dropna", "group by all", "order by all") || w.nameless()
}

// nameless reports whether the code speaks of columns without writing their
// names: by place, by other names for all of them, by a pattern, or by names
// that it puts together.
func (w written) nameless() bool {
	return otherwise.MatchString(w.lower) || slices.ContainsFunc(renamed.FindAllStringSubmatch(w.lower, -1), func(m []string) bool {
		return !slices.Contains([]string{"on", "using", "where", "having"}, m[1])
	})
}

var (
	otherwise = regexp.MustCompile(`todf|colregex|unpivot|melt\(|stack\(|\w\s*\[\s*-?\d` + // df[0]
		`|\b(?:f|rf|fr)["']|\.format\(|%s|["']\s*\+|\+\s*["']` + // f"q{n}", "q" + n
		"|\\bas\\s+`?\\w+`?\\s*\\(\\s*[`a-z_]|\\w`?\\s*\\([^()]*\\)\\s*as\\s*\\(") // FROM t AS x (a, b); WITH x (a, b) AS (
	renamed = regexp.MustCompile("\\b(?:from|join)\\s+\\S+\\s+`?(\\w+)`?\\s*\\(\\s*[`a-z_]") // FROM t x (a, b)
)

func (w written) guard(t *sparkwright.Table, c *sparkwright.Column) (g Guard) {
	limits := w.has("limit", "head", "take", "first", "tail", "show")
	extremes := w.has("min", "max", "first", "last", "describe", "summary", "least", "greatest")
	ranges := w.has("<", ">", "between", "greatest", "least", "filter", "where")
	filters := ranges || w.has("=", "like", "join", " in", "isin", "when", "if(", "decode(", "nullsafe", "startswith", "endswith", "contains")
	hold := func(why string, n Guard) {
		if why != "" && n.Any() {
			n.Why = []string{why}
			g.add(n)
		}
	}
	if why := compares(c); why != "" { // whether it is named or not: the oldest rule, and the widest
		hold(why, Guard{Limits: limits, Aggregates: true, Filters: true})
	}
	if unbounded(c) {
		hold(numericWhy, Guard{Limits: limits, Aggregates: true, Filters: true})
	}
	hold(orders(c), Guard{Limits: limits, Aggregates: extremes || ranges && w.has("when", "if("), Filters: ranges})
	if !w.names(c) {
		return g
	}
	hold(refuses(c), Guard{Aggregates: filters, Filters: filters})
	if c.BaseType == "bytea" { // its plan would show it, and Spark 4 writes them
		hold("Spark 3.5 does not write bytes so that PostgreSQL reads them", Guard{Aggregates: filters, Filters: filters})
	}
	if whole(c) {
		hold(meanWhy, Guard{Aggregates: w.has("avg", "mean", "describe", "summary")})
	}
	if floating(c) && w.has("%", "mod") {
		hold(remainderWhy, Guard{Aggregates: true, Filters: true})
	}
	products := w.has("*", "/", "+", "-")
	hold(overflow(t, c, 2), Guard{Aggregates: products || w.has("sum", "avg", "mean", "std", "var", "corr", "regr", "describe", "summary"), Filters: products && filters})
	switch {
	case c.BaseType == "float4":
		hold(realWhy, Guard{Aggregates: w.has("sum", "when", "describe", "summary"), Filters: filters})
	case c.BaseType == "float8" && w.has("nan", "inf"):
		hold(nanWhy, Guard{Aggregates: true, Filters: true})
	case c.BaseType == "numeric":
		computes := w.has("/", "*", "cast", "::", "astype", "int(", "avg", "mean", "sum", "min", "max", "describe", "summary")
		hold(totals(t, c, "AVG"), Guard{Aggregates: computes})
		if w.has("/", "*", "cast", "::", "astype", "int(") {
			hold(castWhy, Guard{Aggregates: true, Filters: true})
		}
	case dated(c):
		parts := w.has("year", "month", "quarter", "week", "day", "hour", "minute", "extract", "date_part")
		groups := w.has("group", "distinct", "duplicates", "rollup", "cube", "union", "except", "intersect", "subtract")
		hold(irregular(c), Guard{Aggregates: parts || groups || extremes, Limits: limits, Filters: filters && w.oddTimes()})
		if w.has("second", "cast", "::", "astype", "string(", "extract", "date_part") {
			hold(castWhy, Guard{Aggregates: true, Filters: true})
		}
	case w.has("cast", "::", "astype", "int(", "string("):
		hold(castWhy, Guard{Aggregates: true, Filters: true})
	}
	return g
}

// oddTimes reports whether the code takes parts of dates, or names the ends of
// the calendar.
func (w written) oddTimes() bool {
	return w.has("year", "month", "quarter", "week", "day", "extract", "date_part", "9999", "'0", "\"0", "'1", "\"1", "-0", "infinity", "date(1", "datetime(1", "join")
}

// orders says why PostgreSQL orders the values of a column differently than
// Spark orders what it reads of them; "" when it does not.
func orders(c *sparkwright.Column) string {
	if st := SparkType(c).Type; st != "string" {
		return ""
	}
	switch {
	case c.Collation != "":
		return "its collation " + c.Collation + " is not the order of bytes"
	case len(c.Enum) > 0:
		return "an enum has the order of its labels"
	}
	switch c.BaseType {
	case "text", "varchar", "name", "uuid":
		return ""
	default:
		return "PostgreSQL orders " + c.BaseType + " by its value, Spark by its text"
	}
}

// compares says why two values may be equal in PostgreSQL and not as the text
// that Spark reads.
func compares(c *sparkwright.Column) string {
	if SparkType(c).Type != "string" || len(c.Enum) > 0 {
		return ""
	}
	if c.Nondeterministic {
		return "its collation " + c.Collation + " takes different texts for the same"
	}
	switch c.BaseType {
	case "text", "varchar", "name", "uuid":
		return ""
	default:
		return "PostgreSQL compares " + c.BaseType + " by its value, Spark by its text"
	}
}

// refuses says why PostgreSQL may refuse a condition that Spark writes for a
// column, or take it for another one.
func refuses(c *sparkwright.Column) string {
	switch base := c.BaseType; {
	case strings.HasPrefix(base, "_"):
		return "PostgreSQL does not understand how Spark writes arrays"
	case base == "bit":
		return "PostgreSQL does not compare bit strings with what Spark reads of them"
	case base == "time":
		return "Spark reads time as a moment of 1970"
	case base == "uuid":
		return "PostgreSQL compares uuid by its value, and refuses what is none"
	case len(c.Enum) > 0:
		return "PostgreSQL refuses to compare an enum with what is not one of its labels"
	default:
		return ""
	}
}

const (
	// numericWhy is why the values of an unbounded numeric are not handed over:
	// Spark reads 18 digits of their fraction.
	numericWhy = "numeric without precision has more digits in PostgreSQL than Spark reads"
	realWhy    = "PostgreSQL compares and adds real with other digits than Spark"
	nanWhy     = "PostgreSQL does not understand how Spark writes NaN and Infinity"
	// meanWhy: PostgreSQL's quotient is a numeric of about 17 digits, which a
	// double is read from; Spark divides doubles.
	meanWhy     = "PostgreSQL rounds a mean of whole numbers to other digits than Spark"
	overflowWhy = "PostgreSQL refuses a double that becomes too large, where Spark makes it infinite, and the statistics do not show that none does"
	castWhy     = "PostgreSQL casts or divides with other digits than Spark"
)

func unbounded(c *sparkwright.Column) bool {
	return c.BaseType == "numeric" && !numericModifier.MatchString(c.Type)
}

// whole reports whether the column holds whole numbers.
func whole(c *sparkwright.Column) bool {
	return slices.Contains([]string{"int2", "int4", "int8", "oid"}, c.BaseType)
}

// textual reports whether the column is text in PostgreSQL too.
func textual(c *sparkwright.Column) bool {
	return slices.Contains([]string{"text", "varchar", "name", "bpchar", "citext"}, c.BaseType)
}

func dated(c *sparkwright.Column) bool {
	return slices.Contains([]string{"date", "timestamp", "timestamptz"}, c.BaseType)
}

// The judge's whys name the table's column.
func whyOf(t *sparkwright.Table, c *sparkwright.Column, why ...string) []string {
	if w := cmp.Or(why...); w != "" {
		return []string{t.Name + "." + c.Name + ": " + w}
	}
	return nil
}
