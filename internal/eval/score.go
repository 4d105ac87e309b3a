package eval

import (
	"slices"
	"strings"
)

// gold is one right answer with its rows.
type gold struct {
	Rows   [][]any
	Braces bool
	Order  goldOrder
}

type row []value

func normaliseRows(rows [][]any) []row {
	out := make([]row, len(rows))
	for i, r := range rows {
		out[i] = make(row, len(r))
		for j, v := range r {
			out[i][j] = normalise(v)
		}
	}
	return out
}

func equalRows(a, b row) bool { return slices.EqualFunc(a, b, equal) }

// sameBag compares rows without their order.
func sameBag(g, c []row) bool {
	if len(g) != len(c) {
		return false
	}
	gs, cs := sorted(g), sorted(c)
	if slices.EqualFunc(gs, cs, equalRows) {
		return true
	}
	if len(gs) > 3000 {
		return false
	}
	left := cs
	for _, x := range gs {
		i := slices.IndexFunc(left, func(y row) bool { return equalRows(x, y) })
		if i < 0 {
			return false
		}
		left = slices.Delete(left, i, i+1)
	}
	return true
}

func sorted(rows []row) []row {
	keys := make(map[int]string, len(rows))
	index := make([]int, len(rows))
	for i, r := range rows {
		parts := make([]string, len(r))
		for j, v := range r {
			parts[j] = sortKey(v)
		}
		keys[i] = strings.Join(parts, "\x00")
		index[i] = i
	}
	slices.SortStableFunc(index, func(a, b int) int { return strings.Compare(keys[a], keys[b]) })
	out := make([]row, len(rows))
	for i, k := range index {
		out[i] = rows[k]
	}
	return out
}

func project(rows []row, cols ...int) []row {
	out := make([]row, len(rows))
	for i, r := range rows {
		p := make(row, len(cols))
		for j, c := range cols {
			p[j] = r[c]
		}
		out[i] = p
	}
	return out
}

const triedAtMost = 5000 // assignments of columns

// matches reports whether rows answer the question as the gold does: the same
// values in any order of columns; further columns only where the gold has
// braces; in the gold's order where the question asks for one.
func matches(g gold, rows [][]any, ordered bool) bool {
	gr, cr := normaliseRows(g.Rows), normaliseRows(rows)
	if len(gr) == 0 || len(cr) == 0 {
		return len(gr) == 0 && len(cr) == 0
	}
	ng, nc := len(gr[0]), len(cr[0])
	for _, r := range cr {
		if len(r) != nc {
			return false
		}
	}
	if nc < ng || nc > ng && !g.Braces || len(gr) != len(cr) {
		return false
	}
	fits := make([][]int, ng)
	for i := range ng {
		gi := project(gr, i)
		for j := range nc {
			if sameBag(gi, project(cr, j)) {
				if j == i {
					fits[i] = slices.Insert(fits[i], 0, j)
				} else {
					fits[i] = append(fits[i], j)
				}
			}
		}
		if len(fits[i]) == 0 {
			return false
		}
	}
	tried, found := 0, false
	assign(fits, nil, func(cols []int) bool {
		tried++
		if tried > triedAtMost {
			return false
		}
		cc := project(cr, cols...)
		if sameBag(gr, cc) && (!ordered || inOrder(gr, cc, g.Order)) {
			found = true
		}
		return !found
	})
	return found
}

// assign calls yield with every choice of different columns until it returns false.
func assign(fits [][]int, cols []int, yield func([]int) bool) bool {
	if len(cols) == len(fits) {
		return yield(cols)
	}
	for _, j := range fits[len(cols)] {
		if slices.Contains(cols, j) {
			continue
		}
		if !assign(fits, append(slices.Clone(cols), j), yield) {
			return false
		}
	}
	return true
}

func inOrder(g, c []row, o goldOrder) bool {
	if o.Any {
		return true
	}
	cols := o.Cols
	if o.All {
		cols = nil
		for i := range g[0] {
			cols = append(cols, i)
		}
	}
	for i := range g {
		for _, k := range cols {
			if k < 0 || k >= len(g[i]) || !equal(g[i][k], c[i][k]) {
				return false
			}
		}
	}
	return true
}
