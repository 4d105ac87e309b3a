package broker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// maxAsked is how many rows a query of our own may have.
const maxAsked = 10_000

// ask carries out one statement of our own by the extended protocol, which
// takes exactly one, within a time limit.
func (s *Session) ask(ctx context.Context, u *upstream, sql string, limit time.Duration) ([][]*string, error) {
	if v, _, why := s.judge(sql); v != read {
		return nil, errors.New(why)
	}
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit+cancelTimeout)
		defer cancel()
	}
	if err := s.ready(ctx, u); err != nil {
		return nil, err
	}
	if limit > 0 {
		if err := u.exec(ctx, fmt.Sprintf("SET LOCAL statement_timeout = %d", limit.Milliseconds())); err != nil {
			return nil, err
		}
	}
	var msg []byte
	var err error
	for _, m := range []pgproto3.FrontendMessage{
		&pgproto3.Parse{Query: sql}, &pgproto3.Bind{}, &pgproto3.Execute{MaxRows: maxAsked + 1}, &pgproto3.Sync{},
	} {
		if msg, err = m.Encode(msg); err != nil {
			return nil, err
		}
	}
	stop := context.AfterFunc(ctx, u.cancel)
	defer stop()
	st := s.journal.begin(sql, time.Now())
	if _, err = u.conn.Write(msg); err != nil {
		return nil, u.fail(err)
	}
	rows, err := u.collect(func(bytes int) error { return s.journal.count(st, 1, bytes) })
	s.journal.pause(st, err)
	if err == nil && len(rows) > maxAsked {
		err = fmt.Errorf("more than %d rows", maxAsked)
	}
	return rows, err
}

// collect reads rows up to ReadyForQuery.
func (u *upstream) collect(count func(bytes int) error) (rows [][]*string, first error) {
	for {
		typ, body, err := u.frames.next()
		if err != nil {
			return nil, u.fail(err)
		}
		switch typ {
		case 'D':
			var row pgproto3.DataRow
			if err = row.Decode(body); err != nil {
				return nil, u.fail(err)
			}
			cells := make([]*string, len(row.Values))
			for i, v := range row.Values {
				if v != nil {
					text := string(v)
					cells[i] = &text
				}
			}
			rows = append(rows, cells)
			if err = count(len(body)); err != nil && first == nil {
				first = err
			}
		case 'E':
			if first == nil {
				first = serverError(body)
			}
		case 'Z':
			u.status = body[0]
			return rows, first
		}
	}
}
