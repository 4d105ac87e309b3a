package readplan

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// Scan is one query that Spark's plan hands to PostgreSQL.
type Scan struct {
	SQL   string   // as PostgreSQL will see it, one of each partition
	Views []string // that it reads
	Rows  bool     // the tables' rows travel, not an aggregate or the first rows of them
}

// Guard says what Spark may not hand to PostgreSQL for a connection, because
// PostgreSQL would answer differently, and why.
type Guard struct {
	Aggregates, Limits, Filters bool
	Why                         []string
}

// Any reports whether something is held back.
func (g Guard) Any() bool { return g.Aggregates || g.Limits || g.Filters }

// Every node of a formatted plan has a paragraph that begins with its number.
var planNode = regexp.MustCompile(`(?m)^\(\d+\) `)

const engineQuery = "External engine query: "

// Explained takes the queries out of Spark's formatted plan. ok is false when
// the plan reads tables in a way that is not understood.
func Explained(plan string, reads []Read) (scans []Scan, ok bool) {
	places := planNode.FindAllStringIndex(plan, -1)
	for i, at := range places {
		end := len(plan)
		if i+1 < len(places) {
			end = places[i+1][0]
		}
		node := plan[at[1]:end]
		if !strings.HasPrefix(node, "Scan JDBC") {
			continue
		}
		_, sql, found := strings.Cut(node, engineQuery)
		if !found {
			return nil, false
		}
		sql, _, _ = strings.Cut(sql, "\n\n")
		s := Scan{SQL: strings.TrimSpace(sql)}
		s.Rows = !strings.Contains(node, "\nPushedAggregates: ") && !strings.Contains(node, "\nPushedGroupByExpressions: ") &&
			!strings.Contains(node, "\nPushedLimit: ") && !strings.Contains(node, "\nPushedTopN: ")
		for j := range reads {
			if t := &reads[j].Table; strings.Contains(sql, quoteIdent(t.Schema)+"."+quoteIdent(t.Name)) {
				s.Views = append(s.Views, reads[j].View)
			}
		}
		if len(s.Views) == 0 {
			return nil, false
		}
		scans = append(scans, s)
	}
	return scans, true
}

// Scanned are the views whose rows travel by themselves: parallel reads pay off
// there, and take no join away from PostgreSQL.
func Scanned(scans []Scan) map[string]bool {
	out := map[string]bool{}
	for _, s := range scans {
		if s.Rows && len(s.Views) == 1 {
			out[s.Views[0]] = true
		}
	}
	return out
}

// Guards finds for each connection what its queries may not be handed: where
// PostgreSQL orders or compares differently than Spark.
func Guards(scans []Scan, reads []Read) map[string]Guard {
	out := map[string]Guard{}
	for _, s := range scans {
		for i := range reads {
			r := &reads[i]
			if !slices.Contains(s.Views, r.View) {
				continue
			}
			g := out[r.Table.Connection]
			for j := range r.Table.Columns {
				guardColumn(&g, s.SQL, r.Table.Name, &r.Table.Columns[j])
			}
			if g.Any() {
				out[r.Table.Connection] = g
			}
		}
	}
	return out
}

// AllGuards holds back what the code could have PostgreSQL order or compare
// differently, for connections that have such columns: for a plan that is not
// known. No first rows are handed over without a limit in the code, no smallest
// value without min or max, no range without an operator or between.
func AllGuards(reads []Read, code string) map[string]Guard {
	lower := strings.ToLower(code)
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(lower, w) })
	}
	out := map[string]Guard{}
	for i := range reads {
		r := &reads[i]
		g := out[r.Table.Connection]
		for j := range r.Table.Columns {
			c := &r.Table.Columns[j]
			unbounded := c.BaseType == "numeric" && !numericModifier.MatchString(c.Type)
			why := cmp.Or(compares(c), orders(c))
			if unbounded {
				why = numericWhy
			}
			if why == "" || !FromPostgres(&r.Table) {
				continue
			}
			all := compares(c) != "" || unbounded
			n := Guard{
				Limits: has("limit", "head", "take", "first", "tail"), Aggregates: all || has("min", "max", "first", "last", "describe", "summary"),
				Filters: all || has("<", ">", "between", "greatest", "least", "filter", "where"),
			}
			if n.Any() {
				g.Limits, g.Aggregates, g.Filters = g.Limits || n.Limits, g.Aggregates || n.Aggregates, g.Filters || n.Filters
				g.Why = append(g.Why, r.Table.Name+"."+c.Name+": "+why)
			}
		}
		if g.Any() {
			out[r.Table.Connection] = g
		}
	}
	return out
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
	switch c.BaseType {
	case "text", "varchar", "name", "uuid":
		return ""
	default:
		return "PostgreSQL compares " + c.BaseType + " by its value, Spark by its text"
	}
}

