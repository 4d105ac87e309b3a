package planner

import (
	"strings"
)

// valueList reads one or more values of one column.
func (p *parser) valueList(a *attr) *cond {
	start := p.i
	p.any("either")
	if a != nil {
		var lits []literal
		for {
			l, ok := p.literalOf(a)
			if !ok {
				break
			}
			lits = append(lits, l)
			mark := p.i
			comma := p.words(",")
			if !p.words("or") && !p.words("and") && !comma {
				break
			}
			if comma {
				p.any("or", "and")
			}
			if _, ok := p.literalOf(a); !ok {
				p.i = mark
				break
			}
			p.i = mark
			p.any(",")
			p.any("or", "and")
		}
		if len(lits) == 0 {
			p.i = start
			return nil
		}
		kind := condCompare
		if len(lits) > 1 {
			kind = condIn
		}
		return &cond{kind: kind, op: "=", attr: a, lits: lits, text: p.text(start, p.i)}
	}
	refs, n := p.valueAt(p.i)
	if n == 0 {
		p.i = start
		return nil
	}
	c := &cond{kind: condValue, values: refs, text: p.text(p.i, p.i+n)}
	p.i += n
	p.restOfColumn(c)
	for {
		mark := p.i
		comma := p.words(",")
		if !p.words("or") && !p.words("and") && !comma {
			break
		}
		if comma {
			p.any("or", "and")
		}
		more, k := p.valueAt(p.i)
		var keep []valueRef
		for _, r := range c.values {
			for _, m := range more {
				if m.c == r.c {
					keep = append(keep, r, m)
				}
			}
		}
		if k == 0 || len(keep) == 0 {
			p.i = mark
			break
		}
		p.i += k
		c.values = keep
		c.text = p.text(start, p.i)
	}
	return c
}

// literalOf reads a value for one of the columns that a may be.
func (p *parser) literalOf(a *attr) (literal, bool) {
	for _, c := range a.cands {
		if c.score < a.cands[0].score-0.11 {
			break
		}
		save := p.i
		if l, ok := p.literal(c.c); ok {
			return l, true
		}
		p.i = save
	}
	return literal{}, false
}

// literal reads a value that fits column c.
func (p *parser) literal(c *column) (literal, bool) {
	p.det2()
	t := p.cur()
	switch {
	case p.i >= len(p.t):
		return literal{}, false
	case c.isNumber():
		return p.number()
	case c.isDate():
		if d := p.point(); d != nil && d.to.Equal(d.from.AddDate(0, 0, 1)) {
			return literal{text: d.from.Format("2006-01-02"), isDate: true}, true
		}
		return literal{}, false
	case c.isText():
		refs, n := p.valueAt(p.i)
		for _, r := range refs {
			if r.c == c {
				p.i += n
				return literal{text: r.value, known: true}, true
			}
		}
		if t.kind == tokQuoted {
			if len(c.src.Enum) > 0 {
				return literal{}, false
			}
			p.i++
			return literal{text: t.text}, true
		}
		if t.kind == tokWord && t.cap && p.i > 0 && len(c.src.Enum) == 0 && n == 0 && !functionWord(t.low) {
			start := p.i
			for p.i < len(p.t) && p.cur().kind == tokWord && p.cur().cap && !functionWord(p.cur().low) {
				p.i++
			}
			return literal{text: p.text(start, p.i)}, true
		}
	}
	return literal{}, false
}

func (p *parser) det2() { p.any("the letter", "the word", "the text", "letter", "the") }

// number reads a number with its unit words.
func (p *parser) number() (literal, bool) {
	t := p.cur()
	neg := false
	if t.kind == tokSymbol && t.low == "-" && p.at(p.i+1).kind == tokNumber {
		neg = true
		p.i++
		t = p.cur()
	}
	x := t.num
	switch {
	case t.kind == tokNumber:
		p.i++
	case t.kind == tokWord && t.low == "a" && oneOf(p.at(p.i+1).low, "hundred thousand million billion"):
		x = 1
		p.i++
	default:
		return literal{}, false
	}
	for p.i < len(p.t) {
		f := 0.0
		switch p.cur().low {
		case "hundred":
			f = 1e2
		case "thousand":
			f = 1e3
		case "million":
			f = 1e6
		case "billion":
			f = 1e9
		}
		if f == 0 {
			break
		}
		x *= f
		p.i++
	}
	if neg {
		x = -x
	}
	return literal{text: number(x), num: x, isNum: true}, true
}

func number(x float64) string {
	s := trimFloat(x)
	return strings.TrimSuffix(s, ".")
}

