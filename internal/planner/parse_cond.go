package planner

// orCond reads a condition followed by "or" and another one.
func (p *parser) orCond() bool {
	e := p.focus()
	target := &p.q.conds
	if e != nil {
		target = &e.conds
	}
	n := len(*target)
	if !p.modifier() {
		return false
	}
	if !p.peek("or") {
		return true
	}
	if p.focus() != e || len(*target) != n+1 {
		return false
	}
	list := []*cond{(*target)[n]}
	for p.words("or") {
		save := p.i
		p.any("that", "who", "which")
		if p.modifier() || p.clause(e, "are") {
			if len(*target) == n+2 {
				list = append(list, (*target)[n+1])
				*target = (*target)[:n+1]
				continue
			}
		}
		p.i = save
		p.fail(p.i)
		return false
	}
	*target = append((*target)[:n:n], &cond{kind: condOr, subs: list, at: e, text: "or"})
	return true
}

// modifier reads one condition: a date, a place, a clause.
func (p *parser) modifier() bool {
	e := p.focus()
	m := p.mark()
	save := p.i
	undo := func() bool { return p.reset(m) }
	if r := p.date(); r != nil {
		p.add(e, &cond{kind: condDate, rng: r, verb: p.verb, text: r.text})
		p.verb = ""
		return true
	}
	p.i = save
	if p.datedVerb(e) {
		return true
	}
	lead := ""
	switch {
	case p.any("with", "having", "where", "whose"):
		lead = p.at(p.i - 1).low
	case p.any("without"):
		p.i--
		lead = "with"
	case p.any("that have", "that has", "who have", "who has", "which have", "which has", "that had", "who had", "have", "has", "had"):
		lead = "with"
	case p.any("that are", "that is", "who are", "who is", "which are", "which is", "that were", "that was", "which were", "which was", "who were", "are", "is", "was", "were"):
		lead = "are"
	case p.any("that do", "who do", "that did", "who did", "that does", "which do", "which did", "that", "who", "which", "do", "did"):
		lead = "that"
	}
	if lead != "" {
		p.base = len(p.q.context)
		if p.clause(e, lead) {
			return true
		}
		p.reset(m)
	}
	if p.place(e) {
		return true
	}
	p.reset(m)
	if p.named(e) {
		return true
	}
	p.reset(m)
	if e != nil && e.t.key != nil {
		if c := p.bareCompare(e); c {
			return true
		}
	}
	return undo()
}

// add stores a condition with the entity it was said of.
func (p *parser) add(e *entity, c *cond) {
	c.at = e
	p.agt = false
	if e == nil {
		p.q.conds = append(p.q.conds, c)
		return
	}
	e.conds = append(e.conds, c)
}

// named reads "named X", "called X", or a value right after its entity.
func (p *parser) named(e *entity) bool {
	if e == nil {
		return false
	}
	if p.any("named", "called", "titled", "with the name", "by the name of", "with name") {
		lab := e.t.label()
		if len(lab) != 1 {
			return false
		}
		if l, ok := p.literal(lab[0]); ok {
			p.add(e, &cond{kind: condCompare, op: "=", attr: fixed(lab[0], e), lits: []literal{l}, text: "named " + l.text})
			return true
		}
		return false
	}
	if p.i == 0 {
		return false
	}
	// `domain "X"`, "state Texas"
	if _, n := p.entityAt(p.i - 1); n == 1 || p.at(p.i-2).kind == tokWord {
		lab := e.t.label()
		ent, k := p.entityBefore()
		if ent == nil || ent.t != e.t || k == 0 || len(lab) != 1 {
			return false
		}
		if l, ok := p.literal(lab[0]); ok && (l.known || p.at(p.i-1).kind == tokQuoted) {
			p.add(e, &cond{kind: condCompare, op: "=", attr: fixed(lab[0], e), lits: []literal{l}, text: l.text})
			return true
		}
	}
	return false
}

