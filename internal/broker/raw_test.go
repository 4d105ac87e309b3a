package broker_test

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// raw is a client that speaks single messages.
type raw struct {
	t      *testing.T
	conn   net.Conn
	front  *pgproto3.Frontend
	status byte
}

func (b *bundle) raw(t *testing.T) *raw {
	t.Helper()
	pg, err := pgconn.Connect(t.Context(), b.dsn(""))
	if err != nil {
		t.Fatal(err)
	}
	h, err := pg.Hijack()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Conn.Close() })
	return &raw{t: t, conn: h.Conn, front: h.Frontend}
}

func (r *raw) send(messages ...pgproto3.FrontendMessage) {
	r.t.Helper()
	for _, m := range messages {
		r.front.Send(m)
	}
	if err := r.front.Flush(); err != nil {
		r.t.Fatal(err)
	}
}

// until returns the types of the messages up to the first of that type.
func (r *raw) until(last byte) string {
	r.t.Helper()
	var types []byte
	_ = r.conn.SetReadDeadline(time.Now().Add(time.Minute))
	for {
		msg, err := r.front.Receive()
		if err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				return string(types)
			}
			r.t.Fatal(err)
		}
		encoded, err := msg.Encode(nil)
		if err != nil {
			r.t.Fatal(err)
		}
		types = append(types, encoded[0])
		if z, ok := msg.(*pgproto3.ReadyForQuery); ok {
			r.status = z.TxStatus
		}
		if encoded[0] == last {
			return string(types)
		}
	}
}

// refused is what an error says that is the next answer.
func (r *raw) refused() (text string) {
	r.t.Helper()
	for {
		msg, err := r.front.Receive()
		if err != nil {
			r.t.Fatal(err)
		}
		switch m := msg.(type) {
		case *pgproto3.ErrorResponse:
			text = m.Message
		case *pgproto3.ReadyForQuery:
			return text
		}
	}
}
