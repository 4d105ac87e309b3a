package planner

import (
	"strings"
)

// parser reads tokens into a query by recursive descent. Every alternative
// either consumes tokens it fully understands or leaves the position alone.
type parser struct {
	s    *schema
	t    []token
	i    int
	far  int // the furthest token that was reached: what stands there was not understood
	q    *query
	verb string // stem of the last verb, until something else is read
	agt  bool   // the last verb was a participle: "by" names who did it
	base int    // entities known when the last clause began
	noun int    // where the last noun ended: what stands before is no verb
}

func (p *parser) at(k int) token {
	if k < len(p.t) && k >= 0 {
		return p.t[k]
	}
	return token{kind: tokSymbol}
}

func (p *parser) cur() token { return p.at(p.i) }

func (p *parser) text(i, j int) string {
	var b strings.Builder
	for k := i; k < j; k++ {
		if k > i && p.t[k].kind != tokSymbol {
			b.WriteByte(' ')
		}
		b.WriteString(p.t[k].text)
	}
	return b.String()
}

// words consumes the words if they come next; alternatives by "|".
func (p *parser) words(seq ...string) bool {
	k := p.i
	for _, w := range seq {
		if k >= len(p.t) || p.t[k].kind == tokQuoted || !oneOf(p.t[k].low, strings.ReplaceAll(w, "|", " ")) {
			return false
		}
		k++
	}
	p.i = k
	return true
}

// any consumes the first of the phrases that comes next.
func (p *parser) any(phrases ...string) bool {
	for _, ph := range phrases {
		if p.words(strings.Fields(ph)...) {
			return true
		}
	}
	return false
}

func (p *parser) peek(seq ...string) bool {
	save := p.i
	ok := p.words(seq...)
	p.i = save
	return ok
}

func (p *parser) det() {
	for p.any("the", "a", "an", "all", "any", "our", "my", "their", "his", "her", "its", "each individual", "these", "those", "of the", "corresponding", "respective", "overall", "both", "existing") {
	}
}

func (p *parser) fail(k int) {
	if k > p.far {
		p.far = k
	}
}

// ended reports whether the sentence is over and steps over its sign.
func (p *parser) ended() bool {
	return p.i >= len(p.t) || p.cur().kind == tokSymbol && oneOf(p.cur().low, ". ? ; !")
}

// parse reads all sentences; ok when every token was understood.
func (p *parser) parse() bool {
	p.q = &query{}
	if !p.sentence() {
		return false
	}
	for p.i < len(p.t) {
		if p.ended() {
			p.i++
			continue
		}
		if !p.follow() {
			p.fail(p.i)
			return false
		}
	}
	return true
}

func (p *parser) sentence() bool {
	p.any("please", "hi", "hello", "hey")
	p.any("can you", "could you", "would you", "i want to", "i would like to", "i 'd like to", "i need to", "let me", "help me")
	p.any("please")
	for p.prefix() {
	}
	if !p.lead() {
		p.fail(p.i)
		return false
	}
	return p.mods()
}

// prefix reads what stands before the question proper: "for each region,",
// "in 2024,", "by month,".
func (p *parser) prefix() bool {
	m := p.mark()
	if r := p.date(); r != nil && p.words(",") {
		p.q.conds = append(p.q.conds, &cond{kind: condDate, rng: r, text: r.text})
		return true
	}
	p.reset(m)
	if p.grouping() && p.words(",") {
		p.q.each = true
		return true
	}
	return p.reset(m)
}

// focus is the entity that the next modifier is about.
func (p *parser) focus() *entity {
	if n := len(p.q.context); n > 0 {
		return p.q.context[n-1]
	}
	return nil
}

func (p *parser) push(e *entity) {
	if e != nil {
		if f := p.focus(); f != e && e.parent == nil {
			e.parent = f
		}
		p.q.context = append(p.q.context, e)
	}
}

// lead reads the opening of the question and what is asked for.
func (p *parser) lead() bool {
	if p.any("how many") {
		return p.count()
	}
	if p.any("how much") {
		p.det()
		if a, n := p.attrAt(p.i); a != nil {
			p.i += n
			p.q.items = append(p.q.items, &item{kind: itemMeasure, m: &measure{fn: "sum", attr: a, text: "total " + a.text}})
			return true
		}
		return false
	}
	shown := p.any("show me", "give me", "tell me", "show", "list", "return", "get", "find", "display", "give", "compute", "calculate", "fetch", "retrieve", "provide", "select", "name", "identify", "report", "count")
	if shown && p.at(p.i-1).low == "count" {
		return p.count()
	}
	p.q.shown = shown
	if shown {
		p.any("me")
		p.any("out", "up")
		if p.any("how many") {
			return p.count()
		}
	}
	if p.any("what 's", "what is", "what are", "what was", "what were", "who is", "who are", "who was", "who were", "which is", "which are", "which was", "which were") {
		p.any("there")
	} else if p.any("which", "what", "who", "whose") {
		p.q.wh = true
		p.any("of the", "of our")
	} else if p.any("are there any", "is there any") {
		return false
	}
	if strings.HasSuffix(p.at(p.i-1).low, "what") && p.at(p.i-1).poss {
		p.det()
	}
	if p.q.wh && p.at(p.i-1).low == "who" {
		return false
	}
	return p.items()
}

