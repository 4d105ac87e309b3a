package planner

import "strings"

// mods reads everything after what is asked for, to the end of the sentence.
func (p *parser) mods() bool {
	for !p.ended() {
		if p.mod() {
			continue
		}
		p.fail(p.i)
		return false
	}
	return true
}

// mod reads one modifier; false leaves the position alone.
func (p *parser) mod() bool {
	m := p.mark()
	tries := []func() bool{
		func() bool { return p.noise() },
		func() bool { return p.ordering() },
		func() bool { return p.grouping() },
		func() bool { return p.topOf() },
		func() bool { return p.superlative() },
		func() bool { return p.orCond() },
		func() bool { return p.andItem() },
		func() bool { return p.verbs() },
	}
	for _, try := range tries {
		if try() {
			return true
		}
		p.reset(m)
	}
	if (p.words(",") || p.words("and") || p.words("but")) && !p.ended() {
		p.any("and")
		t := p.cur()
		if p.base > 0 && p.base <= len(p.q.context) && (p.s.relationVerb(t.stem) && participle(t.low) || oneOf(t.low, "that who which have has are is was were")) {
			// a second clause is about the same thing as the first
			p.q.context = p.q.context[:p.base]
		}
		if p.mod() {
			return true
		}
	}
	return p.reset(m)
}

// noise steps over words that add nothing.
func (p *parser) noise() bool {
	if p.words("in") {
		n := len(p.q.notes)
		if p.units(); len(p.q.notes) > n {
			return true
		}
		p.i--
	}
	if p.howTo() {
		return true
	}
	return p.any("in the database", "in our database", "in the data", "in the dataset", "in total", "overall", "there", "respectively",
		"on record", "in the system", "we have", "do we have", "are there", "is there", "please", "as well", "(", ")", "in each case", "altogether", "currently recorded")
}

// howTo steps over a hint on how to compute the answer: "by joining the A and
// B tables". Joins follow from the tables that are named.
func (p *parser) howTo() bool {
	save := p.i
	p.any(",")
	if !p.any("based on joining", "by joining", "by doing a left join", "by doing a join", "by doing an inner join", "using a left join", "using a join") {
		p.i = save
		return false
	}
	n := 0
	for !p.ended() {
		if p.any("from", "to", "the", "and", ",", "with", "between", "of", "table", "tables", "on") {
			continue
		}
		_, k := p.entityAt(p.i)
		if k == 0 {
			p.i = save
			return false
		}
		p.i += k
		n++
	}
	return n > 0
}

// topOf reads "of the top 3 X …" after the property that is asked for.
func (p *parser) topOf() bool {
	m := p.mark()
	if !p.any("of", "for", "in") || p.q.limit > 0 || len(p.q.items) == 0 {
		return p.reset(m)
	}
	p.det()
	head := p.q.head
	it := p.topN()
	if it == nil || p.q.limit == 0 {
		return p.reset(m)
	}
	p.q.head = head
	if it.kind == itemAttr || p.hasMeasure() {
		p.q.dims = append(p.q.dims, it)
		if len(p.q.order) == 0 {
			for _, x := range p.q.items {
				if x.m != nil {
					p.q.order = append(p.q.order, &ordering{it: x, desc: !contains(p.q.notes, "bottom")})
				}
			}
		}
	}
	return true
}

// verbs steps over auxiliaries and over verbs that only tie two things
// together. A verb that names a date column is remembered for the date.
func (p *parser) verbs() bool {
	t := p.cur()
	if t.kind != tokWord {
		return false
	}
	if oneOf(t.low, "is are was were be been being do does did has have had that who which they he she") {
		p.i++
		return !p.ended() || len(p.q.dims) > 0
	}
	if oneOf(t.low, "flow flows run runs go goes pass passes") && oneOf(p.at(p.i+1).low, "through across") {
		p.i += 2
		return !p.ended()
	}
	dated := false
	for _, e := range p.q.context {
		for _, c := range e.t.cols {
			dated = dated || c.isDate() && saysVerb(c, t.stem)
		}
	}
	if dated {
		save := p.i
		p.i++
		if p.date() != nil || p.unitAhead(save+1) {
			p.i = save + 1
			p.verb = t.stem
			return true
		}
		p.i = save
	}
	if dated && participle(t.low) && p.at(p.i+1).low == "by" && p.i > 0 {
		p.base, p.agt = len(p.q.context), true // "opened by": who did it
		p.i++
		return true
	}
	named := false
	for _, tb := range p.s.tables {
		named = named || len(tb.words) == 1 && tb.words[0] == t.stem
	}
	if _, n := p.entityAt(p.i); n > 0 && !participle(t.low) {
		return false
	}
	if a, n := p.attrAt(p.i); n > 0 && strings.HasSuffix(t.low, "ing") && a.cands[0].score > 0.9 {
		return false
	}
	if (p.s.relationVerb(t.stem) || named && participle(t.low)) && p.i > 0 {
		p.base = len(p.q.context)
		p.agt = participle(t.low)
		p.i++
		if participle(t.low) && !oneOf(t.stem, placeVerbs) {
			save := p.i
			if p.date() != nil || p.unitAhead(save) {
				p.verb = t.stem
			}
			p.i = save
		}
		if p.ended() && !oneOf(t.stem, stemList("make have exist place associate")) && len(p.q.dims) == 0 {
			p.i--
			return false
		}
		if p.i < len(p.t) && oneOf(p.cur().low, "with to") && oneOf(t.stem, stemList("associate relate link connect belong assign attach correspond")) && !p.ended() {
			if oneOf(p.at(p.i+1).low, "them it") {
				p.i += 2
			}
		}
		return true
	}
	return false
}

