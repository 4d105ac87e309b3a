package planner

import (
	"fmt"
	"strings"

	"github.com/sparkwright/sparkwright"
)

func (st *statement) listing() (string, error) {
	q, p := st.em.p.q, st.em.p
	distinct := q.distinct
	for _, it := range q.items {
		switch it.kind {
		case itemEntity:
			cols := it.ent.t.label()
			if it.ent.t != p.root {
				if way, e := st.em.path(p.root, it.ent.t); e != nil {
					return "", e
				} else if way.toMany() {
					return "", refuse(sparkwright.DeclineNotUnderstood, "%s has many %s; say what to show of them.", p.root.view, it.ent.t.view)
				}
			}
			if cols == nil {
				cols = it.ent.t.cols
				if len(q.items) > 1 {
					if it.ent.t.key == nil {
						return "", refuse(sparkwright.DeclineNotUnderstood, "%s has no name and no key to show.", it.ent.t.view)
					}
					cols = []*column{it.ent.t.key}
				}
			}
			for _, c := range cols {
				if err := st.column(c, it); err != nil {
					return "", err
				}
			}
		case itemAttr:
			if pth, err := st.em.path(p.root, it.attr.col.t); err != nil {
				return "", err
			} else if pth.toMany() {
				return "", refuse(sparkwright.DeclineNotUnderstood, "%s has many %s; say what to show of them.", p.root.view, it.attr.col.t.view)
			}
			if q.head != nil && q.head.ent == nil && it.attr.near == nil && len(q.context) == 0 || it.attr.col.t != p.root && len(q.items) == 1 {
				distinct = true
			}
			if err := st.column(it.attr.col, it); err != nil {
				return "", err
			}
		default:
			return "", refuse(sparkwright.DeclineNotUnderstood, "It is not clear what to show.")
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
	for _, o := range q.order {
		// rows without the property cannot be the first
		if q.limit > 0 && o.it.attr != nil && o.it.attr.col != nil && o.it.attr.col.src.Nullable {
			x, err := st.sc.col(o.it.attr.col)
			if err != nil {
				return "", err
			}
			where = append(where, x+" IS NOT NULL")
		}
	}
	head := st.render(where, nil, order, false)
	if distinct {
		for _, o := range order {
			if strings.Contains(strings.Fields(o)[0], ".") {
				return "", refuse(sparkwright.DeclineNotUnderstood, "Distinct rows cannot be ordered by what is not shown.")
			}
		}
		head = strings.Replace(head, "SELECT\n", "SELECT DISTINCT\n", 1)
	}
	return head, nil
}

func (st *statement) column(c *column, it *item) error {
	x, err := st.sc.col(c)
	if err != nil {
		return err
	}
	for _, o := range st.outs {
		if o.expr == x {
			return nil
		}
	}
	st.outs = append(st.outs, &output{expr: x, alias: st.columnName(c), it: it})
	return nil
}

func (st *statement) render(where, having, order []string, grouped bool) string {
	var b strings.Builder
	b.WriteString("SELECT\n")
	var groups []string
	for i, o := range st.outs {
		sep := ","
		if i == len(st.outs)-1 {
			sep = ""
		}
		if _, name, ok := strings.Cut(o.expr, "."); ok && name == o.alias {
			b.WriteString("  " + o.expr + sep + "\n")
		} else {
			b.WriteString("  " + o.expr + " AS " + ident(o.alias) + sep + "\n")
		}
		if o.group {
			groups = append(groups, o.expr)
		}
	}
	groups = append(append([]string(nil), st.keys...), groups...)
	b.WriteString(st.em.from(st.sc) + "\n")
	for _, j := range st.sc.joins {
		b.WriteString(j + "\n")
	}
	if w := nonEmpty(where); len(w) > 0 {
		b.WriteString("WHERE " + strings.Join(dedup(w), "\n  AND ") + "\n")
	}
	if grouped && len(groups) > 0 {
		b.WriteString("GROUP BY " + strings.Join(dedup(groups), ", ") + "\n")
	}
	if len(having) > 0 {
		b.WriteString("HAVING " + strings.Join(having, " AND ") + "\n")
	}
	if len(order) > 0 {
		b.WriteString("ORDER BY " + strings.Join(dedup(order), ", ") + "\n")
	}
	if st.em.p.q.limit > 0 {
		fmt.Fprintf(&b, "LIMIT %d\n", st.em.p.q.limit)
	}
	return strings.TrimRight(b.String(), "\n")
}

func dedup(in []string) []string {
	var out []string
	for _, s := range in {
		if !contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// orderBy renders the order; measures that are ordered by are shown too when
// more than one thing is ranked.
func (st *statement) orderBy() ([]string, error) {
	q := st.em.p.q
	var out []string
	dir := func(desc bool) string {
		if desc {
			return " DESC NULLS LAST"
		}
		return " ASC NULLS LAST"
	}
	one := q.superl && (q.limit == 1 && !q.top)
	for _, o := range q.order {
		it := o.it
		if it.m != nil {
			if !q.explicit && !one && !st.attrHead() {
				if err := st.show(it); err != nil {
					return nil, err
				}
			}
			found := ""
			for _, x := range st.outs {
				if x.it == it || x.it.kind == itemMeasure && it.kind == itemMeasure && sameMeasure(x.it.m, it.m) {
					found = x.alias
				}
			}
			if found == "" {
				x, err := st.measure(it.m)
				if err != nil {
					return nil, err
				}
				found = x
			}
			out = append(out, found+dir(o.desc))
			continue
		}
		found := false
		for _, x := range st.outs {
			if sameItem(x.it, it) {
				out = append(out, x.alias+dir(o.desc))
				found = true
			}
		}
		if found {
			continue
		}
		if it.kind == itemEntity {
			for _, x := range st.outs {
				if x.it.attr != nil && x.it.attr.col != nil && x.it.attr.col.t == it.ent.t {
					out = append(out, x.alias+dir(o.desc))
					found = true
				}
			}
		}
		if found {
			continue
		}
		if st.em.p.agg {
			return nil, refuse(sparkwright.DeclineNotUnderstood, "The answer cannot be ordered by %q, which is not part of it.", it.text)
		}
		if it.kind != itemAttr {
			return nil, refuse(sparkwright.DeclineNotUnderstood, "The answer cannot be ordered by %q.", it.text)
		}
		if !q.explicit && !one && !st.attrHead() {
			x, err := st.sc.col(it.attr.col)
			if err != nil {
				return nil, err
			}
			o2 := &output{expr: x, alias: st.columnName(it.attr.col), it: it}
			st.outs = append(st.outs, o2)
			out = append(out, o2.alias+dir(o.desc))
			continue
		}
		x, err := st.sc.col(it.attr.col)
		if err != nil {
			return nil, err
		}
		out = append(out, x+dir(o.desc))
	}
	if len(out) == 0 && st.em.p.agg {
		for _, o := range st.outs {
			if o.group {
				out = append(out, o.alias)
			}
		}
	}
	return out, nil
}

// attrHead reports whether single properties were asked for ("the names of"),
// so that nothing is added to them.
func (st *statement) attrHead() bool {
	q := st.em.p.q
	if q.head == nil || len(q.items) == 0 {
		return false
	}
	it := q.items[0]
	return it.kind == itemAttr && it.node != nil && it.node == q.head && it.node.ent == nil && (it.attr.near != nil || len(q.context) > 0) && !st.em.p.agg
}
