package planner

// andItem reads one more thing to show after other modifiers: "and how many
// orders did they have", "and their population".
func (p *parser) andItem() bool {
	save := p.i
	p.any(",")
	if !p.any("and", "as well as", "along with", "together with", "also") && p.i == save {
		return false
	}
	p.any("what is", "what are", "what was", "what were")
	if p.any("how many") {
		p.det()
		if p.any("of them") {
			p.i = save
			return false
		}
		n := p.np()
		if n == nil || n.ent == nil {
			p.i = save
			return false
		}
		it := p.countItem(n, false)
		p.q.context = p.q.context[:len(p.q.context)-1]
		p.q.items = append(p.q.items, it)
		p.closing()
		return true
	}
	p.det()
	if it := p.measure(); it != nil {
		p.q.items = append(p.q.items, it)
		return true
	}
	n := p.np()
	if n == nil || n.attr == nil {
		p.i = save
		return false
	}
	n.attr.near = p.focus()
	p.q.items = append(p.q.items, &item{kind: itemAttr, attr: n.attr, node: n, text: n.text})
	if p.any("of that") {
		if _, k := p.entityAt(p.i); k > 0 {
			p.i += k
		}
	}
	return true
}

// closing steps over "did he/she have that year" and the like.
func (p *parser) closing() {
	save := p.i
	for !p.ended() && (oneOf(p.cur().low, "did do does has have had he she they it each / in that year month week day are is were was there") || p.cur().low == "/") {
		p.i++
	}
	if !p.ended() {
		p.i = save
	}
}

// follow reads a later sentence: what to show, or the order.
func (p *parser) follow() bool {
	p.any("please", "also", "then")
	save := p.i
	if p.ordering() && p.ended() {
		return true
	}
	p.i = save
	if p.any("match", "use exact") {
		for !p.ended() && (oneOf(p.cur().low, "strings string exactly exact matching values text case case-insensitively case-sensitively insensitively sensitively all the names by") || p.anyName()) {
			p.i++
		}
		return p.ended()
	}
	if !p.any("return", "show", "give", "list", "include", "display", "provide", "output") {
		return false
	}
	p.any("me")
	if p.q.items == nil {
		return false
	}
	old := p.q.items
	oldHead, ctx := p.q.head, len(p.q.context)
	p.q.items = nil
	p.any("all")
	p.any("only", "both", "just")
	for {
		p.det()
		p.any("distinct", "unique")
		var its []*item
		if it := p.pairNames(); it != nil {
			its = it
		} else if it := p.measure(); it != nil {
			its = []*item{it}
		} else if it := p.ownKey(oldHead); it != nil {
			its = []*item{it}
		} else if n := p.np(); n != nil {
			it := &item{kind: itemAttr, attr: n.attr, node: n, text: n.text}
			if n.attr == nil {
				it.kind, it.ent = itemEntity, n.ent
			} else {
				n.attr.near = p.owner(oldHead)
				mark := p.i
				if p.any("of the", "of") {
					if e, k := p.entityAt(p.i); e != nil {
						p.i += k
						if n.attr.near == nil || n.attr.near.t != e.t {
							n.attr.near = e
						}
					} else {
						p.i = mark
					}
				}
			}
			its = []*item{it}
		} else {
			p.fail(p.i)
			return false
		}
		p.q.items = append(p.q.items, its...)
		p.any("made")
		p.any("(")
		mark := p.i
		comma := p.words(",")
		and := p.any("and", "and also", "as well as")
		if !comma && !and {
			break
		}
		if p.orderingAhead() {
			p.i = mark
			break
		}
	}
	p.q.head, p.q.context = oldHead, p.q.context[:ctx]
	p.q.explicit = true
	if p.any("for each", "of each", "for the") {
		if n := p.np(); n == nil {
			return false
		}
	}
	for !p.ended() {
		if !p.ordering() {
			p.fail(p.i)
			return false
		}
	}
	p.q.notes = append(p.q.notes, "returned")
	_ = old
	return true
}

// ownKey reads "ID" as the key of what is asked for.
func (p *parser) ownKey(head *node) *item {
	e := p.owner(head)
	if !oneOf(p.cur().low, "id ids") || e == nil || e.t.key == nil || !e.t.key.isID() {
		return nil
	}
	at := &attr{text: p.cur().text, cands: []attrCand{{c: e.t.key, score: 1}}, near: e}
	p.i++
	return &item{kind: itemAttr, attr: at, node: &node{attr: at, text: at.text}, text: at.text}
}

func (p *parser) anyName() bool {
	_, n := p.attrAt(p.i)
	p.i += max(0, n-1)
	return n > 0
}

func (p *parser) orderingAhead() bool {
	save, n, notes := p.i, len(p.q.order), len(p.q.notes)
	ok := p.peek("ordered|sorted|order|sort|arranged|starting|ranked")
	p.i, p.q.order, p.q.notes = save, p.q.order[:n], p.q.notes[:notes]
	return ok
}

// owner is the entity that "their" is about in a later sentence.
func (p *parser) owner(head *node) *entity {
	if head != nil && head.ent != nil {
		return head.ent
	}
	var only *entity
	for _, d := range p.q.dims {
		if d.ent != nil && d.attr == nil {
			if only != nil {
				return nil
			}
			only = d.ent
		}
	}
	return only
}

// pairNames reads "first and last name".
func (p *parser) pairNames() []*item {
	a, b := p.cur(), p.at(p.i+2)
	last := p.at(p.i + 3)
	if a.kind != tokWord || p.at(p.i+1).low != "and" || b.kind != tokWord || last.kind != tokWord {
		return nil
	}
	x, y := p.attrWords([]string{a.stem, last.stem}, 0.95), p.attrWords([]string{b.stem, last.stem}, 0.95)
	if len(x) == 0 || len(y) == 0 || len(p.attrWords([]string{a.stem}, 0.85)) > 0 {
		return nil
	}
	p.i += 4
	near := p.owner(p.q.head)
	one := func(c []attrCand, text string) *item {
		at := &attr{text: text, cands: c, near: near}
		return &item{kind: itemAttr, attr: at, node: &node{attr: at, text: text}, text: text}
	}
	return []*item{one(x, a.text+" "+last.text), one(y, b.text+" "+last.text)}
}
