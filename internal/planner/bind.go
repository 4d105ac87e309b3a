package planner

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// refusal is why a question that was read cannot be answered.
type refusal struct {
	reason  sparkwright.DeclineReason
	message string
	choices []string
}

func (r *refusal) Error() string { return r.message }

func refuse(reason sparkwright.DeclineReason, format string, args ...any) *refusal {
	return &refusal{reason: reason, message: fmt.Sprintf(format, args...)}
}

// plan is a query whose names are bound to columns.
type plan struct {
	q       *query
	root    *table
	rootEnt *entity
	agg     bool
	tops    []*entity // entities that stand in the question itself
	assume  []string
}

type binder struct {
	s *schema
	p *plan
}

// bind chooses columns and the table that rows are counted in.
func (s *schema) bind(q *query) (*plan, error) {
	b := &binder{s: s, p: &plan{q: q}}
	if err := b.checkShape(); err != nil {
		return nil, err
	}
	if err := b.chooseRoot(); err != nil {
		return nil, err
	}
	b.collectTops()
	if err := b.bindItems(); err != nil {
		return nil, err
	}
	for _, e := range b.p.tops {
		if err := b.bindConds(&e.conds, e); err != nil {
			return nil, err
		}
	}
	if err := b.bindConds(&q.conds, b.p.rootEnt); err != nil {
		return nil, err
	}
	for _, m := range q.measures() {
		if err := b.bindConds(&m.conds, m.ent); err != nil {
			return nil, err
		}
	}
	return b.p, nil
}

func (q *query) measures() []*measure {
	var out []*measure
	for _, it := range q.items {
		if it.m != nil {
			out = append(out, it.m)
		}
		if it.by != nil {
			out = append(out, it.by)
		}
	}
	for _, o := range q.order {
		if o.it.m != nil {
			out = append(out, o.it.m)
		}
	}
	return out
}

// checkShape refuses what was read but would leave something open.
func (b *binder) checkShape() error {
	q := b.p.q
	b.plainOrder()
	ordered := false
	for _, n := range q.notes {
		if n == "ordered" || n == "order desc" || n == "order asc" {
			ordered = true
		}
	}
	for _, n := range q.notes {
		switch {
		case n == "needs order" && q.limit == 0 && !ordered && len(q.order) < 2:
			return refuse(sparkwright.DeclineAmbiguous, "It is not clear how many rows are asked for; say \"top 10\" or \"ordered by\".")
		case n == "bottom":
			for _, o := range q.order {
				o.desc = false
			}
		case (n == "order desc" || n == "order asc") && len(q.order) == 0:
			for _, it := range slices.Backward(q.items) {
				if it.m != nil || it.kind == itemBucket {
					q.order = append(q.order, &ordering{it: it, desc: n == "order desc"})
					break
				}
			}
			if len(q.order) == 0 && len(q.dims) > 0 {
				q.order = append(q.order, &ordering{it: q.dims[0], desc: n == "order desc"})
			}
			if len(q.order) == 0 && len(q.items) > 0 {
				q.order = append(q.order, &ordering{it: q.items[len(q.items)-1], desc: n == "order desc"})
			}
		case n == "alphabetical" && len(q.order) == 0 && len(q.items) > 0:
			q.order = append(q.order, &ordering{it: q.items[0]})
		}
	}
	if q.top && len(q.order) == 0 {
		return refuse(sparkwright.DeclineAmbiguous, "It is not clear by what the first rows are chosen; say \"top 5 … by …\".")
	}
	if len(q.items) == 0 {
		return refuse(sparkwright.DeclineNotUnderstood, "It is not clear what to show.")
	}
	if q.limit > 0 && len(q.dims) > 0 && q.items[0].m == nil && q.items[0].kind != itemBucket && q.each {
		return refuse(sparkwright.DeclineNotUnderstood, "The first rows of each group cannot be chosen by the built-in planner.")
	}
	// a property before which a number of rows of something is required: groups
	if q.head != nil && q.head.attr != nil && q.head.ent == nil {
		for _, c := range q.conds {
			if c.kind == condCount {
				b.p.agg = true
			}
		}
	}
	q.countPerGroup()
	for _, m := range q.measures() {
		if c := m.rival; c != nil && m.fn == "count" {
			return refuse(sparkwright.DeclineAmbiguous, "%q can be the rows of %s, or the sum of %s.%s; say \"number of rows\" or \"total %s\".",
				m.text, c.t.view, c.t.view, c.src.Name, c.human())
		}
	}
	if len(q.measures()) > 0 || len(q.dims) > 0 {
		b.p.agg = true
	}
	if b.p.agg && len(q.measures()) == 0 && len(q.dims) > 0 {
		// "the names of customers for each state": a listing with its group
		return refuse(sparkwright.DeclineNotUnderstood, "It is not clear what to compute for each group.")
	}
	return nil
}

