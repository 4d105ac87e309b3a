package readplan_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/readplan"
)

// shopReads are three views like those of the plans in testdata, which a real
// Spark 4.3 wrote.
func shopReads() []readplan.Read {
	column := func(name, base, typ, collation string) sparkwright.Column {
		return sparkwright.Column{Name: name, BaseType: base, Type: typ, Collation: collation}
	}
	return []readplan.Read{
		{View: "orders", Table: sparkwright.Table{Connection: "t", Schema: "public", Name: "orders", Columns: []sparkwright.Column{
			column("id", "int8", "bigint", ""), column("customer_id", "int4", "integer", ""), column("status", "text", "text", "en-US"),
			column("amount", "numeric", "numeric(12,2)", ""), column("created_at", "timestamptz", "timestamp with time zone", ""),
		}}},
		{View: "customers", Table: sparkwright.Table{Connection: "t", Schema: "public", Name: "customers", Columns: []sparkwright.Column{
			column("id", "int4", "integer", ""), column("name", "text", "text", "en-US"), column("country", "text", "text", "en-US"),
		}}},
		{View: "words", Table: sparkwright.Table{Connection: "t", Schema: "public", Name: "words", Columns: []sparkwright.Column{
			column("id", "int4", "integer", ""), column("w", "text", "text", "en-US"), column("wc", "text", "text", ""), column("n", "numeric", "numeric", ""),
		}}},
	}
}

func TestExplained(t *testing.T) {
	t.Parallel()
	type guard struct{ Aggregates, Limits, Filters bool }
	tests := []struct {
		plan    string
		scanned []string
		guard   guard
	}{
		{"count", nil, guard{}},
		{"agg", nil, guard{}},
		{"agg_expr", []string{"orders"}, guard{}},
		{"topn", nil, guard{Limits: true}},
		{"topn_c", nil, guard{}},
		{"topn_num", nil, guard{}},
		{"minmax", nil, guard{Aggregates: true}},
		{"range", []string{"words"}, guard{Filters: true}},
		{"join", nil, guard{}},
		{"join_scan", nil, guard{}},
		{"scan", []string{"orders"}, guard{}},
		{"groupw", nil, guard{}},
		{"gt", nil, guard{Aggregates: true}},
	}
	for _, tt := range tests {
		t.Run(tt.plan, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join("testdata", "plans", tt.plan+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			scans, ok := readplan.Explained(string(text), shopReads())
			if !ok || len(scans) == 0 {
				t.Fatalf("not understood: %v", scans)
			}
			want := map[string]bool{}
			for _, v := range tt.scanned {
				want[v] = true
			}
			if diff := cmp.Diff(want, readplan.Scanned(scans)); diff != "" {
				t.Errorf("scanned: %s", diff)
			}
			g := readplan.Guards(scans, shopReads())["t"]
			if got := (guard{g.Aggregates, g.Limits, g.Filters}); got != tt.guard {
				t.Errorf("guard %+v, want %+v; SQL %s", g, tt.guard, scans[0].SQL)
			}
		})
	}
}

