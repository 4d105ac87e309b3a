package broker

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

const (
	maxRequest   = 16 << 20
	loginTimeout = 30 * time.Second
	outBuffer    = 64 << 10
)

// SQLSTATEs of refusals.
const (
	stateRefused   = "42501" // insufficient_privilege
	stateBudget    = "53400" // configuration_limit_exceeded
	stateNoServer  = "08006" // connection_failure
	stateNoLogin   = "28P01" // invalid_password
	stateCancelled = "57014" // query_canceled
	stateAborted   = "25P02" // in_failed_sql_transaction
	stateBusy      = "53300" // too_many_connections
)

// client is one connection of Spark.
type client struct {
	s    *Session
	conn net.Conn
	in   *bufio.Reader
	be   *pgproto3.Backend
	out  *bufio.Writer
	pid  uint32
	key  [4]byte

	tx      byte   // the transaction as the client sees it: I, T or E
	names   string // what the names of its statements begin with at PostgreSQL
	stmts   map[string]prepared
	portals map[string]*portal
	batch   []op
	forward []byte // what goes to PostgreSQL with the batch
	skip    bool   // after an error, up to the next Sync
	owed    bool   // PostgreSQL waits for a Sync
	endTx   bool   // the client has ended its transaction in this batch
	// since is when PostgreSQL began what it works at: when the batch was sent,
	// or the statement before it in the batch had ended. Answers are there
	// before they are read.
	since time.Time

	peeked chan struct{} // closed when the client has sent more or has gone

	cancelled atomic.Bool // a cancel request was sent upstream

	mu    sync.Mutex
	up    *upstream
	busy  bool
	turns int // how often it was busy
}

func newClient(s *Session, conn net.Conn) *client {
	in := bufio.NewReaderSize(conn, 16<<10)
	c := &client{
		s: s, conn: conn, in: in, be: pgproto3.NewBackend(in, conn), out: bufio.NewWriterSize(conn, outBuffer),
		tx: 'I', stmts: map[string]prepared{}, portals: map[string]*portal{},
	}
	c.be.SetMaxBodyLen(maxRequest)
	_, _ = rand.Read(c.key[:])
	c.names = "sw_" + rand.Text()[:12] + "_"
	return c
}

// serve carries the connection from its first byte to its end.
func (c *client) serve() {
	_ = c.conn.SetDeadline(time.Now().Add(loginTimeout))
	if !c.s.register(c) {
		return
	}
	defer c.s.unregister(c)
	if !c.login() || c.conn.SetDeadline(time.Time{}) != nil {
		return
	}
	up, err := c.s.take(c.s.ctx)
	if err != nil {
		state, text := c.explain(err)
		c.refuse(state, text)
		return
	}
	c.mu.Lock()
	c.up = up
	c.mu.Unlock()
	defer c.leave()
	if c.welcome() == nil {
		c.loop()
	}
}

// leave gives the upstream session back.
func (c *client) leave() {
	c.mu.Lock()
	up := c.up
	c.up = nil
	c.mu.Unlock()
	if c.owed || c.cancelled.Load() {
		up.broken = true // a late cancel must not meet the next client
	}
	c.s.give(up)
}

// login takes the start-up message and checks the dummy login. Options of the
// client have no effect.
func (c *client) login() bool {
	for {
		msg, err := c.be.ReceiveStartupMessage()
		if err != nil {
			return false
		}
		switch m := msg.(type) {
		case *pgproto3.SSLRequest, *pgproto3.GSSEncRequest:
			if _, err = c.conn.Write([]byte{'N'}); err != nil { // it is loopback
				return false
			}
		case *pgproto3.CancelRequest:
			c.s.cancelClient(m.ProcessID, m.SecretKey)
			return false
		case *pgproto3.StartupMessage:
			return c.authenticate(m.Parameters["user"])
		default:
			return false
		}
	}
}

func (c *client) authenticate(user string) bool {
	c.be.Send(&pgproto3.AuthenticationCleartextPassword{})
	if c.be.Flush() != nil || c.be.SetAuthType(pgproto3.AuthTypeCleartextPassword) != nil {
		return false
	}
	msg, err := c.be.Receive()
	if err != nil {
		return false
	}
	p, ok := msg.(*pgproto3.PasswordMessage)
	if !ok || subtle.ConstantTimeCompare([]byte(p.Password+"\x00"+user), []byte(c.s.password+"\x00"+dummyUser)) != 1 {
		c.refuse(stateNoLogin, "this login is not the run's")
		return false
	}
	return true
}

