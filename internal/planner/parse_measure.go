package planner

// aggregate reads the word for a function.
func (p *parser) aggregate() string {
	switch {
	case p.any("total sum of", "sum of", "sum total of", "combined", "overall total", "total", "sum"):
		return "sum"
	case p.any("average of", "mean of", "average", "mean", "avg", "avg of"):
		return "avg"
	case p.any("maximum of", "maximum", "max of", "max", "highest", "largest", "biggest", "greatest", "latest", "most recent", "newest"):
		return "max"
	case p.any("minimum of", "minimum", "min of", "min", "lowest", "smallest", "least", "earliest", "oldest"):
		return "min"
	default:
		return ""
	}
}

// measure reads "number of X", "average X" and the like.
func (p *parser) measure() *item {
	m := p.mark()
	back := func() *item {
		p.reset(m)
		return nil
	}
	if unit := p.bucketAdjective(); unit != "" {
		if it := p.measure(); it != nil {
			p.q.dims = append([]*item{{kind: itemBucket, unit: unit, text: unit}}, p.q.dims...)
			return it
		}
		return back()
	}
	start := p.i
	if p.any("total number of", "total count of", "number of", "count of", "counts of", "numbers of", "total numbers of", "quantity of") {
		dist := p.any("distinct", "unique", "different")
		p.det()
		total := p.at(start).low == "total"
		if a, n := p.attrNumberOf(p.i); a != nil {
			p.i += n
			return &item{kind: itemMeasure, m: &measure{fn: "sum", attr: a, plain: true, text: "total " + a.text}, text: p.text(start, p.i)}
		}
		n := p.np()
		if n == nil {
			return back()
		}
		if n.ent == nil && total && !dist && numericCandidates(n.attr, "sum") {
			return &item{kind: itemMeasure, m: &measure{fn: "sum", attr: n.attr, text: p.text(start, p.i)}, text: p.text(start, p.i)}
		}
		return p.countItem(n, dist)
	}
	fn := p.aggregate()
	if fn == "" {
		// "X count"
		if e, n := p.entityAt(p.i); e != nil && p.at(p.i+n).low == "count" {
			p.i += n + 1
			return p.countItem(&node{ent: e, text: e.text}, false)
		}
		return back()
	}
	if a, n := p.attrAt(start); fn == "sum" && n > 1 && start+n > p.i && a.cands[0].score >= 0.9 && numericCandidates(a, "sum") {
		p.i = start + n // the column itself is called a total
		return &item{kind: itemMeasure, m: &measure{fn: "sum", attr: a, text: p.text(start, p.i)}, text: p.text(start, p.i)}
	}
	p.any("of")
	p.det()
	if p.any("number of", "numbers of", "count of") {
		if a, n := p.attrNumberOf(p.i); a != nil {
			p.i += n
			return &item{kind: itemMeasure, m: &measure{fn: fn, attr: a, text: fn + " " + a.text}, text: p.text(start, p.i)}
		}
		if n := p.np(); n != nil && n.ent == nil && numericCandidates(n.attr, fn) {
			return &item{kind: itemMeasure, m: &measure{fn: fn, attr: n.attr, text: p.text(start, p.i)}, text: p.text(start, p.i)}
		}
		return back()
	}
	n := p.np()
	if n == nil {
		return back()
	}
	if n.ent != nil && rival(n) != nil {
		n.ent = nil // a total of what the column holds
	}
	if n.attr == nil || n.ent != nil {
		// "total sales count"
		if fn == "sum" && p.any("count") {
			return p.countItem(n, false)
		}
		return back()
	}
	if !numericCandidates(n.attr, fn) {
		return back()
	}
	return &item{kind: itemMeasure, m: &measure{fn: fn, attr: n.attr, text: p.text(start, p.i)}, text: p.text(start, p.i)}
}

// pairOfMeasures reads "lowest and highest price".
func (p *parser) pairOfMeasures() []*item {
	m := p.mark()
	a := p.aggregate()
	if a != "" && p.words("and") {
		p.det()
		if b := p.aggregate(); b != "" && b != a {
			p.det()
			if n := p.np(); n != nil && n.ent == nil && numericCandidates(n.attr, a) && numericCandidates(n.attr, b) {
				one := func(fn string) *item {
					return &item{kind: itemMeasure, m: &measure{fn: fn, attr: n.attr, text: fn + " " + n.text}, text: fn + " " + n.text}
				}
				return []*item{one(a), one(b)}
			}
		}
	}
	p.reset(m)
	return nil
}

// attrNumberOf finds a column that itself holds a number of things:
// citation_num for "number of citations". A table of that name wins.
func (p *parser) attrNumberOf(i int) (*attr, int) {
	for n := min(4, len(p.t)-i); n >= 1; n-- {
		w := p.phraseStems(i, i+n)
		if len(w) == 0 {
			continue
		}
		if e := p.entityWords(w); e != nil && e.score > 0.9 {
			return nil, 0
		}
		var out []attrCand
		for _, c := range p.attrWords(append(append([]string(nil), w...), "number"), 0.9) {
			if c.c.isNumber() && !c.c.isID() {
				out = append(out, c)
			}
		}
		for _, t := range p.s.tables {
			for _, c := range t.cols {
				if len(w) == 1 && c.isNumber() && !c.isID() && len(c.words) == 2 && c.words[0] == w[0] && c.words[1] == "count" {
					out = append(out, attrCand{c: c, score: 1})
				}
			}
		}
		if len(out) > 0 {
			return &attr{text: p.text(i, i+n), cands: out}, n
		}
	}
	return nil, 0
}

