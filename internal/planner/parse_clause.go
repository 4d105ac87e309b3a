package planner

import "slices"

// relate makes another entity part of the question: the one that properties
// are asked of, or one that the nearest entity must have.
func (p *parser) relate(e, other *entity, neg, clausal bool) bool {
	if e == nil {
		p.push(other)
		return true
	}
	if e.t == other.t {
		if neg {
			return false
		}
		e.conds = append(e.conds, other.conds...)
		for _, c := range other.conds {
			c.at = e
			if c.attr != nil {
				c.attr.near = e
			}
		}
		return true
	}
	other.parent = e
	other.owned = !clausal
	p.add(e, &cond{kind: condRelated, ent: other, neg: neg, text: other.text})
	p.q.context = append(p.q.context, other)
	return true
}

func (p *parser) any2(neg *bool) {
	for p.any("not", "never", "no longer") {
		*neg = !*neg
	}
}

// clause reads a condition after its opening word.
func (p *parser) clause(e *entity, lead string) bool {
	m := p.mark()
	save := p.i
	back := func() bool { return p.reset(m) }
	neg := false
	switch lead {
	case "are":
		return p.predicate(e) || back()
	case "that":
		p.any2(&neg)
		if !neg {
			p.any("also")
			return p.verbObject(e) || p.predicate(e) || back()
		}
		p.any("have", "has")
		p.any("any", "a", "an", "been")
		if t := p.cur(); t.kind == tokWord && p.s.relationVerb(t.stem) {
			p.i++
			p.any("any", "a", "an", "to", "in")
			if p.cur().kind == tokWord && oneOf(p.cur().low, "any a an") {
				p.i++
			}
		}
		return p.absent(e) || back()
	}
	if p.any("no", "zero", "without", "not any", "not made any", "never made any", "not", "never") {
		for p.cur().kind == tokWord && p.verbOfAbsence() {
			p.i++
		}
		p.any("any", "a", "an", "no")
		return p.absent(e) || back()
	}
	if _, n := p.attrAt(p.i); n == 0 && lead == "with" && p.cur().kind == tokWord && p.s.relationVerb(p.cur().stem) && participle(p.cur().low) {
		return p.verbObject(e) || back()
	}
	p.any("a", "an", "the", "their", "its", "total of", "exactly")
	if p.at(p.i-1).low == "exactly" {
		p.i--
	}
	if p.countCond(e) {
		return true
	}
	p.i = save
	p.det()
	if p.attrCond(e) {
		return true
	}
	p.reset(m)
	p.any("a", "an", "the", "any", "some")
	if p.present(e) {
		return true
	}
	p.reset(m)
	if lead == "whose" || lead == "where" {
		return back()
	}
	// "with premium accounts": a related entity
	p.any("at least one", "one or more", "any", "some")
	p.det()
	if n := p.np(); n != nil && n.ent != nil {
		if e == nil {
			return back()
		}
		return p.relate(e, n.ent, false, true) || back()
	}
	return back()
}

// verbOfAbsence reports whether a participle only ties what there is none of to
// the rest: "never opened a ticket". The name of a property, "rating", is none.
func (p *parser) verbOfAbsence() bool {
	t := p.cur()
	if !participle(t.low) {
		return false
	}
	if a, n := p.attrAt(p.i); n > 0 && a.cands[0].score >= 0.9 {
		return false
	}
	if p.s.relationVerb(t.stem) {
		return true
	}
	save := p.i
	p.i++
	p.any("any", "a", "an")
	e, _ := p.entityAt(p.i)
	p.i = save
	return e != nil && slices.ContainsFunc(e.t.cols, func(c *column) bool { return c.isDate() && saysVerb(c, t.stem) })
}

// absent reads what there is none of: related rows, or a value.
func (p *parser) absent(e *entity) bool {
	if e == nil {
		return false
	}
	n := p.np()
	if n == nil {
		return false
	}
	for p.cur().kind == tokWord && (p.s.relationVerb(p.cur().stem) && participle(p.cur().low)) && p.i+1 >= len(p.t) {
		p.i++
	}
	if n.ent != nil {
		return p.relate(e, n.ent, true, true)
	}
	n.attr.near = e
	if n.attr.cands[0].c.isBool() {
		p.add(e, &cond{kind: condBool, neg: true, attr: n.attr, text: "no " + n.text})
		return true
	}
	p.add(e, &cond{kind: condNull, attr: n.attr, text: "no " + n.text})
	return true
}

// present reads a property alone, "with a coupon": it is true, or known.
func (p *parser) present(e *entity) bool {
	save := p.i
	n := p.readNoun()
	if n == nil || n.attr == nil || n.ent != nil || e == nil || !p.ended() && !p.peek("and|,|in|on|for|per|by|from|since|grouped|ordered|to|were|was|are|is|that|who") {
		p.i = save
		return false
	}
	n.attr.near = e
	c := n.attr.cands[0].c
	switch {
	case c.isBool():
		p.add(e, &cond{kind: condBool, attr: n.attr, text: n.text})
	case c.t == e.t && c.src.Nullable:
		p.add(e, &cond{kind: condNull, neg: true, attr: n.attr, text: n.text})
	default:
		p.i = save
		return false
	}
	return true
}

// datedVerb reads a verb that names a date column, and the date: "opened in
// 2024" is about opened_at, whatever else "open" may be.
func (p *parser) datedVerb(e *entity) bool {
	t := p.cur()
	if e == nil || t.kind != tokWord || functionWord(t.low) {
		return false
	}
	for _, c := range e.t.cols {
		if !c.isDate() || !saysVerb(c, t.stem) {
			continue
		}
		save := p.i
		p.i++
		if r := p.date(); r != nil {
			p.add(e, &cond{kind: condDate, rng: r, verb: t.stem, text: r.text})
			return true
		}
		p.i = save
	}
	return false
}

// verbObject reads a verb and what it is about: "serve Italian food", "have
// written publications", "joined in 2024".
func (p *parser) verbObject(e *entity) bool {
	save := p.i
	p.any("have", "has", "had", "were", "was", "are", "been")
	p.any("also", "been")
	if p.verbs() {
		for p.verbs() {
		}
		mark := p.i
		if r := p.date(); r != nil {
			p.add(e, &cond{kind: condDate, rng: r, verb: p.verb, text: r.text})
			p.verb = ""
			return true
		}
		p.i = mark
		if p.place(e) {
			return true
		}
		p.i = mark
		if p.countCond(e) {
			return true
		}
		p.i = mark
		p.any("a", "an", "any", "the", "at least one", "some")
		if n := p.np(); n != nil && n.ent != nil && e != nil {
			return p.relate(e, n.ent, false, true)
		}
	}
	p.i = save
	return false
}
