package readplan_test

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

// kind is a column as the generator knows it: what PostgreSQL calls the type,
// what can be done with it, values as PostgreSQL's literals, and literals of
// Spark to compare with.
type kind struct {
	ddl      string
	can      string // n = computed with, s = summed, t = text, d = a date, o = ordered
	values   []string
	literals []string
}

var (
	words    = []string{"'a'", "'B'", "'A'", "'b'", "'ä'", "'Z'", "''", "'a '", "'it''s'", "'100%_\\'", "'日本'", "'😀'", "'aa'"}
	sayWords = []string{"'a'", "'B'", "'b'", "'ä'", "''", "'it\\'s'", "'100%_\\\\'", "'日本'"}
	uuids    = []string{"'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "'0fffffff-9c0b-4ef8-bb6d-6bb9bd380a11'"}
	days     = []string{"'2020-01-01'", "'1999-12-31'", "'2024-02-29'", "'1970-01-01'"}
	oddDays  = []string{"'2020-01-01'", "'infinity'", "'-infinity'", "'0044-03-15 BC'", "'1582-10-04'", "'9999-12-31'", "'0001-01-01'"}
	sayDays  = []string{"DATE'2020-01-01'", "DATE'1999-12-31'", "DATE'9999-12-31'", "DATE'0001-01-01'", "TIMESTAMP'2020-01-01 00:00:00'"}
	moments  = []string{"'2020-01-01 00:00:00'", "'2019-12-31 23:30:00.123456'", "'1969-12-31 23:59:59.999999'", "'2024-02-29 12:00:30.5'"}
	oddTimes = []string{"'infinity'", "'-infinity'", "'1500-03-01 00:00'", "'9999-12-31 23:59:59'", "'2020-06-01 01:02:03'"}
	sayTimes = []string{"TIMESTAMP'2020-01-01 00:00:00'", "TIMESTAMP'2019-12-31 23:30:00.123456'", "DATE'2020-01-01'", "TIMESTAMP'9999-12-31 23:59:59'"}
)

// kinds are all types that the read plan knows, by their Spark type and by what
// PostgreSQL and Spark could differ in.
var kinds = []kind{
	{"boolean", "o", []string{"true", "false"}, []string{"true", "false"}},
	{"smallint", "nso", []string{"1", "2", "-3", "0"}, []string{"1", "-3", "2.5"}},
	{"integer", "nso", []string{"1", "2", "-7", "0", "100000"}, []string{"1", "2", "-7", "1.5"}},
	{"integer", "o", []string{"2147483647", "-2147483648", "0"}, []string{"2147483647", "0"}},
	{"bigint", "nso", []string{"1", "2", "-7", "5000000000"}, []string{"1", "5000000000", "1.5"}},
	{"bigint", "o", []string{"9223372036854775807", "-9223372036854775808", "1"}, []string{"9223372036854775807", "1"}},
	{"real", "so", []string{"0.1", "1.5", "'NaN'", "'Infinity'", "16777217", "-2"}, []string{"0.1", "CAST(0.1 AS FLOAT)", "1.5", "1"}},
	{"double precision", "nso", []string{"0.1", "2.7", "-2.5", "'NaN'", "3"}, []string{"0.1", "2.7", "3", "CAST('NaN' AS DOUBLE)"}},
	{"double precision", "no", []string{"'Infinity'", "'-Infinity'", "'NaN'", "'-0'", "0", "1.7976931348623157e308", "5e-324"}, []string{"0", "CAST('Infinity' AS DOUBLE)"}},
	{"numeric(12,2)", "nso", []string{"1.10", "2.25", "-0.05", "9999999999.99", "0"}, []string{"1.1", "2.25", "0", "1"}},
	{"numeric(5,0)", "nso", []string{"1", "99999", "-2"}, []string{"1", "1.5"}},
	{"numeric(30,10)", "nso", []string{"1.5", "1234567890123456789.0000000001", "-0.0000000001"}, []string{"1.5", "0"}},
	{"numeric(38,18)", "so", []string{"99999999999999999999.999999999999999999", "0.000000000000000001"}, []string{"0", "0.000000000000000001"}},
	{"numeric(38,30)", "so", []string{"1.000000000000000000000000000001", "2"}, []string{"2"}},
	{"numeric(60,10)", "", []string{"1.5"}, nil},
	{"numeric", "nso", []string{"1.5", "2", "-1.123456789012345678"}, []string{"1.5", "2"}},
	{"text", "to", words, sayWords},
	{`text COLLATE "C"`, "to", words, sayWords},
	{`text COLLATE "de-x-icu"`, "to", words, sayWords},
	{"text COLLATE public.folds", "to", words, sayWords},
	{"varchar(20)", "to", words, sayWords},
	{"char(3)", "to", []string{"'a'", "'B'", "'ab'", "'abc'"}, []string{"'a'", "'a  '", "'abc'"}},
	{"name", "to", []string{"'a'", "'B'"}, []string{"'a'", "'B'"}},
	{"bytea", "o", []string{`'\x01'`, `'\xff00'`, `'\x'`}, []string{"X'01'", "X'FF00'"}},
	{"date", "do", days, sayDays},
	{"date", "do", oddDays, sayDays},
	{"timestamp", "do", moments, sayTimes},
	{"timestamp", "do", oddTimes, sayTimes},
	{"timestamptz", "do", moments, sayTimes},
	{"timestamptz", "do", oddTimes, sayTimes},
	{"time", "o", []string{"'10:00'", "'23:59:59.999'", "'00:00'"}, []string{"TIMESTAMP'1970-01-01 10:00:00'", "TIMESTAMP'2020-01-01 00:00:00'"}},
	{"uuid", "to", uuids, append([]string{"'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "'none'"}, uuids...)},
	{"public.mood", "to", []string{"'sad'", "'happy'", "'Angry'"}, []string{"'sad'", "'none'"}},
	{"interval", "t", []string{"'1 day'", "'24 hours'", "'1 mon'"}, []string{"'1 day'", "'24:00:00'"}},
	{"jsonb", "t", []string{`'{"a": 1}'`, `'1.0'`, `'1'`}, []string{"'1'"}},
	{"inet", "t", []string{"'10.0.0.1'", "'10.0.0.0/8'"}, []string{"'10.0.0.1'"}},
	{"int4range", "t", []string{"'[1,5)'", "'empty'"}, []string{"'[1,5)'"}},
	{"oid", "o", []string{"1", "4294967295"}, []string{"1"}},
	{"bit(1)", "", []string{"'1'", "'0'"}, []string{"true"}},
	{"bit(8)", "", []string{"'00000001'", "'10000000'"}, []string{"X'3030303030303031'"}},
	{"varbit(8)", "t", []string{"'1'", "'10'"}, []string{"'1'"}},
	{"integer[]", "", []string{"'{1,2}'", "'{}'", "'{2,NULL}'"}, []string{"array(1, 2)"}},
	{"text[]", "", []string{"'{a,B}'", "'{NULL}'"}, []string{"array('a', 'B')"}},
	{"date[]", "", []string{"'{2020-01-01}'"}, nil},
	{"public.small", "nso", []string{"1", "2"}, []string{"1"}},
}

// names are the columns' and tables', some of which need quotes.
var names = []string{"a", "B", "select", "näme", "with space", `quo"te`, "dot.ted", "x", "per%cent", "id"}

type column struct {
	name string
	kind
}

func (c column) spark() string { return "`" + strings.ReplaceAll(c.name, "`", "``") + "`" }

// drawTable draws columns and rows; key is a column that every table has.
func drawTable(t *rapid.T, name string) (columns []column, sql string) {
	columns = []column{{"key", kind{"integer", "nso", []string{"1", "2", "3"}, []string{"1", "2"}}}}
	drawn := rapid.SliceOfNDistinct(rapid.SampledFrom(names), 2, 5, rapid.ID[string]).Draw(t, "names of "+name)
	definitions := []string{`"key" integer`}
	for _, n := range drawn {
		k := rapid.SampledFrom(kinds).Draw(t, "type of "+n)
		columns = append(columns, column{n, k})
		definitions = append(definitions, `"`+strings.ReplaceAll(n, `"`, `""`)+`" `+k.ddl)
	}
	sql = fmt.Sprintf("CREATE TABLE %s (%s);\n", name, strings.Join(definitions, ", "))
	if rapid.IntRange(0, 3).Draw(t, "partitions of "+name) == 0 {
		sql = fmt.Sprintf("CREATE TABLE %[1]s (%[2]s) PARTITION BY LIST (\"key\"); CREATE TABLE %[1]s_1 PARTITION OF %[1]s FOR VALUES IN (1, NULL); "+
			"CREATE TABLE %[1]s_2 PARTITION OF %[1]s FOR VALUES IN (2); CREATE TABLE %[1]s_else PARTITION OF %[1]s DEFAULT;\n", name, strings.Join(definitions, ", "))
	}
	if rapid.Bool().Draw(t, "index of "+name) {
		sql += fmt.Sprintf("CREATE INDEX ON %s (\"key\");\n", name)
	}
	for range rapid.IntRange(0, 9).Draw(t, "rows of "+name) {
		values := make([]string, len(columns))
		for i, c := range columns {
			values[i] = rapid.SampledFrom(append([]string{"NULL"}, c.values...)).Draw(t, "value")
		}
		sql += fmt.Sprintf("INSERT INTO %s VALUES (%s);\n", name, strings.Join(values, ", "))
	}
	return columns, sql
}

// analyst draws analyses over the columns of tables t0 and t1.
type analyst struct {
	t      *rapid.T
	tables [][]column
}

func (a *analyst) pick(list []string, what string) string {
	return rapid.SampledFrom(list).Draw(a.t, what)
}

// readable columns are those that the product does not leave out.
func readable(columns []column, can string) (out []column) {
	for _, c := range columns {
		if c.ddl != "numeric(60,10)" && strings.Contains(c.can, can) {
			out = append(out, c)
		}
	}
	return out
}

func (a *analyst) column(columns []column, can string) (column, bool) {
	list := readable(columns, can)
	if len(list) == 0 {
		return column{}, false
	}
	return list[rapid.IntRange(0, len(list)-1).Draw(a.t, "column")], true
}

// condition draws one of a table's columns.
func (a *analyst) condition(columns []column, depth int) string {
	if depth > 0 && rapid.IntRange(0, 3).Draw(a.t, "join conditions") == 0 {
		how := a.pick([]string{" AND ", " OR ", " AND NOT "}, "how")
		return "(" + a.condition(columns, depth-1) + how + a.condition(columns, depth-1) + ")"
	}
	c, ok := a.column(columns, "")
	if !ok || len(c.literals) == 0 {
		return "`key` > 1"
	}
	x, literal := c.spark(), a.pick(c.literals, "literal")
	forms := []string{
		x + " = " + literal, x + " <> " + literal, x + " IS NULL", x + " IS NOT NULL", x + " IN (" + strings.Join(c.literals, ", ") + ")", x + " <=> " + literal,
		x + " NOT IN (" + strings.Join(c.literals, ", ") + ")", "coalesce(" + x + ", " + literal + ") = " + literal, "nullif(" + x + ", " + literal + ") IS NULL",
		"CASE WHEN `key` > 1 THEN " + x + " = " + literal + " ELSE " + x + " IS NULL END",
	}
	if strings.Contains(c.can, "o") {
		forms = append(forms, x+" < "+literal, x+" >= "+literal, x+" BETWEEN "+literal+" AND "+a.pick(c.literals, "literal"), "greatest("+x+", "+literal+") = "+literal)
	}
	if strings.Contains(c.can, "t") {
		forms = append(forms, x+" || 'x' = 'ax'", x+" LIKE 'a%'", x+" LIKE '%a%'", "startswith("+x+", "+literal+")", "length("+x+") > 1", "upper("+x+") = 'A'")
	}
	if strings.Contains(c.can, "n") {
		forms = append(forms, x+" * 2 > 3", x+" + `key` >= 2", x+" % 2 = 1", "abs("+x+") = 2", "CAST("+x+" AS STRING) = '2'", "round("+x+") = 3", x+" / 2 > 0.6", "-"+x+" < -1")
		if c.ddl != "double precision" { // NaN is no integer
			forms = append(forms, "CAST("+x+" AS BIGINT) = 2")
		}
	}
	if strings.Contains(c.can, "d") {
		forms = append(forms, "year("+x+") = 2020", "month("+x+") = 12", "dayofweek("+x+") = 4", "quarter("+x+") < 3", "CAST("+x+" AS STRING) LIKE '2020%'", "date_add("+x+", 1) > DATE'2020-01-01'", "second("+x+") = 30", "CAST("+x+" AS DATE) = DATE'2020-01-01'")
	}
	return a.pick(forms, "condition")
}

func (a *analyst) where(columns []column) string {
	if rapid.IntRange(0, 2).Draw(a.t, "filter") == 0 {
		return ""
	}
	return " WHERE " + a.condition(columns, 2)
}

func (a *analyst) aggregate(columns []column) string {
	forms := []string{
		"count(*)", "count(DISTINCT `key`)", "sum(CASE WHEN " + a.condition(columns, 1) + " THEN 1 ELSE 0 END)",
		"count_if(" + a.condition(columns, 1) + ")", "bool_or(" + a.condition(columns, 0) + ")", "max(CASE WHEN " + a.condition(columns, 0) + " THEN `key` END)",
	}
	if c, ok := a.column(columns, ""); ok {
		forms = append(forms, "count("+c.spark()+")", "count(DISTINCT "+c.spark()+")")
	}
	if c, ok := a.column(columns, "o"); ok {
		forms = append(forms, "min("+c.spark()+")", "max("+c.spark()+")")
	}
	if c, ok := a.column(columns, "d"); ok {
		forms = append(forms, "max(year("+c.spark()+"))", "min(CAST("+c.spark()+" AS DATE))")
	}
	if c, ok := a.column(columns, "s"); ok {
		x := c.spark()
		forms = append(forms, "sum("+x+")", "avg("+x+")", "sum("+x+") FILTER (WHERE "+a.condition(columns, 0)+")", "sum(coalesce("+x+", 1))", "sum(-"+x+")", "sum("+x+" * 2)", "sum("+x+" / 3)", "stddev_samp("+x+")", "var_pop("+x+")", "avg("+x+" + 1)",
			"sum(CASE WHEN "+a.condition(columns, 0)+" THEN "+x+" END)", "avg(CASE WHEN "+a.condition(columns, 0)+" THEN "+x+" END)", "avg(CAST("+x+" AS DOUBLE))", "covar_pop("+x+", `key`)")
	}
	return a.pick(forms, "aggregate")
}

func (a *analyst) group(columns []column) string {
	c, ok := a.column(columns, "")
	if !ok {
		return "`key`"
	}
	x := c.spark()
	forms := []string{x, "`key`", "CASE WHEN " + a.condition(columns, 1) + " THEN 'yes' ELSE 'no' END"}
	switch {
	case strings.Contains(c.can, "d"):
		forms = append(forms, "year("+x+")", "month("+x+")", "date_trunc('month', "+x+")", "CAST("+x+" AS DATE)", "CAST("+x+" AS STRING)")
	case strings.Contains(c.can, "t"):
		forms = append(forms, "upper("+x+")", "substr("+x+", 1, 1)")
	case strings.Contains(c.can, "n"):
		forms = append(forms, x+" % 2", "CAST("+x+" AS STRING)", x+" + 1")
	}
	return a.pick(forms, "group")
}

// renamed are the columns under names of an analysis's own.
func (a *analyst) renamed(columns []column) (other []column, list string) {
	as := make([]string, len(columns))
	for i, c := range columns {
		as[i] = fmt.Sprintf("r%d", i)
		if c.name == "key" {
			as[i] = "`key`"
		}
		other = append(other, column{strings.Trim(as[i], "`"), c.kind})
	}
	return other, strings.Join(as, ", ")
}

// analysis draws one whose answer does not depend on the order of rows.
func (a *analyst) analysis() string {
	columns := a.tables[0]
	if len(readable(columns, "")) == len(columns) && rapid.IntRange(0, 9).Draw(a.t, "by other names") == 0 {
		other, list := a.renamed(columns)
		from := "{t0} AS q (" + list + ")"
		return "SELECT " + a.aggregate(other) + " AS x, " + a.aggregate(other) + " AS y FROM " + from + a.where(other)
	}
	switch rapid.IntRange(0, 7).Draw(a.t, "form") {
	case 0:
		c, _ := a.column(columns, "")
		return "SELECT " + c.spark() + ", `key` FROM {t0}" + a.where(columns)
	case 1:
		return "SELECT " + a.aggregate(columns) + " AS x, " + a.aggregate(columns) + " AS y FROM {t0}" + a.where(columns)
	case 2:
		g := a.group(columns)
		return "SELECT " + g + " AS g, " + a.aggregate(columns) + " AS x FROM {t0}" + a.where(columns) + " GROUP BY " + g
	case 3: // first rows: all that is shown is ordered by
		c, ok := a.column(columns, "o")
		if !ok {
			c = columns[0]
		}
		how := a.pick([]string{"", " DESC", " NULLS LAST", " DESC NULLS FIRST"}, "order")
		return "SELECT " + c.spark() + ", `key` FROM {t0}" + a.where(columns) + " ORDER BY " + c.spark() + how + ", `key` LIMIT 3" + a.pick([]string{"", " OFFSET 1"}, "offset")
	case 4: // first groups
		return "SELECT `key`, count(*) AS n FROM {t0}" + a.where(columns) + " GROUP BY `key` ORDER BY n DESC, `key` LIMIT 2"
	case 5:
		g := a.group(columns)
		return "SELECT " + g + " AS g, " + a.aggregate(columns) + " AS x FROM {t0}" + a.where(columns) + " GROUP BY ROLLUP(" + g + ") HAVING count(*) > 1"
	case 6:
		c, _ := a.column(columns, "")
		return "SELECT DISTINCT " + c.spark() + " FROM {t0}" + a.where(columns)
	default:
		on := "l.`key` = r.`key`"
		for _, c := range a.tables[1] { // columns of the same type can be joined by
			for _, d := range readable(columns, "o") {
				if c.ddl == d.ddl && c.name != "key" && rapid.Bool().Draw(a.t, "join by another") {
					on = "l." + d.spark() + " = r." + c.spark()
				}
			}
		}
		join := a.pick([]string{" JOIN ", " JOIN ", " LEFT JOIN ", " LEFT SEMI JOIN "}, "join")
		return "SELECT count(*) AS n, sum(l.`key`) AS s, max(l.`key`) AS m FROM {t0} l" + join + "{t1} r ON " + on + a.pick([]string{"", " WHERE l.`key` > 1", " WHERE l.`key` IN (1, 3)"}, "filter")
	}
}
