package planner

import (
	"fmt"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// output is one column of the answer.
type output struct {
	expr  string
	alias string
	it    *item
	group bool
}

// statement is the SELECT of a plan while it is put together.
type statement struct {
	em   *emitter
	sc   *scope
	outs []*output
	keys []string // further expressions to group by
	used map[string]bool
}

// sql renders the plan.
func (em *emitter) sql() (string, error) {
	st := &statement{em: em, used: map[string]bool{}}
	if len(em.p.q.items) == 1 && em.p.q.items[0].kind == itemRatio && em.separate() {
		return st.twoTotals(em.p.q.items[0])
	}
	st.sc = em.scope(em.p.root)
	if em.p.agg {
		return st.aggregate()
	}
	return st.listing()
}

func (em *emitter) separate() bool {
	it := em.p.q.items[0]
	t := func(m *measure) *table {
		if m.ent != nil {
			return m.ent.t
		}
		return m.attr.col.t
	}
	return t(it.m) != t(it.by) && len(em.p.q.dims) == 0 && len(em.p.q.conds) == 0
}

// twoTotals divides two totals of different tables.
func (st *statement) twoTotals(it *item) (string, error) {
	one := func(m *measure) (string, error) {
		t := (*table)(nil)
		if m.ent != nil {
			t = m.ent.t
		} else {
			t = m.attr.col.t
		}
		sc := st.em.scope(t)
		sub := &statement{em: st.em, sc: sc, used: st.used}
		conds := m.conds
		if m.ent != nil {
			conds = append(append([]*cond(nil), conds...), m.ent.conds...)
		}
		where, err := sc.all(t, conds, true)
		if err != nil {
			return "", err
		}
		expr, err := sub.measure(&measure{fn: m.fn, ent: m.ent, attr: m.attr, dist: m.dist})
		if err != nil {
			return "", err
		}
		q := strings.Join(append([]string{"SELECT " + expr, st.em.from(sc)}, sc.joins...), " ")
		if w := nonEmpty(where); len(w) > 0 {
			q += " WHERE " + strings.Join(w, " AND ")
		}
		return "(" + q + ")", nil
	}
	a, err := one(it.m)
	if err != nil {
		return "", err
	}
	b, err := one(it.by)
	if err != nil {
		return "", err
	}
	factor := ""
	if it.pct {
		factor = "100.0 * "
	}
	return "SELECT " + factor + "CAST(" + a + " AS DOUBLE) /\n  NULLIF(" + b + ", 0) AS ratio", nil
}

// name makes an alias that is not used yet.
func (st *statement) name(words ...string) string {
	var b strings.Builder
	for _, w := range words {
		for _, r := range strings.ToLower(w) {
			switch {
			case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
				b.WriteRune(r)
			case b.Len() > 0 && !strings.HasSuffix(b.String(), "_"):
				b.WriteByte('_')
			}
		}
		if b.Len() > 0 && !strings.HasSuffix(b.String(), "_") {
			b.WriteByte('_')
		}
	}
	n := strings.Trim(b.String(), "_")
	if n == "" || n[0] >= '0' && n[0] <= '9' {
		n = "value_" + n
	}
	base := strings.TrimSuffix(n, "_")
	for i := 2; st.used[n]; i++ {
		n = fmt.Sprintf("%s_%d", base, i)
	}
	st.used[n] = true
	return n
}

func (st *statement) columnName(c *column) string {
	n := strings.ToLower(c.src.Name)
	if c.src.Name == n && st.used[n] {
		return st.name(c.t.src.Name, c.src.Name)
	}
	return st.name(c.src.Name)
}

// group adds the columns of a dimension.
func (st *statement) group(it *item, show bool) error {
	for _, o := range st.outs {
		if sameItem(o.it, it) {
			return nil
		}
	}
	add := func(c *column, show bool) error {
		x, err := st.sc.col(c)
		if err != nil {
			return err
		}
		if !show {
			if !contains(st.keys, x) {
				st.keys = append(st.keys, x)
			}
			return nil
		}
		for _, o := range st.outs {
			if o.expr == x {
				return nil
			}
		}
		st.outs = append(st.outs, &output{expr: x, alias: st.columnName(c), it: it, group: true})
		return nil
	}
	switch it.kind {
	case itemEntity:
		t := it.ent.t
		lab := t.label()
		if t.key == nil && (lab == nil || t != st.em.p.root) {
			return refuse(sparkwright.DeclineNotUnderstood, "%s has neither a key nor a name to group by.", t.view)
		}
		if lab == nil {
			lab = []*column{t.key}
		}
		if t.key != nil && (len(lab) > 1 || lab[0] != t.key) {
			if err := add(t.key, false); err != nil {
				return err
			}
		}
		for _, c := range lab {
			if err := add(c, show); err != nil {
				return err
			}
		}
	case itemAttr:
		c := it.attr.col
		if lab := c.t.label(); len(lab) == 1 && lab[0] == c && c.t != st.em.p.root && c.t.key != nil && c.t.key != c {
			if err := add(c.t.key, false); err != nil {
				return err
			}
		}
		if near := it.attr.near; near != nil && near.t == c.t && near.t != st.em.p.root && near.t.key != nil && near.t.key != c {
			if err := add(near.t.key, false); err != nil {
				return err
			}
		}
		return add(c, show)
	case itemBucket:
		x, err := st.sc.col(it.attr.col)
		if err != nil {
			return err
		}
		expr := "CAST(date_trunc('" + strings.ToUpper(it.unit) + "', " + x + ") AS DATE)"
		if it.unit == "year" {
			expr = "EXTRACT(YEAR FROM " + x + ")"
		}
		st.outs = append(st.outs, &output{expr: expr, alias: st.name(it.unit), it: it, group: true})
	default:
		return refuse(sparkwright.DeclineNotUnderstood, "%q cannot be a group.", it.text)
	}
	return nil
}

// filters renders what holds for the whole answer.
func (st *statement) filters() ([]string, error) {
	var where []string
	p := st.em.p
	for _, e := range p.tops {
		x, err := st.top(e)
		if err != nil {
			return nil, err
		}
		where = append(where, x...)
	}
	var plain []*cond
	for _, c := range p.q.conds {
		if c.kind == condCount && p.q.head != nil && p.q.head.ent == nil {
			continue // a condition on groups
		}
		plain = append(plain, c)
	}
	x, err := st.sc.all(p.root, plain, true)
	if err != nil {
		return nil, err
	}
	defined, err := st.byDefinition()
	return append(append(where, x...), defined...), err
}

// top renders the conditions of an entity named in the question itself.
func (st *statement) top(e *entity) ([]string, error) {
	if e.t == st.sc.root {
		return st.sc.all(e.t, e.conds, true)
	}
	if _, ok := st.sc.joined[e.t]; ok {
		return st.sc.all(e.t, e.conds, true)
	}
	x, err := st.sc.related(st.sc.root, &cond{kind: condRelated, ent: e, text: e.text}, true)
	return []string{x}, err
}

func (st *statement) aggregate() (string, error) {
	q := st.em.p.q
	items := q.items
	// what is grouped by: the dimensions, and every property that is shown
	shown := q.explicit
	for _, d := range q.dims {
		if err := st.group(d, !shown && !st.named(d) || itemIn(items, d)); err != nil {
			return "", err
		}
	}
	if shown {
		st.outs = nil
		st.used = map[string]bool{}
		if len(q.dims) == 0 && q.head != nil && q.head.ent != nil {
			if err := st.hideKey(q.head.ent.t); err != nil {
				return "", err
			}
		}
	} else if len(items) > 0 && q.head != nil && q.head.ent != nil && items[0].kind == itemEntity && len(items) > 1 && items[1].kind == itemAttr {
		return "", refuse(sparkwright.DeclineNotUnderstood, "It is not clear what to show.")
	}
	for _, it := range items {
		if it.m != nil {
			continue
		}
		if err := st.group(it, true); err != nil {
			return "", err
		}
	}
	many := st.sc.many
	inner := many && st.needsRows()
	if inner {
		return "", refuse(sparkwright.DeclineNotUnderstood, "%s has no key, so that its rows cannot be kept apart.", st.em.p.root.view)
	}
	if shown {
		if err := st.inOrder(items); err != nil {
			return "", err
		}
	} else {
		for _, it := range items {
			if it.m == nil {
				continue
			}
			if err := st.show(it); err != nil {
				return "", err
			}
		}
	}
	order, err := st.orderBy()
	if err != nil {
		return "", err
	}
	where, err := st.filters()
	if err != nil {
		return "", err
	}
	having, err := st.having()
	if err != nil {
		return "", err
	}
	if st.sc.many != many && st.needsRows() {
		return "", refuse(sparkwright.DeclineNotUnderstood, "A join would multiply the rows of %s.", st.em.p.root.view)
	}
	return st.render(where, having, order, true), nil
}

// named reports whether properties of a group's entity are asked for by name,
// so that its label need not stand beside them.
func (st *statement) named(d *item) bool {
	if d.kind != itemEntity {
		return false
	}
	for _, it := range st.em.p.q.items {
		if it.kind == itemAttr && it.attr.col != nil && it.attr.col.t == d.ent.t {
			return true
		}
	}
	return false
}

// hideKey keeps entities of the same name apart.
func (st *statement) hideKey(t *table) error {
	if t == st.em.p.root || t.key == nil {
		return nil
	}
	x, err := st.sc.col(t.key)
	if err == nil && !contains(st.keys, x) {
		st.keys = append(st.keys, x)
	}
	return err
}

func (st *statement) show(it *item) error {
	for _, o := range st.outs {
		if o.it == it || it.kind == itemMeasure && o.it.kind == itemMeasure && sameMeasure(o.it.m, it.m) {
			return nil
		}
	}
	expr, alias, err := st.value(it)
	if err != nil {
		return err
	}
	st.outs = append(st.outs, &output{expr: expr, alias: alias, it: it})
	return nil
}

// inOrder puts the columns in the order in which they were asked for.
func (st *statement) inOrder(items []*item) error {
	groups := st.outs
	st.outs = nil
	for _, it := range items {
		if it.m != nil {
			if err := st.show(it); err != nil {
				return err
			}
			continue
		}
		for _, g := range groups {
			if sameItem(g.it, it) {
				st.outs = append(st.outs, g)
			}
		}
	}
	return nil
}

// having renders the conditions on groups.
func (st *statement) having() ([]string, error) {
	var out []string
	q := st.em.p.q
	for _, c := range q.conds {
		if c.kind != condCount || q.head == nil || q.head.ent != nil {
			continue
		}
		x, err := st.measure(&measure{fn: "count", ent: c.ent, dist: c.ent.t != st.sc.root, conds: c.ent.conds})
		if err != nil {
			return nil, err
		}
		out = append(out, fmt.Sprintf("%s %s %d", x, c.op, c.n))
	}
	return out, nil
}
