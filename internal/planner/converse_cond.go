package planner

import (
	"slices"
)

// condChange reads a condition. One on the same property takes the place of
// an earlier one that it would contradict: another country, another year.
func (p *parser) condChange() bool {
	e := p.focus()
	target := &p.q.conds
	if e != nil {
		target = &e.conds
	}
	before := len(*target)
	m := p.mark()
	if !p.modifier() {
		p.reset(m)
		c := p.bareCond()
		if c == nil {
			return false
		}
		p.add(e, c)
	}
	all := *target
	if len(all) <= before {
		return true // said of another thing
	}
	added := all[before:]
	var kept []*cond
	for _, c := range all[:before] {
		replaced := false
		for _, a := range added {
			replaced = replaced || contradicts(c, a)
		}
		if !replaced {
			kept = append(kept, c)
		}
	}
	*target = append(kept, added...)
	return true
}

// bareCond reads a value or a date without a preposition: "what about Italy?".
func (p *parser) bareCond() *cond {
	if r := p.date(); r != nil {
		return &cond{kind: condDate, rng: r, text: r.text}
	}
	if n := p.cur(); n.kind == tokNumber && n.num >= 1900 && n.num < 2100 && p.at(p.i+1).kind == tokSymbol {
		p.t = slices.Insert(slices.Clone(p.t), p.i, tokenize("in")...)
		if r := p.date(); r != nil {
			return &cond{kind: condDate, rng: r, text: r.text}
		}
	}
	neg := p.any("not", "without", "except", "excluding")
	p.det()
	c := p.valueList(nil)
	if c == nil {
		return nil
	}
	c.neg = neg
	return c
}

// contradicts reports whether both conditions cannot hold together for being
// about the same property.
func contradicts(old, added *cond) bool {
	if old.neg || added.neg {
		return false
	}
	switch {
	case old.kind == condDate && added.kind == condDate:
		return true
	case old.kind == condValue && added.kind == condValue:
		for _, x := range old.values {
			for _, y := range added.values {
				if x.c == y.c {
					return true
				}
			}
		}
		return false
	case (old.kind == condCompare && old.op == "=" || old.kind == condIn) && (added.kind == condCompare && added.op == "=" || added.kind == condIn):
		return old.attr != nil && added.attr != nil && sameAttr(old.attr, added.attr)
	default:
		return false
	}
}
