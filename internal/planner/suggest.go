package planner

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/sparkwright/sparkwright"
)

const (
	suggestTables = 24  // that suggestions are about: nobody starts with the two-thousandth one
	suggestAmong  = 200 // among which the words must be clear; of more, only those are looked at
)

// Suggestion is a question that the planner answers.
type Suggestion struct {
	Question string
	Views    []string // that the answer reads
}

// Suggest proposes at most n questions about the tables of a catalog, for
// somebody who does not know them yet. Each has been planned: the planner
// answers it when asked about the whole catalog, or, where that is large, about
// the views it names. They differ in kind as far as the tables allow, and come
// from the tables that matter most: those that others refer to, or that refer to
// others, and large ones. Every Table has View set, as in Generate.
func Suggest(ctx context.Context, catalog *sparkwright.Catalog, n int) []Suggestion {
	ordered := central(catalog)
	first := min(len(ordered), suggestTables)
	among := ordered
	if len(among) > suggestAmong {
		among = ordered[:first]
	}
	s := newSchema(&sparkwright.Catalog{Tables: among}, nil)
	var tables []*table
	for i := range ordered[:first] {
		for _, t := range s.tables {
			if t.src.View == ordered[i].View {
				tables = append(tables, t)
			}
		}
	}
	out, asked := []Suggestion{}, map[string]bool{}
	used := map[*table]int{}
	kinds := []func(*schema, *table) []string{(*schema).byRelated, (*schema).perMonth, (*schema).leaders, (*schema).averages, (*schema).byKind, (*schema).counts}
	// Each kind takes its turn, with the table that has had the fewest.
	for turn := 0; len(out) < n && turn < 3; turn++ {
		for _, kind := range kinds {
			order := slices.Clone(tables)
			slices.SortStableFunc(order, func(a, b *table) int { return used[a] - used[b] })
			for _, t := range order {
				if len(out) == n || ctx.Err() != nil {
					return out
				}
				if found := s.first(kind(s, t), asked); found != nil {
					out, used[t] = append(out, *found), used[t]+1
					break
				}
			}
		}
	}
	return out
}

// first is the first question that the planner answers and that was not tried.
func (s *schema) first(questions []string, asked map[string]bool) *Suggestion {
	for _, q := range questions {
		if asked[q] {
			continue
		}
		asked[q] = true
		if r, why := s.alone(q, ""); why == nil && r != nil {
			return &Suggestion{Question: q, Views: r.views}
		}
	}
	return nil
}

// central are the tables that can be read, those that matter most first.
func central(c *sparkwright.Catalog) []sparkwright.Table {
	links := map[string]int{}
	for i := range c.Tables {
		t := &c.Tables[i]
		for _, fk := range t.ForeignKeys {
			links[t.Schema+"."+t.Name]++
			links[fk.RefSchema+"."+fk.RefTable]++
		}
	}
	tables := make([]sparkwright.Table, 0, len(c.Tables))
	for i := range c.Tables {
		if t := &c.Tables[i]; t.Readable || t.Source != "" {
			tables = append(tables, *t)
		}
	}
	slices.SortStableFunc(tables, func(a, b sparkwright.Table) int {
		if d := links[b.Schema+"."+b.Name] - links[a.Schema+"."+a.Name]; d != 0 {
			return d
		}
		return cmp.Compare(b.RowEstimate, a.RowEstimate)
	})
	return tables
}

// category is a column whose few values are worth telling apart: one of an
// enum first. Names tell persons and things, not kinds of them.
func category(t *table) *column {
	var second *column
	for _, c := range t.cols {
		switch {
		case !c.isText() || !few(c) || c.isID() || c.unique || !worth(c) || len(c.src.Enum) == 1 || endsWith(c.words, "name"):
		case len(c.src.Enum) > 0:
			return c
		case second == nil:
			second = c
		}
	}
	return second
}

// worth reports whether a column's values stand for several rows each.
func worth(c *column) bool {
	d := c.src.Stats
	return d == nil || d.Distinct > 1 && (c.t.src.RowEstimate <= 0 || d.Distinct*2 <= float64(c.t.src.RowEstimate))
}