// numericWhy is why the values of an unbounded numeric are not handed over:
// Spark reads 18 digits of their fraction.
const numericWhy = "numeric without precision has more digits in PostgreSQL than Spark reads"

func guardColumn(g *Guard, sql, table string, c *sparkwright.Column) {
	name := quoteIdent(c.Name)
	if !strings.Contains(sql, name) {
		return
	}
	where := table + "." + c.Name + ": "
	if why := orders(c); why != "" {
		if inOrder(sql, name) {
			g.Limits, g.Why = true, append(g.Why, where+why)
		}
		if inCall(sql, name, "MIN", "MAX") {
			g.Aggregates, g.Why = true, append(g.Why, where+why)
		}
		if compared(sql, name, true) {
			g.Filters, g.Why = true, append(g.Why, where+why)
		}
	}
	why := compares(c)
	if why == "" && c.BaseType == "numeric" && !numericModifier.MatchString(c.Type) {
		why = numericWhy
		if inOrder(sql, name) {
			g.Limits, g.Why = true, append(g.Why, where+why)
		}
		if inCall(sql, name, "MIN", "MAX", "SUM", "AVG") {
			g.Aggregates, g.Why = true, append(g.Why, where+why)
		}
	}
	if why == "" {
		return
	}
	if compared(sql, name, false) {
		g.Filters, g.Why = true, append(g.Why, where+why)
	}
	if inGroup(sql, name) || strings.Contains(sql, "DISTINCT "+name) {
		g.Aggregates, g.Why = true, append(g.Why, where+why)
	}
}

// clauses are the parts of a statement that begin with the word.
func clauses(sql, word string, ends ...string) []string {
	var out []string
	parts := strings.Split(sql, word)
	for _, part := range parts[1:] {
		for _, end := range ends {
			part, _, _ = strings.Cut(part, end)
		}
		out = append(out, part)
	}
	return out
}

func inOrder(sql, name string) bool {
	return slices.ContainsFunc(clauses(sql, "ORDER BY ", " LIMIT ", " OFFSET "), func(s string) bool { return strings.Contains(s, name) })
}

func inGroup(sql, name string) bool {
	return slices.ContainsFunc(clauses(sql, "GROUP BY ", " ORDER BY ", " LIMIT ", ")"), func(s string) bool { return strings.Contains(s, name) })
}

// inCall reports whether the column is inside a call of one of the functions.
func inCall(sql, name string, functions ...string) bool {
	for _, f := range functions {
		for _, rest := range clauses(sql, f+"(") {
			if strings.Contains(rest[:matching(rest)], name) {
				return true
			}
		}
	}
	return false
}

// matching is where the parenthesis ends that the text is in.
func matching(s string) int {
	depth := 1
	for i, c := range s {
		switch c {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(s)
}

var (
	rangeOperator = regexp.MustCompile(`(^|[^<>])(<=|>=|<|>)($|[^>=<])`)
	anyOperator   = regexp.MustCompile(`<|>|=| IN | LIKE | BETWEEN `)
	nullTest      = regexp.MustCompile(`("(?:[^"]|"")*") IS (NOT )?NULL`)
	quotedText    = regexp.MustCompile(`'(?:[^']|'')*'`)
)

// compared reports whether a condition compares the column: by order only, or
// in any way. Conditions are what stands behind WHERE, ON and HAVING, and in
// CASE; tests for NULL are none.
func compared(sql, name string, order bool) bool {
	operator := anyOperator
	if order {
		operator = rangeOperator
	}
	text := quotedText.ReplaceAllString(nullTest.ReplaceAllString(sql, ""), "''")
	for _, word := range []string{"WHERE ", "\nON ", " ON ", "CASE WHEN "} {
		for _, clause := range clauses(text, word, " GROUP BY ", " ORDER BY ", "SELECT ") {
			for part := range strings.SplitSeq(clause, " AND ") {
				if strings.Contains(part, name) && operator.MatchString(part) {
					return true
				}
			}
		}
	}
	return false
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
	return fmt.Sprintf("%s are worked out by Spark: %s", strings.Join(what, ", "), strings.Join(slices.Compact(g.Why), "; "))
}
