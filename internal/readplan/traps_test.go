package readplan_test

import (
	"context"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright/internal/readplan"
)

// trap is a case in which handing a query to PostgreSQL was seen to change or
// to lose the answer.
type trap struct {
	name string
	sql  string // makes the tables
	asks []ask
}

type ask struct {
	query string
	want  string // the rows, as show writes them; "" = the same in all ways is enough
	held  string // in the reason why something stays with Spark; "" = all is handed over
	fails string // in the error that every way ends with
}

// The traps that were measured when Spark reads PostgreSQL, and those that the
// differential test has found since. Others have tests of their own: types that
// Spark changes or cannot load (TestSparkTypes), each row exactly once
// (TestEachRowIsReadOnce, TestPartitionsReadEachRowOnce), joins and partitions
// (TestJoinIsOneStatement, TestPlan), rows without a fetch size (TestFetchSize here
// and in the broker), one snapshot (TestOneSnapshot and TestConsistentUnderWriters
// in the broker), catalogs that accept CREATE and DROP (TestNothingIsWritten in the broker).
var traps = []trap{
	{
		"session time zone", "CREATE TABLE t0 (at timestamptz); INSERT INTO t0 VALUES ('2020-01-01 03:00+00'), ('2019-12-31 23:30-08')",
		[]ask{
			{"SELECT year(at) AS y, count(*) AS n FROM {t0} GROUP BY 1", `("2020", "2")`, "", ""},
			{"SELECT count(*) AS n FROM {t0} WHERE at >= TIMESTAMP'2020-01-01 03:00:00'", `("2")`, "", ""},
			{"SELECT count(*) AS n FROM {t0} WHERE hour(at) = 3", `("1")`, "", ""},
		},
	},
	{
		"text collation", `CREATE TABLE t0 (c text, b text COLLATE "C"); INSERT INTO t0 VALUES ('a', 'a'), ('B', 'B'), ('b', 'b')`,
		[]ask{
			{"SELECT max(c) AS m FROM {t0}", `("b")`, "collation", ""},
			{"SELECT c FROM {t0} ORDER BY c LIMIT 1", `("B")`, "collation", ""},
			{"SELECT count(*) AS n FROM {t0} WHERE c > 'a'", `("1")`, "collation", ""},
			{"SELECT sum(CASE WHEN c > 'a' THEN 1 ELSE 0 END) AS n FROM {t0}", `("1")`, "collation", ""},
			{"SELECT max(b) AS m FROM {t0}", `("b")`, "", ""},
			{"SELECT count(*) AS n FROM {t0} WHERE c = 'B'", `("1")`, "", ""},
		},
	},
	{
		"text that folds", `CREATE TABLE t0 (c text COLLATE public.folds); INSERT INTO t0 VALUES ('a'), ('A'), ('b')`,
		[]ask{
			{"SELECT count(*) AS n FROM {t0} WHERE c = 'A'", `("1")`, "takes different texts for the same", ""},
			{"SELECT c, count(*) AS n FROM {t0} GROUP BY c", `("A", "1")("a", "1")("b", "1")`, "takes different texts for the same", ""},
			{"SELECT count(*) AS n FROM {t0} WHERE c LIKE 'a%'", `("1")`, "takes different texts for the same", ""},
		},
	},
	{
		"numeric wider than Spark's", "CREATE TABLE t0 (id int, w numeric(60,10), n numeric(5,-2)); INSERT INTO t0 VALUES (1, 1.5, 100)",
		[]ask{{"SELECT * FROM {t0}", `("1")`, "", ""}},
	},
	{
		"unconstrained numeric", "CREATE TABLE t0 (n numeric); INSERT INTO t0 VALUES (1.000000000000000000000001), (1), (2.5)",
		[]ask{
			{"SELECT count(*) AS c FROM {t0} WHERE n = 1", "", "more digits", ""},
			{"SELECT n, count(*) AS c FROM {t0} GROUP BY n", "", "more digits", ""},
			{"SELECT sum(n) AS s FROM {t0} WHERE n > 2", `("2.500000000000000000")`, "more digits", ""},
		},
	},
	{
		"sums of extreme numeric", "CREATE TABLE t0 (n numeric(38,10), k numeric(12,2)); INSERT INTO t0 VALUES (1234567890123456789012345678.0000000001, 1.10), (1.5, 2.25)",
		[]ask{
			{"SELECT sum(n) AS s FROM {t0}", `("1234567890123456789012345679.5000000001")`, "fewer digits", ""},
			{"SELECT max(n) AS s FROM {t0}", `("1234567890123456789012345678.0000000001")`, "fewer digits", ""},
			{"SELECT sum(k) AS s, avg(k) AS a FROM {t0}", `("3.35", "1.675000")`, "", ""},
		},
	},
	{
		"quotients", "CREATE TABLE t0 (k numeric(12,2)); INSERT INTO t0 VALUES (1), (1), (1)",
		[]ask{{"SELECT sum(k / 3) AS s FROM {t0}", "", "other digits", ""}},
	},
	{
		"NaN and infinite doubles", "CREATE TABLE t0 (d float8); INSERT INTO t0 VALUES ('NaN'), ('Infinity'), ('-Infinity'), (1), ('-0'), (NULL)",
		[]ask{
			{"SELECT max(d) AS a, min(d) AS b FROM {t0}", `("NaN", "-Infinity")`, "", ""},
			{"SELECT d FROM {t0} ORDER BY d DESC LIMIT 2", `("Infinity")("NaN")`, "", ""},
			{"SELECT count(*) AS n FROM {t0} WHERE d > 1", `("2")`, "", ""},
			{"SELECT count(*) AS n FROM {t0} WHERE d = CAST('NaN' AS DOUBLE)", `("1")`, "NaN", ""},
			{"SELECT count(*) AS n FROM {t0} WHERE d = 0", `("1")`, "", ""},
			{"SELECT sum(d) AS s FROM {t0}", `("NaN")`, "too large", ""},
		},
	},
	{
		"doubles that become too large", "CREATE TABLE t0 (d float8, n int); INSERT INTO t0 VALUES (1.7e308, 1), (1.7e308, 2)",
		[]ask{
			{"SELECT sum(d) AS s FROM {t0}", `("Infinity")`, "too large", ""},
			{"SELECT avg(d) AS a FROM {t0}", `("Infinity")`, "too large", ""},
			{"SELECT var_pop(d) AS a FROM {t0}", "", "too large", ""},
			{"SELECT count(*) AS c FROM {t0} WHERE d * 2 > 3", `("2")`, "too large", ""},
			{"SELECT n % 2 AS g, sum(d * 10) AS s FROM {t0} GROUP BY 1", `("0", "Infinity")("1", "Infinity")`, "too large", ""},
			{"SELECT max(d) AS m, sum(n) AS s FROM {t0} WHERE d > 1", `("1.7E308", "3")`, "", ""},
		},
	},
	{
		"whole numbers of two sizes", "CREATE TABLE t0 (i int, s smallint, b bigint); INSERT INTO t0 VALUES (3, 3, 2), (1, 1, -7), (NULL, NULL, 1)",
		[]ask{
			{"SELECT count(*) AS c FROM {t0} WHERE b + i >= 2", `("1")`, "casts", ""},
			{"SELECT count(*) AS c FROM {t0} WHERE b * s < 0", `("1")`, "casts", ""},
			{"SELECT count(*) AS c FROM {t0} WHERE i * 5000000000 > 3", `("2")`, "casts", ""},
			{"SELECT count(*) AS c FROM {t0} WHERE i > 1 AND b > 1", `("1")`, "", ""},
		},
	},
	{
		"remainders of doubles", `CREATE TABLE t0 (amount float8, ratio real, n int, "si""ze" float8); INSERT INTO t0 VALUES (3, 3, 3, 3), (4.5, 4.5, 4, 4.5), (NULL, NULL, 5, NULL)`,
		[]ask{
			{"SELECT count(*) AS c FROM {t0} WHERE amount % 2 = 1", `("1")`, "remainder", ""},
			{"SELECT n FROM {t0} WHERE amount % 2 = 1", `("3")`, "remainder", ""},
			{"SELECT n FROM {t0} WHERE `si\"ze` % 2 = 1", `("3")`, "remainder", ""},
			{"SELECT n, count(*) AS c FROM {t0} WHERE ratio % 2 = 1 GROUP BY n", `("3", "1")`, "remainder", ""},
			{"SELECT sum(amount % 2) AS s FROM {t0}", `("1.5")`, "", ""},
			{"SELECT count(*) AS c FROM {t0} WHERE n % CAST(2 AS DOUBLE) = 1", `("2")`, "remainder", ""},
			{"SELECT count(*) AS c FROM {t0} WHERE n % 2 = 1 AND amount > 0", `("1")`, "", ""},
		},
	},
	{
		"sums of doubles", "CREATE TABLE t0 (d float8); INSERT INTO t0 VALUES (0.1), (0.2), (0.3)",
		[]ask{{"SELECT sum(d) AS s, avg(d) AS a FROM {t0}", "", "", ""}},
	},
	{ // 40000 / 3: PostgreSQL's numeric ends as 13333.333333333333, the double nearest to it is another one
		"means of whole numbers", "CREATE TABLE t0 (s smallint, i int, b bigint); INSERT INTO t0 VALUES (13333, 13333, 13333), (13333, 13333, 13333), (13334, 13334, 13334)",
		[]ask{
			{"SELECT avg(i) AS a FROM {t0}", `("13333.333333333334")`, "mean of whole numbers", ""},
			{"SELECT avg(s) AS a, avg(b) AS b FROM {t0}", `("13333.333333333334", "13333.333333333334")`, "mean of whole numbers", ""},
			{"SELECT avg(i + 1) AS a FROM {t0}", `("13334.333333333334")`, "mean of whole numbers", ""},
			{"SELECT avg(CASE WHEN i > 0 THEN b END) AS a FROM {t0}", `("13333.333333333334")`, "mean of whole numbers", ""},
			{"SELECT avg(CAST(i AS DOUBLE)) AS a FROM {t0}", `("13333.333333333334")`, "", ""},
			{"SELECT sum(i) AS s, count(*) AS n FROM {t0}", `("40000", "3")`, "", ""},
		},
	},
	{ // and CASE's own conditions say nothing of its type
		"means of whole numbers under a condition",
		"CREATE TABLE t0 (c text, i int, b bigint); INSERT INTO t0 VALUES ('a', 13333, 9007199254740993), ('a', 13333, 1), ('a', 13334, 1), ('b', 7, 1)",
		[]ask{
			{"SELECT avg(CASE WHEN c = 'a' THEN i END) AS a FROM {t0}", `("13333.333333333334")`, "mean of whole numbers", ""},
			{"SELECT avg(CASE WHEN c = 'a' THEN CAST(i AS DOUBLE) END) AS a FROM {t0}", `("13333.333333333334")`, "", ""},
			{"SELECT c, avg(CAST(i AS DOUBLE)) AS a FROM {t0} GROUP BY c", `("a", "13333.333333333334")("b", "7.0")`, "", ""},
			{"SELECT avg(CASE WHEN c = 'a' THEN 1 ELSE 0 END) AS a FROM {t0}", `("0.75")`, "mean of whole numbers", ""},
			{"SELECT avg(CAST(b AS DOUBLE)) AS a FROM {t0}", "", "stays exact", ""},
		},
	},
	{
		"doubles as integers", "CREATE TABLE t0 (d float8); INSERT INTO t0 VALUES (2.7), (-2.7), (1.5)",
		[]ask{{"SELECT count(*) AS n FROM {t0} WHERE CAST(d AS INT) = 2", `("1")`, "other digits", ""}},
	},
	{
		"real", "CREATE TABLE t0 (r real); INSERT INTO t0 VALUES (0.1), (0.2), (16777217), (1)",
		[]ask{
			{"SELECT count(*) AS n FROM {t0} WHERE r = CAST(0.1 AS FLOAT)", `("1")`, "real", ""},
			{"SELECT sum(r) AS s FROM {t0}", "", "real", ""},
			{"SELECT avg(r) AS s FROM {t0}", "", "", ""},
		},
	},
	{
		"infinite dates", "CREATE TABLE t0 (d date, ts timestamp); INSERT INTO t0 VALUES ('infinity', 'infinity'), ('-infinity', '-infinity'), ('2020-01-01', '2020-01-01')",
		[]ask{
			{"SELECT count(*) AS n FROM {t0} WHERE d = DATE'9999-12-31'", `("1")`, "after 9998", ""},
			{"SELECT count(*) AS n FROM {t0} WHERE d < DATE'2020-01-02'", `("2")`, "", ""},
			{"SELECT year(d) AS y, count(*) AS n FROM {t0} GROUP BY 1", `("1", "1")("2020", "1")("9999", "1")`, "infinite", ""},
			{"SELECT max(d) AS m FROM {t0}", `("9999-12-31")`, "infinite", ""},
			{"SELECT max(ts) AS m FROM {t0}", `("9999-12-31 23:59:59.999")`, "infinite", ""},
		},
	},
	{ // for Spark they are the same, and -infinity is later than what is before Christ
		"infinite dates beside those that Spark takes them for",
		`CREATE TABLE t0 (d date, ts timestamptz, k int); INSERT INTO t0 VALUES ('infinity', 'infinity', 1), ('9999-12-31', '9999-12-31 23:59:59.999+00', 2), ('-infinity', '-infinity', 3), ('0044-03-15 BC', '0044-03-15 00:00+00 BC', 4), ('2020-01-01', '2020-01-01 00:00+00', 5)`,
		[]ask{
			{"SELECT DISTINCT d FROM {t0} WHERE k < 3", `("9999-12-31")`, "infinite", ""},
			{"SELECT d, count(*) AS n FROM {t0} WHERE k < 3 GROUP BY d", `("9999-12-31", "2")`, "infinite", ""},
			{"SELECT ts, count(*) AS n FROM {t0} WHERE k < 3 GROUP BY ts", `("9999-12-31 23:59:59.999", "2")`, "infinite", ""},
			{"SELECT count(DISTINCT d) AS n FROM {t0}", `("4")`, "infinite", ""},
			{"SELECT min(d) AS m FROM {t0}", `("-0043-03-15")`, "infinite", ""},
			{"SELECT d FROM {t0} ORDER BY d LIMIT 1", `("-0043-03-15")`, "infinite", ""},
			{"SELECT count(*) AS n FROM {t0} l JOIN {t0} r ON l.d = r.d WHERE l.k = 1", `("2")`, "infinite", ""},
			{"SELECT count(*) AS n FROM {t0} WHERE d > DATE'2019-01-01' AND k > 2", `("1")`, "", ""},
		},
	},
	{ // nobody keeps statistics of a view
		"dates of a view",
		`CREATE TABLE t0 (d date, odd date, none timestamp); INSERT INTO t0 VALUES ('2020-01-01', '9999-12-31', NULL), ('2021-01-01', 'infinity', NULL); CREATE VIEW v AS SELECT * FROM t0`,
		[]ask{
			{"SELECT d, count(*) AS n FROM {v} GROUP BY d", `("2020-01-01", "1")("2021-01-01", "1")`, "", ""},
			{"SELECT year(d) AS y, max(d) AS m FROM {v} GROUP BY 1", `("2020", "2020-01-01")("2021", "2021-01-01")`, "", ""},
			{"SELECT d FROM {v} ORDER BY d DESC LIMIT 1", `("2021-01-01")`, "", ""},
			{"SELECT none, count(*) AS n FROM {v} GROUP BY none", `(NULL, "2")`, "", ""},
			{"SELECT odd, count(*) AS n FROM {v} GROUP BY odd", `("9999-12-31", "2")`, "infinite", ""},
		},
	},
	{
		"an infinite date that is neither common nor in a histogram", "CREATE TABLE t0 (d date); INSERT INTO t0 VALUES ('2020-01-01'), ('2020-01-01'), ('2020-01-01'), ('infinity')",
		[]ask{{"SELECT year(d) AS y, count(*) AS n FROM {t0} GROUP BY 1", `("2020", "3")("9999", "1")`, "infinite", ""}},
	},
	{
		"dates before Christ", "CREATE TABLE t0 (d date); INSERT INTO t0 VALUES ('0044-03-15 BC'), ('2020-01-01')",
		[]ask{
			{"SELECT d FROM {t0}", `("-0043-03-15")("2020-01-01")`, "", ""},
			{"SELECT year(d) AS y, count(*) AS n FROM {t0} GROUP BY 1", `("-43", "1")("2020", "1")`, "before 1583", ""},
			{"SELECT count(*) AS n FROM {t0} WHERE d < DATE'0001-01-01'", `("1")`, "before 1583", ""},
		},
	},
	{
		"seconds", "CREATE TABLE t0 (at timestamp); INSERT INTO t0 VALUES ('2020-01-01 10:00:30.5')",
		[]ask{{"SELECT count(*) AS n FROM {t0} WHERE second(at) = 30", `("1")`, "seconds", ""}},
	},
	{
		"times as text", "CREATE TABLE t0 (at timestamptz); INSERT INTO t0 VALUES ('2020-01-01 10:00+00')",
		[]ask{{"SELECT CAST(at AS STRING) AS s, count(*) AS n FROM {t0} GROUP BY 1", `("2020-01-01 10:00:00", "1")`, "other digits", ""}},
	},
	{
		"time of day", "CREATE TABLE t0 (t time, z timetz); INSERT INTO t0 VALUES ('10:00', '10:00+02'), ('23:59:59.123', '10:00+02')",
		[]ask{
			{"SELECT * FROM {t0}", `("1970-01-01 10:00:00")("1970-01-01 23:59:59.123")`, "", ""},
			{"SELECT count(*) AS n FROM {t0} WHERE t < TIMESTAMP'2020-01-01 00:00:00'", `("2")`, "moment of 1970", ""},
			{"SELECT count(*) AS n FROM {t0} WHERE hour(t) = 10", `("1")`, "", ""},
		},
	},
	{
		"bit strings", "CREATE TABLE t0 (b bit(8), o bit(1), v varbit(8)); INSERT INTO t0 VALUES ('00000001', '1', '1')",
		[]ask{
			{"SELECT * FROM {t0}", `("3030303030303031", "true", "1")`, "", ""},
			{"SELECT count(*) AS n FROM {t0} WHERE o", `("1")`, "bit", ""},
			{"SELECT count(*) AS n FROM {t0} WHERE b = X'3030303030303031'", `("1")`, "bit", ""},
		},
	},
	{
		"bytes", `CREATE TABLE t0 (b bytea); INSERT INTO t0 VALUES ('\x01'), ('\xff00'), (NULL)`,
		[]ask{
			{"SELECT count(*) AS n FROM {t0} WHERE b = X'01'", `("1")`, "", ""},
			{"SELECT count(*) AS n FROM {t0} WHERE b <=> X'FF00'", `("1")`, "", ""},
		},
	},
	{ // in both a char(n) equals the text without its blanks
		"char", "CREATE TABLE t0 (k int, c char(3)); INSERT INTO t0 VALUES (1, 'a'), (2, 'abc'), (3, NULL)",
		[]ask{
			{"SELECT k FROM {t0} WHERE c = 'a'", `("1")`, "", ""},
			{"SELECT k FROM {t0} WHERE c <> 'a'", `("2")`, "", ""},
			{"SELECT k FROM {t0} WHERE c > 'a'", `("2")`, "", ""}, // padded, which Spark does not hand over
		},
	},
	{
		"uuid", "CREATE TABLE t0 (u uuid); INSERT INTO t0 VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11')",
		[]ask{
			{"SELECT count(*) AS n FROM {t0} WHERE u = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", `("1")`, "", ""},
			{"SELECT count(*) AS n FROM {t0} WHERE u = 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", `("0")`, "uuid", ""},
			{"SELECT count(*) AS n FROM {t0} WHERE u = 'none'", `("0")`, "uuid", ""},
			{"SELECT count(*) AS n FROM {t0} WHERE u LIKE 'a%'", `("1")`, "uuid", ""},
		},
	},
	{
		"enum", "CREATE TABLE t0 (m public.mood); INSERT INTO t0 VALUES ('sad'), ('happy'), ('Angry')",
		[]ask{
			{"SELECT max(m) AS m FROM {t0}", `("sad")`, "order of its labels", ""},
			{"SELECT count(*) AS n FROM {t0} WHERE m = 'none'", `("0")`, "labels", ""},
			{"SELECT count(*) AS n FROM {t0} WHERE m LIKE 's%'", `("1")`, "labels", ""},
			{"SELECT count(*) AS n FROM {t0} WHERE m IN ('sad', 'happy')", `("2")`, "", ""},
		},
	},
	{
		"types that come as text", "CREATE TABLE t0 (i interval, j jsonb, n inet, r int4range); INSERT INTO t0 VALUES ('1 day', '1.0', '10.0.0.1', '[1,5)'), ('24:00', '1', '10.0.0.1/32', '[1,4]')",
		[]ask{
			{"SELECT i, count(*) AS n FROM {t0} GROUP BY i", `("1 day", "1")("24:00:00", "1")`, "interval", ""},
			{"SELECT count(*) AS n FROM {t0} WHERE j = '1'", `("1")`, "jsonb", ""},
			{"SELECT n, count(*) AS c FROM {t0} GROUP BY n", `("10.0.0.1", "2")`, "inet", ""},
			{"SELECT count(*) AS n FROM {t0} WHERE r = '[1,5)'", `("2")`, "int4range", ""},
		},
	},
	{
		"arrays", "CREATE TABLE t0 (a int[]); INSERT INTO t0 VALUES ('{1,2}'), ('{}'), (NULL), ('{3,NULL}')",
		[]ask{
			{"SELECT a FROM {t0}", `(NULL)("[1, 2]")("[3, null]")("[]")`, "", ""},
			{"SELECT count(*) AS n FROM {t0} WHERE a = array(1, 2)", `("1")`, "arrays", ""},
		},
	},
	{
		"arrays of arrays", "CREATE TABLE t0 (a int[][]); INSERT INTO t0 VALUES ('{{1,2},{3,4}}'), (NULL)",
		[]ask{{"SELECT a FROM {t0}", `(NULL)("[[1, 2], [3, 4]]")`, "", ""}},
	},
	{
		"numeric that is NaN", "CREATE TABLE t0 (id int, n numeric(5,2)); INSERT INTO t0 VALUES (1, 'NaN'), (2, 1)",
		[]ask{
			{"SELECT n FROM {t0}", "", "", "NaN"},
			{"SELECT max(n) AS m FROM {t0}", "", "", "NaN"},
			{"SELECT count(*) AS c FROM {t0} WHERE id = 2", `("1")`, "", ""},
		},
	},
	{
		"tables that a catalog of Spark does not list", `CREATE TABLE t0 (id int, at date) PARTITION BY RANGE (at); CREATE TABLE p1 PARTITION OF t0 DEFAULT;
			INSERT INTO t0 VALUES (1, '2020-01-01'), (2, '2021-01-01'); CREATE VIEW v AS SELECT id FROM t0; CREATE MATERIALIZED VIEW m AS SELECT id FROM t0; CREATE TABLE "MiXed" AS SELECT 1 AS id`,
		[]ask{{"SELECT (SELECT count(*) FROM {t0}) AS a, (SELECT max(id) FROM {v}) AS b, (SELECT min(id) FROM {m}) AS c, (SELECT max(id) FROM {MiXed}) AS d", `("2", "2", "1", "1")`, "", ""}},
	},
	{
		"names", `CREATE TABLE t0 ("Id" int, "Where" int, "we.ird""col" text, "select" int); INSERT INTO t0 VALUES (1, 2, 'x', 3)`,
		[]ask{{"SELECT `we.ird\"col` AS a, `select` AS b FROM {t0} WHERE `we.ird\"col` = 'x' AND `select` > 1", `("x", "3")`, "", ""}},
	},
	{
		"joins are handed over", "CREATE TABLE t0 (id int, k text); CREATE TABLE t1 (id int, name text); INSERT INTO t0 VALUES (1, 'a'), (1, 'b'), (2, 'c'); INSERT INTO t1 VALUES (1, 'x'), (2, 'y')",
		[]ask{
			{"SELECT r.name, count(*) AS n FROM {t0} l JOIN {t1} r ON l.id = r.id GROUP BY r.name", `("x", "2")("y", "1")`, "", ""},
			{"SELECT count(*) AS n FROM {t0} l LEFT JOIN {t1} r ON l.id = r.id AND r.id = 1", `("3")`, "", ""},
		},
	},
}

