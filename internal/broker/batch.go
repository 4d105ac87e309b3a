package broker

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/sparkwright/sparkwright"
)

// prepared is a statement of the client.
type prepared struct {
	sql     string
	verdict verdict
	tag     string
}

// portal is a statement that is bound; run notes its execution.
type portal struct {
	prepared
	run *sparkwright.Statement
}

// op is one message of a batch: answered here, refused, or forwarded.
type op struct {
	answer pgproto3.BackendMessage
	local  verdict // begin or end: what the answer means
	fail   *pgproto3.ErrorResponse
	want   byte // of a forwarded one: the message it is
	portal *portal
}

func refusal(text string) *pgproto3.ErrorResponse {
	return &pgproto3.ErrorResponse{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: stateRefused, Message: text}
}

const readsOnly = "only one reading statement at a time is possible here"

func (c *client) push(o op) { c.batch = append(c.batch, o) }

// refused tells why a statement is not carried out, and notes it: who reads the
// receipt sees what was tried.
func (c *client) refused(sql, why string) {
	c.s.journal.pause(c.s.journal.begin(sql, time.Now()), errors.New("refused: "+why))
	c.push(op{fail: refusal(why)})
}

// pass forwards a message with the batch.
func (c *client) pass(want byte, msg pgproto3.FrontendMessage, p *portal) {
	out, err := msg.Encode(c.forward)
	if err != nil {
		c.push(op{fail: refusal("the message cannot be encoded")})
		return
	}
	c.forward = out
	c.push(op{want: want, portal: p})
}

func (c *client) parse(m *pgproto3.Parse) {
	v, tag, why := c.s.judge(m.Query)
	c.stmts[m.Name] = prepared{m.Query, v, tag}
	switch v {
	case refused:
		delete(c.stmts, m.Name)
		c.refused(m.Query, why)
	case read:
		c.pass('P', &pgproto3.Parse{Name: c.upstreamName(m.Name), Query: m.Query, ParameterOIDs: m.ParameterOIDs}, nil)
	default:
		c.push(op{answer: &pgproto3.ParseComplete{}})
	}
}

// upstreamName is the name of a client's statement at PostgreSQL. Behind a pooler
// a session there may have statements of other clients, and every driver calls
// its first one the same.
func (c *client) upstreamName(name string) string {
	if name == "" {
		return ""
	}
	return c.names + name
}

func (c *client) bind(m *pgproto3.Bind) {
	st, ok := c.stmts[m.PreparedStatement]
	if !ok {
		c.push(op{fail: noSuch("26000", "prepared statement")})
		return
	}
	c.portals[m.DestinationPortal] = &portal{prepared: st}
	if st.verdict == read {
		upstream := *m
		upstream.PreparedStatement = c.upstreamName(m.PreparedStatement)
		c.pass('B', &upstream, nil)
		return
	}
	c.push(op{answer: &pgproto3.BindComplete{}})
}

func noSuch(state, what string) *pgproto3.ErrorResponse {
	return &pgproto3.ErrorResponse{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: state, Message: "there is no such " + what}
}

func (c *client) describe(m *pgproto3.Describe) {
	v := refused
	if st, ok := c.stmts[m.Name]; ok && m.ObjectType == 'S' {
		v = st.verdict
	}
	if p := c.portals[m.Name]; p != nil && m.ObjectType == 'P' {
		v = p.verdict
	}
	switch v {
	case refused:
		c.push(op{fail: noSuch("34000", "statement or portal")})
	case read:
		want, upstream := byte('d'), *m
		if m.ObjectType == 'S' {
			want, upstream.Name = 's', c.upstreamName(m.Name)
		}
		c.pass(want, &upstream, nil)
	default:
		if m.ObjectType == 'S' {
			c.push(op{answer: &pgproto3.ParameterDescription{}})
		}
		c.push(op{answer: &pgproto3.NoData{}})
	}
}

func (c *client) execute(m *pgproto3.Execute) {
	p := c.portals[m.Portal]
	switch {
	case p == nil:
		c.push(op{fail: noSuch("34000", "portal")})
	case p.verdict == empty:
		c.push(op{answer: &pgproto3.EmptyQueryResponse{}})
	case p.verdict != read:
		c.push(op{answer: &pgproto3.CommandComplete{CommandTag: []byte(p.tag)}, local: p.verdict})
	default:
		if c.tx == 'E' {
			c.push(op{fail: &pgproto3.ErrorResponse{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: stateAborted, Message: "the transaction is aborted; end it first"}})
			return
		}
		c.pass('E', m, p)
	}
}

