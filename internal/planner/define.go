package planner

import (
	"slices"
	"sort"
	"strings"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/definitions"
)

// What somebody has defined comes before what names suggest: a term is read as
// its table, column, value or other words; a metric is a column that no table
// has, whose total is its expression; a default filter holds while the question
// says nothing of its columns; a join hint is like a foreign key.

// metric is a defined figure over the rows of a table.
type metric struct {
	def  *sparkwright.Metric
	expr *definitions.Expr
	only []condition
	by   map[string]*column // by the stem of a word
}

// condition is a defined condition on the rows of a table.
type condition struct {
	t    *table
	expr *definitions.Expr
	text string
}

// phrase is what a defined word, or several, stand for.
type phrase struct {
	stems []string
	as    []token
}

// define adds definitions to the schema. Those that do not fit the catalog are
// not its business: they were left out before.
func (s *schema) define(d *sparkwright.Definitions) {
	if d.Empty() {
		return
	}
	for i := range d.Metrics {
		s.defineMetric(&d.Metrics[i])
	}
	for i := range d.Filters {
		if c, ok := s.condition(&d.Filters[i]); ok {
			s.filters = append(s.filters, c)
		}
	}
	for _, t := range d.Terms {
		as := s.meaning(&t)
		for _, name := range append([]string{t.Name}, t.Synonyms...) {
			s.phrase(name, as)
		}
	}
	for _, m := range d.Metrics {
		for _, name := range m.Synonyms {
			s.phrase(name, tokenize(strings.ReplaceAll(m.Name, "_", " ")))
		}
	}
	sort.SliceStable(s.phrases, func(a, b int) bool { return len(s.phrases[a].stems) > len(s.phrases[b].stems) })
}

func (s *schema) phrase(name string, as []token) {
	if w := stemsOf(nameWords(name)); len(w) > 0 && len(as) > 0 {
		s.phrases = append(s.phrases, phrase{stems: w, as: as})
	}
}

// meaning is what a term is replaced by.
func (s *schema) meaning(t *sparkwright.Term) []token {
	switch {
	case t.Value != "":
		return []token{{kind: tokQuoted, text: t.Value, low: strings.ToLower(t.Value), stem: strings.ToLower(t.Value), cap: true}}
	case t.Column != "":
		at := strings.LastIndex(t.Column, ".")
		if tab := s.defined(t.Column[:max(at, 0)]); tab != nil {
			if c := tab.column(t.Column[at+1:]); c != nil {
				return tokenize(tab.human() + " " + c.human())
			}
		}
	case t.Table != "":
		if tab := s.defined(t.Table); tab != nil {
			return tokenize(tab.human())
		}
	default:
		return tokenize(t.Means)
	}
	return nil
}

// defined finds schema.table, or a table whose name is not used twice.
func (s *schema) defined(name string) *table {
	var found *table
	for _, t := range s.tables {
		switch {
		case t.src.Schema+"."+t.src.Name == name:
			return t
		case t.src.Name == name && found != nil:
			return nil
		case t.src.Name == name:
			found = t
		}
	}
	return found
}

func (s *schema) condition(f *sparkwright.DefaultFilter) (condition, bool) {
	t := s.defined(f.Table)
	e, err := definitions.ParseExpr(f.Where)
	return condition{t: t, expr: e, text: f.Where}, t != nil && err == nil
}

func (s *schema) defineMetric(def *sparkwright.Metric) {
	t := s.defined(def.Table)
	e, err := definitions.ParseExpr(def.Expression)
	if t == nil || err != nil {
		return
	}
	m := &metric{def: def, expr: e}
	for i := range def.Only {
		c, ok := s.condition(&def.Only[i])
		if !ok {
			return
		}
		m.only = append(m.only, c)
	}
	m.by = map[string]*column{}
	for word, name := range def.By {
		at := strings.LastIndex(name, ".")
		if tab := s.defined(name[:max(at, 0)]); tab != nil && tab.column(name[at+1:]) != nil {
			m.by[stemOf(word)] = tab.column(name[at+1:])
		}
	}
	words := nameWords(def.Name)
	c := &column{
		src: &sparkwright.Column{Name: strings.Join(words, "_"), Type: "numeric", BaseType: "numeric", Nullable: true},
		t:   t, words: stemsOf(words), full: words, metric: m,
	}
	c.core = c.words
	t.cols = append(t.cols, c)
	for word, name := range def.By {
		w := []string{stemOf(word)}
		if p := (&parser{s: s}); p.entityWords(w) == nil && len(p.attrWords(w, 0.55)) == 0 { // no name of the tables
			s.phrase(word, s.meaning(&sparkwright.Term{Column: name}))
		}
	}
}

// hints adds the joins that are defined.
func (s *schema) hints(d *sparkwright.Definitions, add func(a, b *table, cols, ref []*column)) {
	if d == nil {
		return
	}
	for _, j := range d.Joins {
		from, to := strings.LastIndex(j.From, "."), strings.LastIndex(j.To, ".")
		if from < 0 || to < 0 {
			continue
		}
		a, b := s.defined(j.From[:from]), s.defined(j.To[:to])
		if a == nil || b == nil {
			continue
		}
		if c, ref := a.column(j.From[from+1:]), b.column(j.To[to+1:]); c != nil && ref != nil {
			add(a, b, []*column{c}, []*column{ref})
		}
	}
}

// reword replaces defined words by what they stand for, longest first, once.
func (s *schema) reword(in []token) []token {
	if len(s.phrases) == 0 {
		return in
	}
	var out []token
	for i := 0; i < len(in); {
		n := 0
		for _, ph := range s.phrases {
			if fits(in[i:], ph.stems) {
				out = append(out, ph.as...)
				n = len(ph.stems)
				break
			}
		}
		if n == 0 {
			out = append(out, in[i])
			n = 1
		}
		i += n
	}
	return out
}

