package planner

import (
	"slices"
	"sort"
	"strings"
)

// phraseStems are the stems of tokens i..j, "the" left out and an "of"
// between two nouns turned round.
func (p *parser) phraseStems(i, j int) []string {
	var out []string
	for k := i; k < j; k++ {
		t := p.t[k]
		switch {
		case t.kind == tokQuoted && k == i && j == i+1:
			return stemsOf(nameWords(t.text))
		case t.kind == tokNumber && k > i && len(t.text) <= 2:
			out = append(out, t.low)
		case t.kind != tokWord:
			return nil
		case strings.ContainsAny(t.text, "_") || mixedCase(t.text):
			out = append(out, stemsOf(nameWords(t.text))...)
		case functionWord(t.low):
			return nil
		default:
			out = append(out, t.stem)
		}
	}
	return out
}

func mixedCase(s string) bool {
	for i := 1; i < len(s); i++ {
		if s[i] >= 'A' && s[i] <= 'Z' && s[i-1] >= 'a' && s[i-1] <= 'z' {
			return true
		}
	}
	return false
}

// attrAt finds the longest attribute that begins at token i.
func (p *parser) attrAt(i int) (*attr, int) {
	for n := min(6, len(p.t)-i); n >= 1; n-- {
		w := p.phraseStems(i, i+n)
		if n == 3 && w == nil && i+3 <= len(p.t) && p.t[i+1].low == "of" { // type of food
			a, b := p.phraseStems(i, i+1), p.phraseStems(i+2, i+3)
			if len(a) == 1 && len(b) == 1 && p.entityWords(b) == nil {
				w = append(append([]string(nil), b...), a...)
				if c := p.attrWords(w, 0.9); len(c) > 0 {
					return &attr{text: p.text(i, i+n), cands: c}, n
				}
			}
			continue
		}
		if len(w) == 0 {
			continue
		}
		c := p.attrWords(w, 0.55)
		if strings.HasSuffix(p.t[i+n-1].low, "ed") { // "ordered" names no column but one that is written so
			c = slices.DeleteFunc(c, func(x attrCand) bool {
				return !slices.ContainsFunc(x.c.full, func(s string) bool { return strings.HasSuffix(s, "ed") })
			})
		}
		if len(c) > 0 {
			return &attr{text: p.text(i, i+n), cands: c}, n
		}
	}
	return nil, 0
}

// attrWords returns the columns that the words may name, best first.
func (p *parser) attrWords(w []string, least float64) []attrCand {
	var out []attrCand
	for _, t := range p.s.tables {
		for _, c := range t.cols {
			if sc, ex := matchColumn(c, w); sc >= least {
				out = append(out, attrCand{c: c, score: sc, explicit: ex})
			}
		}
	}
	out = metricsFirst(out)
	sort.SliceStable(out, func(a, b int) bool { return out[a].score > out[b].score })
	return out
}

// matchColumn scores how well words name a column, 0 to 1.
func matchColumn(c *column, w []string) (float64, bool) {
	best := matchWords(c, w)
	for _, tw := range append([][]string{c.t.words}, c.t.alt...) {
		n := len(tw)
		if len(w) > n && equalWords(w[:n], tw) {
			if sc := matchWords(c, w[n:]); sc >= 0.6 && sc+0.05 > best {
				return min(1, sc+0.05), true
			}
		}
	}
	return best, false
}

func matchWords(c *column, w []string) float64 {
	full := c.words
	n := len(full)
	switch {
	case sameWords(w, full), strings.Join(w, "") == strings.Join(full, ""):
		return 1
	case sameWords(w, c.core):
		return 0.95
	}
	if n > 1 && unitWord(c.full[len(c.full)-1]) && (sameWords(w, full[:n-1]) || len(c.core) > 1 && sameWords(w, c.core[:len(c.core)-1])) {
		return 0.95
	}
	if n > 1 && suffixWord(full[n-1]) {
		if sameWords(w, full[:n-1]) && !sameWords(w, c.t.words) {
			return 0.9
		}
		if m := len(c.core); m > 1 && suffixWord(c.core[m-1]) && sameWords(w, c.core[:m-1]) {
			return 0.85
		}
	}
	if n > 1 && c.isBool() && oneOf(full[0], "is has was") && equalWords(w, full[1:]) {
		return 0.9
	}
	if len(w) == 1 && w[0] == "name" {
		if lab := c.t.label(); len(lab) == 1 && lab[0] == c {
			return 0.9
		}
	}
	if m := len(w); m > 1 && n > 1 && c.isDate() && oneOf(w[m-1], "date time day") && oneOf(full[n-1], "on at date time ts timestamp") && equalWords(w[:m-1], full[:n-1]) {
		return 0.9
	}
	if m := len(w); m > 1 && oneOf(w[m-1], "number name code valu") && (sameWords(w[:m-1], full) || sameWords(w[:m-1], c.core)) && !c.isDate() {
		return 0.85
	}
	if sameWords(w, c.hint) {
		return 0.7
	}
	if len(w) < n && equalWords(w, full[n-len(w):]) && !oneOf(w[0], "id date name number type code status timestamp") {
		return 0.6
	}
	return 0
}

