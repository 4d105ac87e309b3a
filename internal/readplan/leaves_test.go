package readplan_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/readplan"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// months are the partitions of a table by the month, and one for all else.
func months(megabytes ...int64) []readplan.Leaf {
	var out []readplan.Leaf
	for i, mb := range megabytes {
		out = append(out, readplan.Leaf{
			Schema: "sales", Name: fmt.Sprintf("orders_%d", i+1), Bytes: mb << 20, Plain: true, Kept: true,
			Bound: fmt.Sprintf("((day IS NOT NULL) AND (day >= '2024-%02d-01'::date) AND (day < '2024-%02d-01'::date))", i+1, i+2),
		})
	}
	return out
}

// How partitioned tables are read: which partitions in which read, in full.
func TestLeavesGolden(t *testing.T) {
	t.Parallel()
	keep := func(leaves []readplan.Leaf, names ...string) []readplan.Leaf {
		plan := []map[string]any{}
		for _, n := range names {
			plan = append(plan, map[string]any{"Plan": map[string]any{"Node Type": "Append", "Plans": []any{map[string]any{"Relation Name": n}}}})
		}
		text, err := json.Marshal(plan)
		if err != nil {
			t.Fatal(err)
		}
		readplan.Keep(leaves, string(text))
		return leaves
	}
	foreign := months(100, 100)
	foreign[1].Plain = false
	unknown := months(40, 40)
	readplan.Keep(unknown, "[]", "no JSON")
	var got []map[string]any
	for _, tt := range []struct {
		name   string
		leaves []readplan.Leaf
		opt    readplan.Options
	}{
		{"each partition is one read", months(40, 40, 40), readplan.Options{Cores: 2, Pages: true}},
		{"a large partition is cut, small ones share a read", months(300, 1, 2, 3, 40), readplan.Options{Cores: 2, Pages: true}},
		{"a foreign partition is not cut", foreign, readplan.Options{Cores: 2, Pages: true}},
		{"without ranges of pages", months(300, 40), readplan.Options{Cores: 2}},
		{"fewer connections than partitions", months(40, 40, 40, 40), readplan.Options{Cores: 2, MaxConnections: 3, Pages: true}},
		{"what is ruled out goes with the last read", keep(months(40, 40, 40, 40), "orders_2", "orders_3"), readplan.Options{Cores: 2, Pages: true}},
		{"all but a small one is ruled out", keep(months(200, 200, 1), "orders_3"), readplan.Options{Cores: 2, Pages: true}},
		{"all are ruled out", keep(months(200, 200)), readplan.Options{Cores: 2, Pages: true}},
		{"a plan that is not understood rules out nothing", unknown, readplan.Options{Cores: 2, Pages: true}},
		{"only cut partitions are kept", keep(months(300, 40), "orders_1"), readplan.Options{Cores: 2, Pages: true}},
		{"one partition", months(300), readplan.Options{Cores: 2, Pages: true}},
	} {
		tb := table(func(t *sparkwright.Table) { t.Kind = sparkwright.KindPartitioned })
		tt.opt.Scanned, tt.opt.Leaves = map[string]bool{"orders": true}, map[string][]readplan.Leaf{"orders": tt.leaves}
		r := readplan.Plan(&sparkwright.Catalog{Tables: []sparkwright.Table{tb}}, nil, tt.opt)[0]
		got = append(got, map[string]any{"case": tt.name, "strategy": r.Strategy, "reads": r.Partitions, "why": r.Why, "predicates": r.Predicates})
	}
	text, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "leaves.json.golden")
	if *update {
		if err = os.WriteFile(path, append(text, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(text)+"\n"); diff != "" {
		t.Error(diff)
	}
}

// Partitions by hash have no condition that PostgreSQL prunes by.
func TestLeavesByHash(t *testing.T) {
	t.Parallel()
	cell := func(s string) *string { return &s }
	row := []*string{cell("s"), cell("a"), cell("satisfies_hash_partition('16384'::oid, 2, 0, id)"), cell("10"), cell("r")}
	if got := readplan.Leaves([][]*string{row}); got != nil {
		t.Errorf("%+v", got)
	}
	row[2], row[3] = cell("(id = 1)"), cell("-1")
	want := []readplan.Leaf{{Schema: "s", Name: "a", Bound: "(id = 1)", Plain: true, Kept: true}}
	if diff := cmp.Diff(want, readplan.Leaves([][]*string{row})); diff != "" {
		t.Error(diff)
	}
}

// partitioned are tables in every way to partition, large by their pages, that
// are few rows each; later rows are in none of the statistics.
const partitioned = `
	CREATE TABLE by_range (id int, at date, v text) PARTITION BY RANGE (at);
	CREATE TABLE by_range_1 PARTITION OF by_range FOR VALUES FROM ('2024-01-01') TO ('2024-07-01') WITH (fillfactor = 10);
	CREATE TABLE by_range_2 PARTITION OF by_range FOR VALUES FROM ('2024-07-01') TO ('2024-09-01') WITH (fillfactor = 10);
	CREATE TABLE by_range_else PARTITION OF by_range DEFAULT;
	INSERT INTO by_range SELECT i, date '2024-01-01' + i % 300, repeat('x', 700) FROM generate_series(1, 12000) i;
	CREATE TABLE by_list (id int, k text, v text) PARTITION BY LIST (k);
	CREATE TABLE "by list, ""a""" PARTITION OF by_list FOR VALUES IN ('a', 'it''s') WITH (fillfactor = 10);
	CREATE TABLE by_list_null PARTITION OF by_list FOR VALUES IN (NULL, 'b') WITH (fillfactor = 10);
	CREATE TABLE by_list_else PARTITION OF by_list DEFAULT;
	INSERT INTO by_list SELECT i, (ARRAY['a', 'it''s', 'b', NULL, 'z'])[1 + i % 5], repeat('x', 700) FROM generate_series(1, 11000) i;
	CREATE TABLE by_both (id int, k text, v text) PARTITION BY RANGE (id);
	CREATE TABLE by_both_low PARTITION OF by_both FOR VALUES FROM (MINVALUE) TO (6000) PARTITION BY LIST (k);
	CREATE TABLE by_both_low_a PARTITION OF by_both_low FOR VALUES IN ('a') WITH (fillfactor = 10);
	CREATE TABLE by_both_low_else PARTITION OF by_both_low DEFAULT WITH (fillfactor = 10);
	CREATE TABLE by_both_high PARTITION OF by_both FOR VALUES FROM (6000) TO (MAXVALUE) WITH (fillfactor = 10);
	INSERT INTO by_both SELECT i, (ARRAY['a', 'b', NULL])[1 + i % 3], repeat('x', 700) FROM generate_series(1, 11000) i;
	CREATE TABLE by_two (id int, m int, v text) PARTITION BY RANGE ((id % 7), m);
	CREATE TABLE by_two_1 PARTITION OF by_two FOR VALUES FROM (MINVALUE, MINVALUE) TO (3, 5) WITH (fillfactor = 10);
	CREATE TABLE by_two_2 PARTITION OF by_two FOR VALUES FROM (3, 5) TO (MAXVALUE, MAXVALUE) WITH (fillfactor = 10);
	CREATE TABLE by_two_else PARTITION OF by_two DEFAULT;
	INSERT INTO by_two SELECT i, i % 11, repeat('x', 700) FROM generate_series(1, 11000) i;
	CREATE TABLE by_hash (id int, v text) PARTITION BY HASH (id);
	CREATE TABLE by_hash_0 PARTITION OF by_hash FOR VALUES WITH (MODULUS 2, REMAINDER 0);
	CREATE TABLE by_hash_1 PARTITION OF by_hash FOR VALUES WITH (MODULUS 2, REMAINDER 1);
	INSERT INTO by_hash SELECT i, 'x' FROM generate_series(1, 100) i;
	ANALYZE`

// What the catalog says of the partitions reads each row exactly once, rows that
// came after the statistics and rows without a key too; and what PostgreSQL's
// plan rules out is what the conditions do.
func TestLeavesReadEachRowOnce(t *testing.T) {
	t.Parallel()
	srv, err := pgembed.Start(t.Context(), pgembed.Options{
		Dir: filepath.Join(t.TempDir(), "pg"), CacheDir: filepath.Join(testkit.Home(t), "runtime", "postgres"),
		RepositoryURL: testkit.MavenURL(t), Settings: map[string]string{"fsync": "off"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Stop(context.Background()) })
	owner, src := openBoth(t, srv)
	defer src.Close()
	exec(t, owner, partitioned)
	catalog, err := src.Catalog(t.Context(), postgres.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	exec(t, owner, `INSERT INTO by_range SELECT i, NULLIF(date '2023-06-01' + i * 17, '2024-01-02'), 'late' FROM generate_series(1, 60) i; INSERT INTO by_range VALUES (0, NULL, 'late');
		INSERT INTO by_list VALUES (0, NULL, 'late'), (0, 'b', 'late'), (0, '', 'late'); INSERT INTO by_both VALUES (5999, NULL, 'late'), (6000, 'a', 'late');
		INSERT INTO by_two VALUES (NULL, 1, 'late'), (1, NULL, 'late'), (3, 5, 'late'), (3, 4, 'late')`)
	readplan.NameViews(catalog)
	cut := 0
	for i := range catalog.Tables {
		tb := &catalog.Tables[i]
		leaves := readplan.Leaves(asText(t, owner, readplan.LeafQuery(tb)))
		if tb.Name == "by_hash" {
			if leaves != nil {
				t.Errorf("by hash: %+v", leaves)
			}
			continue
		}
		for _, n := range []int{2, 3, 8} {
			for _, ruledOut := range []int{-1, 0, len(leaves) - 1} { // as if a plan had
				mine := slices.Clone(leaves)
				if ruledOut >= 0 {
					mine[ruledOut].Kept = false
				}
				r := readplan.Plan(&sparkwright.Catalog{Tables: []sparkwright.Table{*tb}}, nil, readplan.Options{
					Cores: 64, MaxConnections: n, Scanned: map[string]bool{tb.View: true}, Pages: true, Leaves: map[string][]readplan.Leaf{tb.View: mine},
				})[0]
				if r.Strategy != readplan.ByLeaves && ruledOut < 0 || len(r.Predicates) > n {
					t.Errorf("%s in %d: %s, %d reads: %s, %+v", tb.Name, n, r.Strategy, len(r.Predicates), r.Why, leaves)
				}
				if len(r.Predicates) == 0 {
					continue
				}
				cut += strings.Count(strings.Join(r.Predicates, " "), "ctid <")
				once(t, owner, tb, r.Predicates)
			}
		}
	}
	if cut < 3 {
		t.Errorf("%d ranges of pages were met", cut)
	}
	for where, want := range map[string]string{
		"at >= '2024-08-01'":                       "by_range_2 by_range_else",
		"at < '2024-02-01' AND at >= '2024-01-01'": "by_range_1",
		"at IS NULL":                               "by_range_else",
		"id > 0":                                   "by_range_1 by_range_2 by_range_else",
		"at = '2024-01-02' OR at = '2024-07-02'":   "by_range_1 by_range_2",
		"at < '2024-02-01' AND at >= '2024-03-01'": "",
	} {
		tb := sparkwright.Table{Schema: "public", Name: "by_range"}
		leaves := readplan.Leaves(asText(t, owner, readplan.LeafQuery(&tb)))
		readplan.Keep(leaves, *asText(t, owner, "EXPLAIN (FORMAT JSON) SELECT id FROM by_range WHERE "+where)[0][0])
		var kept []string
		for _, l := range leaves {
			if l.Kept {
				kept = append(kept, l.Name)
			}
		}
		if got := strings.Join(kept, " "); got != want {
			t.Errorf("%s reads %q, want %q", where, got, want)
		}
	}
}

// asText is an answer as the broker gives it.
func asText(t *testing.T, owner *pgx.Conn, sql string) (out [][]*string) {
	t.Helper()
	results, err := owner.PgConn().Exec(t.Context(), sql).ReadAll()
	if err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
	for _, row := range results[0].Rows {
		var cells []*string
		for _, v := range row {
			if v == nil {
				cells = append(cells, nil)
				continue
			}
			text := string(v)
			cells = append(cells, &text)
		}
		out = append(out, cells)
	}
	return out
}

// once counts the rows that are not in exactly one of the reads.
func once(t *testing.T, owner *pgx.Conn, tb *sparkwright.Table, predicates []string) {
	t.Helper()
	terms := make([]string, len(predicates))
	for i, p := range predicates {
		terms[i] = "((" + p + ") IS TRUE)::int"
	}
	var all, wrong int
	if err := owner.QueryRow(t.Context(), fmt.Sprintf("SELECT count(*), count(*) FILTER (WHERE %s <> 1) FROM %s", strings.Join(terms, " + "),
		pgx.Identifier{tb.Schema, tb.Name}.Sanitize())).Scan(&all, &wrong); err != nil {
		t.Fatalf("%v: %q", err, predicates)
	}
	if all < 11000 || wrong != 0 {
		t.Errorf("%s: %d of %d rows are not in exactly one: %q", tb.Name, wrong, all, predicates)
	}
}

// Spark reads a partitioned table partition by partition, each row once, and
// none of the partitions that the analysis rules out.
func TestPartitionByPartition(t *testing.T) { //nolint:paralleltest // one session
	b := theBed(t)
	w, err := b.newWorld(t.Context(), b.peer, `CREATE TABLE t0 (id int, at date, k text) PARTITION BY RANGE (at);
		CREATE TABLE t0_h1 PARTITION OF t0 FOR VALUES FROM ('2024-01-01') TO ('2024-07-01'); CREATE TABLE t0_else PARTITION OF t0 DEFAULT;
		CREATE TABLE t0_h2 PARTITION OF t0 FOR VALUES FROM ('2024-07-01') TO ('2025-01-01') PARTITION BY LIST (k);
		CREATE TABLE t0_h2_a PARTITION OF t0_h2 FOR VALUES IN ('a', NULL); CREATE TABLE t0_h2_else PARTITION OF t0_h2 DEFAULT;
		INSERT INTO t0 SELECT i, NULLIF(date '2023-12-01' + i, '2024-01-02'), (ARRAY['a', 'b', NULL])[1 + i % 3] FROM generate_series(1, 500) i`, true)
	if err != nil {
		t.Fatal(err)
	}
	defer closeWorld(t, w)
	for sql, why := range map[string]string{
		"SELECT id, at, k FROM {t0}":                                                    "4 of 4 partitions are read",
		"SELECT id, upper(k) AS k FROM {t0} WHERE at >= DATE'2024-07-01'":               "3 of 4 partitions are read",
		"SELECT id, k FROM {t0} WHERE at >= DATE'2024-07-01' AND at < DATE'2024-09-01'": "2 of 4 partitions are read",
		"SELECT id FROM {t0} WHERE at IS NULL":                                          "1 of 4 partitions are read",
		"SELECT id, date_trunc('month', at) AS m FROM {t0} WHERE at < DATE'2024-03-01'": "2 of 4 partitions are read",
		"SELECT l.id, r.k FROM {t0} l JOIN {t0} r ON length(l.k) = length(r.k) + r.id - l.id WHERE l.at < DATE'2024-01-05' AND r.at = DATE'2024-08-01'": "",
	} {
		out, err := w.compare(t.Context(), query{sql: sql}, "")
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		for _, problem := range out.problems {
			t.Errorf("%s: %s", sql, problem)
		}
		if why != "" && (out.reads[0].Strategy != readplan.ByLeaves || !strings.HasSuffix(out.reads[0].Why, why)) {
			t.Errorf("%s: %s, %s, want %s", sql, out.reads[0].Strategy, out.reads[0].Why, why)
		}
	}
	for _, st := range w.way.Statements() {
		if strings.Contains(st.SQL, `"at" < '2024-03-01'`) && strings.Contains(st.SQL, "at >= '2024-01-01'") && !strings.Contains(st.SQL, "NOT (") {
			return // a read of the first half alone
		}
	}
	t.Error("PostgreSQL was not asked for one partition")
}

// A query over a table has no pages that could be cut.
func TestQueryHasNoPages(t *testing.T) {
	t.Parallel()
	tb := table(func(t *sparkwright.Table) {
		t.Kind, t.PrimaryKey = sparkwright.KindTable, nil
		t.Columns = append(t.Columns, sparkwright.Column{Name: "prices", Type: "money[]", BaseType: "_money"})
	})
	opt := readplan.Options{Cores: 2, Pages: true, Scanned: map[string]bool{"orders": true}}
	r := readplan.Plan(&sparkwright.Catalog{Tables: []sparkwright.Table{tb}}, nil, opt)[0]
	if !r.ByQuery || r.Partitions != 1 || len(r.Predicates) != 0 {
		t.Errorf("by a query %v, %s in %d reads: %q", r.ByQuery, r.Strategy, r.Partitions, r.Predicates)
	}
}
