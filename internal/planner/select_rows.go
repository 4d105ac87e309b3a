package planner

// needsRows reports whether a figure would be wrong on multiplied rows and the
// rows cannot be told apart.
func (st *statement) needsRows() bool {
	for _, m := range st.em.p.q.measures() {
		if (m.fn == "sum" || m.fn == "avg") && !st.uniquePairs() {
			return true
		}
	}
	return false
}

// uniquePairs reports whether every row of the root meets every group at most
// once: it is reached over one bridge whose rows are pairs, grouped by the
// other side's key.
func (st *statement) uniquePairs() bool {
	for t := range st.sc.joined {
		if t == st.sc.root {
			continue
		}
		p, err := st.em.path(st.sc.root, t)
		if err != nil {
			return false
		}
		if !p.toMany() {
			continue
		}
		if len(p) == 1 && isPairs(t) {
			continue
		}
		if len(p) != 2 || p[0].toOne || !p[1].toOne || !isPairs(p[0].to) || t.key == nil {
			return false
		}
		key := st.sc.joined[t] + "." + ident(t.key.src.Name)
		keyed := contains(st.keys, key)
		for _, o := range st.outs {
			keyed = keyed || o.expr == key
		}
		if !keyed {
			return false
		}
	}
	return true
}

// isPairs reports whether the rows of a bridge are pairs of keys, each once.
func isPairs(t *table) bool {
	return len(t.src.PrimaryKey) == 2 || loosePairs(t)
}

// loosePairs tells bridges that consist of two columns and no declared key:
// they are joined without their duplicates.
func loosePairs(t *table) bool {
	return len(t.cols) == 2 && len(t.src.PrimaryKey) == 0 && t.key == nil
}

func itemIn(items []*item, d *item) bool {
	for _, it := range items {
		if sameItem(it, d) {
			return true
		}
	}
	return false
}
