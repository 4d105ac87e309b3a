package grounding

import (
	"cmp"
	"slices"
)

// found is how well tables and columns fit a question.
type found struct {
	ix      *index
	score   []float64           // by table
	words   [][]float64         // by word of the question, by table
	columns map[int32][]float64 // by table, by column
	matched map[[2]int32][]string
}

func (ix *index) find(question, definitions string) *found {
	f := &found{ix: ix, score: make([]float64, len(ix.tables)), columns: map[int32][]float64{}, matched: map[[2]int32][]string{}}
	for _, w := range read(question, definitions) {
		best := make([]float64, len(ix.tables))
		for _, form := range ix.forms(w) {
			rare := ix.rare(len(ix.posts[form.term]))
			for _, p := range ix.posts[form.term] {
				best[p.table] = max(best[p.table], form.weight*ix.bm25(p, rare))
			}
			for _, at := range ix.columns[form.term] {
				f.column(at.table, at.column, form.weight*rare*float64(at.weight))
			}
		}
		f.words = append(f.words, best)
		for i, s := range best {
			f.score[i] += s
		}
	}
	f.mention(question)
	f.spread()
	return f
}

func (f *found) column(table, column int32, score float64) {
	list := f.columns[table]
	if list == nil {
		list = make([]float64, len(f.ix.tables[table].Columns))
		f.columns[table] = list
	}
	list[column] += score
}

// mention counts labels and common values that the question names. What many
// tables have says little.
func (f *found) mention(question string) {
	const weight, most = 1.5, 40
	for _, p := range phrases(question) {
		places := f.ix.values[p]
		if len(places) == 0 || len(places) > most {
			continue
		}
		score := weight * f.ix.rare(len(places))
		best := make([]float64, len(f.ix.tables))
		for _, at := range places {
			best[at.table] = score
			f.column(at.table, at.column, 2*score)
			key := [2]int32{at.table, at.column}
			f.matched[key] = append(f.matched[key], p)
		}
		f.words = append(f.words, best)
		for i, s := range best {
			f.score[i] += s
		}
	}
}

// spread has tables gain by what they are joined with.
func (f *found) spread() {
	const near = 0.25
	own := slices.Clone(f.score)
	for i, joins := range f.ix.joins {
		best := 0.0
		for _, k := range joins {
			best = max(best, own[k])
		}
		if own[i] > 0 {
			f.score[i] += near * best
		}
	}
}

// How many tables are chosen by each rule.
const (
	byScore  = 8  // the best ones
	byWord   = 3  // the best ones for each word
	seeds    = 8  // whose joins are followed
	maxPath  = 4  // joins of a path between two of them
	atMost   = 80 // in all
	atLeast  = 16
	leastFit = 0.12
)

// order lists the tables to describe, the most needed first. must come first
// of all.
func (f *found) order(must []int32) []int32 {
	var list []int32
	is := map[int32]bool{}
	add := func(tables ...int32) {
		for _, t := range tables {
			if !is[t] {
				is[t] = true
				list = append(list, t)
			}
		}
	}
	ranked := f.ranked(f.score)
	add(must...)
	top := ranked[:min(len(ranked), byScore)]
	// The tables between the best ones make joins possible.
	start := slices.Concat(must, top)
	start = start[:min(len(start), seeds)]
	for i, a := range start {
		add(a)
		for _, b := range start[:i] {
			add(f.path(b, a)...)
		}
	}
	for _, best := range f.words {
		both := make([]float64, len(best))
		for i := range best {
			if best[i] > 0 {
				both[i] = best[i] + 0.2*f.score[i]
			}
		}
		few := f.ranked(both)
		few = few[:min(len(few), byWord)]
		add(few...)
		for _, t := range few { // and how they hang together with the best
			if len(start) > 0 {
				add(f.path(start[0], t)...)
			}
		}
	}
	add(top...)
	for _, t := range slices.Clone(list[:min(len(list), seeds)]) { // what they refer to has the names of things
		for _, ref := range f.ix.joins[t] {
			if f.refers(t, ref) {
				add(ref)
			}
		}
	}
	for _, t := range ranked {
		if f.score[t] < leastFit*f.score[ranked[0]] || len(list) >= atMost {
			break
		}
		add(t)
	}
	if len(list) < atLeast { // the question says little: what much hangs together with
		rest := make([]float64, len(f.score))
		for i := range rest {
			rest[i] = 1 + float64(len(f.ix.joins[i]))
		}
		most := f.ranked(rest)
		add(most[:min(len(most), atLeast)]...)
	}
	return list
}

func (f *found) ranked(score []float64) []int32 {
	var list []int32
	for i, s := range score {
		if s > 0 {
			list = append(list, int32(i))
		}
	}
	slices.SortStableFunc(list, func(a, b int32) int { return cmp.Compare(score[b], score[a]) })
	return list
}

func (f *found) refers(from, to int32) bool {
	t, ref := f.ix.tables[from], f.ix.tables[to]
	for k := range t.ForeignKeys {
		if t.ForeignKeys[k].RefTable == ref.Name && t.ForeignKeys[k].RefSchema == ref.Schema {
			return true
		}
	}
	return false
}

// path lists the tables between two, on a shortest path of foreign keys. Of
// several the one whose tables fit best is taken at each step.
func (f *found) path(from, to int32) []int32 {
	if from == to {
		return nil
	}
	before := map[int32]int32{from: from}
	layer := []int32{from}
	for range maxPath {
		var next []int32
		slices.SortStableFunc(layer, func(a, b int32) int { return cmp.Compare(f.score[b], f.score[a]) })
		for _, t := range layer {
			for _, n := range f.ix.joins[t] {
				if _, seen := before[n]; !seen {
					before[n] = t
					next = append(next, n)
				}
			}
		}
		if _, reached := before[to]; reached {
			var list []int32
			for t := before[to]; t != from; t = before[t] {
				list = append(list, t)
			}
			return list
		}
		layer = next
	}
	return nil
}