// numericCandidates keeps the candidates that the function can be taken of, and
// all of them when there is none.
func numericCandidates(a *attr, fn string) bool {
	var keep []attrCand
	for _, c := range a.cands {
		switch {
		case (fn == "sum" || fn == "avg") && c.c.isNumber() && !c.c.isID():
		case (fn == "max" || fn == "min") && (c.c.isNumber() && !c.c.isID() || c.c.isDate()):
		default:
			continue
		}
		keep = append(keep, c)
	}
	if len(keep) == 0 {
		return false
	}
	a.cands = keep
	return true
}

func (p *parser) bucketAdjective() string {
	switch {
	case p.any("monthly"):
		return "month"
	case p.any("daily"):
		return "day"
	case p.any("weekly"):
		return "week"
	case p.any("quarterly"):
		return "quarter"
	case p.any("yearly", "annual"):
		return "year"
	default:
		return ""
	}
}

// ratio reads "ratio of A to B", "percentage of A that …", "share of total A".
func (p *parser) ratio() *item {
	m := p.mark()
	save := p.i
	back := func() *item {
		p.reset(m)
		return nil
	}
	pct := false
	switch {
	case p.any("ratio of", "ratio between"):
	case p.any("percentage of", "percent of", "percentage share of"):
		pct = true
	case p.any("share of", "proportion of", "fraction of"):
		if p.any("total", "the total", "overall", "the overall") {
			return p.share(true, back)
		}
	default:
		return back()
	}
	if pct && p.any("total", "the total", "overall", "the overall") {
		return p.share(true, back)
	}
	a := p.part()
	if a == nil {
		return back()
	}
	if p.any("to", "and", "out of", "per", "over", "relative to", "compared to") {
		b := p.part()
		if b == nil {
			return back()
		}
		return &item{kind: itemRatio, m: a, by: b, pct: pct, text: p.text(save, p.i)}
	}
	if a.ent == nil || len(a.conds) == 0 {
		return back()
	}
	return &item{kind: itemFilter, m: a, pct: pct, text: p.text(save, p.i)}
}

// share reads what the total is of: "share of total revenue".
func (p *parser) share(pct bool, back func() *item) *item {
	start := p.i
	if p.any("number of", "count of") {
		n := p.np()
		if n == nil || n.ent == nil {
			return back()
		}
		it := p.countItem(n, false)
		return &item{kind: itemShare, m: it.m, pct: pct, text: "share of " + it.text}
	}
	n := p.np()
	if n == nil {
		return back()
	}
	if n.ent != nil && rival(n) != nil {
		n.ent = nil
	}
	if n.ent == nil && n.attr != nil && numericCandidates(n.attr, "sum") {
		return &item{kind: itemShare, m: &measure{fn: "sum", attr: n.attr, text: "total " + n.text}, pct: pct, text: p.text(start, p.i)}
	}
	if n.ent == nil {
		return back()
	}
	it := p.countItem(n, false)
	return &item{kind: itemShare, m: it.m, pct: pct, text: "share of " + it.text}
}

// part reads one side of a ratio: a measure, or a counted entity with its own
// conditions.
func (p *parser) part() *measure {
	p.det()
	if it := p.measure(); it != nil {
		if it.m.ent != nil {
			p.ownConds(it.m)
		}
		return it.m
	}
	start := p.i
	n := p.np()
	if n == nil {
		return nil
	}
	if n.ent == nil {
		if !numericCandidates(n.attr, "sum") {
			return nil
		}
		m := &measure{fn: "sum", attr: n.attr, text: "total " + n.text}
		mark := p.i
		if p.any("of", "for", "in") {
			p.det()
			if c := p.valueList(nil); c != nil {
				p.ownNoun(c)
				m.conds = append(m.conds, c)
				return m
			}
			p.i = mark
		}
		return m
	}
	m := &measure{fn: "count", ent: n.ent}
	p.push(n.ent)
	p.ownConds(m)
	m.text = "number of " + p.text(start, p.i)
	return m
}

// ownNoun takes the kind of thing after its name: "Rhine river".
func (p *parser) ownNoun(c *cond) {
	e, n := p.entityAt(p.i)
	if e == nil {
		return
	}
	for _, v := range c.values {
		if v.c.t == e.t {
			p.i += n
			return
		}
	}
}

// ownConds moves the conditions that stand with a counted entity to its
// measure. Places and dates after the last part are about all parts and stay.
func (p *parser) ownConds(m *measure) {
	e := m.ent
	for {
		save := p.i
		if p.any("with", "having", "that have", "that has", "who have", "which have", "that are", "who are", "which are", "that", "who", "which", "whose") && p.clause(e, p.at(p.i-1).low) {
			continue
		}
		p.i = save
		if p.verbs() && !p.peek("out") && (p.predicate(e) || p.place(e)) {
			continue
		}
		p.i = save
		break
	}
	m.conds = append(m.conds, e.conds...)
	e.conds = nil
}
