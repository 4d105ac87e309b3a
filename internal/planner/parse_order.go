package planner

// ordering reads "ordered by X descending", "from highest to lowest".
func (p *parser) ordering() bool {
	save := p.i
	p.any(",", "and")
	p.any(",", "and")
	if p.any("order", "sort", "rank", "arrange") {
		p.any("the results", "the result", "them", "results", "it", "these", "the output", "the rows", "the list")
		if !p.peek("by|from|in|alphabetically") {
			p.i = save
			return false
		}
	} else {
		p.any("ordered", "sorted", "arranged", "ranked", "listed", "starting")
	}
	if p.any("alphabetically", "in alphabetical order", "by alphabetical order") {
		p.any("by")
		if p.at(p.i-1).low == "by" {
			o := p.orderTerm()
			if o == nil {
				p.i = save
				return false
			}
			p.q.order = append(p.q.order, &ordering{it: o.it})
			return true
		}
		p.q.notes = append(p.q.notes, "alphabetical")
		return true
	}
	if d, ok := p.direction(); ok {
		var it *item
		if p.any("of", "by") {
			o := p.orderTerm()
			if o == nil {
				p.i = save
				return false
			}
			it = o.it
		} else if o := p.orderTail(); o != nil {
			it = o
		}
		p.setDirection(it, d)
		return true
	}
	if p.i > save && oneOf(p.at(p.i-1).low, "ordered sorted arranged ranked results result them order sort rank arrange it these list rows output") || p.peek("ordered", "by") {
		if !p.any("by") {
			p.i = save
			return false
		}
		for {
			o := p.orderTerm()
			if o == nil {
				p.i = save
				return false
			}
			desc := o.desc != nil && *o.desc
			p.any(",")
			if d, ok := p.direction(); ok {
				desc = d
			} else if p.any("first") {
				desc = false
			} else if p.at(p.i-1).low == "," {
				p.i--
			}
			p.q.order = append(p.q.order, &ordering{it: o.it, desc: desc})
			mark := p.i
			if p.any(", then by", "then by", "and then by", ", and then by") || p.words("and") && !p.ended() {
				if o := p.orderTerm(); o == nil {
					p.i = mark
					return true
				}
				p.i = mark
				p.any(", then by", "then by", "and then by", ", and then by", "and")
				continue
			}
			return true
		}
	}
	p.i = save
	return false
}

// direction reads the sense of an order. Desc is true for large first.
func (p *parser) direction() (desc, ok bool) {
	save := p.i
	switch {
	case p.any("in descending order", "descending", "in decreasing order", "desc", "in reverse order", "decreasing", "from the top", "in a descending order"):
		return true, true
	case p.any("in ascending order", "ascending", "in increasing order", "asc", "increasing", "in chronological order", "chronologically", "in an ascending order"):
		return false, true
	}
	from := p.any("from", "starting from", "with")
	p.any("the")
	hi, lo := "highest|most|largest|longest|latest|best|newest|biggest|greatest|high|largest|top", "lowest|least|smallest|shortest|earliest|worst|oldest|fewest|low|bottom"
	if from {
		switch {
		case p.words(hi):
			desc = true
		case p.words(lo):
		default:
			p.i = save
			return false, false
		}
		n := p.np()
		if p.any("to", "to the") {
			p.any("the")
			if desc && p.words(lo) || !desc && p.words(hi) {
				if n != nil && n.attr != nil {
					p.q.order = append(p.q.order, &ordering{it: &item{kind: itemAttr, attr: n.attr, node: n, text: n.text}, desc: desc})
				}
				return desc, true
			}
		}
	}
	p.i = save
	return false, false
}

// orderTail reads the property after "from lowest to highest".
func (p *parser) orderTail() *item {
	save := p.i
	if o := p.orderTerm(); o != nil && (p.ended() || p.peek(",|and")) {
		return o.it
	}
	p.i = save
	return nil
}

// setDirection orders by it, or gives its direction to what is there already.
func (p *parser) setDirection(it *item, desc bool) {
	if it != nil {
		p.q.notes = append(p.q.notes, "ordered")
		for _, o := range p.q.order {
			if sameItem(o.it, it) {
				o.desc = desc
				return
			}
		}
		p.q.order = append(p.q.order, &ordering{it: it, desc: desc})
		return
	}
	if len(p.q.order) > 0 {
		p.q.order[len(p.q.order)-1].desc = desc
		p.q.notes = append(p.q.notes, "ordered")
		return
	}
	if desc {
		p.q.notes = append(p.q.notes, "order desc")
	} else {
		p.q.notes = append(p.q.notes, "order asc")
	}
}

