package planner

import (
	"sort"
	"strings"
	"unicode"

	"github.com/sparkwright/sparkwright"
)

// expand replaces terms of the user's glossary by what they stand for.
func expand(toks []token, instructions string) []token {
	if instructions == "" {
		return toks
	}
	var out []token
	for _, t := range toks {
		def := ""
		if t.kind == tokWord && len(t.text) > 1 && t.text == strings.ToUpper(t.text) && !strings.Contains(t.text, ".") {
			def = definition(t.text, instructions)
		}
		if def == "" {
			out = append(out, t)
			continue
		}
		out = append(out, tokenize(strings.ToLower(def[:1])+def[1:])...)
	}
	return out
}

// definition finds "TERM = words" in a glossary. Formulas are not words.
func definition(term, glossary string) string {
	for rest := glossary; ; {
		i := strings.Index(rest, term)
		if i < 0 {
			return ""
		}
		before, after := rest[:i], strings.TrimLeft(rest[i+len(term):], " ")
		rest = rest[i+len(term):]
		if !strings.HasPrefix(after, "=") || before != "" && !strings.ContainsAny(before[len(before)-1:], " \n.;,") {
			continue
		}
		def := after[1:]
		if j := strings.IndexAny(def, "\n.;"); j >= 0 {
			def = def[:j]
		}
		def = strings.TrimSpace(def)
		if def == "" || strings.ContainsAny(def, "=+/*()") {
			return ""
		}
		return def
	}
}

// explain tells which words could not be placed.
func (s *schema) explain(p *parser) *unread {
	var words []string
	known := false
	for i := 0; i < len(p.t); i++ {
		t := p.t[i]
		if _, n := p.valueAt(i); n > 1 {
			known = true
			i += n - 1
			continue
		}
		if t.kind == tokSymbol || t.kind == tokNumber || t.kind == tokDate || functionWord(t.low) || grammarWord(t.low) {
			continue
		}
		if _, n := p.entityAt(i); n > 0 {
			known = true
			i += n - 1
			continue
		}
		if _, n := p.attrAt(i); n > 0 {
			known = true
			i += n - 1
			continue
		}
		if _, n := p.valueAt(i); n > 0 {
			known = true
			i += n - 1
			continue
		}
		if s.relationVerb(t.stem) || monthOf(t.low) > 0 || unitOf(t.low) != "" {
			continue
		}
		if !contains(words, t.text) {
			words = append(words, t.text)
		}
	}
	u := &unread{words: words}
	switch {
	case len(words) > 0 && !known:
		u.refusal = refuse(sparkwright.DeclineUnanswerable, "Nothing in the selected tables matches %s.", list(words))
	case len(words) > 0:
		u.refusal = refuse(sparkwright.DeclineNotUnderstood, "The selected tables have nothing for %s.", list(words))
	default:
		at := ""
		if p.far < len(p.t) {
			at = p.text(p.far, min(p.far+4, len(p.t)))
		}
		u.refusal = refuse(sparkwright.DeclineNotUnderstood, "The words are known, but not how they belong together.")
		if at != "" {
			u.words = []string{at}
			u.refusal = refuse(sparkwright.DeclineNotUnderstood, "The words are known, but not how they belong together from %q on.", at)
		}
	}
	return u
}

func list(words []string) string {
	q := make([]string, 0, len(words))
	for i, w := range words {
		if i == 6 {
			q = append(q, "…")
			break
		}
		q = append(q, "\""+w+"\"")
	}
	return strings.Join(q, ", ")
}

func grammarWord(low string) bool {
	return keyword(low) || gradableWord(low) || oneOf(low, `please many much can could you tell find display give return get compute calculate identify named called without
having contains contain containing starts start starting ends end ending begins beginning equal equals exactly least most
greater larger higher lower smaller fewer ascending descending ordered order sorted sort grouped group split broken down
since until during excluding including inclusive current previous this today yesterday only but so far ever never
yes zero none missing empty null known any some every other respectively results result database data set both either
first second third fourth quarter average overall different individual ratio proportion fraction`)
}

func gradableWord(low string) bool {
	_, _, ok := gradable(low)
	return ok
}

// decline makes the reply for a question that is not answered.
func (s *schema) decline(question string, why *unread) *sparkwright.Declined {
	d := &sparkwright.Declined{
		Reason:   why.reason,
		Message:  why.message + " " + configureModel,
		Unplaced: why.words,
		Choices:  why.choices,
	}
	d.Near = s.nearest(why.words, question)
	d.Could = s.could(question)
	return d
}