func TestGuards(t *testing.T) {
	t.Parallel()
	reads := func(c sparkwright.Column) []readplan.Read {
		c.Name = `C"x`
		columns := []sparkwright.Column{c, {Name: "id", BaseType: "int4", Type: "integer"}, {Name: "y", BaseType: c.BaseType, Type: c.Type}, {Name: "n", BaseType: "int8", Type: "bigint"}}
		return []readplan.Read{{View: "v", Table: sparkwright.Table{Connection: "t", Schema: "s", Name: "v", Columns: columns, RowEstimate: 100}}}
	}
	text := sparkwright.Column{BaseType: "text", Type: "text", Collation: "de"}
	bytes := sparkwright.Column{BaseType: "text", Type: "text"}
	mood := sparkwright.Column{BaseType: "mood", Type: "mood", Enum: []string{"sad", "happy"}}
	citext := sparkwright.Column{BaseType: "citext", Type: "citext"}
	char := sparkwright.Column{BaseType: "bpchar", Type: "character(5)"}
	number := sparkwright.Column{BaseType: "numeric", Type: "numeric"}
	uuid := sparkwright.Column{BaseType: "uuid", Type: "uuid"}
	folds := sparkwright.Column{BaseType: "text", Type: "text", Collation: "ci", Nondeterministic: true}
	real4 := sparkwright.Column{BaseType: "float4", Type: "real"}
	real8 := sparkwright.Column{BaseType: "float8", Type: "double precision"}
	small8 := sparkwright.Column{BaseType: "float8", Type: "double precision", Stats: &sparkwright.ColumnStats{Histogram: []string{"-5", "1e+20"}}}
	large8 := sparkwright.Column{BaseType: "float8", Type: "double precision", Stats: &sparkwright.ColumnStats{Histogram: []string{"0", "1e+200"}}}
	clock := sparkwright.Column{BaseType: "time", Type: "time without time zone"}
	bit := sparkwright.Column{BaseType: "bit", Type: "bit(1)"}
	list := sparkwright.Column{BaseType: "_int4", Type: "integer[]"}
	anyDay := sparkwright.Column{BaseType: "date", Type: "date"}
	day := sparkwright.Column{BaseType: "date", Type: "date", Stats: &sparkwright.ColumnStats{Histogram: []string{"1999-01-01", "2030-12-31"}}}
	quantity := sparkwright.Column{BaseType: "int8", Type: "bigint", Stats: &sparkwright.ColumnStats{Histogram: []string{"-20", "900"}}}
	stars := sparkwright.Column{BaseType: "int8", Type: "bigint", Stats: &sparkwright.ColumnStats{Distinct: 2, MostCommon: []sparkwright.ValueCount{{Value: "5"}, {Value: "1"}}}}
	most := sparkwright.Column{BaseType: "int8", Type: "bigint", Stats: &sparkwright.ColumnStats{Distinct: 3, MostCommon: stars.Stats.MostCommon}}
	mostDays := sparkwright.Column{BaseType: "date", Type: "date", Stats: &sparkwright.ColumnStats{Distinct: 2, MostCommon: []sparkwright.ValueCount{{Value: "2020-01-01"}}}}
	serial := sparkwright.Column{BaseType: "int8", Type: "bigint", Stats: &sparkwright.ColumnStats{Histogram: []string{"1", "50000000000"}}}
	amount := sparkwright.Column{BaseType: "numeric", Type: "numeric(12,2)"}
	rate := sparkwright.Column{BaseType: "numeric", Type: "numeric(5,2)"}
	wide := sparkwright.Column{BaseType: "numeric", Type: "numeric(30,10)"}
	fine := sparkwright.Column{BaseType: "numeric", Type: "numeric(35,30)"}
	const col = `"C""x"`
	type guard struct{ Aggregates, Limits, Filters bool }
	for _, tt := range []struct {
		name string
		c    sparkwright.Column
		sql  string
		want guard
	}{
		{"equality of text", text, `WHERE (` + col + ` = 'a < b')`, guard{}},
		{"equality and a range of another column", text, `WHERE (` + col + ` = 'a') AND ("id" > 5)`, guard{}},
		{"not equal", text, `WHERE (` + col + ` <> 'a')`, guard{}},
		{"range of text", text, `WHERE ("id" IS NOT NULL) AND (` + col + ` >= 'a')`, guard{Filters: true}},
		{"a test for NULL", citext, `WHERE (` + col + ` IS NOT NULL)`, guard{}},
		{"groups of text", text, `GROUP BY ` + col, guard{}},
		{"first rows by text", text, `ORDER BY ` + col + ` ASC NULLS FIRST LIMIT 3`, guard{Limits: true}},
		{"first rows by text in bytes", bytes, `ORDER BY ` + col + ` ASC NULLS FIRST LIMIT 3`, guard{}},
		{"first rows by uuid", uuid, `ORDER BY ` + col + ` ASC NULLS FIRST LIMIT 3`, guard{}},
		{"largest enum", mood, `SELECT MAX(` + col + `) FROM`, guard{Aggregates: true}},
		{"number of values", text, `SELECT COUNT(` + col + `) FROM`, guard{}},
		{"equal citext", citext, `WHERE (` + col + ` = 'A')`, guard{Filters: true}},
		{"citext in a list", citext, `WHERE (` + col + ` IN ('A'))`, guard{Filters: true}},
		{"groups of citext", citext, `GROUP BY ` + col, guard{Aggregates: true}},
		{"distinct char(n)", char, `SELECT COUNT(DISTINCT ` + col + `) FROM`, guard{Aggregates: true}},
		{"sum of unbounded numeric", number, `SELECT SUM(` + col + `) FROM`, guard{Aggregates: true}},
		{"range of unbounded numeric", number, `WHERE (` + col + ` > 1.5)`, guard{Filters: true}},
		{"first rows of unbounded numeric", number, `ORDER BY ` + col + ` LIMIT 1`, guard{Limits: true}},
		{"a join by citext", citext, "(\nSELECT 1) a\nINNER JOIN\n(SELECT 1) b\nON " + col + ` = "y"`, guard{Filters: true}},
		{"a range of text in CASE of an aggregate", text, `SELECT SUM(CASE WHEN ` + col + ` > 'a' THEN 1 ELSE 0 END) FROM`, guard{Aggregates: true}},
		{"text that folds", folds, `WHERE (` + col + ` = 'a')`, guard{Filters: true}},
		{"groups of text that folds", folds, `GROUP BY ` + col, guard{Aggregates: true}},
		{"a label of an enum", mood, `WHERE (` + col + ` IN ('sad', 'happy'))`, guard{}},
		{"no label of the enum", mood, `WHERE (` + col + ` = 'Sad')`, guard{Filters: true}},
		{"an enum like text", mood, `WHERE (` + col + ` LIKE 's%' ESCAPE '\')`, guard{Filters: true}},
		{"a uuid", uuid, `WHERE (` + col + ` = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11')`, guard{}},
		{"a uuid in capitals", uuid, `WHERE (` + col + ` = 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11')`, guard{Filters: true}},
		{"no uuid", uuid, `WHERE (` + col + ` = 'none')`, guard{Filters: true}},
		{"equal real", real4, `WHERE (` + col + ` = 0.1)`, guard{Filters: true}},
		{"equal real as double", real4, `WHERE (CAST(` + col + ` AS FLOAT8) = 0.1)`, guard{}},
		{"sum of real", real4, `SELECT SUM(` + col + `) FROM`, guard{Aggregates: true}},
		{"mean of real", real4, `SELECT AVG(` + col + `) FROM`, guard{}},
		{"double as integer", real8, `WHERE (CAST(` + col + ` AS integer) = 2)`, guard{Filters: true}},
		{"double as text", real8, `GROUP BY CAST(` + col + ` AS TEXT)`, guard{Aggregates: true}},
		{"not a number", real8, `WHERE (` + col + ` = NaN)`, guard{Filters: true}},
		{"time", clock, `WHERE (` + col + ` < '2020-01-01 00:00:00.0')`, guard{Filters: true}},
		{"hour of time", clock, `WHERE (EXTRACT(HOUR FROM ` + col + `) = 10)`, guard{}},
		{"bit", bit, `WHERE (` + col + ` = true)`, guard{Filters: true}},
		{"an array", list, `WHERE (` + col + ` = ArraySeq(1, 2))`, guard{Filters: true}},
		{"a date of these days", day, `WHERE (` + col + ` >= '2020-01-01')`, guard{}},
		{"the end of the calendar", day, `WHERE (` + col + ` = '9999-12-31')`, guard{Filters: true}},
		{"a date before the calendar", day, `WHERE (` + col + ` < '1500-01-01')`, guard{Filters: true}},
		{"years of dates that are known", day, `GROUP BY EXTRACT(YEAR FROM ` + col + `)`, guard{}},
		{"years of dates that may be infinite", anyDay, `GROUP BY EXTRACT(YEAR FROM ` + col + `)`, guard{Aggregates: true}},
		{"seconds", day, `WHERE (EXTRACT(SECOND FROM ` + col + `) = 30)`, guard{Filters: true}},
		{"sum of money", amount, `SELECT SUM(` + col + `) FROM`, guard{}},
		{"mean of money", amount, `SELECT AVG(` + col + `) FROM`, guard{}},
		{"sum of products with whole numbers", rate, `SELECT SUM(` + col + ` * "id") FROM`, guard{}},
		{"sum of products with large whole numbers", rate, `SELECT SUM(` + col + ` * "n") FROM`, guard{Aggregates: true}},
		{"sum of products", amount, `SELECT SUM(` + col + ` * 1.5) FROM`, guard{}},
		{"sum of quotients", amount, `SELECT SUM(` + col + ` / 3) FROM`, guard{Aggregates: true}},
		{"mean of whole numbers", amount, `SELECT AVG("id") FROM`, guard{Aggregates: true}},
		{"mean of large whole numbers, computed", amount, `SELECT AVG("n" + 1) FROM`, guard{Aggregates: true}},
		{"mean of whole numbers as doubles", amount, `SELECT AVG(CAST("id" AS FLOAT8)) FROM`, guard{}},
		{"mean of whole numbers as doubles, which are not known", amount, `SELECT AVG(CAST("n" AS FLOAT8)) FROM`, guard{Aggregates: true}},
		{"mean of few whole numbers as doubles", quantity, `SELECT AVG(CAST(` + col + ` AS FLOAT8)) FROM`, guard{}},
		{"the same, over a join of the table with itself", quantity, `SELECT AVG(CAST(` + col + ` AS FLOAT8)) FROM "s"."v" a INNER JOIN "s"."v" b ON a."id" = b."id" INNER JOIN`, guard{Aggregates: true}},
		{"mean of small whole numbers as doubles", stars, `SELECT AVG(CAST(` + col + ` AS FLOAT8)) FROM`, guard{}},
		{"mean of whole numbers of which a large one is not common", most, `SELECT AVG(CAST(` + col + ` AS FLOAT8)) FROM`, guard{Aggregates: true}},
		{"years of dates of which one is not common", mostDays, `GROUP BY EXTRACT(YEAR FROM ` + col + `)`, guard{Aggregates: true}},
		{"mean of large whole numbers as doubles", serial, `SELECT AVG(CAST(` + col + ` AS FLOAT8)) FROM`, guard{Aggregates: true}},
		{"mean of whole numbers as doubles, computed", quantity, `SELECT AVG(CAST(` + col + ` AS FLOAT8) * 3.0) FROM`, guard{Aggregates: true}},
		{"mean of whole numbers under a condition", quantity, `SELECT AVG(CASE WHEN "y" = 3 THEN ` + col + ` END) FROM`, guard{Aggregates: true}},
		{"mean of doubles under a condition", quantity, `SELECT AVG(CASE WHEN "y" = 3 THEN CAST(` + col + ` AS FLOAT8) END) FROM`, guard{}},
		{"mean of a choice in a choice", quantity, `SELECT AVG(CASE WHEN CASE WHEN "y" = 3 THEN 1 ELSE 2 END = 1 THEN ` + col + ` END) FROM`, guard{Aggregates: true}},
		{"mean of ones and zeros", amount, `SELECT AVG(CASE WHEN "y" = 3 THEN 1 ELSE 0 END) FROM`, guard{Aggregates: true}},
		{"sum of doubles that are not known", real8, `SELECT SUM(` + col + `) FROM`, guard{Aggregates: true}},
		{"sum of doubles", small8, `SELECT SUM(` + col + `) FROM`, guard{}},
		{"variance of doubles", small8, `SELECT VAR_POP(` + col + `) FROM`, guard{}},
		{"sum of large doubles", large8, `SELECT SUM(` + col + `) FROM`, guard{}},
		{"variance of large doubles", large8, `SELECT VAR_POP(` + col + `) FROM`, guard{Aggregates: true}},
		{"a product of large doubles", large8, `WHERE ((` + col + ` * 2.0) > 3.0)`, guard{Filters: true}},
		{"a product of doubles", small8, `WHERE ((` + col + ` * 2.0) > 3.0)`, guard{}},
		{"largest double", real8, `SELECT MAX(` + col + `) FROM`, guard{}},
		{"sum in CASE", amount, `SELECT SUM(CASE WHEN "id" = 1 THEN ` + col + ` ELSE 0.00 END) FROM`, guard{}},
		{"sum of wide numeric", wide, `SELECT SUM(` + col + `) FROM`, guard{Aggregates: true}},
		{"largest wide numeric", wide, `SELECT MAX(` + col + `) FROM`, guard{}},
		{"mean of wide numeric", wide, `SELECT AVG(` + col + `) FROM`, guard{Aggregates: true}},
		{"largest of 30 digits behind the point", fine, `SELECT MAX(` + col + `) FROM`, guard{Aggregates: true}},
		{"a function that is not known", text, `WHERE (LOWER(` + col + `) = 'a')`, guard{Filters: true}},
		{"quotes inside a name and a text", text, `WHERE (` + col + ` = 'it''s < "C""x" > ')`, guard{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			scans := []readplan.Scan{{SQL: statement(tt.sql), Views: []string{"v"}}}
			g := readplan.Guards(scans, reads(tt.c))["t"]
			if got := (guard{g.Aggregates, g.Limits, g.Filters}); got != tt.want {
				t.Errorf("guard %+v, want %+v", g, tt.want)
			}
			if g.Any() && g.Describe() == "" {
				t.Error("no reason")
			}
		})
	}
}

