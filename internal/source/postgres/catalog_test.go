package postgres_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
)

const zooSQL = `
CREATE SCHEMA zoo;
CREATE SCHEMA hidden;
CREATE TYPE zoo.mood AS ENUM ('sad', 'it''s ok', 'happy, mostly');
CREATE DOMAIN zoo.money AS numeric(12,2) CHECK (VALUE >= 0);
CREATE DOMAIN zoo.price AS zoo.money NOT NULL;
CREATE DOMAIN zoo.feeling AS zoo.mood;
CREATE TABLE zoo.keeper (id int PRIMARY KEY, name varchar(40) NOT NULL, badge text UNIQUE, a int, b int);
CREATE UNIQUE INDEX keeper_ab ON zoo.keeper (a, b) INCLUDE (name);
CREATE UNIQUE INDEX keeper_lower ON zoo.keeper (a, lower(name), b);
CREATE UNIQUE INDEX keeper_part ON zoo.keeper (b) WHERE a > 1;
CREATE INDEX keeper_hash ON zoo.keeper USING hash (a);
CREATE TABLE zoo.animal (
    id bigint PRIMARY KEY, keeper_id int REFERENCES zoo.keeper, mood zoo.mood, moods zoo.mood[], feeling zoo.feeling,
    price zoo.price, cost zoo.money, tags text[], born date, dropped int, weight double precision);
ALTER TABLE zoo.animal DROP COLUMN dropped;
COMMENT ON TABLE zoo.animal IS 'Who lives here';
COMMENT ON COLUMN zoo.animal.born IS 'Birthday; it''s a date';
INSERT INTO zoo.keeper VALUES (1, 'Ann', 'x', 1, 2);
INSERT INTO zoo.animal
SELECT i, CASE WHEN i % 4 > 0 THEN 1 END, (ARRAY['sad', 'happy, mostly', 'happy, mostly'])[1 + i % 3]::zoo.mood, NULL, 'sad', i, i,
       ARRAY['a "q"', NULL, 'c\d'], date '2020-01-01' + i, 1.5 FROM generate_series(1, 1000) i;
CREATE TABLE zoo.visit (day date NOT NULL, visitors int, PRIMARY KEY (day)) PARTITION BY RANGE (day);
CREATE TABLE zoo.visit_2024 PARTITION OF zoo.visit FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE zoo.visit_2025 PARTITION OF zoo.visit FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY RANGE (day);
CREATE TABLE zoo.visit_2025h1 PARTITION OF zoo.visit_2025 FOR VALUES FROM ('2025-01-01') TO ('2025-07-01');
CREATE TABLE zoo.visit_2025h2 PARTITION OF zoo.visit_2025 FOR VALUES FROM ('2025-07-01') TO ('2026-01-01');
INSERT INTO zoo.visit SELECT date '2024-01-01' + i, i FROM generate_series(0, 699) i;
CREATE VIEW zoo.sad AS SELECT * FROM zoo.animal WHERE mood = 'sad';
CREATE MATERIALIZED VIEW zoo.moods AS SELECT mood, count(*) FROM zoo.animal GROUP BY mood;
CREATE TABLE zoo."We""ird.Näme" ("Kölumn ""x"".y" int PRIMARY KEY);
CREATE TABLE hidden.secret (id int);
CREATE TEMP TABLE gone (id int);
CREATE EXTENSION IF NOT EXISTS postgres_fdw;
CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw;
CREATE FOREIGN TABLE zoo.elsewhere (id int) SERVER far;
CREATE ROLE zoo_reader LOGIN PASSWORD 'zoo';
GRANT USAGE ON SCHEMA zoo TO zoo_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA zoo, hidden TO zoo_reader;
REVOKE SELECT ON zoo.keeper FROM zoo_reader;
ANALYZE;
CREATE TABLE zoo.fresh (id int);
INSERT INTO zoo.fresh SELECT generate_series(1, 1000);`

