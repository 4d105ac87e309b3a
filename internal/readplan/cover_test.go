package readplan_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/readplan"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

// spread are ways in which a key can be distributed; i runs from 1 to 20,000.
var spread = map[string]string{
	"even":             "i::bigint",
	"a skewed key":     "(power(random(), 9) * 1e9)::bigint",
	"sparse ids":       "CASE WHEN i % 100 = 0 THEN i::bigint * 1000000000 ELSE i END",
	"one value mostly": "CASE WHEN i % 10 = 0 THEN i ELSE 7 END",
	"nulls mostly":     "CASE WHEN i % 10 = 0 THEN i END",
	"negative":         "-(power(i, 3))::bigint",
	"few values":       "i % 3",
	"dates":            "CASE WHEN i % 1000 = 0 THEN date 'infinity' WHEN i % 1000 = 1 THEN date '-infinity' ELSE date '2020-01-01' + (power(random(), 5) * 3000)::int END",
	"times":            "timestamptz '2020-01-01 12:30:00.123456+02' + power(random(), 7) * interval '1000 days'",
	"local times":      "timestamp '1960-01-01' + power(random(), 7) * interval '100000 days'",
	"numerics":         "(power(random(), 9) * 1e6)::numeric(20,6)",
	"numerics, NaN":    "CASE WHEN i % 50 = 0 THEN 'NaN' ELSE random()::numeric END",
	"doubles":          "CASE WHEN i % 50 = 0 THEN 'NaN' WHEN i % 50 = 1 THEN 'Infinity' WHEN i % 50 = 2 THEN '-Infinity' ELSE power(random(), 9) END::float8",
	"text":             "'key ''' || i",
	"odd quotes":       "i % 2 = 0",
}

// Each row is in exactly one of the reads, whatever the distribution and also
// when the table has changed since it was analysed.
func TestEachRowIsReadOnce(t *testing.T) {
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
	i := 0
	for name, key := range spread {
		i++
		table := pgx.Identifier{"public", fmt.Sprintf(`t %d"`, i)}.Sanitize()
		exec(t, owner, fmt.Sprintf(`CREATE TABLE %s AS SELECT %s AS "k""ey", repeat('x', i %% 50) AS v FROM generate_series(1, 20000) i; COMMENT ON TABLE %s IS '%s'`,
			table, key, table, strings.ReplaceAll(name, "'", "''")))
		exec(t, owner, fmt.Sprintf(`CREATE INDEX ON %s ("k""ey"); ANALYZE %s`, table, table))
	}
	exec(t, owner, `CREATE TABLE parted (id int, at date) PARTITION BY RANGE (at);
		CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
		CREATE TABLE parted_2 PARTITION OF parted DEFAULT;
		INSERT INTO parted SELECT i, date '2024-01-01' + i % 400 FROM generate_series(1, 20000) i;
		CREATE TABLE no_key AS SELECT i, repeat('y', 100) AS v FROM generate_series(1, 20000) i; ANALYZE`)
	catalog, err := src.Catalog(t.Context(), postgres.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	// Later changes: rows outside all statistics.
	exec(t, owner, `DO $$ DECLARE r record; BEGIN FOR r IN SELECT oid::regclass AS t FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace AND relname NOT LIKE 'parted_%' LOOP
		EXECUTE format('INSERT INTO %s SELECT * FROM %s LIMIT 5000', r.t, r.t); EXECUTE format('INSERT INTO %s SELECT NULL', r.t); END LOOP; END $$`)
	readplan.NameViews(catalog)
	seen := map[readplan.Strategy]int{}
	for i := range catalog.Tables {
		tb := &catalog.Tables[i]
		for _, n := range []int{2, 3, 8, 16} {
			covers(t, owner, *tb, n, seen)
		}
	}
	if seen[readplan.ByRanges] < 20 || seen[readplan.ByPages] < 12 || seen[readplan.ByColumn] < 4 {
		t.Errorf("strategies that were met: %v", seen)
	}
}

func covers(t *testing.T, owner *pgx.Conn, tb sparkwright.Table, n int, seen map[readplan.Strategy]int) {
	t.Helper()
	pages := tb.Bytes
	tb.Bytes = max(tb.Bytes, 1<<40) // as if it were large
	opt := readplan.Options{Cores: 64, MaxConnections: n, Scanned: map[string]bool{tb.View: true}, Pages: true}
	r := readplan.Plan(&sparkwright.Catalog{Tables: []sparkwright.Table{tb}}, nil, opt)[0]
	if r.Strategy == readplan.ByPages { // with its true size the cuts fall inside
		tb.Bytes, tb.LargestPartition = max(pages, 64<<20), pages
		tb.Kind = sparkwright.KindPartitioned
		r = readplan.Plan(&sparkwright.Catalog{Tables: []sparkwright.Table{tb}}, nil, opt)[0]
	}
	seen[r.Strategy]++
	if len(r.Predicates) == 0 {
		return // Spark makes the steps: see TestPartitionsReadEachRowOnce
	}
	if len(r.Predicates) > n || len(r.Predicates) != r.Partitions {
		t.Errorf("%s: %d reads, at most %d", tb.Comment, len(r.Predicates), n)
	}
	from := pgx.Identifier{tb.Schema, tb.Name}.Sanitize()
	terms := make([]string, len(r.Predicates))
	for i, p := range r.Predicates {
		terms[i] = fmt.Sprintf("((%s) IS TRUE)::int", p)
	}
	var all, wrong int
	if err := owner.QueryRow(t.Context(), fmt.Sprintf("SELECT count(*), count(*) FILTER (WHERE %s <> 1) FROM %s", strings.Join(terms, " + "), from)).Scan(&all, &wrong); err != nil {
		t.Fatalf("%s: %v", tb.Comment, err)
	}
	if all <= 20000 || wrong != 0 {
		t.Errorf("%s in %d reads (%s): %d of %d rows are not in exactly one: %q", tb.Comment, n, r.Strategy, wrong, all, r.Predicates)
	}
	if tb.Comment == "a skewed key" || tb.Comment == "sparse ids" || tb.Comment == "numerics" {
		var largest float64
		if err := owner.QueryRow(t.Context(), fmt.Sprintf("SELECT greatest(%s)::float8 / count(*) FROM %s",
			"count(*) FILTER (WHERE "+strings.Join(r.Predicates, "), count(*) FILTER (WHERE ")+")", from)).Scan(&largest); err != nil {
			t.Fatal(err)
		}
		if largest > 3/float64(n) {
			t.Errorf("%s in %d reads: the largest has %.2f of the rows", tb.Comment, n, largest)
		}
	}
}

func openBoth(t *testing.T, srv *pgembed.Server) (*pgx.Conn, *postgres.Source) {
	t.Helper()
	conn, cred := loginOf(t, srv)
	cfg, err := postgres.Config(conn, cred)
	if err != nil {
		t.Fatal(err)
	}
	owner, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = owner.Close(context.Background()) })
	src, err := postgres.Open(t.Context(), conn, cred)
	if err != nil {
		t.Fatal(err)
	}
	return owner, src
}

func exec(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
}