// predicate reads what something is: a value, a yes/no, located somewhere.
func (p *parser) predicate(e *entity) bool {
	save := p.i
	neg := false
	p.any2(&neg)
	p.any("currently", "still", "also")
	if !neg && p.datedVerb(e) {
		return true
	}
	if c := p.boolColumn(neg); c != nil {
		c.attr.near = e
		p.add(e, c)
		return true
	}
	if p.any("part of any", "part of an", "part of a", "assigned to any", "linked to any", "associated with any", "in any") && neg {
		if n := p.np(); n != nil && n.ent != nil && e != nil {
			return p.relate(e, n.ent, true, true)
		}
		p.i = save
		return false
	}
	if c := p.valueList(nil); c != nil && !p.startsNoun(c) {
		c.neg = neg
		p.add(e, c)
		return true
	}
	if t := p.cur(); neg && e != nil && t.kind == tokWord && participle(t.low) {
		// "never reviewed": without reviews
		if other := p.entityWords([]string{t.stem}); other != nil && other.score >= 1 && other.t != e.t {
			p.i++
			return p.relate(e, other, true, true)
		}
	}
	if neg {
		p.i = save
		return false
	}
	for p.verbs() {
	}
	if p.i > save && p.place(e) {
		return true
	}
	p.i = save
	return p.place(e)
}

// attrCond reads "rating above 4", "price between 1 and 2", "name starting
// with 'A'", "email missing", "status active".
func (p *parser) attrCond(e *entity) bool {
	save := p.i
	n := p.readNoun()
	if n == nil || n.attr == nil {
		p.i = save
		return false
	}
	a := n.attr
	a.near = e
	done := func(c *cond) bool {
		c.attr, c.text = a, p.text(save, p.i)
		p.add(e, c)
		return true
	}
	mark := p.i
	p.any("that", "which")
	p.any("is", "are", "was", "were", "has been", "have been")
	switch {
	case p.any("null", "missing", "empty", "unknown", "not set", "not known", "not recorded", "not specified", "not null", "known", "set", "not missing", "recorded", "not empty"):
		w := p.at(p.i - 1).low
		neg := oneOf(w, "known set recorded specified")
		if p.at(p.i-2).low == "not" {
			neg = !neg
		}
		return done(&cond{kind: condNull, neg: neg})
	}
	p.i = mark
	if c := p.textCond(); c != nil {
		for _, cand := range a.cands {
			if !cand.c.isText() {
				continue
			}
			if !p.peek("or") {
				return done(c)
			}
			alt := p.i
			p.words("or")
			if c2 := p.textCond(); c2 != nil {
				c.attr, c2.attr = a, a
				c.text, c2.text = p.text(save, alt), p.text(alt, p.i)
				p.add(e, &cond{kind: condOr, subs: []*cond{c, c2}, text: p.text(save, p.i)})
				return true
			}
			p.i = alt
			return done(c)
		}
		p.i = save
		return false
	}
	p.i = mark
	p.any("is", "are", "was", "were", "of", "ranging", "that is", "that are", "lies", "that lies")
	if p.any("between", "from") {
		lo, ok := p.literalOf(a)
		p.units()
		if ok && p.any("and", "to") {
			if hi, ok := p.literalOf(a); ok && (lo.isNum && hi.isNum || lo.isDate && hi.isDate) {
				p.units()
				p.inclusive()
				return done(&cond{kind: condBetween, lits: []literal{lo, hi}})
			}
		}
	}
	p.i = mark
	p.any("is", "are", "was", "were", "falls", "that is")
	if a.cands[0].c.isDate() {
		if r := p.date(); r != nil {
			return done(&cond{kind: condDate, rng: r})
		}
	}
	p.i = mark
	op := p.compare()
	if op == ">" || op == "<" {
		if p.any("average", "the average", "the overall average") {
			if p.any("of all") {
				p.np()
			}
			return done(&cond{kind: condAverage, op: op})
		}
	}
	if op == "" || op == "=" || op == "<>" {
		if op == "" {
			p.any("either", "one of", "in", ":")
		}
		if c := p.valueList(a); c != nil {
			if c.lits[0].isNum && op == "" {
				if p.any("or more", "or higher", "or above", "or greater", "and above", "or over", "or better") {
					c.op = ">="
				} else if p.any("or less", "or lower", "or below", "or fewer", "and below", "or under") {
					c.op = "<="
				}
			}
			c.neg = op == "<>"
			p.units()
			return done(c)
		}
		p.i = save
		return false
	}
	l, ok := p.literalOf(a)
	if !ok || !l.isNum && !l.isDate {
		p.i = save
		return false
	}
	p.units()
	return done(&cond{kind: condCompare, op: op, lits: []literal{l}})
}

// bareCompare reads a comparison of a property without an opening word:
// "orders over $100" is not read, "products priced above" neither: the property
// must be named.
func (p *parser) bareCompare(e *entity) bool {
	if p.cur().kind != tokWord || functionWord(p.cur().low) {
		return false
	}
	return p.attrCond(e)
}