func TestCatalog(t *testing.T) {
	t.Parallel()
	newDatabase(t, "zoo", zooSQL)
	c, _ := owner(t, "zoo")
	src := open(t, c, sparkwright.Credentials{User: "zoo_reader", Password: "zoo"})
	got, err := src.Catalog(t.Context(), postgres.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	tables := map[string]*sparkwright.Table{}
	for i, table := range got.Tables {
		list = append(list, fmt.Sprintf("%s.%s %s rows=%d readable=%v", table.Schema, table.Name, table.Kind, table.RowEstimate, table.Readable))
		tables[table.Name] = &got.Tables[i]
	}
	slices.Sort(list)
	want := []string{
		`hidden.secret table rows=0 readable=false`,
		`zoo.We"ird.Näme table rows=0 readable=true`,
		`zoo.animal table rows=1000 readable=true`,
		`zoo.elsewhere foreign_table rows=-1 readable=true`,
		`zoo.fresh table rows=-1 readable=false`,
		`zoo.keeper table rows=1 readable=false`,
		`zoo.moods materialized_view rows=2 readable=true`,
		`zoo.sad view rows=-1 readable=true`,
		`zoo.visit partitioned_table rows=700 readable=true`,
	}
	// A table that was analysed while empty counts as never analysed.
	for i := range list {
		list[i] = strings.Replace(list[i], "secret table rows=-1", "secret table rows=0", 1)
		list[i] = strings.Replace(list[i], "Näme table rows=-1", "Näme table rows=0", 1)
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("relations (-want +got):\n%s", diff)
	}

	animal := tables["animal"]
	type column struct{ Type, Base, Enum string }
	columns := map[string]column{}
	for _, col := range animal.Columns {
		columns[col.Name] = column{col.Type, col.BaseType, strings.Join(col.Enum, "|")}
	}
	labels := "sad|it's ok|happy, mostly"
	wantColumns := map[string]column{
		"id": {"bigint", "int8", ""}, "keeper_id": {"integer", "int4", ""}, "mood": {"zoo.mood", "mood", labels},
		"moods": {"zoo.mood[]", "_mood", labels}, "feeling": {"zoo.mood", "mood", labels}, "price": {"numeric(12,2)", "numeric", ""},
		"cost": {"numeric(12,2)", "numeric", ""}, "tags": {"text[]", "_text", ""}, "born": {"date", "date", ""}, "weight": {"double precision", "float8", ""},
	}
	if diff := cmp.Diff(wantColumns, columns); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	if born := animal.Column("born"); animal.Comment != "Who lives here" || born.Comment != "Birthday; it's a date" || !born.Nullable || animal.Column("id").Nullable {
		t.Errorf("comments or nullability: %q %+v", animal.Comment, born)
	}
	wantKey := []sparkwright.ForeignKey{{Name: "animal_keeper_id_fkey", Columns: []string{"keeper_id"}, RefSchema: "zoo", RefTable: "keeper", RefColumns: []string{"id"}}}
	if diff := cmp.Diff(wantKey, animal.ForeignKeys); diff != "" {
		t.Errorf("foreign keys (-want +got):\n%s", diff)
	}
	if animal.Bytes < 8192 || tables["visit"].Bytes < 3*8192 || tables["fresh"].Bytes < 8192 || tables["sad"].Bytes != 0 {
		t.Errorf("bytes: %d %d %d %d", animal.Bytes, tables["visit"].Bytes, tables["fresh"].Bytes, tables["sad"].Bytes)
	}
	if name := tables[`We"ird.Näme`].Columns[0].Name; name != `Kölumn "x".y` {
		t.Errorf("column %q", name)
	}
	keeper := tables["keeper"]
	wantIndexes := []sparkwright.Index{
		{Name: "keeper_ab", Columns: []string{"a", "b"}, Unique: true},
		{Name: "keeper_badge_key", Columns: []string{"badge"}, Unique: true},
		{Name: "keeper_lower", Columns: []string{"a"}},
		{Name: "keeper_pkey", Columns: []string{"id"}, Unique: true},
	}
	if diff := cmp.Diff(wantIndexes, keeper.Indexes); diff != "" {
		t.Errorf("indexes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]string{{"a", "b"}, {"badge"}}, keeper.Uniques); diff != "" || keeper.PrimaryKey[0] != "id" {
		t.Errorf("keys %v (-want +got):\n%s", keeper.PrimaryKey, diff)
	}

	stats := func(table, column string) sparkwright.ColumnStats {
		s := tables[table].Column(column).Stats
		if s == nil {
			t.Fatalf("%s.%s has no statistics", table, column)
		}
		return *s
	}
	if s := stats("animal", "id"); s.Distinct != 1000 || s.Correlation != 1 || s.AvgWidth != 8 || len(s.Histogram) != 101 || s.Histogram[0] != "1" || s.Histogram[100] != "1000" {
		t.Errorf("id: %+v", s)
	}
	if s := stats("animal", "keeper_id"); s.NullFraction != 0.25 || s.Distinct != 1 {
		t.Errorf("keeper_id: %+v", s)
	}
	moods := []sparkwright.ValueCount{{Value: "happy, mostly", Fraction: 0.667}, {Value: "sad", Fraction: 0.333}}
	if diff := cmp.Diff(moods, stats("animal", "mood").MostCommon, cmpopts.EquateApprox(0, 0.001)); diff != "" {
		t.Errorf("mood (-want +got):\n%s", diff)
	}
	if s := stats("animal", "tags"); len(s.MostCommon) != 1 || s.MostCommon[0].Value != `{"a \"q\"",NULL,"c\\d"}` {
		t.Errorf("tags: %+v", s)
	}
	if s := stats("visit", "day"); s.Histogram[0] != "2024-01-01" || s.Distinct != 700 {
		t.Errorf("partitioned: %+v", s)
	}
	if tables["keeper"].Column("name").Stats != nil || tables["fresh"].Columns[0].Stats != nil {
		t.Error("statistics of what may not be read")
	}
}

func TestCatalogFilter(t *testing.T) {
	t.Parallel()
	newDatabase(t, "filter", `CREATE SCHEMA s; CREATE TABLE s."A.b" (i int); CREATE TABLE public.p (d date) PARTITION BY LIST (d);
		CREATE TABLE public.p1 PARTITION OF public.p DEFAULT; CREATE TABLE public.empty ();`)
	src := func() *postgres.Source { c, cred := owner(t, "filter"); return open(t, c, cred) }()
	for _, tt := range []struct {
		name   string
		filter postgres.Filter
		want   []string
	}{
		{"all", postgres.Filter{}, []string{"empty", "p", "A.b"}},
		{"schema", postgres.Filter{Schemas: []string{"s"}}, []string{"A.b"}},
		{"table", postgres.Filter{Tables: []string{"s.A.b", "public.none"}}, []string{"A.b"}},
		{"partitions", postgres.Filter{Schemas: []string{"public"}, Partitions: true}, []string{"empty", "p", "p1"}},
		{"nothing", postgres.Filter{Schemas: []string{"x"}}, nil},
	} {
		got, err := src.Catalog(t.Context(), tt.filter)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, table := range got.Tables {
			names = append(names, table.Name)
		}
		if diff := cmp.Diff(tt.want, names); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// counter counts the queries of a session.
type counter struct{ n atomic.Int32 }

func (c *counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.n.Add(1)
	return ctx
}

func (c *counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func TestCatalogOfManyTables(t *testing.T) {
	t.Parallel()
	conn := newDatabase(t, "many", "CREATE TABLE one (id int PRIMARY KEY)")
	count := func() (int, int, time.Duration) {
		c, cred := owner(t, "many")
		var queries counter
		src := open(t, c, cred, postgres.WithTracer(&queries))
		begin := time.Now()
		got, err := src.Catalog(t.Context(), postgres.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		return len(got.Tables), int(queries.n.Load()), time.Since(begin)
	}
	_, few, _ := count()
	for i := range 20 { // in parts, for the locks
		mustExec(t, conn, fmt.Sprintf(`DO $$ BEGIN FOR i IN %d..%d LOOP EXECUTE format(
			'CREATE TABLE t%%s (id int PRIMARY KEY, a text, b numeric(12,2), c date, d timestamptz, e int REFERENCES one, f text, g int);
			INSERT INTO t%%s (id, a, b) SELECT g, mod(g, 7)::text, g FROM generate_series(1, 200) g; ANALYZE t%%s', i, i, i); END LOOP; END $$`, i*100+1, i*100+100))
	}
	tables, many, took := count()
	if tables != 2001 || many != few || many > 12 {
		t.Errorf("%d tables took %d queries, one took %d", tables, many, few)
	}
	t.Logf("%d tables of 8 columns: %d queries, %s", tables, many, took.Round(time.Millisecond))
}

func TestRuns(t *testing.T) {
	t.Parallel()
	newDatabase(t, "runs", "")
	c, cred := owner(t, "runs")
	src := open(t, c, cred)
	cfg, err := postgres.Config(c, cred)
	if err != nil {
		t.Fatal(err)
	}
	cfg.RuntimeParams["application_name"] = "sparkwright/run1"
	worker, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = worker.Close(context.Background()) }()
	ended := make(chan error, 1)
	go func() {
		_, err := worker.Exec(context.Background(), "SELECT pg_sleep(600)")
		ended <- err
	}()
	if n, err := src.Backends(t.Context(), "run1"); n != 1 || err != nil {
		t.Errorf("backends: %d, %v", n, err)
	}
	if n, err := src.Backends(t.Context(), "run"); n != 0 || err != nil {
		t.Errorf("backends of another run: %d, %v", n, err)
	}
	for cancelled := false; !cancelled; { // the query may not have begun yet
		if n, err := src.CancelRun(t.Context(), "run1"); n != 1 || err != nil {
			t.Fatalf("cancel: %d, %v", n, err)
		}
		select {
		case err := <-ended:
			cancelled = true
			if err == nil || !strings.Contains(err.Error(), "canceling statement due to user request") {
				t.Errorf("the query ended with %v", err)
			}
		case <-time.After(50 * time.Millisecond):
		}
	}
}
