package grounding

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/readplan"
)

// detail is how much is told of a table. Lengths are in runes.
type detail struct {
	comment  int  // longest comment of a column
	labels   int  // most enum labels
	values   int  // most common values
	postgres bool // PostgreSQL's type
	all      bool // every column; else keys, and what fits the question
	others   int  // how many of the other columns are named
}

// details go from all to the least.
var details = []detail{
	{comment: 200, labels: 60, values: 12, postgres: true, all: true},
	{comment: 60, labels: 20, values: 8, postgres: true, all: true},
	{comment: 60, labels: 12, values: 6, others: 12},
	{comment: 0, labels: 8, values: 3, others: 4},
}

// The details of tables that were chosen, by their place in the order.
const (
	wholeTo, wholeShare = 6, 0.45  // so many tables, in so much of the budget
	shortTo, shortShare = 18, 0.85 // likewise
)

// writer describes tables.
type writer struct {
	catalog *sparkwright.Catalog
	opt     Options
	found   *found // nil when nothing was chosen: all is told
	byName  map[[4]string]*sparkwright.Table
}

// Describer describes tables. It keeps the index of the catalog that it saw
// last. The zero value is ready; it is safe for concurrent use.
type Describer struct {
	mu   sync.Mutex
	key  []tableKey
	last *index
}

// tableKey knows a table of a catalog again: catalogs of one reading share
// their columns.
type tableKey struct {
	connection, schema, name string
	columns                  *sparkwright.Column
}