func equalWords(a, b []string) bool {
	if len(a) != len(b) || len(a) == 0 {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// entityAt finds the longest table name that begins at token i.
func (p *parser) entityAt(i int) (*entity, int) {
	for n := min(4, len(p.t)-i); n >= 1; n-- {
		w := p.phraseStems(i, i+n)
		if len(w) == 0 {
			continue
		}
		if e := p.entityWords(w); e != nil && !verbForm(p.t[i+n-1].low, e.t) {
			e.text = p.text(i, i+n)
			if i+n < len(p.t) && oneOf(p.t[i+n].stem, "record entri row") {
				n++
			}
			return e, n
		}
		if m := len(w); m > 1 && oneOf(w[m-1], "record entri row tabl") {
			if e := p.entityWords(w[:m-1]); e != nil {
				e.text = p.text(i, i+n)
				return e, n
			}
		}
	}
	return nil, 0
}

// verbForm reports whether a word is a past form ("ordered") and not the name
// of the table itself.
func verbForm(low string, t *table) bool {
	if !strings.HasSuffix(low, "ed") {
		return false
	}
	for _, w := range nameWords(t.src.Name) {
		if strings.HasSuffix(w, "ed") {
			return false
		}
	}
	return true
}

// entityWords is the one table that the words name, or nil.
func (p *parser) entityWords(w []string) *entity {
	var best []*table
	score := 0.0
	for _, t := range p.s.tables {
		sc := 0.0
		switch {
		case equalWords(w, t.words), strings.Join(w, "") == strings.Join(t.words, ""):
			sc = 1
		case len(t.words) > 1 && equalWords(w, t.words[len(t.words)-1:]):
			sc = 0.7
		default:
			for _, a := range t.alt {
				if equalWords(w, a) {
					sc = 0.95
				}
			}
		}
		if sc == 0 {
			continue
		}
		if sc > score {
			score, best = sc, nil
		}
		if sc == score {
			best = append(best, t)
		}
	}
	if len(best) != 1 {
		return nil
	}
	return &entity{t: best[0], score: score}
}

// valueAt finds the longest known value that begins at token i.
func (p *parser) valueAt(i int) ([]valueRef, int) {
	if i < len(p.t) && p.t[i].kind == tokQuoted {
		if r := p.s.values[valueKey(tokenize(p.t[i].text))]; len(r) > 0 {
			return r, 1
		}
		return nil, 0
	}
	for n := min(p.s.maxLen+2, len(p.t)-i); n >= 1; n-- {
		if n == 1 && p.t[i].kind == tokWord && (functionWord(p.t[i].low) || keyword(p.t[i].low)) && !p.capInside(i) {
			return nil, 0
		}
		if last := p.t[i+n-1]; last.kind == tokSymbol {
			continue
		}
		k := valueKey(p.t[i : i+n])
		if len(k) < 2 || p.t[i].kind == tokNumber && n == 1 {
			continue
		}
		if r := p.s.values[k]; len(r) > 0 && p.valueLike(i, n) {
			return r, n
		}
	}
	if i < len(p.t) && p.t[i].kind == tokWord {
		t := p.t[i]
		r := p.s.stems[t.stem]
		r = slices.DeleteFunc(slices.Clone(r), func(v valueRef) bool { return otherForm(t.low, v.value) })
		if len(r) > 0 && len(t.low) > 2 && !functionWord(t.low) && !keyword(t.low) {
			return r, 1
		}
	}
	return nil, 0
}

// otherForm reports whether a word is a form of a verb that the value is not:
// tickets that were "opened" need not be "open".
func otherForm(word, value string) bool {
	value = strings.ToLower(value)
	for _, end := range []string{"ed", "ing"} {
		if strings.HasSuffix(word, end) != strings.HasSuffix(value, end) {
			return true
		}
	}
	return false
}

// valueLike keeps ordinary words in small letters from being read as values
// that are spelled with capitals, such as names of people or places.
func (p *parser) valueLike(i, n int) bool {
	for k := i; k < i+n; k++ {
		if p.t[k].cap || p.t[k].kind != tokWord {
			return true
		}
	}
	for _, r := range p.s.values[valueKey(p.t[i:i+n])] {
		if few(r.c) {
			return true
		}
	}
	return false
}

func few(c *column) bool {
	return len(c.src.Enum) > 0 || c.src.Stats != nil && c.src.Stats.Distinct <= 50
}

func (p *parser) capInside(i int) bool { return i > 0 && p.t[i].cap }

func keyword(low string) bool {
	return oneOf(low, `number count total sum average mean highest lowest most least top bottom order list show name names all distinct
unique year month week day date last past first more less than over under above below no not null high low new old max min
maximum minimum ratio percentage percent share amount value`)
}