// units steps over the unit of a number; stored numbers are taken to have it.
func (p *parser) units() {
	if p.any("people per square kilometer", "people per square mile", "people per square kilometre", "square kilometer", "square meter", "square mile", "square kilometers", "square kilometres", "square meters", "square metres", "square miles", "square feet", "kilometers", "kilometres", "km", "meters", "metres",
		"miles", "feet", "kg", "kilograms", "pounds", "grams", "tons", "dollars", "usd", "euros", "eur", "percent", "%", "hours", "minutes", "seconds", "stars", "points") {
		p.q.notes = append(p.q.notes, "unit")
	}
}

// compare reads a comparison.
func (p *parser) compare() string {
	p.any("is", "are", "was", "were", "of", "being", "that is", "that are", "which is", "has been")
	neg := p.any("not")
	op := ""
	switch {
	case p.any("greater than or equal to", "more than or equal to", "larger than or equal to", "higher than or equal to", "at least", "no less than", "not less than", "a minimum of", "minimum of", ">=", "from at least"):
		op = ">="
	case p.any("less than or equal to", "lower than or equal to", "fewer than or equal to", "smaller than or equal to", "at most", "no more than", "not more than", "up to", "a maximum of", "maximum of", "<="):
		op = "<="
	case p.any("greater than", "more than", "larger than", "higher than", "bigger than", "longer than", "taller than", "above", "over", "exceeding", "exceeds", "exceed", "exceeded", "in excess of", "better than", ">", "later than"):
		op = ">"
	case p.any("less than", "lower than", "smaller than", "fewer than", "shorter than", "below", "under", "cheaper than", "worse than", "<", "earlier than"):
		op = "<"
	case p.any("equal to", "equals", "equal", "exactly", "=", "=="):
		op = "="
	case p.any("different from", "other than", "not equal to", "!=", "<>"):
		op = "<>"
	}
	if neg {
		op = map[string]string{"=": "<>", ">": "<=", "<": ">=", ">=": "<", "<=": ">", "": "<>"}[op]
	}
	return op
}

// textCond reads "starts with X", "containing X", "ends with X".
func (p *parser) textCond() *cond {
	p.any("that", "which")
	neg := false
	p.any("do", "does", "is", "are", "has", "have")
	p.any2(&neg)
	op := ""
	switch {
	case p.any("starts with", "start with", "starting with", "begins with", "begin with", "beginning with"):
		op = "starts"
	case p.any("ends with", "end with", "ending with", "ending in", "ends in"):
		op = "ends"
	case p.any("contains", "contain", "containing", "includes", "including", "like"):
		op = "contains"
	default:
		return nil
	}
	p.det2()
	dot := ""
	if p.cur().low == "." || p.cur().low == "@" {
		dot = p.cur().low
		p.i++
	}
	t := p.cur()
	if dot != "" && t.kind == tokWord {
		p.i++
		return &cond{kind: condLike, op: op, neg: neg, lits: []literal{{text: dot + t.text}}}
	}
	if t.kind == tokQuoted || t.kind == tokWord && t.cap || t.kind == tokWord && len(t.text) == 1 {
		p.i++
		return &cond{kind: condLike, op: op, neg: neg, lits: []literal{{text: t.text}}}
	}
	return nil
}

// countCond reads "more than 5 orders", "at least 2 reviews".
func (p *parser) countCond(e *entity) bool {
	save := p.i
	if e == nil && (p.q.head == nil || p.q.head.attr == nil) {
		return false
	}
	op := p.compare()
	l, ok := p.number()
	if !ok || l.num != float64(int64(l.num)) || l.num < 0 {
		p.i = save
		return false
	}
	if op == "" {
		if p.any("or more") {
			op = ">="
		} else if p.any("or fewer", "or less") {
			op = "<="
		} else {
			op = "="
		}
	}
	p.any("distinct", "unique", "different")
	n := p.np()
	if n != nil && n.ent == nil && e != nil && numericCandidates(n.attr, "max") {
		n.attr.near = e
		p.add(e, &cond{kind: condCompare, op: op, attr: n.attr, lits: []literal{l}, text: p.text(save, p.i)})
		return true
	}
	if n == nil || n.ent == nil || e != nil && n.ent.t == e.t {
		p.i = save
		return false
	}
	n.ent.parent = e
	p.add(e, &cond{kind: condCount, op: op, n: int64(l.num), ent: n.ent, text: p.text(save, p.i)})
	p.q.context = append(p.q.context, n.ent)
	return true
}
