package planner

import (
	"strings"

	"github.com/sparkwright/sparkwright"
)

func chainOf(e *entity) []*entity {
	var out []*entity
	for x := e; x != nil; x = x.parent {
		out = append(out, x)
	}
	return out
}

// bindConds binds conditions of e; what belongs to an entity further out moves
// there.
func (b *binder) bindConds(list *[]*cond, e *entity) error {
	var keep []*cond
	n := len(*list)
	for _, c := range (*list)[:n:n] {
		home, err := b.bindCond(c, e)
		if err != nil {
			return err
		}
		if home != nil && home != e {
			home.conds = append(home.conds, c)
			continue
		}
		keep = append(keep, c)
	}
	*list = append(keep, (*list)[n:]...) // and what moved here meanwhile
	return nil
}

// bindCond binds one condition and tells the entity it is about.
func (b *binder) bindCond(c *cond, e *entity) (*entity, error) {
	chain := chainOf(e)
	if len(chain) == 0 || chain[len(chain)-1] != b.p.rootEnt {
		chain = append(chain, b.p.rootEnt)
	}
	switch c.kind {
	case condOr, condAnd:
		for _, s := range c.subs {
			home, err := b.bindCond(s, e)
			if err != nil {
				return nil, err
			}
			if home != e {
				return nil, refuse(sparkwright.DeclineNotUnderstood, "The alternatives joined by \"or\" are about different things.")
			}
		}
		return e, nil
	case condRelated, condCount:
		if e != nil && len(b.s.between(e.t, c.ent.t)) == 0 {
			return nil, refuse(sparkwright.DeclineUnanswerable, "There is no way to join %s to %s.", e.t.view, c.ent.t.view)
		}
		if e == nil {
			c.ent.parent = b.p.rootEnt
		}
		return e, b.bindConds(&c.ent.conds, c.ent)
	case condDate:
		return b.bindDate(c, e, chain)
	case condValue:
		return b.bindValue(c, e, chain)
	default:
		near := make([]*table, len(chain))
		for i, x := range chain {
			near[i] = x.t
		}
		fits := func(col *column) bool { return true }
		if len(c.lits) > 0 {
			fits = func(col *column) bool {
				switch {
				case c.kind == condLike:
					return col.isText()
				case c.lits[0].isNum:
					return col.isNumber()
				case c.lits[0].isDate:
					return col.isDate()
				default:
					return col.isText()
				}
			}
		}
		if c.kind == condBool {
			fits = func(col *column) bool { return len(near) > 0 && col.t == near[0] || e == nil }
		}
		if _, err := b.resolve(c.attr, near, fits); err != nil {
			return nil, err
		}
		if home := b.home(e, chain, c.attr.col); home != nil && b.loose(home.t, c.attr.col.t) {
			return nil, refuse(sparkwright.DeclineAmbiguous, "%s has many rows for one of %s; say which of them are meant.", c.attr.col.t.view, home.t.view)
		}
		for _, l := range c.lits {
			if !l.known && !l.isNum && !l.isDate && c.kind != condLike {
				b.assume("%q is not among the known values of %s and is compared as it is written.", l.text, qualified(c.attr.col))
			}
		}
		return b.home(e, chain, c.attr.col), nil
	}
}

// home is the entity of the chain that the column's table is closest to.
func (b *binder) home(e *entity, chain []*entity, col *column) *entity {
	best := 1e9
	var at *entity
	for i, x := range chain {
		if d := b.s.distance(x.t, col.t); d >= 0 && d+float64(i)*0.26 < best {
			best, at = d+float64(i)*0.26, x
		}
	}
	if at == nil || e == nil {
		return e
	}
	return at
}

// bindValue chooses the column that a known value belongs to.
func (b *binder) bindValue(c *cond, e *entity, chain []*entity) (*entity, error) {
	type option struct {
		col    *column
		values []string
		cost   float64
		at     *entity
	}
	var opts []*option
	for _, v := range c.values {
		var o *option
		for _, x := range opts {
			if x.col == v.c {
				o = x
			}
		}
		if o == nil {
			o = &option{col: v.c, cost: 1e9}
			for i, x := range chain {
				d := b.s.distance(x.t, v.c.t)
				if b.loose(x.t, v.c.t) {
					continue // a value of one of many other rows
				}
				if d >= 0 && d*0.5+float64(i)*0.13 < o.cost {
					o.cost, o.at = d*0.5+float64(i)*0.13, x
				}
			}
			opts = append(opts, o)
		}
		if !contains(o.values, v.value) {
			o.values = append(o.values, v.value)
		}
	}
	var best, second *option
	for _, o := range opts {
		switch {
		case o.cost > 1e8:
		case best == nil || o.cost < best.cost:
			best, second = o, best
		case second == nil || o.cost < second.cost:
			second = o
		}
	}
	if best == nil {
		return nil, refuse(sparkwright.DeclineUnanswerable, "%q is a value of %s, which cannot be joined to the other tables of the question.", c.text, qualified(c.values[0].c))
	}
	if second != nil && second.cost-best.cost < ambiguityGap && !b.s.sameKey(best.col, second.col) {
		r := refuse(sparkwright.DeclineAmbiguous, "%q can be a value of %s or of %s.", c.text, qualified(best.col), qualified(second.col))
		r.choices = []string{qualified(best.col) + " = " + best.values[0], qualified(second.col) + " = " + second.values[0]}
		switch b.s.choose(r.choices) {
		case 0:
		case 1:
			best = second
		default:
			return nil, r
		}
	}
	c.kind = condCompare
	c.op = "="
	c.attr = &attr{text: best.col.human(), col: best.col}
	for _, v := range best.values {
		c.lits = append(c.lits, literal{text: v, known: true})
	}
	if len(c.lits) > 1 {
		c.kind = condIn
	}
	b.assume("%q is read as %s = '%s'.", c.text, qualified(best.col), strings.Join(best.values, "' or '"))
	if e == nil {
		return e, nil
	}
	return best.at, nil
}