// welcome tells the client what the server said of itself.
func (c *client) welcome() error {
	c.be.Send(&pgproto3.AuthenticationOk{})
	for name, value := range c.up.params {
		c.be.Send(&pgproto3.ParameterStatus{Name: name, Value: value})
	}
	c.be.Send(&pgproto3.BackendKeyData{ProcessID: c.pid, SecretKey: c.key[:]})
	c.be.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	return c.be.Flush()
}

// refuse ends the connection with an error.
func (c *client) refuse(state, text string) {
	c.be.Send(fatal(state, text))
	_ = c.be.Flush() // the client may have gone
}

func fatal(state, text string) *pgproto3.ErrorResponse {
	return &pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: state, Message: text}
}

// explain turns an error of ours into what the client is told.
func (c *client) explain(err error) (state, text string) {
	if cause := context.Cause(c.s.ctx); cause != nil {
		return stateCancelled, cause.Error()
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code, pg.Message
	}
	if budget, ok := errors.AsType[budgetError](err); ok {
		return stateBudget, budget.Error()
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return stateNoServer, err.Error()
	}
	return stateBusy, err.Error()
}

// loop takes the client's messages until it goes.
func (c *client) loop() {
	for {
		if c.peeked != nil {
			<-c.peeked
			c.peeked = nil
		}
		msg, err := c.receive()
		if err != nil {
			return
		}
		if err = c.handle(msg); err != nil {
			return
		}
	}
}

// receive reads one message and not a byte more: watch looks at what follows.
func (c *client) receive() (pgproto3.FrontendMessage, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(c.in, header[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(header[1:])
	if size < 4 || size > maxRequest {
		return nil, fmt.Errorf("a message of %d bytes", size)
	}
	body := make([]byte, size-4)
	if _, err := io.ReadFull(c.in, body); err != nil {
		return nil, err
	}
	var msg pgproto3.FrontendMessage
	switch header[0] {
	case 'P':
		msg = &pgproto3.Parse{}
	case 'B':
		msg = &pgproto3.Bind{}
	case 'D':
		msg = &pgproto3.Describe{}
	case 'E':
		msg = &pgproto3.Execute{}
	case 'C':
		msg = &pgproto3.Close{}
	case 'S':
		msg = &pgproto3.Sync{}
	case 'H':
		msg = &pgproto3.Flush{}
	case 'Q':
		msg = &pgproto3.Query{}
	case 'X':
		return &pgproto3.Terminate{}, nil
	default: // copy and function calls
		return &pgproto3.CopyFail{}, nil
	}
	return msg, msg.Decode(body)
}

var errGone = errors.New("the client has gone")

func (c *client) handle(msg pgproto3.FrontendMessage) error {
	switch m := msg.(type) {
	case *pgproto3.Sync:
		return c.sync()
	case *pgproto3.Terminate:
		return errGone
	case *pgproto3.Query:
		return c.simple(m.String)
	}
	if c.skip {
		return nil
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
	case *pgproto3.Flush:
		return c.carryOut(false)
	default:
		c.push(op{fail: refusal("only queries are possible here")})
	}
	return nil
}

// watch looks at the client while PostgreSQL works: when it goes, the statement
// is cancelled.
func (c *client) watch() {
	peeked := make(chan struct{})
	c.peeked = peeked
	go func() {
		defer close(peeked)
		next, err := c.in.Peek(1)
		if err != nil || next[0] == 'X' {
			c.cancelUpstream()
		}
	}()
}

// insistEvery is how often a cancel is sent again while its statement goes on:
// PostgreSQL overhears one that comes between two messages.
const insistEvery = 250 * time.Millisecond

// cancelUpstream stops the statement that PostgreSQL carries out for the client.
func (c *client) cancelUpstream() {
	up, turn, busy := c.working()
	if up == nil || !busy {
		return
	}
	c.cancelled.Store(true)
	up.cancel()
	go func() {
		for range time.Tick(insistEvery) {
			if now, same, busy := c.working(); now != up || same != turn || !busy {
				return
			}
			up.cancel()
		}
	}()
}

// working tells whether PostgreSQL does something for the client now, and in
// which of the client's turns.
func (c *client) working() (up *upstream, turn int, busy bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.up, c.turns, c.busy
}

func (c *client) setBusy(busy bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = busy
	if busy {
		c.turns++
	}
}

// endGrace is how long a client that is ended may take to hear why.
const endGrace = time.Second

// end stops the client: its statement is cancelled, its connection closed.
func (c *client) end() {
	c.cancelUpstream()
	grace := time.Now().Add(endGrace)
	up, _, busy := c.working()
	if !busy {
		grace = time.Now()
	}
	_ = c.conn.SetReadDeadline(grace)
	if up != nil {
		_ = up.conn.SetReadDeadline(grace)
	}
}
