package definitions

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
)

func catalog() *sparkwright.Catalog {
	return &sparkwright.Catalog{Tables: []sparkwright.Table{
		{
			Connection: "app", Schema: "public", Name: "orders", Kind: sparkwright.KindTable, PrimaryKey: []string{"order_id"},
			Columns: []sparkwright.Column{
				{Name: "order_id", Type: "integer", BaseType: "int4"},
				{Name: "customer_id", Type: "integer", BaseType: "int4"},
				{Name: "amount", Type: "numeric(12,2)", BaseType: "numeric"},
				{Name: "note", Type: "text", BaseType: "text"},
				{Name: "status", Type: "order_status", BaseType: "order_status", Enum: []string{"open", "paid"}},
				{Name: "rating", Type: "smallint", BaseType: "int2", Comment: "Stars, 1 to 5"},
			},
		},
		{
			Connection: "app", Schema: "public", Name: "customers", Kind: sparkwright.KindTable, PrimaryKey: []string{"customer_id"},
			Columns: []sparkwright.Column{{Name: "customer_id", Type: "integer", BaseType: "int4"}, {Name: "country", Type: "text", BaseType: "text"}},
		},
	}}
}

const whole = `
connection: app
terms:
  - {name: clients, synonyms: [buyers], table: public.customers}
  - {name: stars, column: orders.rating}
  - {name: settled, column: orders.status, value: paid}
  - {name: big orders, means: orders with an amount over 100}
metrics:
  - name: revenue
    table: orders
    expression: sum(amount) / nullif(count(distinct customer_id), 0)
    only: [{table: orders, where: "status = 'paid' and note is not null"}]
    by: {country: customers.country}
filters:
  - {table: orders, where: "status <> 'open'"}
joins:
  - {from: orders.customer_id, to: customers.customer_id}
verified:
  - question: Orders per country?
    also: ["how many orders are there by country"]
    code: |
      result = spark.sql("""
      WITH paid AS (SELECT * FROM orders o WHERE o.status = 'x.y')
      SELECT c.country, extract(year FROM c.country), count(*) FROM paid JOIN customers AS c ON c.customer_id = paid.customer_id GROUP BY 1, 2
      """)
`

