package planner

import (
	"github.com/sparkwright/sparkwright"
)

func (b *binder) bindItems() error {
	q := b.p.q
	for _, it := range append(append([]*item(nil), q.items...), q.dims...) {
		if err := b.bindItem(it); err != nil {
			return err
		}
	}
	for _, o := range q.order {
		if err := b.bindItem(o.it); err != nil {
			return err
		}
	}
	return nil
}

func (b *binder) bindItem(it *item) error {
	q := b.p.q
	if c := q.byMetric(it); c != nil {
		if it.ent != nil {
			b.drop(it.ent)
		}
		it.kind, it.ent, it.node, it.attr = itemAttr, nil, nil, fixed(c, nil)
		b.assume("%q is read as %s, as defined.", it.text, qualified(c))
		return nil
	}
	if it.kind == itemAttr && it.unit != "" && it.attr.col == nil {
		// "per year": a column of that name where there is one, else the calendar
		for _, c := range it.attr.cands {
			if c.c.t == b.p.root && c.score >= 1 {
				it.attr.col = c.c
			}
		}
		if it.attr.col == nil {
			it.kind, it.attr, it.text = itemBucket, nil, it.unit
		}
	}
	switch it.kind { //nolint:exhaustive // the others hold measures, bound below
	case itemAttr, itemEntity:
		// a word that names both a table and a column of the counted table
		if it.node != nil && it.node.ent != nil && it.node.attr != nil {
			if c := b.ownColumn(it.node.attr); c != nil && (b.p.agg || it != q.items[0]) && len(it.node.ent.conds) == 0 && it.node.ent.t != b.p.root {
				it.kind, it.attr, it.ent = itemAttr, it.node.attr, nil
				it.attr.col = c
				b.drop(it.node.ent)
				return nil
			}
			it.kind, it.ent = itemEntity, it.node.ent
			it.attr = nil
		}
		if it.kind == itemAttr && len(tokenize(it.attr.text)) == 1 && stemOf(it.attr.text) == "name" && it.attr.col == nil {
			owner := it.attr.near
			if owner == nil && len(q.context) > 0 {
				owner = q.context[0]
			}
			if owner != nil {
				if lab := owner.t.label(); len(lab) > 1 {
					it.kind, it.ent = itemEntity, owner
					it.node = &node{ent: owner, text: it.text}
					if len(b.s.between(b.p.root, owner.t)) == 0 {
						return refuse(sparkwright.DeclineUnanswerable, "There is no way to join %s to %s.", b.p.root.view, owner.t.view)
					}
					return nil
				}
			}
		}
		if it.kind == itemAttr {
			near := b.near(it.attr.near)
			if it.attr.near == nil && !b.p.agg {
				for _, e := range q.context {
					near = append(near, e.t)
				}
			}
			if _, err := b.resolve(it.attr, near, nil); err != nil {
				return err
			}
			if c := it.attr.col; it.unit != "" && c.isDate() {
				it.kind = itemBucket
			}
			return nil
		}
		if len(b.s.between(b.p.root, it.ent.t)) == 0 {
			return refuse(sparkwright.DeclineUnanswerable, "There is no way to join %s to %s.", b.p.root.view, it.ent.t.view)
		}
	case itemBucket:
		if it.attr != nil {
			c, err := b.resolve(it.attr, b.near(it.attr.near), (*column).isDate)
			if err != nil {
				return err
			}
			it.attr.col = c
			return nil
		}
		c, err := b.dateOf([]*entity{b.p.rootEnt}, it.verb, it.unit)
		if err != nil {
			return err
		}
		it.attr = &attr{text: c.human(), col: c}
		b.assume("%s is taken from %s.", it.unit, qualified(c))
	}
	if it.m != nil && it.m.attr != nil && it.m.attr.col == nil {
		if _, err := b.resolve(it.m.attr, b.near(it.m.attr.near), nil); err != nil {
			return err
		}
	}
	return nil
}

func (b *binder) ownColumn(a *attr) *column {
	for _, c := range a.cands {
		if c.c.t == b.p.root && c.score >= 0.85 && !c.c.isID() {
			return c.c
		}
	}
	return nil
}

func (b *binder) drop(e *entity) {
	for i, x := range b.p.tops {
		if x == e {
			b.p.tops = append(b.p.tops[:i], b.p.tops[i+1:]...)
			return
		}
	}
}
