package broker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

const (
	connectTimeout = 20 * time.Second
	cancelTimeout  = 5 * time.Second
)

// upstream is one PostgreSQL session of a run. It serves one client at a time.
type upstream struct {
	pg     *pgconn.PgConn // for cancel requests only: its connection is ours
	conn   net.Conn
	frames frames
	params map[string]string
	status byte // of the transaction: I, T or E
	broken bool
}

// connect logs in with the session's own login and tags it with the run.
func connect(ctx context.Context, cfg *pgconn.Config, application string) (*pgconn.PgConn, error) {
	cfg = cfg.Copy()
	// Only what a pooler in transaction mode lets through; the rest is set in
	// the transaction.
	cfg.RuntimeParams = map[string]string{
		"application_name": application, "client_encoding": "UTF8", "DateStyle": "ISO, MDY", "TimeZone": "UTC",
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return pgconn.ConnectConfig(ctx, cfg)
}

func newUpstream(ctx context.Context, cfg *pgconn.Config, application string) (*upstream, error) {
	pg, err := connect(ctx, cfg, application)
	if err != nil {
		return nil, err
	}
	if err = pg.SyncConn(ctx); err != nil {
		_ = pg.Close(ctx)
		return nil, fmt.Errorf("sync: %w", err)
	}
	h, err := pg.Hijack()
	if err != nil {
		_ = pg.Close(ctx)
		return nil, fmt.Errorf("take over: %w", err)
	}
	return &upstream{pg: pg, conn: h.Conn, frames: frames{r: h.Conn}, params: h.ParameterStatuses, status: h.TxStatus}, nil
}

// exec carries out statements of the broker's own and returns their first
// error. Rows are dropped.
func (u *upstream) exec(ctx context.Context, sql string) error {
	stop := u.deadline(ctx)
	defer stop()
	msg, err := (&pgproto3.Query{String: sql}).Encode(nil)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	if _, err = u.conn.Write(msg); err != nil {
		return u.fail(err)
	}
	return u.drain()
}

// drain reads up to ReadyForQuery and returns the first error on the way.
func (u *upstream) drain() error {
	var first error
	for {
		typ, body, err := u.frames.next()
		if err != nil {
			return u.fail(err)
		}
		switch typ {
		case 'E':
			if first == nil {
				first = serverError(body)
			}
		case 'G', 'W':
			return u.fail(errors.New("copy is not possible here"))
		case 'Z':
			u.status = body[0]
			return first
		}
	}
}

// deadline has ctx's end end reads and writes. Call the result afterwards.
func (u *upstream) deadline(ctx context.Context) func() {
	stop := context.AfterFunc(ctx, func() { _ = u.conn.SetDeadline(time.Unix(1, 0)) })
	return func() {
		if !stop() {
			u.broken = true
		}
	}
}

func (u *upstream) fail(err error) error {
	u.broken = true
	return fmt.Errorf("PostgreSQL has gone: %w", err)
}

// cancel asks PostgreSQL to stop what the session does now. Safe at any time.
func (u *upstream) cancel() {
	ctx, stop := context.WithTimeout(context.Background(), cancelTimeout)
	defer stop()
	_ = u.pg.CancelRequest(ctx) // the backend may have ended by itself
}

// close ends the session.
func (u *upstream) close() {
	if msg, err := (&pgproto3.Terminate{}).Encode(nil); err == nil {
		_ = u.conn.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = u.conn.Write(msg)
	}
	_ = u.conn.Close()
}

// serverError is the error that PostgreSQL sent.
func serverError(body []byte) error {
	var msg pgproto3.ErrorResponse
	if err := msg.Decode(body); err != nil {
		return fmt.Errorf("decode an error of PostgreSQL: %w", err)
	}
	return &pgconn.PgError{Severity: msg.Severity, Code: msg.Code, Message: msg.Message, Detail: msg.Detail}
}

const (
	frameBuffer  = 256 << 10
	frameMaximum = 64 << 20 // of a message that is not a row
)

// frames takes the stream from PostgreSQL apart without decoding rows.
type frames struct {
	r          interface{ Read([]byte) (int, error) }
	buf        []byte
	start, end int
}

// fill reads more into the buffer, which has room for at least want bytes from
// start on afterwards.
func (f *frames) fill(want int) error {
	if f.buf == nil {
		f.buf = make([]byte, frameBuffer)
	}
	if f.start > 0 && (f.start == f.end || f.start+want > len(f.buf) || f.end == len(f.buf)) {
		copy(f.buf, f.buf[f.start:f.end])
		f.start, f.end = 0, f.end-f.start
	}
	if want > len(f.buf) {
		bigger := make([]byte, want)
		copy(bigger, f.buf[f.start:f.end])
		f.buf, f.start, f.end = bigger, 0, f.end-f.start
	}
	n, err := f.r.Read(f.buf[f.end:])
	f.end += n
	if n > 0 {
		return nil
	}
	return err
}

const headerSize = 5

// header looks at the next message: its type and its whole length.
func (f *frames) header() (typ byte, length int, err error) {
	for f.end-f.start < headerSize {
		if err = f.fill(headerSize); err != nil {
			return 0, 0, err
		}
	}
	h := f.buf[f.start:]
	size := binary.BigEndian.Uint32(h[1:])
	if size < 4 || size > 1<<30 {
		return 0, 0, fmt.Errorf("a message of %d bytes", size)
	}
	return h[0], int(size) + 1, nil
}

// next reads a whole message. The body is valid until the next call.
func (f *frames) next() (typ byte, body []byte, err error) {
	typ, length, err := f.header()
	if err != nil {
		return 0, nil, err
	}
	if length > frameMaximum {
		return 0, nil, fmt.Errorf("a message %q of %d bytes", typ, length)
	}
	for f.end-f.start < length {
		if err = f.fill(length); err != nil {
			return 0, nil, err
		}
	}
	body = f.buf[f.start+headerSize : f.start+length]
	f.start += length
	return typ, body, nil
}

// rows passes the rows that come next on to write, without a copy, and returns
// when another message comes. count is told of every piece.
func (f *frames) rows(write func([]byte) error, count func(rows, bytes int) error) error {
	for {
		typ, length, err := f.header()
		if err != nil {
			return err
		}
		if typ != 'D' {
			return nil
		}
		from, pos, n := f.start, f.start, 0
		for f.end-pos >= headerSize && f.buf[pos] == 'D' {
			length = int(binary.BigEndian.Uint32(f.buf[pos+1:])) + 1
			if f.end-pos < length {
				break
			}
			pos += length
			n++
		}
		if pos == from { // not whole in the buffer
			if err = f.whole(length, write); err != nil {
				return err
			}
			n = 1
			if err = count(n, length); err != nil {
				return err
			}
			continue
		}
		f.start = pos
		if err = write(f.buf[from:pos]); err != nil {
			return err
		}
		if err = count(n, pos-from); err != nil {
			return err
		}
	}
}

// whole passes one row on, piece by piece when it is larger than the buffer.
func (f *frames) whole(length int, write func([]byte) error) error {
	for length > 0 {
		if f.start == f.end {
			if err := f.fill(headerSize); err != nil {
				return err
			}
		}
		n := min(length, f.end-f.start)
		if err := write(f.buf[f.start : f.start+n]); err != nil {
			return err
		}
		f.start += n
		length -= n
	}
	return nil
}
