package broker

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/sparkwright/sparkwright"
)

// answers hands on one answer for each operation, up to the first error.
func (c *client) answers(ops []op) (failed bool, err error) {
	for _, o := range ops {
		switch {
		case o.fail != nil:
			return true, c.send(o.fail)
		case o.answer != nil:
			c.local(o.local)
			if err = c.send(o.answer); err != nil {
				return false, err
			}
		default:
			if failed, err = c.relay(o); failed || err != nil {
				return failed, err
			}
		}
	}
	return false, nil
}

func (c *client) local(v verdict) {
	switch v {
	case begin:
		c.tx = 'T'
	case end:
		c.tx, c.endTx = 'I', true
	default:
	}
}

// relay hands on what PostgreSQL answers to one forwarded message.
func (c *client) relay(o op) (failed bool, err error) {
	p := o.portal
	if p != nil && p.run == nil {
		p.run = c.s.journal.begin(p.sql, c.since)
	}
	for {
		if p != nil {
			if err = c.up.frames.rows(c.write, func(rows, bytes int) error { return c.s.journal.count(p.run, rows, bytes) }); err != nil {
				return false, c.interrupted(p.run, err)
			}
		}
		typ, body, err := c.up.frames.next()
		if err != nil {
			return false, c.interrupted(runOf(p), err)
		}
		switch typ {
		case 'N', 'A', 'S', 'K': // notices; what a session of ours is told
			continue
		case 'G', 'H', 'W', 'Z':
			return false, c.interrupted(runOf(p), errors.New("an answer out of order"))
		}
		quiet := o.want == 'p' || o.want == 'b' // of a simple query, which has no such answers
		if !quiet || typ == 'E' {
			if err = c.message(typ, body); err != nil {
				return false, err
			}
		}
		switch typ {
		case 'E':
			if p != nil {
				c.s.journal.pause(p.run, serverError(body))
			}
			return true, nil
		case 't': // a row description follows
			continue
		case 's':
			c.s.journal.pause(p.run, nil)
			return false, nil
		case 'C', 'I':
			if p != nil {
				c.s.journal.pause(p.run, nil)
				p.run = nil
				c.since = time.Now()
			}
			return false, nil
		}
		return false, nil
	}
}

func runOf(p *portal) *sparkwright.Statement {
	if p == nil {
		return nil
	}
	return p.run
}

func (c *client) write(b []byte) error {
	_, err := c.out.Write(b)
	if err != nil {
		return errGone
	}
	return nil
}

// message hands on one message that was read whole.
func (c *client) message(typ byte, body []byte) error {
	header := binary.BigEndian.AppendUint32([]byte{typ}, uint32(len(body)+4)) //nolint:gosec // G115: it came with such a length
	if err := c.write(header); err != nil {
		return err
	}
	return c.write(body)
}

// interrupted ends the connection in the middle of a statement.
func (c *client) interrupted(st *sparkwright.Statement, err error) error {
	c.up.cancel()
	c.up.broken = true
	if st != nil {
		c.s.journal.pause(st, err)
	}
	state, text := c.explain(err)
	if state == stateBusy {
		state = stateNoServer
	}
	return c.last(state, text)
}

// last tells the client why the connection ends.
func (c *client) last(state, text string) error {
	_ = c.conn.SetWriteDeadline(time.Now().Add(endGrace))
	if c.send(fatal(state, text)) == nil {
		_ = c.out.Flush()
	}
	return errors.New(text)
}