// TestTraps asks each trap's queries in every way in which the product could
// read, over the values themselves, and compares what stays with Spark.
func TestTraps(t *testing.T) { //nolint:paralleltest // one session
	b := theBed(t)
	for _, tt := range traps {
		t.Run(tt.name, func(t *testing.T) { //nolint:paralleltest // one session
			tt.ask(t, b, b.peer, func(a ask, out *outcome) {
				for way, answer := range out.answers {
					if a.fails != "" && !strings.Contains(answer.Error, a.fails) {
						t.Errorf("%s, %s: no error of %q: %s%s", a.query, way, a.fails, answer.Error, show(answer.Rows))
					}
				}
				switch {
				case a.held == "" && out.guard.Any():
					t.Errorf("%s: %s", a.query, out.guard.Describe())
				case a.held != "" && !strings.Contains(out.guard.Describe(), a.held):
					t.Errorf("%s: nothing is held back because of %q: %v %q", a.query, a.held, out.scans, out.guard.Why)
				}
			})
		})
	}
}

// ask asks the trap's queries of one Spark in every way, and tells also of what
// came of each.
func (tt trap) ask(t *testing.T, b *bed, p *peer, also func(a ask, out *outcome)) {
	t.Helper()
	w, err := b.newWorld(t.Context(), p, tt.sql, false)
	if err != nil {
		t.Fatal(err)
	}
	defer closeWorld(t, w)
	for _, a := range tt.asks {
		out, err := w.compare(t.Context(), query{sql: a.query}, a.want)
		if err != nil {
			t.Errorf("%s: %v", a.query, err)
			continue
		}
		for _, problem := range out.problems {
			t.Errorf("%s: %s", a.query, problem)
		}
		also(a, out)
	}
}

func closeWorld(t *testing.T, w *world) {
	t.Helper()
	if err := w.close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// A join is one statement where nothing is read in parallel, and none where
// something is: the reads are planned for what is known to travel.
func TestJoinIsOneStatement(t *testing.T) { //nolint:paralleltest // one session
	b := theBed(t)
	w, err := b.newWorld(t.Context(), b.peer, "CREATE TABLE t0 (id int, k int); CREATE TABLE t1 (id int, name text)", false)
	if err != nil {
		t.Fatal(err)
	}
	defer closeWorld(t, w)
	out, err := w.compare(t.Context(), query{sql: "SELECT r.name, sum(l.k) AS n FROM {t0} l JOIN {t1} r ON l.id = r.id GROUP BY r.name"}, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(out.scans) != 1 || len(out.scans[0].Views) != 2 || out.scans[0].Rows || len(readplan.Scanned(out.scans)) != 0 {
		t.Errorf("scans %+v", out.scans)
	}
}
