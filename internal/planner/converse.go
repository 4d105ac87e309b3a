package planner

import (
	"slices"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// A conversation is read into one query: its first question, changed by every
// follow-up. A follow-up adds conditions, replaces or adds what is grouped by,
// changes the limit or the order. Like a question it must be understood whole.

// converse reads a question that may follow up earlier ones.
func (s *schema) converse(question, instructions string, previous *sparkwright.Previous) (*reading, *unread) {
	if previous == nil || len(previous.Questions) == 0 {
		return s.alone(question, instructions)
	}
	if refersBack(tokenize(question)) {
		if r, why := s.followed(question, instructions, previous.Questions); why == nil || why.reason == sparkwright.DeclineAmbiguous {
			return r, why
		}
	}
	r, why := s.alone(question, instructions)
	if why == nil {
		return r, nil
	}
	merged, mergedWhy := s.followed(question, instructions, previous.Questions)
	if mergedWhy == nil || mergedWhy.reason == sparkwright.DeclineAmbiguous {
		return merged, mergedWhy
	}
	return nil, why
}

// alone reads a question that refers to no other.
func (s *schema) alone(question, instructions string) (*reading, *unread) {
	p, ok := s.read(question, instructions)
	if !ok {
		return nil, s.explain(p)
	}
	r, err := s.finish(p)
	if err != nil {
		return nil, asUnread(err)
	}
	if t := s.unjoined(r, instructions); t != "" {
		return nil, &unread{refusal: refuse(sparkwright.DeclineNotUnderstood, "The instructions join %s, and the question was read without it.", t)}
	}
	return r, nil
}

// followed reads a question as a change of the ones before it.
func (s *schema) followed(question, instructions string, earlier []string) (*reading, *unread) {
	p := s.fold(earlier, instructions)
	if p == nil {
		return nil, &unread{refusal: refuse(sparkwright.DeclineNotUnderstood, "The built-in planner cannot read the question that this one refers to.")}
	}
	if why := p.change(s.reword(expand(tokenize(question), instructions))); why != nil {
		return nil, &unread{refusal: why}
	}
	r, err := s.finish(p)
	if err != nil {
		return nil, asUnread(err)
	}
	r.plan.assume = append(r.plan.assume, "The question is read as a change of the one before it: \""+strings.TrimSpace(earlier[len(earlier)-1])+"\".")
	return r, nil
}

// fold reads the earlier questions into one query; nil when the last of them
// cannot be read.
func (s *schema) fold(earlier []string, instructions string) *parser {
	var chain []string // a question that stands alone, and its changes
	for _, text := range earlier {
		longer := append(slices.Clip(chain), text)
		switch {
		case s.readable(text) != nil:
			chain = nil
		case len(chain) > 0 && refersBack(tokenize(text)) && s.build(longer, instructions) != nil:
			chain = longer
		case s.standsAlone(text, instructions):
			chain = []string{text}
		case len(chain) > 0 && s.build(longer, instructions) != nil:
			chain = longer
		default:
			chain = nil
		}
	}
	if len(chain) == 0 {
		return nil
	}
	return s.build(chain, instructions)
}

func (s *schema) standsAlone(text, instructions string) bool {
	_, why := s.alone(text, instructions)
	return why == nil
}

// build reads a question and its changes; nil when one is not understood.
func (s *schema) build(chain []string, instructions string) *parser {
	p, ok := s.read(chain[0], instructions)
	if !ok {
		return nil
	}
	for _, text := range chain[1:] {
		if p.change(s.reword(expand(tokenize(text), instructions))) != nil {
			return nil
		}
	}
	return p
}

// refersBack reports whether a question begins or ends as only a follow-up
// does.
func refersBack(t []token) bool {
	if len(t) == 0 {
		return false
	}
	if oneOf(t[0].low, "only just and but also same now then instead") {
		return true
	}
	if len(t) > 1 && oneOf(t[0].low, "what how") && t[1].low == "about" {
		return true
	}
	for i, tk := range t {
		if tk.low == "instead" || tk.low == "ones" && i > 0 && oneOf(t[i-1].low, "the those these only") {
			return true
		}
	}
	return false
}

// how a follow-up treats what was there before.
type how int

const (
	howUnsaid how = iota
	howAdd        // "and", "also"
	howReplace
)

// change reads a follow-up into the query that was read before. It returns why
// it could not.
func (p *parser) change(tokens []token) *refusal {
	p.s.mention(tokens)
	p.t, p.i, p.far, p.verb, p.agt, p.base = tokens, 0, 0, "", false, 0
	if len(p.q.context) > 1 { // what the whole question is about
		p.q.context = p.q.context[:1]
	}
	mode := p.opening()
	for _, t := range tokens {
		if oneOf(t.low, "instead rather") {
			mode = howReplace
		}
	}
	changed := false
	for p.i < len(p.t) {
		if p.ended() {
			p.i++
			continue
		}
		if p.any("instead", "rather", "please", "too", "as well", "now", "only", "ones", ",", "then") {
			continue
		}
		ok, why := p.oneChange(mode)
		if why != nil {
			return why
		}
		if !ok {
			return refuse(sparkwright.DeclineNotUnderstood, "It is not clear how %q changes the question before it.", p.text(min(p.far, len(p.t)-1), len(p.t)))
		}
		changed = true
	}
	if !changed {
		return refuse(sparkwright.DeclineNotUnderstood, "It is not clear what is to be changed.")
	}
	return nil
}

// opening steps over the words that lead a follow-up in.
func (p *parser) opening() how {
	mode := howUnsaid
	for {
		switch {
		case p.any("and what about", "and how about", "what about", "how about", "make it", "make that", "change it to", "change that to", "the same but", "same but", "same thing but", "the same", "same"):
			mode = howReplace
			p.any("but", "only", "for the ones", "just", "question", "thing", "again")
		case p.any("and also", "and", "also", "additionally"):
			mode = howAdd
		case p.any("only the ones", "just the ones", "only those", "just those", "only show the ones", "show only the ones", "the ones", "those", "only show", "show only", "show me only",
			"only", "just", "limit it to", "limit that to", "restrict it to", "restrict that to", "filter it to", "filter to", "narrow it down to", "keep only", "keep"):
		case p.any("break it down", "break that down", "split it", "split that", "group it", "group them", "show it", "show them", "show that", "do it", "give it to me", "give me that", "i want it", "i want",
			"can you", "could you", "please", "now", "then", "ok", "okay", "so", "but", "yes", "no", "show me", "show", "give me", "it", "them"):
		case p.words(","):
		default:
			return mode
		}
	}
}

// oneChange reads one change. A refusal means that it was read, and can be
// meant in two ways or in none.
func (p *parser) oneChange(mode how) (bool, *refusal) {
	m := p.mark()
	if p.limitChange() {
		return true, nil
	}
	p.reset(m)
	if ok, why := p.groupChange(mode); ok || why != nil {
		return ok, why
	}
	p.reset(m)
	if p.ordering() {
		return true, nil
	}
	p.reset(m)
	if p.condChange() {
		return true, nil
	}
	p.reset(m)
	if mode == howAdd && p.i > 0 && len(p.q.items) > 0 {
		// "and how many …", "and their …"
		save := p.i
		p.i--
		if p.andItem() {
			return true, nil
		}
		p.reset(m)
		p.i = save
	}
	return false, nil
}

// limitChange reads "the top 5", "10".
func (p *parser) limitChange() bool {
	p.det()
	bottom := false
	switch {
	case p.any("top", "first"):
	case p.any("bottom", "last"):
		bottom = true
	}
	said := p.i > 0 && oneOf(p.at(p.i-1).low, "top first bottom last")
	n := p.cur()
	if n.kind != tokNumber || n.num < 1 || n.num != float64(int(n.num)) || n.num > 1e6 {
		return false
	}
	p.i++
	p.any("of them", "of those", "of these", "rows", "results", "ones")
	if !p.ended() && !p.peek("instead|please|rather|,|and") || !said && p.q.limit == 0 {
		return false
	}
	if len(p.q.order) == 0 {
		// ranked by what was asked for
		if !p.hasMeasure() || len(p.q.dims) == 0 {
			return false
		}
		for _, it := range p.q.items {
			if it.kind != itemAttr && it.kind != itemEntity {
				p.q.order = append(p.q.order, &ordering{it: it, desc: !bottom})
				break
			}
		}
	} else if bottom {
		p.q.order[0].desc = !p.q.order[0].desc
	}
	p.q.limit, p.q.top, p.q.superl = int(n.num), true, false
	return true
}

// groupChange reads "per month", "by country".
func (p *parser) groupChange(mode how) (bool, *refusal) {
	before := len(p.q.dims)
	start := p.i
	if !p.grouping() {
		return false, nil
	}
	for _, it := range p.q.items {
		if it.kind == itemAttr || it.kind == itemEntity {
			return false, refuse(sparkwright.DeclineNotUnderstood, "The question before it lists rows; there is nothing to group.")
		}
	}
	old, added := p.q.dims[:before:before], p.q.dims[before:]
	var same []int // of the same kind as the new: calendar units, or properties
	for i, d := range old {
		if isBucket(d) == isBucket(added[0]) {
			same = append(same, i)
		}
	}
	switch {
	case before == 0 || mode == howAdd && len(same) == 0:
		return true, nil
	case isBucket(added[0]) && len(same) > 0, mode == howReplace:
	case mode == howAdd:
		return true, nil
	default:
		what := p.text(start, p.i)
		r := refuse(sparkwright.DeclineAmbiguous, "It is not clear whether %q is meant beside %q or in its place.", what, old[0].text)
		r.choices = []string{what + " instead", "and " + what}
		switch p.s.choose(r.choices) {
		case 0:
		case 1:
			return true, nil
		default:
			return false, r
		}
	}
	if len(same) == 0 {
		for i := range old {
			same = append(same, i)
		}
	}
	var dims []*item
	for i, d := range old {
		if !slices.Contains(same, i) {
			dims = append(dims, d)
			continue
		}
		if i == same[0] {
			dims = append(dims, added...)
		}
		p.dropOrder(d)
	}
	p.q.dims = dims
	return true, nil
}

func isBucket(it *item) bool { return it.kind == itemBucket || it.unit != "" }

// dropOrder forgets orders by what is no longer there.
func (p *parser) dropOrder(gone *item) {
	var keep []*ordering
	for _, o := range p.q.order {
		if !sameItem(o.it, gone) {
			keep = append(keep, o)
		}
	}
	p.q.order = keep
}
