package broker

import "testing"

func TestJudge(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]verdict{
		"SELECT 1":                           read,
		" ( SELECT 1 ) ":                     read,
		"select ';' , $$ ; $$, $a$;$b$;$a$;": read,
		"-- note\nWITH a AS (SELECT 1) SELECT * FROM a": read,
		"/* /* nested ; */ */ VALUES (1)":               read,
		"SHOW transaction_isolation":                    read,
		"SELECT $1, E'\\'; DELETE FROM t; --'":          read,
		`SELECT "a;b""c" FROM t`:                        read,
		"EXPLAIN (FORMAT JSON) SELECT 1":                read,
		"explain (analyse) select 1":                    refused,
		"":                                              empty,
		" ; -- nothing":                                 empty,
		"BEGIN":                                         begin,
		"start transaction isolation level serializable, read only": begin,
		"BEGIN READ WRITE":           refused,
		"COMMIT":                     end,
		"end transaction":            end,
		"rollback work":              end,
		"ROLLBACK TO x":              refused,
		"COMMIT AND CHAIN":           refused,
		"COMMIT; SELECT 1":           refused,
		"SELECT 1; SELECT 2":         refused,
		"SELECT ''';DROP":            read, // an unfinished text: PostgreSQL refuses it
		"SELECT date'\\'; X'":        refused,
		"SET extra_float_digits = 3": set,
		"SET application_name = 'a'": set,
		"SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY":  set,
		"SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE": refused,
		"SET search_path = x":    refused,
		"INSERT INTO t SELECT 1": refused,
		"COPY t TO STDOUT":       refused,
		"'SELECT 1'":             refused,
		"😀 SELECT 1":             refused,
	} {
		if got, _ := judge(sql); got != want {
			t.Errorf("%q is judged %d, want %d", sql, got, want)
		}
	}
}

// Whatever the text, scanning ends and a second statement outside quotes is seen.
func FuzzScan(f *testing.F) {
	for _, s := range []string{"SELECT 1", "a'b''c\"d\"\"$x$;$x$--\n/*;*/", "$1", "$", "$a$", "E'\\''", "/*", "'", "\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		words, n := scan(s)
		if n == 0 && len(words) > 0 {
			t.Errorf("words of no statement: %q", words)
		}
		if v, _ := judge("SELECT 1;\n" + s); n > 0 && v != refused {
			t.Errorf("two statements are judged %d: %q", v, s)
		}
	})
}
