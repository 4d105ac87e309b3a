package planner

import (
	"sort"

	"github.com/sparkwright/sparkwright"
)

// edge is a way to join from one table to another on one or more columns.
type edge struct {
	from, to     *table
	cols, ref    []*column
	toOne        bool // at most one row of to for a row of from
	declared     bool
	nullableFrom bool
}

// path is a chain of edges.
type path []edge

func (p path) toMany() bool {
	for _, e := range p {
		if !e.toOne {
			return true
		}
	}
	return false
}

func (p path) cost() float64 {
	c := 0.0
	for _, e := range p {
		c++
		if !e.toOne {
			c += 0.5
		}
	}
	return c
}

func (s *schema) buildEdges(d *sparkwright.Definitions) {
	s.edges = make([][]edge, len(s.tables))
	add := func(a, b *table, cols, ref []*column, declared bool) {
		nullable := false
		back := false // the referring columns identify a row: one to one
		for _, c := range cols {
			nullable = nullable || c.src.Nullable
			if len(cols) == 1 && c.unique {
				back = true
			}
		}
		s.edges[a.id] = append(s.edges[a.id], edge{from: a, to: b, cols: cols, ref: ref, toOne: true, declared: declared, nullableFrom: nullable})
		s.edges[b.id] = append(s.edges[b.id], edge{from: b, to: a, cols: ref, ref: cols, toOne: back, declared: declared, nullableFrom: true})
	}
	linked := map[[2]int]bool{}
	used := map[*column]bool{}
	for _, t := range s.tables {
		for _, fk := range t.src.ForeignKeys {
			to := s.find(fk.RefSchema, fk.RefTable, t.src.Connection)
			if to == nil {
				continue
			}
			var cols, ref []*column
			for i := range fk.Columns {
				c, r := t.column(fk.Columns[i]), to.column(fk.RefColumns[i])
				if c == nil || r == nil {
					break
				}
				cols, ref = append(cols, c), append(ref, r)
				used[c] = true
			}
			if len(cols) != len(fk.Columns) {
				continue
			}
			add(t, to, cols, ref, true)
			linked[[2]int{t.id, to.id}], linked[[2]int{to.id, t.id}] = true, true
		}
	}
	s.hints(d, func(a, b *table, cols, ref []*column) {
		if !linked[[2]int{a.id, b.id}] {
			add(a, b, cols, ref, true)
			linked[[2]int{a.id, b.id}], linked[[2]int{b.id, a.id}] = true, true
		}
	})
	// name-equal keys, where nothing is declared
	for _, a := range s.tables {
		for _, c := range a.cols {
			if used[c] || c == a.key && a.declared {
				continue
			}
			for _, b := range s.tables {
				if a == b || linked[[2]int{a.id, b.id}] || b.key == nil || !joinable(c, b.key) || !refersTo(c, b) {
					continue
				}
				if c == a.key && b.id < a.id && refersTo(b.key, a) {
					continue // one to one: added from the other side
				}
				add(a, b, []*column{c}, []*column{b.key}, false)
			}
		}
	}
}

func joinable(a, b *column) bool {
	if a.isInteger() && b.isInteger() || a.isText() && b.isText() && len(a.src.Enum) == 0 && len(b.src.Enum) == 0 {
		return true
	}
	return a.src.BaseType == b.src.BaseType && a.src.BaseType == "uuid"
}

// refersTo reports whether column c names the key of b.
func refersTo(c *column, b *table) bool {
	k := b.key
	named := append(append([]string(nil), b.words...), k.core...)
	if sameWords(c.words, named) && (len(k.core) > 0) {
		return true
	}
	if c.src.Name != k.src.Name {
		return false
	}
	generic := len(c.words) == 1 && oneOf(c.words[0], "id name titl type status date code key label kind email phone")
	return !generic
}

func (s *schema) find(schemaName, name, connection string) *table {
	for _, t := range s.tables {
		if t.src.Schema == schemaName && t.src.Name == name && t.src.Connection == connection {
			return t
		}
	}
	return nil
}

func (t *table) column(name string) *column {
	for _, c := range t.cols {
		if c.src.Name == name {
			return c
		}
	}
	return nil
}

// between returns the cheapest paths from a to b. A path never goes up to a
// parent and down to other children again: that would relate things that only
// share a parent. More than one path means that the join is ambiguous.
func (s *schema) between(a, b *table) []path {
	if a == b {
		return []path{{}}
	}
	if p, ok := s.paths[[2]int{a.id, b.id}]; ok {
		return p
	}
	var found, all []path
	best := 7.0
	const longest = 7.0
	seen := map[int]bool{a.id: true}
	var walk func(t *table, p path, upped bool)
	walk = func(t *table, p path, upped bool) {
		for _, e := range s.edges[t.id] {
			if seen[e.to.id] {
				continue
			}
			if upped && !e.toOne {
				continue
			}
			next := append(append(path(nil), p...), e)
			c := next.cost()
			if c > longest {
				continue
			}
			if e.to == b {
				all = append(all, next)
				if c < best {
					best, found = c, nil
				}
				if c == best {
					found = append(found, next)
				}
				continue
			}
			if len(next) >= 4 {
				continue
			}
			seen[e.to.id] = true
			walk(e.to, next, upped || e.toOne)
			delete(seen, e.to.id)
		}
	}
	walk(a, nil, false)
	var out []path
	for _, p := range found {
		if p.cost() == best {
			out = append(out, p)
		}
	}
	if len(out) == 1 {
		out = s.doubtful(out[0], all)
	}
	sort.SliceStable(out, func(i, j int) bool { return len(out[i]) < len(out[j]) })
	s.paths[[2]int{a.id, b.id}] = out
	return out
}

// doubtful adds the other ways to relate two tables when the shortest one goes
// through a table of events ("reviews" between members and books), which says
// more than that the two belong together. A table named in the question, or a
// mere link table, settles it.
func (s *schema) doubtful(p path, all []path) []path {
	through := func(p path) *table {
		for i, e := range p {
			if !e.toOne && i+1 < len(p) {
				return e.to
			}
		}
		return nil
	}
	mid := through(p)
	if mid == nil || isLink(mid) {
		return []path{p}
	}
	best := map[*table]path{}
	var order []*table
	for _, x := range all {
		m := through(x)
		if m == nil {
			continue
		}
		if o, ok := best[m]; !ok || x.cost() < o.cost() {
			if !ok {
				order = append(order, m)
			}
			best[m] = x
		}
	}
	var named []path
	for _, m := range order {
		if s.mentioned[m.id] {
			named = append(named, best[m])
		}
	}
	if len(named) == 1 {
		return named
	}
	var out []path
	for _, m := range order {
		out = append(out, best[m])
	}
	return out
}

// isLink reports whether a table does nothing but link others.
func isLink(t *table) bool {
	own := 0
	for _, c := range t.cols {
		if !c.isID() && !isAudit(c) && !c.isInteger() {
			own++
		}
	}
	return own == 0
}

// distance is the cost of the path from a to b, or -1.
func (s *schema) distance(a, b *table) float64 {
	p := s.between(a, b)
	if len(p) == 0 {
		return -1
	}
	return p[0].cost()
}
