package postgres

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
)

// Nearest returns the up to n candidates most like name, the best first, and
// none that are not alike at all. Letter case does not count; shared words
// count besides typing errors.
func Nearest(name string, candidates []string, n int) []string {
	type scored struct {
		text  string
		score float64
	}
	var found []scored
	for _, c := range candidates {
		if s := likeness(name, c); s >= 0.5 {
			found = append(found, scored{c, s})
		}
	}
	slices.SortStableFunc(found, func(a, b scored) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.text, b.text))
	})
	var out []string
	for _, f := range found[:min(n, len(found))] {
		out = append(out, f.text)
	}
	return out
}

// likeness is 1 for equal names and 0 for names with nothing in common.
func likeness(a, b string) float64 {
	a, b = strings.ToLower(a), strings.ToLower(b)
	best := ratio(a, b)
	if last := b[strings.LastIndexByte(b, '.')+1:]; !strings.Contains(a, ".") && last != b {
		best = max(best, ratio(a, last)) // schema.table against table
	}
	return max(best, overlap(words(a), words(b)))
}

// ratio is the share of letters that two names have in common.
func ratio(a, b string) float64 {
	x, y := []rune(a), []rune(b)
	if len(x)+len(y) == 0 {
		return 1
	}
	return 1 - float64(distance(x, y))/float64(max(len(x), len(y)))
}

// overlap is the share of words that two names have in common.
func overlap(a, b []string) float64 {
	if len(a) == 0 || len(b) == 0 {
		return 0
	}
	common := 0.0
	for _, w := range a {
		best := 0.0
		for _, v := range b {
			if r := ratio(w, v); r >= 0.75 {
				best = max(best, r)
			}
		}
		common += best
	}
	return min(2*common/float64(len(a)+len(b)), 1)
}

func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// distance counts insertions, deletions, replacements and swaps of neighbours.
func distance(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