// count reads what is counted.
func (p *parser) count() bool {
	p.any("of")
	dist := p.any("distinct", "unique", "different", "individual")
	p.det()
	n := p.np()
	if n == nil {
		return false
	}
	p.q.items = append(p.q.items, p.countItem(n, dist))
	for p.i < len(p.t) && (p.words("and") || p.words(",")) {
		save := p.i
		if p.any("how many") {
			p.det()
			if m := p.np(); m != nil {
				p.q.items = append(p.q.items, p.countItem(m, false))
				continue
			}
		}
		p.i = save - 1
		break
	}
	return true
}

func (p *parser) countItem(n *node, dist bool) *item {
	m := &measure{fn: "count", dist: dist, text: n.text}
	switch {
	case n.ent != nil:
		m.ent, m.rival = n.ent, rival(n)
		p.push(n.ent)
	default:
		m.attr, m.dist = n.attr, true
		if c := n.attr.cands[0].c; c.isNumber() && !c.isID() && !dist {
			m.fn = "" // pages are not counted one by one
		}
	}
	return &item{kind: itemMeasure, m: m, text: "number of " + n.text}
}

// rival is a column that holds numbers of what its table is named for, as
// visits.visits: it may be what a count means.
func rival(n *node) *column {
	if n.attr == nil {
		return nil
	}
	c := n.attr.cands[0].c
	if c.t == n.ent.t && sameWords(c.words, c.t.words) && c.isNumber() && !c.isID() {
		return c
	}
	return nil
}

// items reads the list of things asked for.
func (p *parser) items() bool {
	p.det()
	if pair := p.pairOfMeasures(); pair != nil {
		p.q.items = append(p.q.items, pair...)
	} else if first := p.item(); first != nil {
		p.q.items = append(p.q.items, first)
	} else {
		return false
	}
	for {
		m := p.mark()
		comma := p.words(",")
		and := p.words("and")
		if !comma && !and {
			return true
		}
		p.any("also", "as well as")
		it := p.item()
		if it == nil || !p.listable(it) {
			p.reset(m)
			return true
		}
		p.q.items = append(p.q.items, it)
	}
}

// listable keeps a noun that begins another clause from being taken as one
// more thing to show.
func (p *parser) listable(it *item) bool {
	if it.kind == itemEntity && it.node != nil && it.node.attr == nil {
		return p.ended() || p.peek("of|with|in|for|by|,|and|from")
	}
	return true
}

// item reads one thing to show.
func (p *parser) item() *item {
	p.det()
	if it := p.ratio(); it != nil {
		return it
	}
	if it := p.topN(); it != nil {
		return it
	}
	if it := p.measure(); it != nil {
		return it
	}
	if it := p.superlativeHead(); it != nil {
		return it
	}
	if u := unitOf(p.cur().low); u != "" && p.q.wh && len(p.q.items) == 0 {
		if a, _ := p.attrAt(p.i); a == nil || a.cands[0].score < 1 {
			p.i++
			p.q.head = &node{text: u, plural: strings.HasSuffix(p.at(p.i-1).low, "s")}
			return &item{kind: itemBucket, unit: u, text: u}
		}
	}
	dist := p.any("distinct list of", "list of distinct", "list of unique", "unique list of", "distinct", "unique", "different")
	if dist {
		p.q.distinct = true
		p.det()
	} else {
		p.any("full list of", "complete list of", "list of", "details of", "set of", "combinations of", "combination of")
		p.det()
	}
	n := p.np()
	if n == nil {
		return nil
	}
	if n.ent == nil && n.attr.cands[0].explicit && p.peek("who|that|which|with|whose|having|without|where") {
		n.attr.near = &entity{t: n.attr.cands[0].c.t, text: n.attr.cands[0].c.t.human()}
	}
	return figure(p.nodeItem(n))
}

func (p *parser) nodeItem(n *node) *item {
	if n.ent != nil {
		p.push(n.ent)
		if p.q.head == nil {
			p.q.head = n
		}
		return &item{kind: itemEntity, ent: n.ent, node: n, text: n.text}
	}
	if n.attr.near != nil {
		p.push(n.attr.near)
	}
	if p.q.head == nil {
		p.q.head = n
	}
	return &item{kind: itemAttr, attr: n.attr, node: n, text: n.text}
}
