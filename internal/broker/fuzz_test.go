package broker

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/sparkwright/sparkwright"
)

// quiet is a connection that only says what it was given.
type quiet struct {
	net.Conn
	io.Reader
}

func (q quiet) Read(p []byte) (int, error) { return q.Reader.Read(p) }

func encoded(tb testing.TB, messages ...pgproto3.FrontendMessage) []byte {
	tb.Helper()
	var out []byte
	for _, m := range messages {
		var err error
		if out, err = m.Encode(out); err != nil {
			tb.Fatal(err)
		}
	}
	return out
}

// Whatever a client sends after its login: what goes on to PostgreSQL is whole
// messages of the extended protocol, and each statement in them is a read of
// the run's table.
func FuzzClient(f *testing.F) {
	for _, seed := range [][]byte{
		encoded(f, &pgproto3.Parse{Query: "SELECT 1"}, &pgproto3.Bind{}, &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}, &pgproto3.Sync{}),
		encoded(f, &pgproto3.Parse{Name: "a", Query: "DELETE FROM t"}, &pgproto3.Bind{PreparedStatement: "a"}, &pgproto3.Execute{}),
		encoded(f, &pgproto3.Parse{Name: "a", Query: "SELECT * FROM t"}, &pgproto3.Parse{Name: "a", Query: "SELECT pg_sleep(1)"}, &pgproto3.Bind{PreparedStatement: "a"}),
		encoded(f, &pgproto3.Parse{Query: "BEGIN"}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Parse{Query: "SELECT 1; COMMIT"}, &pgproto3.Close{ObjectType: 'S', Name: "a"}),
		encoded(f, &pgproto3.FunctionCall{Function: 1}, &pgproto3.CopyData{Data: []byte("x")}, &pgproto3.Terminate{}),
		{'Q', 0xff, 0xff, 0xff, 0xff},
		{'P', 0, 0, 0, 4},
		{'B', 0, 0, 0, 12, 0, 0, 0xff, 0xff, 0, 0, 0, 0},
		{'D', 0, 0, 0, 6, 'X', 0},
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		s := &Session{}
		s.allow([]sparkwright.Relation{{Schema: "public", Name: "t"}})
		c := newClient(s, quiet{Reader: bytes.NewReader(nil)})
		c.in = bufio.NewReader(bytes.NewReader(in))
		for {
			msg, err := c.receive()
			if err != nil {
				return
			}
			switch m := msg.(type) {
			case *pgproto3.Parse:
				c.parse(m)
			case *pgproto3.Bind:
				c.bind(m)
			case *pgproto3.Describe:
				c.describe(m)
			case *pgproto3.Execute:
				c.execute(m)
			case *pgproto3.Close:
				c.closing(m)
			}
			forwarded(t, s, c.forward)
		}
	})
}

// forwarded checks what would be sent.
func forwarded(t *testing.T, s *Session, out []byte) {
	t.Helper()
	for len(out) > 0 {
		if len(out) < headerSize {
			t.Fatalf("half a header is sent: %q", out)
		}
		size := int(binary.BigEndian.Uint32(out[1:])) + 1
		if size > len(out) {
			t.Fatalf("half a message is sent: %q", out)
		}
		body := out[headerSize:size]
		switch out[0] {
		case 'P':
			var p pgproto3.Parse
			if err := p.Decode(body); err != nil {
				t.Fatalf("a broken Parse is sent: %v", err)
			}
			if v, _, why := s.judge(p.Query); v != read {
				t.Fatalf("%q is sent, though %s", p.Query, why)
			}
		case 'B', 'D', 'E', 'C':
		default:
			t.Fatalf("a message %q is sent", out[0])
		}
		out = out[size:]
	}
}

// Whatever a server sends: reading it ends, and rows are passed on unchanged.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("D\x00\x00\x00\x06\x00\x00D\x00\x00\x00\x04Z\x00\x00\x00\x05I"))
	f.Add([]byte("E\x00\x00\x00\x05\x00"))
	f.Add([]byte("D\x7f\xff\xff\xff"))
	f.Add([]byte("D\x00\x00\x00\x03"))
	f.Fuzz(func(t *testing.T, in []byte) {
		fr := frames{r: bytes.NewReader(in)}
		var passed bytes.Buffer
		for {
			err := fr.rows(func(b []byte) error { _, e := passed.Write(b); return e }, func(int, int) error { return nil })
			if err != nil {
				break
			}
			if header, length, e := fr.header(); e != nil || header == 'D' || length > len(in) {
				break
			}
			if _, _, err = fr.next(); err != nil {
				break
			}
		}
		if passed.Len() > len(in) {
			t.Errorf("%d bytes of rows came of %d", passed.Len(), len(in))
		}
	})
}
