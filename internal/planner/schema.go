package planner

import (
	"slices"
	"sort"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// table and column are the catalog's, with their names split into words.
type table struct {
	src      *sparkwright.Table
	id       int
	view     string
	words    []string   // stems of the name, common prefixes left out
	alt      [][]string // other ways to name it
	cols     []*column
	key      *column // the single column that identifies a row, or nil
	declared bool    // the key is declared, not only seen in the statistics
}

type column struct {
	src    *sparkwright.Column
	t      *table
	words  []string // stems of the name, the table's common prefix left out
	core   []string // words without those of the table
	full   []string // the name as written, as words for people
	unique bool
	hint   []string // stems of the first words of the comment
	metric *metric  // set for a defined figure, which no table has
	said   []string // stems of the verbs in the comment of a date: "When the customer registered"
}

// schema is the index of a catalog for linking.
type schema struct {
	tables    []*table
	edges     [][]edge // by table id
	values    map[string][]valueRef
	stems     map[string][]valueRef // single-word values of columns with few values
	maxLen    int                   // words of the longest known value
	paths     map[[2]int][]path
	mentioned map[int]bool // tables that the question names
	phrases   []phrase     // defined words
	filters   []condition  // defined conditions
	pick      string       // the choice that was taken when a question was asked back
	picked    bool         // it decided something
}

// choose is the choice that was taken, if it is one of these; else -1.
func (s *schema) choose(choices []string) int {
	i := slices.Index(choices, s.pick)
	s.picked = s.picked || i >= 0
	return i
}

type valueRef struct {
	c     *column
	value string
}

func newSchema(cat *sparkwright.Catalog, d *sparkwright.Definitions) *schema {
	s := &schema{values: map[string][]valueRef{}, stems: map[string][]valueRef{}, paths: map[[2]int][]path{}}
	for i := range cat.Tables {
		src := &cat.Tables[i]
		if src.View == "" || len(src.Columns) == 0 {
			continue
		}
		t := &table{src: src, id: len(s.tables), view: src.View}
		s.tables = append(s.tables, t)
	}
	names := make([]string, len(s.tables))
	for i, t := range s.tables {
		names[i] = t.src.Name
	}
	prefix := commonPrefix(names)
	further := make([]string, len(names))
	for i, n := range names {
		further[i] = strings.ToLower(withoutPrefix(n, prefix))
	}
	for _, t := range s.tables {
		s.indexTable(t, prefix, further)
	}
	for _, t := range s.tables {
		s.findKey(t)
	}
	s.buildEdges(d)
	s.define(d)
	return s
}

// commonPrefix is what all names begin with, when that is an affix and no
// word by itself: "tbl_", "sb".
func commonPrefix(names []string) string {
	if len(names) < 3 {
		return ""
	}
	p := strings.ToLower(names[0])
	for _, n := range names[1:] {
		n = strings.ToLower(n)
		for !strings.HasPrefix(n, p) {
			p = p[:len(p)-1]
		}
	}
	for _, n := range names {
		if len(p) >= len(n) {
			return ""
		}
	}
	return p
}

// withoutPrefix drops what all names begin with, when that is an affix.
func withoutPrefix(name, prefix string) string {
	if len(prefix) >= 2 && len(prefix) < len(name) && (strings.HasSuffix(prefix, "_") || len(prefix) <= 4 && !vocabulary(prefix)) {
		return name[len(prefix):]
	}
	return name
}

func (s *schema) indexTable(t *table, prefix string, further []string) {
	name := withoutPrefix(t.src.Name, prefix)
	words := nameWords(name)
	t.words = stemsOf(words)
	if len(words) > 1 && oneOf(words[0], "tbl dim fact d f t stg") {
		t.alt = append(t.alt, t.words[1:])
	}
	if n := len(words); n > 1 && oneOf(words[n-1], "data table records record list info log") {
		t.alt = append(t.alt, t.words[:n-1])
	}
	cols := make([]string, len(t.src.Columns))
	for i := range t.src.Columns {
		cols[i] = t.src.Columns[i].Name
	}
	cp := commonPrefix(cols)
	if !strings.HasSuffix(cp, "_") && (len(cp) < 2 || strings.Contains(strings.Join(cols, " "), "_")) {
		cp = ""
	}
	for i := range t.src.Columns {
		src := &t.src.Columns[i]
		words := nameWords(src.Name[len(cp):], further...)
		if len(words) > 2 && words[1] == "of" { // date_of_birth: birth date
			words = append(append([]string(nil), words[2:]...), words[0])
		}
		c := &column{src: src, t: t, words: stemsOf(words)}
		for _, w := range words {
			c.full = append(c.full, abbreviation(w))
		}
		for _, w := range c.words {
			if !contains(t.words, w) {
				c.core = append(c.core, w)
			}
		}
		if len(c.core) == 0 {
			c.core = c.words
		}
		c.hint = commentHead(src.Comment)
		if c.isDate() {
			c.said = commentVerbs(src.Comment)
		}
		t.cols = append(t.cols, c)
		s.indexValues(c)
	}
}

// commentHead is the noun phrase that a comment begins with.
func commentHead(comment string) []string {
	var out []string
	for _, tk := range tokenize(comment) {
		if tk.kind != tokWord || oneOf(tk.low, "of for in on when that which if to as where by from with") {
			break
		}
		if functionWord(tk.low) {
			continue
		}
		out = append(out, tk.stem)
	}
	if len(out) > 4 {
		return nil
	}
	return out
}

// commentVerbs are the stems of the participles in the first sentence of a
// comment.
func commentVerbs(comment string) []string {
	var out []string
	first, _, _ := strings.Cut(comment, ";")
	for _, tk := range tokenize(first) {
		if tk.kind == tokWord && participle(tk.low) {
			out = append(out, tk.stem)
		}
	}
	return out
}

func (s *schema) indexValues(c *column) {
	add := func(v string) {
		if v == "" || len(v) > 80 {
			return
		}
		toks := tokenize(v)
		k := valueKey(toks)
		if k == "" {
			return
		}
		for _, r := range s.values[k] {
			if r.c == c && r.value == v {
				return
			}
		}
		ref := valueRef{c: c, value: v}
		s.values[k] = append(s.values[k], ref)
		if n := strings.Count(k, " ") + 1; n > s.maxLen {
			s.maxLen = n
		}
		few := len(c.src.Enum) > 0 || c.src.Stats != nil && c.src.Stats.Distinct <= 50
		if len(toks) == 1 && few && toks[0].kind == tokWord {
			s.stems[toks[0].stem] = append(s.stems[toks[0].stem], ref)
		}
	}
	if !c.isText() {
		return
	}
	for _, v := range c.src.Enum {
		add(v)
	}
	if c.src.Stats == nil {
		return
	}
	for _, v := range c.src.Stats.MostCommon {
		add(v.Value)
	}
	for _, v := range c.src.Stats.Histogram {
		add(v)
	}
}

// valueKey is how values are compared: words in lower case, signs left out.
func valueKey(toks []token) string {
	var b strings.Builder
	for _, t := range toks {
		if t.kind == tokSymbol {
			continue
		}
		for _, w := range strings.FieldsFunc(t.low, func(r rune) bool { return r == '_' || r == '-' || r == ' ' }) {
			if b.Len() > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(w)
		}
	}
	return b.String()
}

func (s *schema) findKey(t *table) {
	for _, c := range t.cols {
		if len(t.src.PrimaryKey) == 1 && t.src.PrimaryKey[0] == c.src.Name {
			c.unique = true
			t.key, t.declared = c, true
		}
		for _, u := range t.src.Uniques {
			if len(u) == 1 && u[0] == c.src.Name {
				c.unique = true
				if t.key == nil && !c.src.Nullable {
					t.key, t.declared = c, true
				}
			}
		}
	}
	if t.key != nil || len(t.src.PrimaryKey) > 0 {
		return
	}
	type scored struct {
		c *column
		n int
	}
	var best []scored
	bridge := true
	for _, c := range t.cols {
		if !c.isInteger() && c.src.BaseType != "uuid" && !endsWith(c.words, "id") {
			bridge = false
		}
	}
	if bridge && len(t.cols) > 1 {
		return
	}
	for i, c := range t.cols {
		st := c.src.Stats
		if st == nil || t.src.RowEstimate <= 0 || st.NullFraction > 0 || st.Distinct < float64(t.src.RowEstimate)*0.999 ||
			!c.isInteger() && !c.isText() && c.src.BaseType != "uuid" {
			continue
		}
		n := -i
		if !c.src.Nullable {
			n += 100
		}
		if len(c.words) == 1 && c.words[0] == "id" {
			n += 200
		}
		if strings.HasSuffix(c.src.Name, "id") {
			n += 150
		}
		if len(c.core) == 1 && len(c.words) > 1 && suffixWord(c.core[0]) {
			n += 50
		}
		best = append(best, scored{c, n})
	}
	sort.SliceStable(best, func(a, b int) bool { return best[a].n > best[b].n })
	if len(best) > 0 && (best[0].n >= 40 || best[0].n == 0) {
		t.key = best[0].c
		t.key.unique = true
	}
}
