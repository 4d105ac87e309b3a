package planner

// entityBefore is the table named right before the position.
func (p *parser) entityBefore() (*entity, int) {
	for n := 4; n >= 1; n-- {
		if p.i-n < 0 {
			continue
		}
		if w := p.phraseStems(p.i-n, p.i); len(w) > 0 {
			if e := p.entityWords(w); e != nil {
				return e, n
			}
		}
	}
	return nil, 0
}

func fixed(c *column, e *entity) *attr {
	return &attr{text: c.human(), cands: []attrCand{{c: c, score: 1}}, near: e, col: c}
}

// place reads a preposition and what follows: a known value, "the X of VALUE",
// or an entity with conditions of its own.
func (p *parser) place(e *entity) bool {
	m := p.mark()
	save := p.i
	prep := ""
	switch {
	case p.any("in", "from", "of", "at", "on", "to", "for", "within", "into", "through", "across", "among", "inside", "under", "around", "about", "out of"):
		prep = p.at(p.i - 1).low
	case p.agt && p.any("by"):
		prep = "by"
	case p.any("via", "using"):
		prep = "via"
	default:
		// an object right after a verb: "serve Italian food", "wrote publications"
		if t := p.at(p.i - 1); t.kind != tokWord || p.noun == p.i || !p.s.relationVerb(t.stem) && !oneOf(t.low, "have has had") {
			return false
		}
	}
	p.agt = false
	p.det()
	if p.any("same") {
		return p.reset(m)
	}
	// a value, or several
	_, en := p.entityAt(p.i)
	_, vn := p.valueAt(p.i)
	if named := en >= vn && en > 0 && p.cur().kind == tokWord && !p.cur().cap; !named {
		if c := p.valueList(nil); c != nil && !p.startsNoun(c) {
			p.add(e, c)
			return true
		}
	}
	p.i = save
	if prep != "" {
		p.any("in", "from", "of", "at", "on", "to", "for", "within", "into", "through", "across", "among", "inside", "under", "around", "about", "out of", "by", "via", "using")
	}
	p.det()
	n := p.np()
	if n == nil {
		return p.reset(m)
	}
	// "in the city of New York", "the domain X", "the year 2020"
	if n.attr != nil {
		mark := p.i
		p.any("of", "named", "called", "=", "is", ":")
		if y, ok := p.yearNumber(); ok && n.attr.cands[0].c.isInteger() {
			p.add(e, &cond{kind: condCompare, op: "=", attr: n.attr, lits: []literal{{text: p.at(p.i - 1).text, num: float64(y), isNum: true}}, text: p.text(save, p.i)})
			n.attr.near = e
			return true
		}
		if c := p.valueList(n.attr); c != nil {
			n.attr.near = e
			p.add(e, c)
			return true
		}
		p.i = mark
		if c := p.textCond(); c != nil && n.attr.cands[0].c.isText() {
			n.attr.near = e
			c.attr, c.text = n.attr, p.text(save, p.i)
			p.add(e, c)
			return true
		}
		p.i = mark
	}
	if n.ent == nil {
		if n.attr.near != nil && prep == "of" {
			return false
		}
		return p.reset(m)
	}
	if lab := n.ent.t.label(); len(lab) == 1 {
		mark := p.i
		p.any("of", "named", "called")
		if l, ok := p.literal(lab[0]); ok && (l.known || p.at(p.i-1).kind == tokQuoted) {
			n.ent.conds = append(n.ent.conds, &cond{kind: condCompare, op: "=", attr: fixed(lab[0], n.ent), lits: []literal{l}, at: n.ent, text: l.text})
		} else {
			p.i = mark
		}
	}
	return p.relate(e, n.ent, false, prep == "")
}

// startsNoun reports that a value is only an adjective of the noun after it:
// "from active customers".
func (p *parser) startsNoun(c *cond) bool {
	if p.ended() || c.kind != condValue {
		return false
	}
	if _, n := p.entityAt(p.i); n > 0 {
		return true
	}
	return false
}
