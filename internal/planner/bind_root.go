package planner

import (
	"slices"

	"github.com/sparkwright/sparkwright"
)

func (b *binder) chooseRoot() error {
	q := b.p.q
	var tabs []*table
	add := func(t *table) {
		if !slices.Contains(tabs, t) {
			tabs = append(tabs, t)
		}
	}
	anchors := b.anchors()
	for _, m := range q.measures() {
		if m.fn == "" {
			return refuse(sparkwright.DeclineAmbiguous, "%q holds numbers; say whether their total, their average, or how many different ones is meant.", m.attr.text)
		}
		if m.ent != nil {
			add(m.ent.t)
			continue
		}
		near := anchors
		if m.attr.near != nil {
			near = append([]*table{m.attr.near.t}, near...)
		}
		if len(near) == 0 {
			for _, d := range q.dims {
				if d.ent != nil {
					near = append(near, d.ent.t)
				}
			}
			for _, m2 := range q.measures() {
				if m2.ent != nil {
					near = append(near, m2.ent.t)
				}
			}
			if q.head != nil && q.head.ent != nil {
				near = append(near, q.head.ent.t)
			}
			if q.head != nil && q.head.ent == nil && q.head.attr != nil {
				near = append(near, q.head.attr.tables()...)
			}
		}
		c, err := b.resolve(m.attr, near, nil)
		if err != nil {
			return err
		}
		add(c.t)
	}
	for _, c := range q.conds {
		if c.kind == condCount && b.p.agg && q.head.ent == nil {
			add(c.ent.t)
		}
	}
	if b.p.agg {
		for _, r := range tabs {
			all := true
			for _, t := range tabs {
				p := b.s.between(r, t)
				if len(p) != 1 || p[0].toMany() {
					all = false
				}
			}
			if all {
				b.p.root = r
				break
			}
		}
		if b.p.root == nil {
			if b.separate() {
				b.p.root = tabs[0]
				return nil
			}
			return refuse(sparkwright.DeclineNotUnderstood, "The figures asked for are of tables that do not share their rows, so that one would multiply the other.")
		}
	} else {
		it := q.items[0]
		switch {
		case q.head != nil && q.head.ent != nil:
			b.p.root = q.head.ent.t
		case it.attr != nil && it.attr.near != nil:
			b.p.root = it.attr.near.t
		case len(q.context) > 0:
			b.p.root = q.context[0].t
		default:
			c, err := b.resolve(it.attr, nil, nil)
			if err != nil {
				return err
			}
			b.p.root = c.t
		}
	}
	return nil
}

// tables are those of the columns that fit best.
func (a *attr) tables() []*table {
	var out []*table
	for _, c := range a.cands {
		if c.score >= a.cands[0].score {
			out = append(out, c.c.t)
		}
	}
	if len(out) > 1 {
		return nil
	}
	return out
}

// separate reports whether the question is the ratio of two totals without
// groups, which can be computed each by itself.
func (b *binder) separate() bool {
	q := b.p.q
	return len(q.items) == 1 && q.items[0].kind == itemRatio && len(q.dims) == 0 && len(q.conds) == 0
}

// collectTops lists the entities whose conditions hold for the whole answer.
func (b *binder) collectTops() {
	q := b.p.q
	related := map[*entity]bool{}
	var mark func(conds []*cond)
	mark = func(conds []*cond) {
		for _, c := range conds {
			if c.ent != nil {
				related[c.ent] = true
				mark(c.ent.conds)
			}
			mark(c.subs)
		}
	}
	mark(q.conds)
	for _, e := range q.context {
		mark(e.conds)
	}
	for _, m := range q.measures() {
		mark(m.conds)
	}
	seen := map[*entity]bool{}
	top := func(e *entity) {
		if e == nil || related[e] || seen[e] {
			return
		}
		seen[e] = true
		b.p.tops = append(b.p.tops, e)
		if e.t == b.p.root && b.p.rootEnt == nil {
			b.p.rootEnt = e
		}
	}
	for _, e := range q.context {
		top(e)
	}
	if q.head != nil {
		top(q.head.ent)
	}
	for _, d := range q.dims {
		top(d.ent)
	}
	for _, m := range q.measures() {
		top(m.ent)
	}
	if b.p.rootEnt == nil {
		b.p.rootEnt = &entity{t: b.p.root, text: b.p.root.human()}
		b.p.tops = append(b.p.tops, b.p.rootEnt)
	}
}

// near lists tables by how close they are to an attribute of entity e.
func (b *binder) near(e *entity) []*table {
	var out []*table
	add := func(t *table) {
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	for x := e; x != nil; x = x.parent {
		add(x.t)
	}
	add(b.p.root)
	return out
}