// maxGroups is how many rows an answer may have that somebody is to look at.
const maxGroups = 1000

// months reports whether a date tells rows apart by month, into groups that can
// be looked at.
func months(c *column) bool {
	if !worth(c) {
		return false
	}
	d := c.src.Stats
	if d == nil || len(d.Histogram) < 2 || d.Distinct < maxGroups {
		return true
	}
	first, last := yearOf(d.Histogram[0]), yearOf(d.Histogram[len(d.Histogram)-1])
	return first == 0 || last == 0 || (last-first+1)*12 < maxGroups
}

// yearOf is the year of a date as statistics hold it; 0 = not known.
func yearOf(date string) int {
	year, _, _ := strings.Cut(date, "-")
	n, err := strconv.Atoi(year)
	if err != nil {
		return 0
	}
	return n
}

// quantity is a number that can be added up; rate one that can be averaged.
func quantity(t *table) *column {
	for _, c := range t.cols {
		if !c.isNumber() || c.isID() {
			continue
		}
		for _, w := range []string{"amount", "total", "quantiti", "quantity", "revenu", "revenue", "cost", "fee", "paid", "sum", "sales", "volume"} {
			if endsWith(c.words, w) {
				return c
			}
		}
	}
	return nil
}

func rate(t *table) *column {
	for _, c := range t.cols {
		if c.isNumber() && !c.isID() && quantity(t) != c {
			return c
		}
	}
	return quantity(t)
}

// parents are the tables that a table refers to.
func (s *schema) parents(t *table) []*table {
	var out []*table
	for _, fk := range t.src.ForeignKeys {
		for _, p := range s.tables {
			if p.src.Schema == fk.RefSchema && p.src.Name == fk.RefTable && p != t {
				out = append(out, p)
			}
		}
	}
	return out
}

// byRelated adds up a quantity by a property of a related table, else its own.
func (s *schema) byRelated(t *table) (out []string) {
	q := quantity(t)
	if q == nil {
		return nil
	}
	for _, p := range append(s.parents(t), t) {
		if c := category(p); c != nil {
			out = append(out, "What is the total "+q.human()+" of "+many(t)+" for each "+c.human()+"?")
		}
	}
	return out
}

func (s *schema) perMonth(t *table) (out []string) {
	for _, c := range t.cols {
		if c.isDate() && months(c) {
			out = append(out, "How many "+many(t)+" are there per month?")
		}
	}
	return out
}

// leaders ranks the values of a related table by the number of rows.
func (s *schema) leaders(t *table) (out []string) {
	for _, p := range append(s.parents(t), t) {
		if c := category(p); c != nil && (c.src.Stats == nil || c.src.Stats.Distinct > 5) {
			out = append(out, "What are the top 5 "+plural(c.human())+" by number of "+many(t)+"?")
		}
		if p != t && p.label() != nil {
			out = append(out, "What are the top 5 "+many(p)+" by number of "+many(t)+"?")
		}
	}
	return out
}

func (s *schema) averages(t *table) []string {
	r := rate(t)
	if r == nil {
		return nil
	}
	out := []string{}
	if c := category(t); c != nil {
		out = append(out, "What is the average "+r.human()+" of "+many(t)+" for each "+c.human()+"?")
	}
	return append(out, "What is the average "+r.human()+" of "+many(t)+"?")
}

func (s *schema) byKind(t *table) []string {
	if c := category(t); c != nil {
		return []string{"How many " + many(t) + " are there for each " + c.human() + "?"}
	}
	return nil
}

func (s *schema) counts(t *table) []string {
	return []string{"How many " + many(t) + " are there?"}
}

// many is a table's name for more than one of its rows.
func many(t *table) string { return plural(strings.ToLower(t.human())) }

// plural is good enough for words that the planner then reads again.
func plural(word string) string {
	n := len(word)
	switch {
	case n < 2 || word[n-1] == 's':
		return word
	case word[n-1] == 'y' && !slices.Contains([]byte("aeiou"), word[n-2]):
		return word[:n-1] + "ies"
	default:
		return word + "s"
	}
}
