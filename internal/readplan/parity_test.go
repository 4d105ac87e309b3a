package readplan_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The differential test: an analysis whose parts PostgreSQL works out gives the
// answer that Spark gives over rows that are read whole, and over the values
// themselves, which no JDBC has touched. Schemas, rows and analyses are drawn, here
// always the same few; make soak draws others. A failure names its seed, for
// -rapid.seed=N.
func TestParity(t *testing.T) { //nolint:paralleltest // one session
	b := theBed(t)
	parity(t, b, b.peer, "4", "1")
}

// parity draws cases from a seed, "0" being any; SPARKWRIGHT_PARITY_CASES says
// how many.
func parity(t *testing.T, b *bed, p *peer, cases, seed string) {
	t.Helper()
	if n := os.Getenv("SPARKWRIGHT_PARITY_CASES"); n != "" {
		cases = n
	}
	for name, value := range map[string]string{"rapid.checks": cases, "rapid.seed": seed, "rapid.nofailfile": "true", "rapid.shrinktime": "60s"} {
		if f := flag.Lookup(name); f.Value.String() == f.DefValue { // not asked for otherwise
			if err := flag.Set(name, value); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = f.Value.Set(f.DefValue) })
		}
	}
	t.Logf("rapid.seed=%s, 0 is any", flag.Lookup("rapid.seed").Value)
	ctx := context.WithoutCancel(t.Context())
	asked, pushed, alone := 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		a := &analyst{t: rt}
		var sql strings.Builder
		for i := range 2 {
			columns, create := drawTable(rt, fmt.Sprintf("t%d", i))
			a.tables = append(a.tables, columns)
			sql.WriteString(create)
		}
		var queries []query
		for range 6 {
			queries = append(queries, query{sql: a.analysis()})
		}
		w, err := b.newWorld(ctx, p, sql.String(), rapid.Bool().Draw(rt, "large"))
		if err != nil {
			rt.Fatal(err)
		}
		defer func() {
			if err := w.close(ctx); err != nil {
				rt.Error(err)
			}
		}()
		for _, q := range queries {
			out, err := w.compare(ctx, q, "")
			if err != nil {
				rt.Fatalf("%v\n%s%s", err, sql.String(), q.sql)
			}
			asked++
			if out.part {
				pushed++
			}
			if _, is := out.answers["direct"]; is {
				alone++
			}
			if len(out.problems) > 0 {
				rt.Fatalf("%s\n%s\npushed: %v\nguard: %s\n%s", sql.String(), q.sql, out.scans, out.guard.Describe(), strings.Join(out.problems, "\n"))
			}
		}
	})
	t.Logf("%d analyses on Spark %s, of %d PostgreSQL had worked out a part, of %d it gave the answer by itself too", asked, p.version, pushed, alone)
}