// placeVerbs say no more of a date than that something happened then.
var placeVerbs = stemList("make place exist occur happen record list produce have do go come give get take use find submit")

// unitAhead reports whether "in each year" or the like begins at token i.
func (p *parser) unitAhead(i int) bool {
	if !oneOf(p.at(i).low, "in per by each during every for") {
		return false
	}
	for k := i; k < i+3; k++ {
		if unitOf(p.at(k).low) != "" {
			return true
		}
	}
	return false
}

func participle(low string) bool {
	return strings.HasSuffix(low, "ed") || strings.HasSuffix(low, "en") || oneOf(low, "sold bought paid made sent spent held wrote") || strings.HasSuffix(low, "ing")
}

// grouping reads "for each X", "by X and Y", "per X", "grouped by X".
func (p *parser) grouping() bool {
	save := p.i
	switch {
	case p.any("for each", "in each", "by each", "per each", "within each", "of each", "from each", "at each", "to each", "on each", "for every", "in every", "of every", "across each",
		"through each", "across all", "across", "over each", "each", "for each individual", "during each"):
		if p.at(p.i-1).low == "across" || p.at(p.i-1).low == "all" {
			p.any("different")
		}
	case p.any("grouped by", "group by", "broken down by", "split by", "divided by", "segmented by", "aggregated by", "differ by", "differs by", "per", "over the"):
		if p.at(p.i-1).low == "the" && !oneOf(p.cur().low, "years months quarters weeks days") {
			p.i = save
			return false
		}
	case p.agt && p.peek("by"):
		return false
	case p.any("by"):
		if len(p.q.items) == 0 || !p.hasMeasure() && !p.q.countable() {
			p.i = save
			return false
		}
	default:
		return false
	}
	p.agt = false
	got := false
	for {
		mark := p.i
		p.det()
		p.any("each", "every", "different")
		d := p.dimension()
		if d == nil {
			if got {
				p.i = mark - 1
				if p.at(mark-2).low == "," {
					p.i = mark - 2
				}
				return true
			}
			p.i = save
			return false
		}
		if _, n := p.valueAt(p.i); n > 0 || p.cur().kind == tokQuoted {
			p.i = save // "by author X" names one of them
			return false
		}
		p.q.dims = append(p.q.dims, d)
		got = true
		if p.peek(",") {
			m := p.mark()
			p.i++
			p.any("and")
			if p.orderingAhead() {
				p.reset(m)
				return true
			}
			continue
		}
		if p.any("and", "and by", "and per") {
			p.any("by", "per", "for each", "each")
			continue
		}
		return true
	}
}

func (p *parser) hasMeasure() bool {
	for _, it := range p.q.items {
		if it.kind != itemAttr && it.kind != itemEntity {
			return true
		}
	}
	return false
}

// dimension reads what to group by.
func (p *parser) dimension() *item {
	if u := unitOf(p.cur().low); u != "" {
		// a column of that name counts more than the calendar
		if a, n := p.attrAt(p.i); n == 1 && a.cands[0].score >= 1 {
			p.i++
			return &item{kind: itemAttr, attr: a, node: &node{attr: a, text: a.text}, unit: u, verb: p.verb, text: a.text}
		}
		p.i++
		return &item{kind: itemBucket, unit: u, text: u, verb: p.verb}
	}
	if a, n := p.attrAt(p.i); a != nil && n > 1 && unitOf(p.t[p.i+n-1].low) == "" && a.cands[0].score >= 0.85 {
		p.i += n
		return &item{kind: itemAttr, attr: a, node: &node{attr: a, text: a.text}, text: a.text}
	}
	n := p.np()
	if n == nil {
		return nil
	}
	it := &item{kind: itemAttr, attr: n.attr, node: n, text: n.text}
	if n.ent != nil {
		it.kind, it.ent = itemEntity, n.ent
		n.ent.parent = p.focus()
	}
	if u := unitOf(p.cur().low); u != "" && it.attr != nil && len(it.attr.cands) > 0 && it.attr.cands[0].c.isDate() {
		p.i++
		return &item{kind: itemBucket, unit: u, attr: it.attr, text: u}
	}
	return it
}