// countPerGroup reads "customers per country", which asks for nothing but the
// things and the groups, as their number in each group.
func (q *query) countPerGroup() {
	if len(q.dims) == 0 || !q.countable() || len(q.order) > 0 {
		return
	}
	it := q.items[0]
	m := &measure{fn: "count", ent: it.ent, rival: rival(it.node), text: it.text}
	q.items[0] = &item{kind: itemMeasure, m: m, text: "number of " + it.text}
	q.head = nil
}

// countable reports whether nothing but things is asked for: "customers", not
// "list customers" or "which customers".
func (q *query) countable() bool {
	if len(q.items) != 1 || q.wh || q.shown || q.distinct {
		return false
	}
	it := q.items[0]
	return it.kind == itemEntity && it.m == nil && it.node != nil && it.node.plural
}

// plainOrder reads "by number of citations" as the column of that name where
// rows are listed, and drops what is ordered by twice.
func (b *binder) plainOrder() {
	q := b.p.q
	listing := len(q.dims) == 0
	for _, it := range q.items {
		listing = listing && it.m == nil
	}
	var keep []*ordering
	for _, o := range q.order {
		if m := o.it.m; listing && m != nil && m.fn == "sum" && m.attr != nil && m.plain {
			o.it = &item{kind: itemAttr, attr: m.attr, text: m.attr.text}
		}
		again := false
		for _, k := range keep {
			if sameItem(k.it, o.it) {
				again = true
				k.desc = o.desc
			}
		}
		if !again {
			keep = append(keep, o)
		}
	}
	q.order = keep
}

// anchors are the tables named in the question.
func (b *binder) anchors() []*table {
	var out []*table
	seen := map[*table]bool{}
	for _, e := range b.p.q.context {
		if !seen[e.t] {
			seen[e.t] = true
			out = append(out, e.t)
		}
	}
	return out
}

const ambiguityGap = 0.12

// resolve chooses the column that an attribute means: close by name and close
// to the tables it was said of. Two that are equally close are ambiguous.
func (b *binder) resolve(a *attr, near []*table, ok func(*column) bool) (*column, error) {
	if a.col != nil {
		return a.col, nil
	}
	var best, second *column
	bc, sc := 1e9, 1e9
	for _, cand := range a.cands {
		if ok != nil && !ok(cand.c) {
			continue
		}
		cost := 1e9
		for i, t := range near {
			d := b.s.distance(t, cand.c.t)
			if d < 0 || d > 0 && !cand.explicit && generic(a.text) {
				continue
			}
			w := 0.5
			if cand.explicit {
				w = 0.1
			}
			if x := d*w + float64(i)*0.13; x < cost {
				cost = x
			}
		}
		if len(near) == 0 {
			cost = 0
		}
		cost += (1 - cand.score) * 2
		if cand.explicit {
			cost -= 0.3
		}
		switch {
		case cost < bc:
			second, sc = best, bc
			best, bc = cand.c, cost
		case cost < sc:
			second, sc = cand.c, cost
		}
	}
	if best == nil || bc > 1e8 {
		return nil, refuse(sparkwright.DeclineUnanswerable, "%q has no column that can be joined to the other tables of the question.", a.text)
	}
	if second != nil && sc-bc < ambiguityGap && !b.s.sameKey(best, second) {
		r := refuse(sparkwright.DeclineAmbiguous, "%q can be %s or %s.", a.text, qualified(best), qualified(second))
		r.choices = []string{qualified(best), qualified(second)}
		switch b.s.choose(r.choices) {
		case 0:
		case 1:
			best = second
		default:
			return nil, r
		}
	}
	a.col = best
	if !strings.EqualFold(strings.Join(best.full, " "), a.text) {
		b.assume("%q is read as %s.", a.text, qualified(best))
	}
	return best, nil
}

// generic tells names that almost every table has: they are only looked for
// where they were said to be.
func generic(text string) bool {
	w := tokenize(text)
	return len(w) == 1 && oneOf(w[0].stem, "name id titl type status date code number descript kind label email phone")
}

func qualified(c *column) string { return c.t.view + "." + c.src.Name }

func (b *binder) assume(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	if !contains(b.p.assume, s) {
		b.p.assume = append(b.p.assume, s)
	}
}

// sameKey reports whether two columns are joined to one another.
func (s *schema) sameKey(x, y *column) bool {
	for _, e := range s.edges[x.t.id] {
		if len(e.cols) == 1 && e.cols[0] == x && e.ref[0] == y {
			return true
		}
	}
	return false
}