// index returns the index of a catalog, made or kept.
func (d *Describer) index(c *sparkwright.Catalog) *index {
	key := make([]tableKey, len(c.Tables))
	for i := range c.Tables {
		t := &c.Tables[i]
		key[i] = tableKey{connection: t.Connection, schema: t.Schema, name: t.Name}
		if len(t.Columns) > 0 {
			key[i].columns = &t.Columns[0]
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last == nil || !slices.Equal(d.key, key) {
		d.key, d.last = key, newIndex(c)
	}
	return d.last
}

// Describe renders the tables that matter for a question: all of them when
// they fit the budget, else those that fit the question best. Views lists those
// that are described, in the order of the catalog; must names views that are
// described in any case, as far as there is room. Definitions tell how words
// are to be read, one on each line: "revenue, turnover: sum of amount".
func (d *Describer) Describe(c *sparkwright.Catalog, question, definitions string, must []string, opt Options) (text string, views []string) {
	w := &writer{catalog: c, opt: opt.withDefaults(), byName: make(map[[4]string]*sparkwright.Table, len(c.Tables))}
	for i := range c.Tables {
		t := &c.Tables[i]
		w.byName[[4]string{t.Connection, t.Database, t.Schema, t.Name}] = t
	}
	if text, ok := w.whole(); ok {
		for i := range c.Tables {
			views = append(views, c.Tables[i].View)
		}
		return text, views
	}
	w.found = d.index(c).find(question, definitions)
	var first []int32
	for i := range c.Tables {
		if slices.ContainsFunc(must, func(v string) bool { return strings.EqualFold(v, c.Tables[i].View) }) {
			first = append(first, int32(i))
		}
	}
	return w.fit(w.found.order(first))
}

// whole describes all tables, when they fit.
func (w *writer) whole() (string, bool) {
	least := 0 // columns alone
	for i := range w.catalog.Tables {
		least += 30 + 8*len(w.catalog.Tables[i].Columns)
	}
	if least > w.opt.Tokens*bytesPerToken {
		return "", false
	}
	for i, d := range details[:2] {
		var b strings.Builder
		if i > 0 {
			b.WriteString("Some comments and labels are shortened or left out, to save room.\n")
		}
		for k := range w.catalog.Tables {
			if k > 0 {
				b.WriteByte('\n')
			}
			w.table(&b, int32(k), d)
		}
		if Tokens(b.String()) <= w.opt.Tokens {
			return b.String(), true
		}
	}
	return "", false
}

// fit describes the tables in this order, as long as there is room.
func (w *writer) fit(order []int32) (string, []string) {
	const head = "This is a part of the database: %d of %d tables, chosen for the question. When what it needs is not among them, decline.\n"
	room := w.opt.Tokens*bytesPerToken - len(head) - 10
	used := 0
	told := map[int32]string{}
	for n, t := range order {
		level := 3
		switch {
		case n < wholeTo && used < int(float64(room)*wholeShare):
			level = 1
		case n < shortTo && used < int(float64(room)*shortShare):
			level = 2
		}
		for ; level < len(details); level++ {
			var b strings.Builder
			w.table(&b, t, details[level])
			// One wide table must not take the room of the others.
			most := room - used
			if level == 1 {
				most = min(most, room/4)
			}
			if b.Len()+1 <= most {
				told[t] = b.String()
				used += b.Len() + 1
				break
			}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, head, len(told), len(w.catalog.Tables))
	var views []string
	for i := range w.catalog.Tables {
		text, is := told[int32(i)]
		if !is {
			continue
		}
		if len(views) > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(text)
		views = append(views, w.catalog.Tables[i].View)
	}
	return b.String(), views
}

func (w *writer) table(b *strings.Builder, number int32, d detail) {
	t := &w.catalog.Tables[number]
	rows := "number of rows unknown"
	if t.RowEstimate >= 0 {
		rows = fmt.Sprintf("about %d rows", t.RowEstimate)
	}
	kind := strings.ReplaceAll(string(t.Kind), "_", " ")
	if !readplan.FromPostgres(t) {
		kind, d.postgres = t.Format+" files", false
	}
	fmt.Fprintf(b, "view %s: %s %s.%s, %s\n", name(t.View), kind, name(t.Schema), name(t.Name), rows)
	if t.Comment != "" && (d.all || d.comment > 0) {
		fmt.Fprintf(b, "  comment: %s\n", Quoted(t.Comment, 2*max(d.comment, 60)))
	}
	if len(t.PrimaryKey) > 0 {
		fmt.Fprintf(b, "  primary key: %s\n", names(t.PrimaryKey))
	}
	if d.all {
		for _, unique := range t.Uniques {
			fmt.Fprintf(b, "  unique: %s\n", names(unique))
		}
	}
	for i := range t.ForeignKeys {
		if hint := w.join(t, &t.ForeignKeys[i], d); hint != "" {
			fmt.Fprintf(b, "  join: %s\n", hint)
		}
	}
	b.WriteString("  columns:\n")
	var others []string
	for k := range t.Columns {
		if d.all || w.fits(number, int32(k)) {
			w.column(b, number, int32(k), d)
		} else if readplan.SparkType(&t.Columns[k]).Skip == "" {
			others = append(others, t.Columns[k].Name)
		}
	}
	if len(others) > 0 {
		fmt.Fprintf(b, "  others: %s", names(others[:min(len(others), d.others)]))
		if more := len(others) - d.others; more > 0 {
			fmt.Fprintf(b, " and %d more", more)
		}
		b.WriteByte('\n')
	}
}

// fits reports whether a column is told although not all are: a key's, one
// that fits the question, or what rows are called by.
func (w *writer) fits(table, column int32) bool {
	t := &w.catalog.Tables[table]
	col := t.Columns[column].Name
	ofKey := func(fk sparkwright.ForeignKey) bool { return slices.Contains(fk.Columns, col) }
	if slices.Contains(t.PrimaryKey, col) || slices.ContainsFunc(t.ForeignKeys, ofKey) {
		return true
	}
	if col == "name" || col == "title" || col == "code" {
		return true
	}
	return w.found != nil && w.found.columns[table] != nil && w.found.columns[table][column] > 0
}

func (w *writer) column(b *strings.Builder, table, column int32, d detail) {
	col := &w.catalog.Tables[table].Columns[column]
	spark := readplan.SparkType(col)
	if spark.Skip != "" {
		fmt.Fprintf(b, "  - %s: NOT IN THE VIEW, cannot be used\n", name(col.Name))
		return
	}
	fmt.Fprintf(b, "  - %s: %s", name(col.Name), spark.Type)
	if pg := Clip(col.Type, 80); d.postgres && pg != spark.Type {
		fmt.Fprintf(b, " (PostgreSQL %s)", Safe(pg))
	}
	if !col.Nullable {
		b.WriteString(", not null")
	}
	w.facts(b, table, column, d)
	if col.Comment != "" && d.comment > 0 {
		b.WriteString(", comment " + Quoted(col.Comment, d.comment))
	}
	b.WriteByte('\n')
}
