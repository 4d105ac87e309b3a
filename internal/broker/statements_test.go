package broker_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/sparkwright/sparkwright/internal/broker"
)

// Two clients that name their statements alike have two statements at
// PostgreSQL: behind a pooler they may meet in one session. What each says of
// its own is meant by it alone.
func TestStatementsOfTwoClients(t *testing.T) {
	t.Parallel()
	b := setup(t, broker.Limits{})
	names := map[string]bool{}
	for range 2 {
		f := b.raw(t)
		parse := &pgproto3.Parse{Name: "S_1", Query: "SELECT count(*) FROM t WHERE id <= $1"}
		f.send(parse, &pgproto3.Describe{ObjectType: 'S', Name: "S_1"}, &pgproto3.Sync{})
		if got := f.until('Z'); got != "1tTZ" {
			t.Fatalf("described: %s", got)
		}
		for range 2 {
			f.send(&pgproto3.Bind{PreparedStatement: "S_1", Parameters: [][]byte{[]byte("7")}, ResultFormatCodes: []int16{1}}, &pgproto3.Execute{}, &pgproto3.Sync{})
			if got := f.until('Z'); got != "2DCZ" {
				t.Fatalf("carried out: %s", got)
			}
		}
		f.send(parse, &pgproto3.Sync{}) // PostgreSQL tells the name in its refusal
		text := f.refused()
		_, rest, _ := strings.Cut(text, `"`)
		name, _, found := strings.Cut(rest, `"`)
		if !found || !strings.HasSuffix(name, "S_1") || name == "S_1" {
			t.Fatalf("%q", text)
		}
		names[name] = true
		f.send(&pgproto3.Close{ObjectType: 'S', Name: "S_1"}, parse, &pgproto3.Sync{})
		if got := f.until('Z'); got != "31Z" {
			t.Errorf("closed and made again: %s", got)
		}
	}
	if len(names) != 2 {
		t.Errorf("one name for two clients: %v", names)
	}
}
