package readplan

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// Leaf is one partition of a partitioned table, at whatever depth, that holds
// rows itself.
type Leaf struct {
	Schema, Name string
	// Bound is the condition that its rows meet and those of no other partition
	// do, as PostgreSQL writes it.
	Bound string
	Bytes int64 // of the heap, as of the last ANALYZE or VACUUM
	Plain bool  // a table with pages of its own; others are foreign
	Kept  bool  // PostgreSQL's plan reads it; the conditions rule out the others
}

// maxLeaves bounds how long the predicates may become.
const maxLeaves = 256

// LeafQuery asks PostgreSQL for the partitions of a table; Leaves reads its rows.
func LeafQuery(t *sparkwright.Table) string {
	return fmt.Sprintf(`WITH RECURSIVE tree AS (
	SELECT i.inhrelid AS oid FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhparent
		JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s
	UNION ALL SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree ON i.inhparent = tree.oid)
SELECT n.nspname, c.relname, pg_catalog.pg_get_partition_constraintdef(c.oid), c.relpages, c.relkind FROM tree
	JOIN pg_catalog.pg_class c ON c.oid = tree.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relkind <> 'p' ORDER BY c.oid`, literalPG(t.Schema), literalPG(t.Name))
}

// FindLeaves asks for the partitions of the large partitioned tables whose rows
// travel by scans, by view, and marks those that PostgreSQL would read for them.
// A table of which the error tells is not among them.
func FindLeaves(reads []Read, scans []Scan, guards map[string]Guard, ask func(connection, sql string) ([][]*string, error)) (map[string][]Leaf, error) {
	out, scanned := map[string][]Leaf{}, Scanned(scans)
	var errs []error
	for i := range reads {
		t := &reads[i].Table
		if t.Kind != sparkwright.KindPartitioned || !scanned[t.View] || !Large(reads[i:i+1]) {
			continue
		}
		rows, err := ask(t.Connection, LeafQuery(t))
		leaves := Leaves(rows)
		var plans []string
		for _, s := range scans {
			if leaves == nil || err != nil || !slices.Contains(s.Views, t.View) {
				continue
			}
			if guards[t.Connection].Filters { // what is not handed over rules out nothing
				plans = append(plans, "")
				continue
			}
			if rows, err = ask(t.Connection, "EXPLAIN (FORMAT JSON) "+s.SQL); len(rows) == 1 && len(rows[0]) == 1 && rows[0][0] != nil {
				plans = append(plans, *rows[0][0])
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", t.QualifiedName(), err))
			continue
		}
		Keep(leaves, plans...)
		out[t.View] = leaves
	}
	return out, errors.Join(errs...)
}

func literalPG(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// Leaves are the partitions that rows of LeafQuery tell of, all of them kept;
// nil when one has no condition that PostgreSQL prunes by, as those by hash.
func Leaves(rows [][]*string) []Leaf {
	var out []Leaf
	for _, row := range rows {
		if len(row) != 5 || slices.Contains(row, nil) || strings.Contains(*row[2], "satisfies_hash_partition") {
			return nil
		}
		pages, _ := strconv.ParseInt(*row[3], 10, 64) // -1: never analysed
		out = append(out, Leaf{
			Schema: *row[0], Name: *row[1], Bound: *row[2], Bytes: max(pages, 0) * blockSize, Plain: *row[4] == "r", Kept: true,
		})
	}
	return out
}

// Keep marks which of the leaves are read by plans, EXPLAIN (FORMAT JSON) of the
// statements over their table. One that is not understood keeps them all.
func Keep(leaves []Leaf, plans ...string) {
	var trees []any
	for _, plan := range plans {
		var tree any
		if json.Unmarshal([]byte(plan), &tree) != nil {
			return
		}
		trees = append(trees, tree)
	}
	read := map[string]bool{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			if name, is := v["Relation Name"].(string); is {
				read[name] = true
			}
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(trees)
	for i := range leaves {
		leaves[i].Kept = read[leaves[i].Name] // one of another schema by this name is only kept without need
	}
}

// byLeaves reads a partitioned table partition by partition: PostgreSQL prunes
// each read to its own. Large partitions are cut into ranges of pages, small
// ones share a read. What the conditions rule out is in the last read, where it
// costs nothing while they do: each row is in exactly one read in any case.
func byLeaves(r *Read, leaves []Leaf, opt Options) bool {
	if r.ByQuery || len(leaves) < 2 || len(leaves) > maxLeaves {
		return false
	}
	var kept, ruledOut []Leaf
	bytes := int64(0)
	for _, l := range leaves {
		if l.Kept {
			kept, bytes = append(kept, l), bytes+l.Bytes
		} else {
			ruledOut = append(ruledOut, l)
		}
	}
	of := fmt.Sprintf("%d of %d partitions are read", len(kept), len(leaves))
	n := count(bytes, opt)
	if n < 2 {
		r.Why = of + ", which are small"
		return true
	}
	var cut []string
	var whole []piece
	for aim := max(partitionBytes, bytes/int64(n)); ; aim += aim / 4 {
		cut, whole = cutLeaves(kept, aim, opt.Pages)
		if len(cut)+min(1, len(whole)+len(ruledOut)) <= n {
			break
		}
	}
	// A range of pages has its read for itself: PostgreSQL finds none behind OR.
	groups := make([][]string, 0, n)
	for _, c := range cut {
		groups = append(groups, []string{c})
	}
	groups = append(groups, share(whole, n-len(cut))...)
	if len(whole) == 0 && len(ruledOut) > 0 {
		groups = append(groups, nil)
	}
	for _, l := range ruledOut {
		groups[len(groups)-1] = append(groups[len(groups)-1], "("+l.Bound+")")
	}
	for _, g := range groups {
		r.Predicates = append(r.Predicates, strings.Join(g, " OR "))
	}
	r.Strategy, r.Partitions, r.Why = ByLeaves, len(groups), "partition by partition: "+of
	return true
}

// piece is a partition that is read whole.
type piece struct {
	condition string
	bytes     int64
}

// cutLeaves cuts the large ones into ranges of pages.
func cutLeaves(leaves []Leaf, aim int64, pages bool) (cut []string, whole []piece) {
	for _, l := range leaves {
		n := 1
		if pages && l.Plain {
			n = max(1, int(math.Round(float64(l.Bytes)/float64(aim))))
		}
		if n == 1 {
			whole = append(whole, piece{"(" + l.Bound + ")", l.Bytes})
			continue
		}
		for _, p := range pageRanges(l.Bytes/blockSize, n) {
			cut = append(cut, "("+l.Bound+") AND "+p)
		}
	}
	return cut, whole
}

// share puts partitions into at most n groups of about equal size, large ones
// first.
func share(pieces []piece, n int) [][]string {
	slices.SortStableFunc(pieces, func(a, b piece) int { return cmp.Compare(b.bytes, a.bytes) })
	groups, sizes := make([][]string, min(n, len(pieces))), make([]int64, min(n, len(pieces)))
	for i, p := range pieces {
		to := i
		if i >= len(groups) {
			to = slices.Index(sizes, slices.Min(sizes))
		}
		groups[to], sizes[to] = append(groups[to], p.condition), sizes[to]+max(p.bytes, blockSize)
	}
	return groups
}