// nearest are the tables and columns whose names are closest to the words.
func (s *schema) nearest(words []string, question string) []string {
	type scored struct {
		name string
		n    float64
	}
	var all []scored
	stems := map[string]bool{}
	for _, t := range tokenize(question) {
		if t.kind == tokWord && !functionWord(t.low) && !grammarWord(t.low) {
			stems[t.stem] = true
		}
	}
	rate := func(names []string) float64 {
		best := 0.0
		for _, n := range names {
			if stems[n] {
				best = max(best, 0.95)
			}
			for _, w := range words {
				best = max(best, likeness(stemOf(w), n))
			}
		}
		return best
	}
	for _, t := range s.tables {
		all = append(all, scored{t.view, rate(t.words)})
		for _, c := range t.cols {
			all = append(all, scored{qualified(c), rate(c.core) - 0.01})
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].n > all[j].n })
	var out []string
	for _, x := range all {
		if len(out) == 5 || x.n < 0.55 && len(out) > 0 {
			break
		}
		if x.n < 0.55 {
			break
		}
		out = append(out, x.name)
	}
	if len(out) == 0 {
		for i, t := range s.tables {
			if i == 5 {
				break
			}
			out = append(out, t.view)
		}
	}
	return out
}

// likeness of two words by the pairs of letters that they share, 0 to 1.
func likeness(a, b string) float64 {
	if a == b {
		return 1
	}
	if len(a) < 2 || len(b) < 2 {
		return 0
	}
	pairs := map[string]int{}
	for i := 0; i+2 <= len(a); i++ {
		pairs[a[i:i+2]]++
	}
	hit := 0
	for i := 0; i+2 <= len(b); i++ {
		if pairs[b[i:i+2]] > 0 {
			pairs[b[i:i+2]]--
			hit++
		}
	}
	return 2 * float64(hit) / float64(len(a)+len(b)-2)
}

// could proposes two questions that the planner answers; each is tried.
func (s *schema) could(question string) []string {
	stems := map[string]bool{}
	for _, t := range tokenize(question) {
		if t.kind == tokWord && !functionWord(t.low) {
			stems[t.stem] = true
		}
	}
	tables := append([]*table(nil), s.tables...)
	rank := func(t *table) int {
		n := 0
		for _, w := range t.words {
			if stems[w] {
				n += 10
			}
		}
		for _, c := range t.cols {
			for _, w := range c.core {
				if stems[w] {
					n++
				}
			}
		}
		return n
	}
	sort.SliceStable(tables, func(i, j int) bool { return rank(tables[i]) > rank(tables[j]) })
	var out []string
	try := func(q string) bool {
		if len(out) == 2 || contains(out, q) || strings.EqualFold(q, question) {
			return len(out) == 2
		}
		if a, why := s.alone(q, ""); why == nil && a != nil {
			out = append(out, q)
		}
		return len(out) == 2
	}
	for _, t := range tables {
		name := t.human()
		if c := category(t); c != nil && try("How many "+name+" are there for each "+c.human()+"?") {
			return out
		}
		for _, c := range t.cols {
			if c.isNumber() && !c.isID() {
				if try("What is the average " + c.human() + " of " + name + "?") {
					return out
				}
				break
			}
		}
		for _, c := range t.cols {
			if c.isDate() && !isAudit(c) && months(c) {
				if try("How many " + name + " are there per month?") {
					return out
				}
				break
			}
		}
	}
	for _, t := range tables {
		if try("How many " + t.human() + " are there?") {
			return out
		}
	}
	return out
}

// unjoined is a table that instructions say to join and a reading leaves out;
// "" = there is none. What instructions say of joins is prose that is not
// read, but a name with an underscore is no word of prose.
func (s *schema) unjoined(r *reading, instructions string) string {
	for sentence := range strings.FieldsFuncSeq(instructions, func(c rune) bool { return c == '.' || c == ';' || c == '\n' }) {
		words := map[string]bool{}
		for w := range strings.FieldsFuncSeq(strings.ToLower(sentence), func(c rune) bool { return c != '_' && !unicode.IsLetter(c) && !unicode.IsDigit(c) }) {
			words[w] = true
		}
		if !words["join"] && !words["joined"] {
			continue
		}
		for _, t := range s.tables {
			if name := strings.ToLower(t.src.Name); strings.Contains(name, "_") && words[name] && !contains(r.views, t.view) {
				return t.src.Name
			}
		}
	}
	return ""
}