func (c *client) closing(m *pgproto3.Close) {
	v, upstream := empty, *m
	if m.ObjectType == 'S' {
		if st, ok := c.stmts[m.Name]; ok {
			v = st.verdict
		}
		delete(c.stmts, m.Name)
		upstream.Name = c.upstreamName(m.Name)
	} else {
		if p := c.portals[m.Name]; p != nil {
			v = p.verdict
		}
		delete(c.portals, m.Name)
	}
	if v == read {
		c.pass('C', &upstream, nil)
		return
	}
	c.push(op{answer: &pgproto3.CloseComplete{}})
}

// simple carries out a simple query: one statement.
func (c *client) simple(sql string) error {
	v, tag, why := c.s.judge(sql)
	switch v {
	case refused:
		c.refused(sql, why)
	case read:
		if c.tx == 'E' {
			c.push(op{fail: &pgproto3.ErrorResponse{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: stateAborted, Message: "the transaction is aborted; end it first"}})
			break
		}
		// The unnamed statement serves, as simple queries destroy it anyway.
		c.stmts[""], c.portals[""] = prepared{}, nil
		c.pass('p', &pgproto3.Parse{Query: sql}, nil)
		c.pass('b', &pgproto3.Bind{}, nil)
		c.pass('d', &pgproto3.Describe{ObjectType: 'P'}, nil)
		c.pass('E', &pgproto3.Execute{}, &portal{prepared: prepared{sql: sql}})
	case empty:
		c.push(op{answer: &pgproto3.EmptyQueryResponse{}})
	default:
		c.push(op{answer: &pgproto3.CommandComplete{CommandTag: []byte(tag)}, local: v})
	}
	return c.sync()
}

// sync carries out the batch and tells the client that it may go on.
func (c *client) sync() error {
	if err := c.carryOut(true); err != nil {
		return err
	}
	c.skip = false
	if c.endTx {
		c.endTx = false
		c.portals = map[string]*portal{}
		if err := c.finishTx(); err != nil {
			return err
		}
	}
	if err := c.send(&pgproto3.ReadyForQuery{TxStatus: c.tx}); err != nil {
		return err
	}
	return c.out.Flush()
}

// finishTx ends the upstream transaction with the client's: locks and portals
// go. The next statement opens another one on the same snapshot.
func (c *client) finishTx() error {
	if c.up.status == 'I' {
		return nil
	}
	ctx, cancel := context.WithTimeout(c.s.ctx, cancelTimeout)
	defer cancel()
	return c.up.exec(ctx, "ROLLBACK")
}

func (c *client) send(msg pgproto3.BackendMessage) error {
	out, err := msg.Encode(nil)
	if err == nil {
		_, err = c.out.Write(out)
	}
	return err
}

// carryOut sends the batch to PostgreSQL and the answers to the client, in
// order. An error ends the connection.
func (c *client) carryOut(sync bool) error {
	ops, forward := c.batch, c.forward
	c.batch, c.forward = nil, nil
	c.watch()
	c.setBusy(true)
	defer c.setBusy(false)
	if c.s.ctx.Err() != nil {
		state, text := c.explain(c.s.ctx.Err())
		c.up.broken = true
		return c.last(state, text)
	}
	if len(forward) > 0 {
		if err := c.s.ready(c.s.ctx, c.up); err != nil {
			state, text := c.explain(err)
			if c.up.broken {
				return c.last(state, text)
			}
			ops, forward = []op{{fail: &pgproto3.ErrorResponse{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: state, Message: text}}}, nil
		}
	}
	asked, err := c.request(forward, sync)
	if err != nil {
		return err
	}
	failed, err := c.answers(ops)
	if err != nil {
		return err
	}
	if failed {
		c.skip = true
		if c.tx == 'T' {
			c.tx = 'E'
		}
	}
	if asked && sync {
		c.owed = false
		_ = c.up.drain() // its error was handed on
		if c.up.broken {
			return c.last(stateNoServer, "PostgreSQL has gone")
		}
	}
	if !sync {
		return c.out.Flush()
	}
	return nil
}

// request sends what the batch has for PostgreSQL; asked says whether a
// ReadyForQuery will come.
func (c *client) request(forward []byte, sync bool) (asked bool, err error) {
	if len(forward) == 0 && (!c.owed || !sync) {
		return false, nil
	}
	var tail pgproto3.FrontendMessage = &pgproto3.Flush{}
	if sync {
		tail = &pgproto3.Sync{}
	}
	if forward, err = tail.Encode(forward); err != nil {
		return false, err
	}
	c.owed = true
	c.since = time.Now()
	if _, err = c.up.conn.Write(forward); err != nil {
		c.up.broken = true
		return false, c.last(stateNoServer, "PostgreSQL has gone")
	}
	return true, nil
}