func fits(in []token, stems []string) bool {
	if len(in) < len(stems) {
		return false
	}
	for k, w := range stems {
		if in[k].kind != tokWord || in[k].stem != w {
			return false
		}
	}
	return true
}

// metricsFirst keeps only what is defined, when the words name it.
func metricsFirst(cands []attrCand) []attrCand {
	var defined []attrCand
	for _, c := range cands {
		if c.c.metric != nil && c.score >= 0.95 {
			defined = append(defined, c)
		}
	}
	if len(defined) > 0 {
		return defined
	}
	return slices.DeleteFunc(cands, func(c attrCand) bool { return c.c.metric != nil })
}

// figure makes an item of a defined metric its total.
func figure(it *item) *item {
	if it == nil || it.kind != itemAttr || it.attr == nil || it.attr.cands[0].c.metric == nil {
		return it
	}
	return &item{kind: itemMeasure, m: &measure{fn: "sum", attr: it.attr, text: it.text}, text: it.text}
}

// defined renders a metric over the rows of the scope.
func (st *statement) defined(m *measure, conditional bool) (string, error) {
	c := m.attr.col
	switch {
	case m.fn != "sum":
		return "", refuse(sparkwright.DeclineNotUnderstood, "%s is defined as a figure; there is no %s of it.", c.human(), m.fn)
	case conditional:
		return "", refuse(sparkwright.DeclineNotUnderstood, "%s cannot be computed for some of its rows only.", c.human())
	case c.t != st.sc.root:
		return "", refuse(sparkwright.DeclineNotUnderstood, "%s is of %s, and would be counted once for every row of %s.", c.human(), c.t.view, st.sc.root.view)
	}
	for _, other := range st.em.p.q.measures() {
		if len(c.metric.only) > 0 && (other.attr == nil || other.attr.col != c) {
			return "", refuse(sparkwright.DeclineNotUnderstood, "%s counts only some rows, and the other figures all of them; ask for them apart.", c.human())
		}
	}
	parts := []string{c.human() + " is " + c.metric.def.Expression}
	for _, o := range c.metric.only {
		parts = append(parts, "where "+o.t.human()+" has "+o.text)
	}
	if text := "By definition, " + strings.Join(parts, ", ") + "."; !contains(st.em.p.assume, text) {
		st.em.p.assume = append(st.em.p.assume, text)
	}
	return c.metric.expr.SQL(func(name string) string { return st.sc.alias + "." + ident(name) }), nil
}

// byDefinition renders the conditions that hold by definition: those of the
// metrics, and the default filters of the table whose rows count.
func (st *statement) byDefinition() ([]string, error) {
	var out []string
	render := func(c condition) error {
		p, err := st.em.path(st.sc.root, c.t)
		if err == nil && p.toMany() {
			err = refuse(sparkwright.DeclineNotUnderstood, "%s has many rows for one of %s.", c.t.view, st.sc.root.view)
		}
		if err != nil {
			return err
		}
		alias, err := st.sc.reach(c.t)
		if err != nil {
			return err
		}
		x := c.expr.SQL(func(name string) string { return alias + "." + ident(name) })
		if !contains(out, "("+x+")") {
			out = append(out, "("+x+")")
		}
		return nil
	}
	for _, m := range st.em.p.q.measures() {
		if m.attr == nil || m.attr.col == nil || m.attr.col.metric == nil {
			continue
		}
		for _, c := range m.attr.col.metric.only {
			if err := render(c); err != nil {
				return nil, err
			}
		}
	}
	for _, f := range st.em.s.filters {
		if f.t != st.sc.root || st.em.p.speaksOf(f) {
			continue
		}
		if err := render(f); err != nil {
			return nil, err
		}
		text := "By definition, only " + f.t.human() + " with " + f.text + " count."
		if !contains(st.em.p.assume, text) {
			st.em.p.assume = append(st.em.p.assume, text)
		}
	}
	return out, nil
}

// byMetric is the column that a word means when the question asks for a figure
// whose definition says so.
func (q *query) byMetric(it *item) *column {
	if it.kind != itemAttr && it.kind != itemEntity || it.ent != nil && len(it.ent.conds) > 0 {
		return nil
	}
	words := tokenize(it.text)
	if len(words) != 1 {
		return nil
	}
	for _, m := range q.measures() {
		if m.attr != nil && len(m.attr.cands) == 1 && m.attr.cands[0].c.metric != nil {
			if c := m.attr.cands[0].c.metric.by[words[0].stem]; c != nil {
				return c
			}
		}
	}
	return nil
}

// speaksOf reports whether the question says something of a column that the
// condition is on.
func (p *plan) speaksOf(f condition) bool {
	names := f.expr.Columns()
	of := func(a *attr) bool {
		return a != nil && a.col != nil && a.col.t == f.t && contains(names, a.col.src.Name)
	}
	var said func(conds []*cond) bool
	said = func(conds []*cond) bool {
		return slices.ContainsFunc(conds, func(c *cond) bool { return of(c.attr) || said(c.subs) || c.ent != nil && said(c.ent.conds) })
	}
	if said(p.q.conds) || slices.ContainsFunc(p.tops, func(e *entity) bool { return said(e.conds) }) {
		return true
	}
	if slices.ContainsFunc(p.q.measures(), func(m *measure) bool { return of(m.attr) || said(m.conds) }) {
		return true
	}
	return slices.ContainsFunc(append(slices.Clone(p.q.items), p.q.dims...), func(it *item) bool { return of(it.attr) })
}