// statement makes a whole one of a clause.
func statement(clause string) string {
	if strings.HasPrefix(clause, "SELECT") {
		return clause + ` "s"."v"`
	}
	if strings.HasPrefix(clause, "(") {
		return "SELECT 1 FROM (SELECT 1 FROM " + clause + ") x"
	}
	return `SELECT 1 FROM "s"."v" ` + clause
}

func TestAllGuards(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]readplan.Guard{
		"SELECT status, count(*) FROM orders GROUP BY status":                         {},
		"SELECT max(status) FROM orders":                                              {Aggregates: true},
		"SELECT status FROM orders ORDER BY status LIMIT 3":                           {Limits: true},
		"SELECT count(*) FROM orders WHERE status > 'a'":                              {Filters: true},
		"spark.table('orders').filter(F.col('status') == 'a')":                        {Filters: true},
		`spark.sql("SELECT sum(CASE WHEN status \u003e 'a' THEN 1 END) FROM orders")`: {Aggregates: true, Filters: true},
	} {
		got := readplan.AllGuards(shopReads()[:1], code)["t"]
		got.Why = nil
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", code, diff)
		}
	}
	reads := shopReads()[:1]
	reads[0].Table.RowEstimate = 5_000_000
	reads[0].Table.Columns = append(reads[0].Table.Columns, sparkwright.Column{
		Name: "stars", BaseType: "int4", Type: "integer", Stats: &sparkwright.ColumnStats{Distinct: 1, MostCommon: []sparkwright.ValueCount{{Value: "5"}}},
	})
	for code, want := range map[string]bool{
		"SELECT avg(stars) FROM orders":                                                     true,
		"SELECT avg(CAST(stars AS DOUBLE)) FROM orders":                                     false,
		"SELECT id, AVG(CAST(o.stars AS DOUBLE)) FROM orders o GROUP BY id":                 false,
		"SELECT avg(CAST(stars AS DOUBLE)), avg(customer_id) FROM orders":                   true,
		"SELECT avg(CAST(stars AS DOUBLE)), max(CAST(id AS STRING)) FROM orders":            true,
		"SELECT avg(CAST(stars AS DOUBLE) / 3) FROM orders":                                 true,
		"SELECT avg(CAST(id AS DOUBLE)) FROM orders":                                        true, // 19 digits
		"SELECT avg(CAST(a.stars AS DOUBLE)) FROM orders a JOIN orders b JOIN orders c":     true, // too many rows
		"SELECT avg(CASE WHEN id > 1 THEN CAST(stars AS DOUBLE) END) FROM orders":           true, // the plan would show it
		"spark.table('orders').agg(F.avg(F.col('stars').cast('double')), F.count('stars'))": true,
	} {
		if got := readplan.AllGuards(reads, code)["t"]; got.Aggregates != want {
			t.Errorf("%s: %+v", code, got)
		}
	}
	for code, want := range map[string]bool{ // whether it may be about stars, a whole number
		"SELECT avg(zz) FROM orders":                                       false,
		"SELECT avg(zz) FROM orders o JOIN orders p USING (zz) WHERE (zz)": false,
		"SELECT avg(b) FROM orders AS o (a, b)":                            true,
		"SELECT avg(b) FROM orders `o`(`a`, `b`)":                          true,
		"SELECT avg(b) FROM (SELECT * FROM orders) o (a, b)":               true,
		"WITH o (a, b) AS (SELECT * FROM orders) SELECT avg(b) FROM o":     true,
		"spark.table('orders').toDF('a', 'b').agg(F.avg('b'))":             true,
		"df = spark.table('orders')\nresult = df.agg(F.avg(df[1]))":        true,
		"spark.table('orders').agg(F.avg(f'{part}s'))":                     true,
		"spark.table('orders').agg(F.avg('st' + rest))":                    true,
		"spark.table('orders').agg(F.avg('{}s'.format(part)))":             true,
		"SELECT avg(v) FROM orders UNPIVOT (v FOR n IN (*))":               true,
		"SELECT avg(zz) FROM orders WHERE a[0] = 1":                        true, // of an array: rather once too often
	} {
		if got := readplan.AllGuards(reads, code)["t"]; got.Aggregates != want {
			t.Errorf("%s: %+v", code, got)
		}
	}
	ticked := shopReads()[:1]
	ticked[0].Table.Columns = append(ticked[0].Table.Columns, sparkwright.Column{Name: "a`b", BaseType: "int4", Type: "integer"})
	if got := readplan.AllGuards(ticked, "SELECT avg(`a``b`) FROM orders")["t"]; !got.Aggregates {
		t.Errorf("a name with a backtick: %+v", got)
	}
	if g := readplan.AllGuards(shopReads(), "SELECT 1")["t"]; !g.Aggregates || !g.Filters {
		t.Errorf("unbounded numeric: %+v", g)
	}
}
