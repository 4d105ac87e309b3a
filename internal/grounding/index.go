package grounding

import (
	"math"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// What a word counts in the parts of a table's description.
const (
	ofName    = 5
	ofSchema  = 1
	ofComment = 2.5
	ofColumn  = 1.2
	ofRemark  = 0.8 // a column's comment
	ofLabel   = 1
)

// posting is how much a term counts in a table.
type posting struct {
	table  int32
	weight float32
}

// place is a column, and how much a term or value counts there.
type place struct {
	table, column int32
	weight        float32
}

// index finds tables and columns by words.
type index struct {
	tables  []*sparkwright.Table
	terms   map[string]int32 // stem to number
	words   map[string]int32 // word to the number of its stem
	memo    map[string][]int32
	names   []string // the stems
	first   [256][]int32
	posts   [][]posting
	columns [][]place
	values  map[string][]place
	length  []float32
	average float64
	joins   [][]int32 // tables that a foreign key leads to or comes from
}

// maxRemark is how much of a comment is looked at, in bytes.
const maxRemark = 400

func newIndex(c *sparkwright.Catalog) *index {
	ix := &index{
		terms: make(map[string]int32, 8192), words: make(map[string]int32, 8192), memo: make(map[string][]int32, 8192),
		values: map[string][]place{}, length: make([]float32, len(c.Tables)), joins: make([][]int32, len(c.Tables)),
	}
	byName := make(map[[4]string]int32, len(c.Tables))
	for i := range c.Tables {
		t := &c.Tables[i]
		ix.tables = append(ix.tables, t)
		byName[[4]string{t.Connection, t.Database, t.Schema, t.Name}] = int32(i)
	}
	for i, t := range ix.tables {
		ix.addTable(int32(i), t)
		ix.average += float64(ix.length[i]) / float64(len(ix.tables))
		for k := range t.ForeignKeys {
			fk := &t.ForeignKeys[k]
			if ref, ok := byName[[4]string{t.Connection, t.Database, fk.RefSchema, fk.RefTable}]; ok && ref != int32(i) {
				ix.joins[i] = append(ix.joins[i], ref)
				ix.joins[ref] = append(ix.joins[ref], int32(i))
			}
		}
	}
	return ix
}

func (ix *index) addTable(i int32, t *sparkwright.Table) {
	add := func(text string, weight float32) []int32 {
		list := ix.termsOf(text)
		for _, term := range list {
			ix.length[i] += weight
			if posts := ix.posts[term]; len(posts) > 0 && posts[len(posts)-1].table == i {
				posts[len(posts)-1].weight += weight
				continue
			}
			ix.posts[term] = append(ix.posts[term], posting{i, weight})
		}
		return list
	}
	add(t.Name, ofName)
	add(t.Schema, ofSchema)
	add(cut(t.Comment), ofComment)
	for k := range t.Columns {
		col := &t.Columns[k]
		here := func(terms []int32, weight float32) {
			for _, term := range terms {
				ix.columns[term] = append(ix.columns[term], place{i, int32(k), weight}) //nolint:gosec // columns of a table
			}
		}
		here(add(col.Name, ofColumn), 1)
		here(add(cut(col.Comment), ofRemark), 0.6)
		for n, label := range col.Enum {
			if n < maxLabels {
				add(label, ofLabel)
				ix.addValue(label, place{i, int32(k), 1})
			}
		}
		if col.Stats != nil && isText(col) {
			for _, v := range col.Stats.MostCommon {
				ix.addValue(v.Value, place{i, int32(k), 1})
			}
		}
	}
}

// maxLabels is how many labels of an enum are looked at.
const maxLabels = 200

func cut(text string) string {
	if len(text) > maxRemark {
		return text[:maxRemark]
	}
	return text
}

func (ix *index) addValue(value string, at place) {
	if len(value) > 60 {
		return
	}
	if p := phrase(value); len(p) > 1 {
		ix.values[p] = append(ix.values[p], at)
	}
}

// termsOf are the terms of a name or a comment. Columns are often called the
// same: what was taken apart once is known.
func (ix *index) termsOf(text string) []int32 {
	if text == "" {
		return nil
	}
	if list, known := ix.memo[text]; known {
		return list
	}
	var list []int32
	split(text, func(word string) {
		if number, known := ix.words[word]; known {
			if number >= 0 {
				list = append(list, number)
			}
			return
		}
		key := strings.Clone(word)
		lower := strings.ToLower(key)
		if stopWords[lower] || len(lower) < 2 {
			ix.words[key] = -1
			return
		}
		number := ix.term(stem(lower))
		ix.words[key] = number
		list = append(list, number)
	})
	ix.memo[text] = list
	return list
}

func (ix *index) term(s string) int32 {
	if number, known := ix.terms[s]; known {
		return number
	}
	number := int32(len(ix.names)) //nolint:gosec // words of a catalog
	ix.terms[s] = number
	ix.names = append(ix.names, s)
	ix.posts = append(ix.posts, nil)
	ix.columns = append(ix.columns, nil)
	ix.first[s[0]] = append(ix.first[s[0]], number)
	return number
}

// rare is how much finding a term says, from the number of tables that have it.
func (ix *index) rare(tables int) float64 {
	n := float64(len(ix.tables))
	return max(0.05, math.Log(1+(n-float64(tables)+0.5)/(float64(tables)+0.5)))
}

// bm25 is how much a term counts for a table.
func (ix *index) bm25(p posting, rare float64) float64 {
	const k, b = 1.2, 0.3
	w := float64(p.weight)
	return rare * w * (k + 1) / (w + k*(1-b+b*float64(ix.length[p.table])/ix.average))
}

// form is a term under which a word of a question may be found.
type form struct {
	term   int32
	weight float64
}

// forms are the terms for a word: itself, words used for it, what it begins
// with or is the beginning of, and abbreviations of it.
func (ix *index) forms(w asked) []form {
	var list []form
	if term, ok := ix.terms[w.stem]; ok {
		list = append(list, form{term, w.weight})
	}
	for _, other := range alike[w.stem] {
		if term, ok := ix.terms[other]; ok {
			list = append(list, form{term, 0.6 * w.weight})
		}
	}
	if len(w.stem) < 4 {
		return list
	}
	for _, term := range ix.first[w.stem[0]] {
		name := ix.names[term]
		switch {
		case name == w.stem:
		case len(name) >= 3 && strings.HasPrefix(w.text, name), len(name) <= len(w.stem)+4 && strings.HasPrefix(name, w.stem):
			list = append(list, form{term, 0.5 * w.weight})
		case shortens(name, w.text):
			list = append(list, form{term, 0.4 * w.weight})
		}
	}
	return list
}

func isText(col *sparkwright.Column) bool {
	switch col.BaseType {
	case "text", "varchar", "bpchar", "char", "citext", "name", "string":
		return true
	default:
		return false
	}
}
