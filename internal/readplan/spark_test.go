package readplan_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/executortest"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/readplan"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

func TestMain(m *testing.M) {
	pgembed.KeeperMain()
	code := m.Run()
	closeBed()
	os.Exit(code)
}

const schema = `
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN posint AS int CHECK (value > 0);
CREATE TABLE alltypes (
	id bigserial PRIMARY KEY, c_smallint smallint, c_int int, c_real real, c_double double precision, c_num numeric,
	c_num122 numeric(12,2), c_num60 numeric(60,10), c_neg numeric(5,-2), c_bool bool, c_text text, c_vc varchar(20), c_ch char(5),
	c_bytea bytea, c_date date, c_time time, c_timetz timetz, c_ts timestamp, c_tstz timestamptz, c_interval interval, c_uuid uuid,
	c_json json, c_jsonb jsonb, c_inet inet, c_mac macaddr, c_enum mood, c_dom posint, c_xml xml, c_money money, c_point point,
	c_bit bit(8), c_bit1 bit(1), c_varbit varbit(8), c_oid oid, c_tsv tsvector, c_range int4range, c_name name, c_char "char",
	a_int int[], a_text text[], a_num numeric[], a_num122 numeric(12,2)[], a_ts timestamptz[], a_date date[], a_uuid uuid[], a_bool bool[],
	a_double double precision[], a_enum mood[], a_json jsonb[], a_bytea bytea[], a_small smallint[], a_real real[], a_oid oid[],
	a_grid int[][], a_time time[], a_inet inet[], a_interval interval[], "we.ird ` + "``" + ` ""näme" int
);
CREATE TABLE odd (id int, m money[], "Quoted.Name" text);
INSERT INTO odd VALUES (1, '{1.50}', 'kept');
INSERT INTO alltypes (c_num122, c_timetz, "we.ird ` + "``" + ` ""näme") VALUES (1.50, '10:00+02', 7);
`

// The types that SparkType promises are those that Spark 4.3 gives, and what
// it skips does not keep the rest of the table from being read.
func TestSparkTypes(t *testing.T) {
	t.Parallel()
	catalog, conn, password := setup(t)
	e := theBed(t).spark // reads PostgreSQL directly
	for _, view := range []string{"alltypes", "odd"} {
		reads := readplan.Plan(catalog, []string{view}, readplan.Options{Cores: 2})
		m := run(t, e, conn, password, reads, "result = spark.table('"+view+"')")
		var want []sparkwright.ResultColumn
		for _, c := range reads[0].Kept() {
			want = append(want, sparkwright.ResultColumn{Name: c.Name, Type: c.Type})
		}
		if diff := cmp.Diff(want, m.Schema); diff != "" {
			t.Errorf("%s (-promised +Spark):\n%s", view, diff)
		}
		if m.RowCount != 1 {
			t.Errorf("%s: %d rows", view, m.RowCount)
		}
	}
}

// Rows outside the bounds and rows with NULL are read exactly once.
func TestPartitionsReadEachRowOnce(t *testing.T) {
	t.Parallel()
	catalog, conn, password := setup(t)
	e := theBed(t).spark // reads PostgreSQL directly
	reads := readplan.Plan(catalog, []string{"parts"}, readplan.Options{Cores: 2})
	reads[0].Partitions, reads[0].Column, reads[0].Lower, reads[0].Upper = 4, "k", "100", "200"
	const analysis = "result = spark.sql('SELECT count(*) AS n, count(k) AS k, sum(v) AS s FROM parts WHERE v > 0')"
	check := func(how string) {
		t.Helper()
		reads[0].View = "parts"
		m := run(t, e, conn, password, reads, analysis)
		got, err := json.Marshal(m.Preview)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != "[[1000,900,500500]]" {
			t.Errorf("%s: count, keys, sum: %s", how, got)
		}
	}
	check("equal steps")
	reads[0].Column, reads[0].Lower, reads[0].Upper = "d", "2024-03-01", "2025-01-01"
	check("equal steps of a date")
	reads[0].Column, reads[0].Lower, reads[0].Upper = "at", "2024-03-01 00:00:00", "2024-03-01 20:00:00"
	check("equal steps of a time")
	reads[0].Predicates = []string{`("k" < 300 OR "k" IS NULL)`, `"k" >= 300 AND "k" < 800`, `"k" >= 800`}
	check("ranges")
	reads[0].Predicates = []string{"ctid < '(2,0)'::tid", "ctid >= '(2,0)'::tid"}
	check("pages")
}

func setup(t *testing.T) (catalog *sparkwright.Catalog, conn sparkwright.Connection, password string) {
	t.Helper()
	srv, err := pgembed.Start(t.Context(), pgembed.Options{
		Dir: filepath.Join(t.TempDir(), "pg"), CacheDir: filepath.Join(testkit.Home(t), "runtime", "postgres"),
		RepositoryURL: testkit.MavenURL(t), Settings: map[string]string{"fsync": "off"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Stop(context.Background()) })
	conn, cred := loginOf(t, srv)
	cfg, err := postgres.Config(conn, cred)
	if err != nil {
		t.Fatal(err)
	}
	delete(cfg.RuntimeParams, "default_transaction_read_only")
	pg, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer pg.Close(t.Context()) //nolint:errcheck // nothing is lost
	_, err = pg.Exec(t.Context(), schema+`
		CREATE TABLE parts AS SELECT CASE WHEN i % 10 = 0 THEN NULL ELSE i END AS k, i AS v,
			CASE WHEN i % 7 > 0 THEN date '2024-01-01' + i END AS d, CASE WHEN i % 7 > 0 THEN timestamptz '2024-02-29 23:00+00' + i * interval '1.5 min' END AS at FROM generate_series(1, 1000) i;
		ANALYZE;`)
	if err != nil {
		t.Fatal(err)
	}
	src, err := postgres.Open(t.Context(), conn, cred)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if catalog, err = src.Catalog(t.Context(), postgres.Filter{}); err != nil {
		t.Fatal(err)
	}
	readplan.NameViews(catalog)
	return catalog, conn, cred.Password
}

func run(t *testing.T, e sparkwright.Executor, conn sparkwright.Connection, password string, reads []readplan.Read, analysis string) *sparkwright.Manifest {
	t.Helper()
	url, err := postgres.JDBCURL(conn, "sparkwright/r_types")
	if err != nil {
		t.Fatal(err)
	}
	location := filepath.Join(t.TempDir(), "result")
	id := "r_types-" + filepath.Base(filepath.Dir(location)) + reads[0].View
	script, err := jobscript.Render(jobscript.Spec{
		RunID: "r_types", AttemptID: id, Location: location, Analysis: analysis, PreviewRows: 10,
		Connections: []jobscript.Connection{{Name: conn.Name, URL: url}}, Reads: reads,
	})
	if err != nil {
		t.Fatal(err)
	}
	h, err := e.Submit(t.Context(), sparkwright.Job{
		Attempt:  sparkwright.Attempt{ID: id, RunID: "r_types", Script: script},
		Location: location,
		Secrets:  map[string]string{jobscript.UserEnv(0): conn.User, jobscript.PasswordEnv(0): password},
	})
	if err != nil {
		t.Fatal(err)
	}
	sink := &executortest.Sink{}
	if out := executortest.Finish(t, e, h, sink); out.State != sparkwright.AttemptSucceeded {
		t.Fatalf("state %s, fault %+v\n%s", out.State, out.Fault, sink.Text())
	}
	m, err := artifact.Load(location, "r_types", id)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
