package sqlguard_test

import (
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright/internal/sqlguard"
)

// rules are those of a run that reads two tables.
func rules() sqlguard.Rules {
	return sqlguard.Rules{Tables: []sqlguard.Table{{Schema: "public", Name: "orders"}, {Schema: "Sales", Name: "Items"}}}
}

func allowed() []string {
	return []string{
		"SELECT 1", "VALUES (1), (2)", "TABLE orders", "select count(*), sum(o.amount) filter (where o.id > 1) from public.orders o group by 1 having true",
		`SELECT "id","amount" FROM "public"."orders" WHERE ("day" >= '2025-01-01'::date) AND ("id" IS NOT NULL) LIMIT 10`,
		`SELECT SUM("amount"), "id" FROM "public"."orders" GROUP BY "id"`,
		`SELECT * FROM (SELECT "a" FROM "Sales"."Items") AS t WHERE 1=0`,
		`SELECT "a" FROM "Sales"."Items" TABLESAMPLE BERNOULLI (10.0) REPEATABLE (1)`,
		"SELECT * FROM orders WHERE ctid >= '(0,0)'::tid AND ctid < '(100,0)'::tid",
		"WITH a AS (SELECT * FROM orders), b AS (SELECT * FROM a) SELECT * FROM b, a",
		"WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 9) SELECT * FROM n",
		"SELECT extract(year FROM day), trim(both ' ' FROM note), substring(note FROM 1 FOR 2), position('a' IN note), day AT TIME ZONE 'UTC' FROM orders",
		"SELECT rank() OVER (PARTITION BY id ORDER BY day DESC NULLS LAST ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM orders",
		"SELECT CASE WHEN id = ANY (ARRAY[1,2]) THEN (a).b ELSE NULL END FROM orders CROSS JOIN LATERAL unnest(ARRAY[1]) u(x)",
		"SELECT 1 FROM orders UNION ALL (SELECT 2 FROM \"Sales\".\"Items\" EXCEPT SELECT 3)",
		"EXPLAIN (FORMAT JSON) SELECT * FROM orders", "SHOW transaction isolation level", "SELECT ';', $$ ; $$",
		"SELECT n.nspname, c.relname, pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid JOIN pg_attribute a ON a.attrelid = c.oid",
		// What the JDBC driver asks for types and columns.
		"SELECT typinput='pg_catalog.array_in'::regproc as is_array, typtype, typname, pg_type.oid FROM pg_catalog.pg_type LEFT JOIN (select ns.oid as nspoid, ns.nspname, r.r from pg_namespace as ns join ( select s.r, (current_schemas(false))[s.r] as nspname from generate_series(1, array_upper(current_schemas(false), 1)) as s(r) ) as r using ( nspname )) as sp ON sp.nspoid = typnamespace WHERE pg_type.oid = $1 ORDER BY sp.r, pg_type.oid DESC;",
		"SELECT t.oid, t.typname FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON t.typnamespace = n.oid WHERE t.typname = $1 AND (n.nspname = $2 OR $3 AND n.nspname = ANY (current_schemas(true))) ORDER BY t.oid DESC LIMIT 1",
		"SELECT c.oid, a.attnum, a.attname, c.relname, n.nspname, a.attnotnull OR (t.typtype = 'd' AND t.typnotnull), a.attidentity != '' OR pg_catalog.pg_get_expr(d.adbin, d.adrelid) LIKE '%nextval(%' FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON (c.relnamespace = n.oid) JOIN pg_catalog.pg_attribute a ON (c.oid = a.attrelid) JOIN pg_catalog.pg_type t ON (a.atttypid = t.oid) LEFT JOIN pg_catalog.pg_attrdef d ON (d.adrelid = a.attrelid AND d.adnum = a.attnum) JOIN (SELECT 1::int8 AS oid, 2 AS attnum UNION ALL SELECT 3, 4) vals ON (c.oid = vals.oid AND a.attnum = vals.attnum)",
		"SELECT result.A, (result.KEYS).x FROM (SELECT i.indkey AS A, information_schema._pg_expandarray(i.indkey) AS KEYS FROM pg_catalog.pg_index i) result",
		"SELECT date '2025-01-01' + interval '1 day', current_date, current_timestamp", "select",
	}
}