func read(t *testing.T, text string) *File {
	t.Helper()
	f, err := Parse("app.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestEverythingHolds(t *testing.T) {
	t.Parallel()
	f := read(t, whole)
	if got := Check(f, catalog()); len(got) > 0 {
		t.Errorf("%v", got)
	}
	if v := f.Answer("  ORDERS per\ncountry. "); v == nil || f.Answer("How many orders are there by country?") != v || f.Answer("orders") != nil || f.Answer(" ?") != nil {
		t.Errorf("the verified answer is %+v", v)
	}
	text := f.Text()
	for _, want := range []string{
		"clients, buyers: rows of public.customers\n", "settled: orders.status = 'paid'\n", "only those whose row of orders has status = 'paid'", "; by country: customers.country\n",
		"Rows of orders are only those with status <> 'open'", "Join orders.customer_id = customers.customer_id",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if (&sparkwright.Definitions{}).Text() != "" || (*sparkwright.Definitions)(nil).Answer("x") != nil {
		t.Error("nothing defined says something")
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, from, to string
		says           string
		absent         bool
	}{
		{"no such table", "table: public.customers", "table: public.clients", "there is no table public.clients", true},
		{"no such column", "column: orders.rating", "column: orders.stars", "there is no column orders.stars", false},
		{"no such value", "value: paid", "value: billed", `"billed" is no value of orders.status: open, paid`, false},
		{"a word that means two things", "name: stars", "name: buyers", `"buyers" is said of clients, too`, false},
		{"a term that means nothing", "means: orders with an amount over 100", "synonyms: []", "it needs one of", false},
		{"a metric of a column that is gone", "sum(amount)", "sum(total)", "there is no column orders.total", false},
		{"a sum of text", "sum(amount)", "sum(note)", "is text, and no number", false},
		{"no figure", "sum(amount) /", "amount /", "is no figure of many rows", false},
		{"a function that is not known", "sum(amount)", "pg_sleep(amount)", "the function pg_sleep is not one of", false},
		{"two statements", "sum(amount)", "sum(amount); drop", `";" is not allowed`, false},
		{"by a column that is gone", "country: customers.country", "country: customers.land", "there is no column customers.land", false},
		{"a filter of a value that is gone", `where: "status <> 'open'"`, `where: "status <> 'new'"`, `"new" is no value of orders.status`, false},
		{"a join to no key", "to: customers.customer_id", "to: orders.customer_id", "identifies no row", false},
		{"a join of two types", "from: orders.customer_id", "from: orders.note", "orders.note is text, and customers.customer_id is integer", false},
		{"code over a table that is gone", "JOIN customers AS c", "JOIN clients AS c", "there is no table clients", true},
		{"code over a column that is gone", "SELECT c.country,", "SELECT c.land,", "there is no column public.customers.land", false},
		{"code without result", "result = spark", "answer = spark", "assigns no result", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(whole, tc.from, tc.to, 1)
			if text == whole {
				t.Fatalf("%q is not in the file", tc.from)
			}
			got := Check(read(t, text), catalog())
			if len(got) != 1 || !strings.Contains(got[0].String(), tc.says) || got[0].Absent != tc.absent {
				t.Errorf("%v", got)
			}
		})
	}
}

func TestExpressions(t *testing.T) {
	t.Parallel()
	quote := func(s string) string { return "t." + s }
	for text, want := range map[string]string{
		"sum(a*(1 - B))":                    "sum(t.a * (1 - t.B))",
		"count( distinct a ) / 2.5":         "count(DISTINCT t.a) / 2.5",
		"case when a='it''s' then 1 end":    "CASE WHEN t.a = 'it''s' THEN 1 END",
		"a in ('x','y') and not b is null":  "t.a IN ('x', 'y') AND NOT t.b IS NULL",
		"d >= date '2025-01-01' or a <> -1": "t.d >= DATE '2025-01-01' OR t.a <> - 1",
		"date = 1":                          "t.date = 1",
	} {
		e, err := ParseExpr(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got := strings.ReplaceAll(e.SQL(quote), "IN(", "IN (")
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", text, d)
		}
	}
	for _, text := range []string{"", "  ", "(a", "a)", "'a", "a -- b", "a // b", "`a`", `a = "b"`, "x.a", "f(a)", `'\'`, "a; b", "a\\b"} {
		if e, err := ParseExpr(text); err == nil {
			t.Errorf("%q is read as %s", text, e.SQL(quote))
		}
	}
	for text, want := range map[string]bool{"sum(a)": true, "sum(a) + b": false, "count(*)": true, "a": false, "round(avg(a), 2)": true, "abs(a)": false, "max(coalesce(a, 0)) - min(a)": true} {
		e, err := ParseExpr(text)
		if err != nil || e.Aggregates() != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"a.yaml": "connection: app\nterms: [{name: x, means: orders}]", "b.yml": "connection: other", "c.txt": "{{"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := Load(dir)
	if err != nil || len(files) != 2 || files[0].Connection != "app" || files[1].Connection != "other" {
		t.Errorf("%+v, %v", files, err)
	}
	if files, err = Load(filepath.Join(dir, "nowhere")); err != nil || files != nil {
		t.Errorf("%+v, %v", files, err)
	}
	for name, text := range map[string]string{"no connection": "terms: []", "an unknown field": "connection: app\nterm: []", "no YAML": "connection: [", "a word for a number": "connection: app\njoins: 3"} {
		if _, err := Parse("x.yaml", text); sparkwright.ErrorCode(err) != sparkwright.CodeInvalid || !strings.Contains(err.Error(), "x.yaml") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What does not hold is left out and said; what is about tables that are not
// selected is left out in silence, and what is of another connection is not there.
func TestFor(t *testing.T) {
	t.Parallel()
	cat := catalog()
	cat.Tables = cat.Tables[:1] // orders only
	f := read(t, strings.Replace(whole, "column: orders.rating", "column: orders.stars", 1))
	d, notes := For([]File{*f, {Connection: "other", Definitions: sparkwright.Definitions{Terms: []sparkwright.Term{{Name: "x", Means: "y"}}}}}, cat)
	var names []string
	for _, x := range d.Terms {
		names = append(names, x.Name)
	}
	if diff := cmp.Diff([]string{"settled", "big orders"}, names); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{`The definition of "stars" is left out: there is no column orders.stars.`}, notes); diff != "" {
		t.Error(diff)
	}
	if len(d.Filters) != 1 || len(d.Metrics)+len(d.Joins)+len(d.Verified) != 0 {
		t.Errorf("%+v", d)
	}
}

func TestSuggest(t *testing.T) {
	t.Parallel()
	run := func(text string, change func(*sparkwright.Run)) sparkwright.Run {
		r := sparkwright.Run{
			State: sparkwright.RunSucceeded, Question: sparkwright.Question{Text: text}, Analysis: `result = spark.sql("SELECT count(*) AS n FROM orders")`, Understood: "U.",
			Views: []sparkwright.TableUse{{Table: "app.public.orders"}}, Crosscheck: &sparkwright.Crosscheck{State: sparkwright.CrosscheckVerified},
		}
		change(&r)
		return r
	}
	f := Suggest("app", catalog(), []sparkwright.Run{
		run("how many orders?", func(*sparkwright.Run) {}), run("How many orders", func(*sparkwright.Run) {}),
		run("a", func(r *sparkwright.Run) { r.Crosscheck = nil }), run("b", func(r *sparkwright.Run) { r.Crosscheck, r.Pinned = nil, true }),
		run("c", func(r *sparkwright.Run) { r.State = sparkwright.RunFailed }), run("d", func(r *sparkwright.Run) { r.Parent = "r_1" }),
		run("e", func(r *sparkwright.Run) { r.Views[0].Table = "other.public.orders" }), run("f", func(r *sparkwright.Run) { r.Generator = sparkwright.GeneratorVerified }),
	})
	text, err := f.YAML()
	if err != nil {
		t.Fatal(err)
	}
	want := `connection: app
terms:
  - name: stars
    column: public.orders.rating
metrics:
  - name: total order amount
    table: public.orders
    expression: sum(amount)
joins:
  - from: public.orders.customer_id
    to: public.customers.customer_id
verified:
  - question: how many orders?
    code: result = spark.sql("SELECT count(*) AS n FROM orders")
    understood: U.
  - question: b
    code: result = spark.sql("SELECT count(*) AS n FROM orders")
    understood: U.
`
	if d := cmp.Diff(want, string(text)); d != "" {
		t.Error(d)
	}
	if got := Check(read(t, string(text)), catalog()); len(got) > 0 {
		t.Errorf("what is proposed does not hold: %v", got)
	}
}
