package planner

import (
	"slices"
	"strings"
)

// np reads a noun phrase: conditions as adjectives, then a table or column.
func (p *parser) np() *node {
	start := p.i
	var pre []*cond
	for range 3 {
		mark := p.i
		if c := p.boolColumn(false); c != nil {
			if e, n := p.entityAt(p.i); n > 0 {
				if !c.attr.of(e.t) {
					p.i = mark
					c = p.adjective()
				}
				pre = append(pre, c)
				continue
			}
			p.i = mark
		}
		if n := p.readNoun(); n != nil {
			for _, c := range pre {
				p.attach(n, c)
			}
			n.text = p.text(start, p.i)
			p.verb = ""
			return n
		}
		c := p.adjective()
		if c == nil {
			break
		}
		pre = append(pre, c)
	}
	p.fail(p.i)
	p.i = start
	return nil
}

func (p *parser) attach(n *node, c *cond) {
	if n.ent != nil {
		c.at = n.ent
		n.ent.conds = append(n.ent.conds, c)
		return
	}
	p.q.conds = append(p.q.conds, c)
}

// adjective reads a known value, or the name of a yes/no column, before a noun.
func (p *parser) adjective() *cond {
	neg := false
	save := p.i
	if p.words("non") && p.words("-") {
		neg = true
	} else if p.any("not") {
		neg = true
	} else {
		p.i = save
	}
	if p.cur().kind == tokWord && strings.HasPrefix(p.cur().low, "non-") && len(p.cur().low) > 5 {
		toks := tokenize(p.cur().text[4:])
		if len(toks) == 1 {
			if r := p.s.stems[toks[0].stem]; len(r) > 0 {
				c := &cond{kind: condValue, values: r, neg: true, text: p.cur().text}
				p.i++
				p.restOfColumn(c)
				return c
			}
		}
	}
	mark := p.i
	b := p.boolColumn(neg)
	after := p.i
	if b != nil {
		if e, n := p.entityAt(p.i); n == 0 || b.attr.of(e.t) {
			return b
		}
		p.i = mark // "active members", where only branches can be active or not
	}
	if c := p.valueList(nil); c != nil {
		c.neg = neg
		return c
	}
	if b != nil {
		p.i = after
		return b
	}
	p.i = save
	return nil
}

// of reports whether the attribute can be a column of the table.
func (a *attr) of(t *table) bool {
	return slices.ContainsFunc(a.cands, func(c attrCand) bool { return c.c.t == t })
}

// restOfColumn takes a word of the value's own column after the value:
// "Italian food" for food_type.
func (p *parser) restOfColumn(c *cond) {
	if p.i >= len(p.t) || p.cur().kind != tokWord {
		return
	}
	if _, n := p.entityAt(p.i); n > 0 {
		return
	}
	var keep []valueRef
	for _, r := range c.values {
		if contains(r.c.words, p.cur().stem) {
			keep = append(keep, r)
		}
	}
	if len(keep) > 0 {
		c.values = keep
		p.i++
	}
}

func (p *parser) boolColumn(neg bool) *cond {
	for n := 3; n >= 1; n-- {
		var w []string
		for k := p.i; k < p.i+n && k < len(p.t) && p.t[k].kind == tokWord; k++ {
			w = append(w, p.t[k].stem)
		}
		if len(w) != n || n == 1 && functionWord(p.cur().low) {
			continue
		}
		if found := p.boolWords(w); len(found) > 0 {
			text := p.text(p.i, p.i+n)
			p.i += n
			return &cond{kind: condBool, attr: &attr{text: text, cands: found}, neg: neg, text: text}
		}
		for _, un := range []string{"in", "un", "non-"} {
			if n != 1 || !strings.HasPrefix(p.cur().low, un) {
				continue
			}
			if found := p.boolWords([]string{stemOf(p.cur().low[len(un):])}); len(found) > 0 {
				p.i++
				return &cond{kind: condBool, attr: &attr{text: p.at(p.i - 1).text, cands: found}, neg: !neg, text: p.at(p.i - 1).text}
			}
		}
	}
	return nil
}

func (p *parser) boolWords(w []string) []attrCand {
	var found []attrCand
	for _, cand := range p.attrWords(w, 0.9) {
		if cand.c.isBool() {
			found = append(found, cand)
		}
	}
	return found
}

// readNoun reads the longest table or column name. A table alone is an entity;
// where both fit equally long, both are kept.
func (p *parser) readNoun() *node {
	e, en := p.entityAt(p.i)
	a, an := p.attrAt(p.i)
	if p.cur().kind == tokQuoted && an > 0 && a.cands[0].score < 1 {
		a, an = nil, 0
	}
	if en == 0 && an == 0 {
		return nil
	}
	if en > 0 && an > en && participle(p.t[p.i+an-1].low) && oneOf(p.at(p.i+an).low, "in on at by between before after since from during with to") {
		an = 0 // "books published in 2020": the date, not a property
	}
	if en > 0 && an > en && a.cands[0].c.isBool() {
		an = 0 // "payments succeeded": those of which it is true, not a property
	}
	if _, vn := p.valueAt(p.i); vn > max(en, an) {
		return nil
	}
	if an > en && en > 0 && a.cands[0].score < 0.85 {
		an = 0
	}
	n := &node{}
	if en >= an {
		n.ent = e
	}
	if an >= en {
		if en == 0 || a.cands[0].score >= 0.85 {
			n.attr = a
		}
	}
	used := max(en, an)
	last := p.t[p.i+used-1]
	n.plural = strings.HasSuffix(last.low, "s") && !strings.HasSuffix(last.low, "ss") && !strings.HasSuffix(last.low, "us") && !strings.HasSuffix(last.low, "is") || oneOf(last.low, "people children men women diagnoses analyses")
	n.text = p.text(p.i, p.i+used)
	p.i += used
	if n.ent == nil && n.attr == nil {
		return nil
	}
	if n.ent != nil && n.attr != nil && n.ent.score < n.attr.cands[0].score {
		n.ent = nil
	}
	p.compound(n)
	p.noun = p.i
	return n
}

// compound reads two tables that are named together, "product category", as
// the second one, when a row of the first belongs to one of it. A capital
// letter begins a name.
func (p *parser) compound(n *node) {
	if n.ent == nil || n.plural || p.cur().kind != tokWord || p.cur().cap {
		return
	}
	e, k := p.entityAt(p.i)
	if e == nil || e.score < 1 {
		return
	}
	for _, x := range p.s.edges[n.ent.t.id] {
		if x.to == e.t && x.toOne && x.declared {
			last := p.t[p.i+k-1].low
			n.ent, n.attr, n.plural = e, nil, strings.HasSuffix(last, "s") && !strings.HasSuffix(last, "ss")
			n.text += " " + p.text(p.i, p.i+k)
			p.i += k
			return
		}
	}
}