func refused() map[string]string {
	return map[string]string{
		"SELECT 1; SELECT 2": "2 statements", "": "0 statements", "SELEC 1": "not understood", "SELECT 1; COMMIT": "2 statements",
		"INSERT INTO orders VALUES (1)": "not a read", "UPDATE orders SET id = 1": "not a read", "DELETE FROM orders": "not a read",
		"MERGE INTO orders o USING orders p ON true WHEN MATCHED THEN DELETE": "not a read", "TRUNCATE orders": "not a read",
		"COPY orders TO PROGRAM 'sh'": "not a read", "COPY (SELECT 1) TO '/tmp/x'": "not a read", "DO $$ BEGIN END $$": "not a read", "CALL p()": "not a read",
		"PREPARE p AS SELECT 1": "not a read", "EXECUTE p": "not a read", "DECLARE c CURSOR FOR SELECT 1": "not a read", "FETCH c": "not a read",
		"SET ROLE postgres": "not a read", "RESET ALL": "not a read", "LISTEN x": "not a read", "NOTIFY x": "not a read", "LOCK orders": "not a read",
		"CREATE TABLE x AS SELECT 1": "not a read", "DROP TABLE orders": "not a read", "GRANT ALL ON orders TO public": "not a read", "LOAD 'x'": "not a read",
		"VACUUM": "not a read", "BEGIN": "not a read", "REFRESH MATERIALIZED VIEW v": "not a read", "COMMENT ON TABLE orders IS 'x'": "not a read",
		"SELECT * INTO x FROM orders": "makes a table", "SELECT * FROM orders FOR UPDATE": "locked", "SELECT * FROM (SELECT * FROM orders FOR SHARE) x": "locked",
		"WITH w AS (DELETE FROM orders RETURNING *) SELECT * FROM w":                      "WITH of what is not a read",
		"SELECT * FROM (WITH w AS (INSERT INTO orders VALUES (1) RETURNING *) TABLE w) x": "WITH of what is not a read",
		"EXPLAIN ANALYZE SELECT 1": "EXPLAIN analyze", "EXPLAIN (ANALYZE false) SELECT 1": "EXPLAIN analyze", "EXPLAIN DELETE FROM orders": "not a read", "EXPLAIN EXECUTE p": "not a read",
		"SHOW hba_file": "SHOW hba_file", "SHOW ALL": "SHOW all",
		"SELECT pg_sleep(1)": "pg_sleep", "SELECT pg_catalog.pg_sleep(1)": "pg_sleep", `SELECT "pg_catalog"."pg_read_file"('/etc/passwd')`: "pg_read_file",
		"SELECT * FROM pg_ls_dir('/')": "pg_ls_dir", "SELECT * FROM pg_read_binary_file('/etc/passwd')": "pg_read_binary_file",
		"SELECT * FROM ROWS FROM (generate_series(1,2), pg_ls_dir('/')) x": "pg_ls_dir", "SELECT * FROM dblink('host=evil','SELECT 1') AS t(a int)": "dblink",
		"SELECT 1 FROM orders WHERE id IN (SELECT lo_create(0))": "lo_create", "SELECT lo_export(1, '/tmp/x')": "lo_export", "SELECT lo_import('/etc/passwd')": "lo_import",
		"SELECT lo_from_bytea(0, 'x')": "lo_from_bytea", "SELECT pg_terminate_backend(1)": "pg_terminate_backend", "SELECT set_config('role','postgres',false)": "set_config",
		"SELECT current_setting('data_directory')": "current_setting", "SELECT nextval('s')": "nextval", "SELECT setval('s', 1)": "setval", "SELECT pg_notify('a','b')": "pg_notify",
		"SELECT pg_advisory_lock(1)": "pg_advisory_lock", "SELECT query_to_xml('DELETE FROM orders', true, true, '')": "query_to_xml", "SELECT * FROM ts_stat('SELECT 1')": "ts_stat",
		"SELECT database_to_xml(true, true, '')": "database_to_xml", "SELECT table_to_xml('orders', true, true, '')": "table_to_xml", "SELECT pg_reload_conf()": "pg_reload_conf",
		"SELECT pg_export_snapshot()": "pg_export_snapshot", "SELECT pg_logical_emit_message(true,'a','b')": "pg_logical_emit_message", "SELECT txid_current()": "txid_current",
		"SELECT public.mine(1)": "public.mine", "SELECT mine(1)": "mine", "SELECT sales.sum(1)": "sales.sum", "SELECT max(id) FILTER (WHERE evil(id)) FROM orders": "evil",
		"SELECT 1 ORDER BY evil()": "evil", "SELECT 1 LIMIT evil()": "evil", "SELECT sum(1) OVER (ORDER BY evil())": "evil", "SELECT CASE WHEN evil() THEN 1 END": "evil",
		"SELECT ARRAY[evil()]": "evil", "SELECT ROW(evil())": "evil", "SELECT (evil()).x": "evil", "SELECT a[evil()] FROM orders": "evil", "VALUES (evil())": "evil",
		"SELECT 1 UNION SELECT evil()": "evil", "SELECT * FROM orders o JOIN orders p ON evil()": "evil", "SELECT * FROM orders TABLESAMPLE evil (1)": "TABLESAMPLE evil",
		"SELECT * FROM orders TABLESAMPLE bernoulli (evil())": "evil", "SELECT 1 OPERATOR(evil.+) 2": "the operator", "SELECT 1::int + evil()": "evil",
		"SELECT * FROM customers": "not a table of the run", "SELECT * FROM sales.items": "not a table of the run", `SELECT * FROM "Orders"`: "not a table of the run",
		"SELECT (SELECT password FROM users)": "not a table of the run", "WITH customers AS (SELECT * FROM customers) SELECT * FROM customers": "not a table of the run",
		"SELECT * FROM (WITH x AS (SELECT 1) SELECT 1) y, x": "not a table of the run", "SELECT * FROM other.public.orders": "the database other",
		"SELECT * FROM pg_authid": "system table pg_authid", "SELECT * FROM pg_catalog.pg_shadow": "system table pg_shadow", "SELECT * FROM pg_stats": "system table pg_stats",
		"SELECT * FROM pg_stat_activity": "system table", "SELECT * FROM pg_largeobject": "system table", "SELECT * FROM pg_user_mappings": "system table", "SELECT * FROM pg_settings": "system table",
		"SELECT * FROM pg_file_settings": "system table", "SELECT * FROM information_schema.tables": "system table", "SELECT * FROM pg_toast.pg_toast_1": "system table", "SELECT * FROM pg_proc": "system table",
		"SELECT xmlparse(document '<a/>')": "XmlExpr", "SELECT * FROM xmltable('/a' PASSING x COLUMNS y int)": "RangeTableFunc",
		"SELECT 1\x00; DELETE FROM orders": "NUL",
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, sql := range allowed() {
		if err := sqlguard.Check(sql, rules()); err != nil {
			t.Errorf("%q is refused: %v", sql, err)
		}
	}
	for sql, why := range refused() {
		err := sqlguard.Check(sql, rules())
		if err == nil {
			t.Errorf("%q is let through", sql)
		} else if !strings.Contains(err.Error(), why) {
			t.Errorf("%q is refused because %v, want %q", sql, err, why)
		}
	}
}

func TestDeepAndLong(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"parentheses": "SELECT " + strings.Repeat("(", 100_000) + "1" + strings.Repeat(")", 100_000),
		"long":        "SELECT '" + strings.Repeat("x", 2<<20) + "'",
		"queries":     strings.Repeat("SELECT (", 5000) + "1" + strings.Repeat(")", 5000),
		"minus":       "SELECT " + strings.Repeat("- ", 50_000) + "1",
	} {
		if err := sqlguard.Check(sql, rules()); err == nil {
			t.Errorf("%s: let through", name)
		}
	}
	if err := sqlguard.Check("SELECT 1", rules()); err != nil {
		t.Errorf("the parser does not work any more: %v", err)
	}
}

// Whatever the text: the judge ends, and what it lets through is one statement
// without the words of those that write.
func FuzzCheck(f *testing.F) {
	for _, sql := range allowed() {
		f.Add(sql)
	}
	for sql := range refused() {
		f.Add(sql)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		if sqlguard.Check(sql, rules()) != nil {
			return
		}
		if err := sqlguard.Check(sql+";\nDELETE FROM orders", rules()); err == nil {
			t.Errorf("a second statement is let through after %q", sql)
		}
		if err := sqlguard.Check("SELECT * FROM ("+sql+"\n) q, pg_ls_dir('/') f", rules()); err == nil {
			t.Errorf("a function in FROM is let through beside %q", sql)
		}
	})
}
