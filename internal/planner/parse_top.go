package planner

import (
	"strings"
)

// topN reads "top 5 X", "bottom 3 X", "5 most expensive X".
func (p *parser) topN() *item {
	m := p.mark()
	back := func() *item {
		p.reset(m)
		return nil
	}
	desc := true
	n := 0
	switch {
	case p.any("top", "first", "best", "largest", "highest", "biggest"):
	case p.any("bottom", "last", "worst", "lowest", "smallest"):
		desc = false
	default:
		if p.cur().kind == tokNumber && p.cur().num >= 1 && p.cur().num == float64(int(p.cur().num)) {
			n = int(p.cur().num)
			p.i++
			p.q.limit, p.q.top = n, true
			it := p.superlativeHead()
			if it == nil {
				if nd := p.np(); nd != nil {
					mark := p.i
					it = p.nodeItem(nd)
					if !p.peek("with|that|who|which|have|has|had|having") {
						p.i = mark
						return back()
					}
				}
			}
			if it == nil {
				return back()
			}
			return it
		}
		return back()
	}
	lead := p.at(p.i - 1).low
	if p.cur().kind != tokNumber {
		return back()
	}
	n = int(p.cur().num)
	if n < 1 || float64(n) != p.cur().num {
		return back()
	}
	p.i++
	p.q.limit, p.q.top = n, true
	if it := p.superlativeHead(); it != nil {
		return it
	}
	p.any("distinct", "unique", "different")
	p.any("combinations of")
	nd := p.np()
	if nd == nil {
		return back()
	}
	it := p.nodeItem(nd)
	more := []*item{it}
	for p.words("and") {
		n2 := p.np()
		if n2 == nil {
			p.i--
			break
		}
		more = append(more, p.nodeItem(n2))
	}
	if len(more) > 1 {
		p.q.items = append(p.q.items, more[:len(more)-1]...)
		it = more[len(more)-1]
	}
	if p.any("by") || p.any("in terms of") || p.any("based on") || p.any("ranked by") || p.any("ordered by") {
		by := p.orderTerm()
		if by == nil {
			return back()
		}
		if by.desc == nil {
			by.desc = &desc
		}
		p.q.order = append(p.q.order, &ordering{it: by.it, desc: *by.desc})
		p.q.superl = true
		return it
	}
	if oneOf(lead, "first last best worst") && !p.peek("with|that|who|which|have|has|had|having|in|for|from") {
		return back()
	}
	if !desc {
		p.q.notes = append(p.q.notes, "bottom")
	}
	return it
}

type orderBy struct {
	it   *item
	desc *bool
}

// orderTerm reads what to order by: a measure or a property.
func (p *parser) orderTerm() *orderBy {
	yes, no := true, false
	p.det()
	if p.any("highest", "largest", "most", "greatest") {
		if o := p.orderTerm(); o != nil {
			o.desc = &yes
			return o
		}
		return nil
	}
	if p.any("lowest", "smallest", "fewest", "least") {
		if o := p.orderTerm(); o != nil {
			o.desc = &no
			return o
		}
		return nil
	}
	if it := p.measure(); it != nil {
		return &orderBy{it: it}
	}
	if u := unitOf(p.cur().low); u != "" {
		for _, d := range append(append([]*item(nil), p.q.dims...), p.q.items...) {
			if d.unit == u {
				p.i++
				return &orderBy{it: d}
			}
		}
	}
	n := p.np()
	if n == nil {
		return nil
	}
	if n.attr != nil {
		return &orderBy{it: figure(&item{kind: itemAttr, attr: n.attr, node: n, text: n.text})}
	}
	return &orderBy{it: &item{kind: itemEntity, ent: n.ent, node: n, text: n.text}}
}

// superlativeHead reads "longest rivers", "most expensive product",
// "highest-rated restaurant", "most recent order".
func (p *parser) superlativeHead() *item {
	m := p.mark()
	back := func() *item {
		p.reset(m)
		return nil
	}
	nouns, desc, ok := "", true, false
	switch w := p.cur().low; {
	case p.cur().kind != tokWord:
	case oneOf(w, "most least"):
		if nouns, desc, ok = gradable(w + " " + p.at(p.i+1).low); ok {
			p.i += 2
		}
	default:
		if nouns, desc, ok = gradable(w); ok {
			p.i++
		}
	}
	dated := false
	if !ok {
		switch {
		case p.any("most recent", "latest", "newest"):
			dated = true
		case p.any("earliest", "oldest"):
			dated, desc = true, false
		default:
			return back()
		}
	}
	n := p.np()
	if n == nil || n.ent == nil {
		return back()
	}
	var cands []attrCand
	for noun := range strings.FieldsSeq(stemList(nouns)) {
		if len(cands) > 0 {
			break
		}
		for _, c := range n.ent.t.cols {
			if c.isNumber() && !c.isID() && (contains(c.words, noun) || contains(c.core, noun)) {
				cands = append(cands, attrCand{c: c, score: 1})
			}
		}
	}
	if dated {
		if c := dateColumn(n.ent.t, ""); c != nil {
			cands = append(cands, attrCand{c: c, score: 1})
		}
	}
	if len(cands) != 1 {
		return back()
	}
	it := p.nodeItem(n)
	p.q.order = append(p.q.order, &ordering{it: &item{kind: itemAttr, attr: &attr{text: cands[0].c.human(), cands: cands, near: n.ent}, text: cands[0].c.human()}, desc: desc})
	if p.q.limit == 0 && !n.plural {
		p.q.limit = 1
	}
	p.q.superl = true
	if p.q.limit == 0 {
		p.q.notes = append(p.q.notes, "needs order")
	}
	return it
}

// dateColumn is the date that events of the table happened on, or nil when
// that is not clear. A verb narrows the choice: "joined" for join_date.
func dateColumn(t *table, verb string) *column {
	var all, plain, named []*column
	for _, c := range t.cols {
		if !c.isDate() {
			continue
		}
		all = append(all, c)
		if verb != "" && saysVerb(c, verb) {
			return c
		}
		if !isAudit(c) {
			plain = append(plain, c)
		}
		for _, w := range t.words {
			if contains(c.words, w) && len(c.words) > 1 {
				named = append(named, c)
			}
		}
	}
	switch {
	case len(all) == 1:
		return all[0]
	case len(plain) == 1:
		return plain[0]
	case len(named) == 0 && len(always(plain)) == 1:
		return always(plain)[0]
	case len(named) == 1 && !isAudit(named[0]):
		return named[0]
	default:
		return nil
	}
}

// saysVerb reports whether the name of a date holds a verb, or a noun made of
// it: registration_date for "registered".
func saysVerb(c *column, verb string) bool {
	if c.isDate() && contains(c.said, verb) {
		return true
	}
	for _, w := range c.words {
		if w == verb || len(verb) >= 5 && len(w) >= 5 && (strings.HasPrefix(w, verb) || strings.HasPrefix(verb, w)) {
			return true
		}
	}
	return false
}

// always are the columns that every row has a value of.
func always(cols []*column) []*column {
	var out []*column
	for _, c := range cols {
		if !c.src.Nullable {
			out = append(out, c)
		}
	}
	return out
}

// isAudit tells columns that record when a row was stored or changed.
func isAudit(c *column) bool {
	j := " " + strings.Join(c.words, " ") + " "
	for _, w := range []string{"creat", "updat", "modifi", "insert", "delet", "load", "chang"} {
		if strings.Contains(j, " "+w+" ") || strings.Contains(j, " "+w) {
			return true
		}
	}
	return false
}