func sameItem(a, b *item) bool {
	if a.kind != b.kind {
		return false
	}
	switch a.kind {
	case itemAttr:
		return a.attr != nil && b.attr != nil && sameAttr(a.attr, b.attr)
	case itemEntity:
		return a.ent != nil && b.ent != nil && a.ent.t == b.ent.t
	case itemMeasure:
		return sameMeasure(a.m, b.m)
	case itemBucket:
		return a.unit == b.unit
	default:
		return a == b
	}
}

func sameAttr(a, b *attr) bool {
	if a.col != nil && b.col != nil {
		return a.col == b.col
	}
	for _, x := range a.cands {
		if x.score < a.cands[0].score {
			break
		}
		for _, y := range b.cands {
			if y.score >= b.cands[0].score && x.c == y.c {
				return true
			}
		}
	}
	return false
}

func sameMeasure(a, b *measure) bool {
	if a.fn != b.fn || (a.attr == nil) != (b.attr == nil) || (a.ent == nil) != (b.ent == nil) {
		return false
	}
	if a.ent != nil && a.ent.t != b.ent.t {
		return false
	}
	return a.attr == nil || sameAttr(a.attr, b.attr)
}

// superlative reads "with the highest X", "that has the most Y".
func (p *parser) superlative() bool {
	m := p.mark()
	save := p.i
	back := func() bool { return p.reset(m) }
	p.any("with", "having", "that have", "that has", "who have", "who has", "which have", "which has", "has", "have", "had", "that had", "who had", "who made", "that made", "with respect to", "by")
	p.any("placed", "made", "received", "got", "written", "wrote", "published")
	if p.cur().kind == tokWord && p.s.relationVerb(p.cur().stem) && (p.peekAt(1, "the") || p.peekAt(1, "most")) {
		p.i++
	}
	had := p.i > save
	the := p.any("the")
	desc := true
	counted := false
	switch {
	case p.any("highest", "largest", "greatest", "biggest", "maximum", "best", "longest", "latest", "most recent", "newest"):
	case p.any("lowest", "smallest", "minimum", "worst", "shortest", "earliest", "oldest"):
		desc = false
	case p.any("most"):
		counted = true
	case p.any("fewest", "least"):
		counted, desc = true, false
	default:
		return back()
	}
	if !had && !the {
		return back()
	}
	if p.q.head == nil || p.q.superl || p.hasMeasure() && len(p.q.dims) == 0 {
		return back()
	}
	if counted {
		p.any("number of", "amount of", "count of")
		if p.at(p.i-1).low == "of" {
			counted = true
		}
	}
	start := p.i
	if p.any("number of", "total number of", "count of") || counted {
		p.any("distinct", "unique", "different")
		if a, n := p.attrNumberOf(p.i); a != nil {
			p.i += n
			p.rank(&item{kind: itemAttr, attr: a, text: a.text}, desc)
			return true
		}
		n := p.np()
		if n == nil {
			return back()
		}
		if n.ent == nil {
			if desc && n.attr != nil && numericCandidates(n.attr, "max") && start == p.i {
				p.rank(&item{kind: itemAttr, attr: n.attr, text: n.text}, desc)
				return true
			}
			return back()
		}
		n.ent.parent = p.focus()
		p.q.context = append(p.q.context, n.ent)
		p.rank(&item{kind: itemMeasure, m: &measure{fn: "count", ent: n.ent, text: "number of " + n.text}, text: "number of " + n.text}, desc)
		return true
	}
	if it := p.measure(); it != nil {
		p.rank(it, desc)
		return true
	}
	n := p.np()
	if n == nil || n.attr == nil {
		return back()
	}
	p.rank(&item{kind: itemAttr, attr: n.attr, node: n, text: n.text}, desc)
	return true
}

func (p *parser) peekAt(k int, word string) bool { return p.at(p.i+k).low == word }

func (p *parser) rank(it *item, desc bool) {
	p.q.order = append(p.q.order, &ordering{it: figure(it), desc: desc})
	p.q.superl = true
	if p.q.limit == 0 {
		if p.q.head != nil && !p.q.head.plural {
			p.q.limit = 1
		} else {
			p.q.notes = append(p.q.notes, "needs order")
		}
	}
}
