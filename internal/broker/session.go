package broker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sparkwright/sparkwright"
)

// dummyUser is the user that clients log in as. It exists nowhere else.
const dummyUser = "sparkwright"

// Session is one run's way to one database. It is safe for concurrent use.
type Session struct {
	runID, name string
	login       Login
	database    string
	lim         Limits
	log         *slog.Logger
	password    string
	listener    net.Listener
	host        string // at which Spark finds it
	port        int
	slots       chan struct{}  // one for each upstream session that is open
	idle        chan *upstream // those that wait for a client
	wg          sync.WaitGroup
	ctx         context.Context //nolint:containedctx // the life of the session: connections belong to it, not to a caller
	stop        context.CancelCauseFunc
	age         *time.Timer
	snapshot    sparkwright.Snapshot
	begin       string
	version     int // of PostgreSQL, the major one

	journal journal
	guard   guard

	mu      sync.Mutex
	closed  bool
	control *control
	clients map[uint32]*client
	serial  uint32
}

var (
	errClosed    = errors.New("the run has ended")
	errCancelled = errors.New("the run was cancelled")
	errOld       = errors.New("the run's snapshot is older than the limit")
)

func open(ctx context.Context, runID, name string, login Login, lim Limits, sockets string, log *slog.Logger) (*Session, error) {
	cfg, err := login(ctx)
	if err != nil {
		return nil, err
	}
	s := &Session{
		runID: runID, name: name, login: login, database: cfg.Database, lim: lim, log: log, password: random(), clients: map[uint32]*client{},
	}
	s.journal = journal{connection: name, rowLimit: lim.Rows, byteLimit: lim.Bytes}
	s.allow(lim.Tables)
	if s.control, err = openControl(ctx, cfg, s.application(), &s.lim); err != nil {
		return nil, err
	}
	s.slots, s.idle = make(chan struct{}, s.lim.Connections-1), make(chan *upstream, s.lim.Connections-1)
	if err = s.probe(ctx); err != nil {
		s.control.close(ctx)
		return nil, err
	}
	s.snapshot = s.control.snapshot
	s.snapshot.Connection = name
	major, _, _ := strings.Cut(s.control.pg.ParameterStatus("server_version"), ".")
	s.version, _ = strconv.Atoi(strings.TrimRight(major, "abcdefghijklmnopqrstuvwxyz"))
	if s.listener, s.host, s.port, err = listen(ctx, sockets); err != nil {
		s.control.close(ctx)
		s.dropIdle()
		return nil, fmt.Errorf("listen for Spark: %w", err)
	}
	s.ctx, s.stop = context.WithCancelCause(context.WithoutCancel(ctx))
	s.age = time.AfterFunc(lim.SnapshotAge, func() { s.abort(errOld) })
	s.wg.Go(s.accept)
	return s, nil
}

// probe opens the first reading connection. Where it cannot see the snapshot,
// behind a balancer of several servers, the run has none.
func (s *Session) probe(ctx context.Context) error {
	s.begin = s.control.beginSQL()
	u, err := s.upstream(ctx)
	if err != nil {
		return err
	}
	if err = u.exec(ctx, s.begin); err != nil && s.control.snapshot.ID != "" && !u.broken {
		s.control.snapshot = sparkwright.Snapshot{
			Time: s.control.snapshot.Time, None: "a second connection does not see the snapshot of the first (" + serverText(err) + "): a pooler or balancer is between",
		}
		s.begin = s.control.beginSQL()
		if err = u.exec(ctx, "ROLLBACK"); err == nil {
			err = errors.Join(s.control.release(ctx), u.exec(ctx, s.begin))
		}
	}
	if err != nil {
		u.close()
		return err
	}
	s.slots <- struct{}{}
	s.idle <- u
	return nil
}

func random() string {
	var b [24]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func (s *Session) application() string { return "sparkwright/" + s.runID }

// Name is the connection's name.
func (s *Session) Name() string { return s.name }

// Address is the host and port at which Spark finds the database.
func (s *Session) Address() (host string, port int) { return s.host, s.port }

// JDBCURL is the address as Spark's driver takes it. It holds no login. With a
// threshold of -1 the driver takes values in PostgreSQL's binary form from the
// first row on, which costs both a third less; see docs/benchmarks.md.
func (s *Session) JDBCURL() string {
	host, port := s.Address()
	database := strings.ReplaceAll(url.QueryEscape(s.database), "+", "%20")
	return fmt.Sprintf("jdbc:postgresql://%s:%d/%s?sslmode=disable&gssEncMode=disable&connectTimeout=30&prepareThreshold=-1&ApplicationName=%s",
		host, port, database, url.QueryEscape(s.application()))
}

// Login is what clients log in with: worth nothing elsewhere and afterwards.
func (s *Session) Login() sparkwright.Credentials {
	return sparkwright.Credentials{User: dummyUser, Password: s.password}
}

// Snapshot is the state that the run reads, or why there is no single one.
func (s *Session) Snapshot() sparkwright.Snapshot { return s.snapshot }

// Notes are what is to be known of the server, in sentences for people.
func (s *Session) Notes() []string { return s.control.notes }

// Statements are what PostgreSQL ran so far.
func (s *Session) Statements() []sparkwright.Statement { return s.journal.all() }

// Query carries out one reading query of our own on the run's snapshot, with a
// time limit at the server, and returns its rows as text; nil cells are NULL.
// It holds one of the session's connections meanwhile.
func (s *Session) Query(ctx context.Context, sql string, limit time.Duration) ([][]*string, error) {
	u, err := s.take(ctx)
	if err != nil {
		return nil, err
	}
	defer s.give(u) //nolint:contextcheck // cleans up also when ctx has ended
	return s.ask(ctx, u, sql, limit)
}

func (s *Session) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.wg.Go(func() {
			defer conn.Close() //nolint:errcheck // nothing is left to be written
			newClient(s, conn).serve()
		})
	}
}

// register makes the client known for cancel requests; false when the session
// is closed.
func (s *Session) register(c *client) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.serial++
	c.pid = s.serial
	s.clients[c.pid] = c
	return true
}

func (s *Session) unregister(c *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.clients, c.pid)
}

// cancelClient answers a cancel request.
func (s *Session) cancelClient(pid uint32, key []byte) {
	s.mu.Lock()
	c := s.clients[pid]
	s.mu.Unlock()
	if c != nil && string(key) == string(c.key[:]) {
		c.cancelUpstream()
	}
}

// take returns an upstream session for one client, waiting for a free one.
func (s *Session) take(ctx context.Context) (*upstream, error) {
	select {
	case u := <-s.idle:
		return u, nil
	default:
	}
	timer := time.NewTimer(s.lim.Wait)
	defer timer.Stop()
	select {
	case u := <-s.idle:
		return u, nil
	case s.slots <- struct{}{}:
	case <-timer.C:
		return nil, fmt.Errorf("no connection became free within %s: all %d of the run are in use", s.lim.Wait, s.lim.Connections)
	case <-s.ctx.Done():
		return nil, context.Cause(s.ctx) //nolint:contextcheck // why the session ended
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	u, err := s.upstream(s.ctx) //nolint:contextcheck // it belongs to the session
	if err != nil {
		<-s.slots
		return nil, err
	}
	return u, nil
}

// upstream opens a session by the login of now.
func (s *Session) upstream(ctx context.Context) (*upstream, error) {
	cfg, err := s.login(ctx)
	if err != nil {
		return nil, err
	}
	return newUpstream(ctx, cfg, s.application())
}

// give takes an upstream session back, for the next client when it is clean.
func (s *Session) give(u *upstream) {
	if !u.broken && s.ctx.Err() == nil {
		ctx, cancel := context.WithTimeout(s.ctx, cancelTimeout)
		if u.status != 'I' && u.exec(ctx, "ROLLBACK") != nil || u.exec(ctx, "DISCARD ALL") != nil {
			u.broken = true
		}
		cancel()
	}
	if u.broken || s.ctx.Err() != nil {
		u.close()
		<-s.slots
		return
	}
	s.idle <- u // has room for every one that is open
}

// dropIdle ends the sessions that wait for a client.
func (s *Session) dropIdle() {
	for {
		select {
		case u := <-s.idle:
			u.close()
			<-s.slots
		default:
			return
		}
	}
}

// ready opens the reading transaction when there is none.
func (s *Session) ready(ctx context.Context, u *upstream) error {
	if u.status == 'T' {
		return nil
	}
	if u.status == 'E' {
		if err := u.exec(ctx, "ROLLBACK"); err != nil {
			return err
		}
	}
	err := u.exec(ctx, s.begin)
	if err != nil && !u.broken && u.status != 'I' {
		_ = u.exec(ctx, "ROLLBACK")
	}
	return err
}

// Cancel stops what the run does in PostgreSQL now and refuses the rest.
func (s *Session) Cancel() { s.abort(errCancelled) }

// abort ends the session's clients: each is told why, its statement cancelled.
func (s *Session) abort(why error) {
	s.stop(why)
	s.mu.Lock()
	clients := make([]*client, 0, len(s.clients))
	for _, c := range s.clients {
		clients = append(clients, c)
	}
	s.mu.Unlock()
	var wg sync.WaitGroup
	for _, c := range clients {
		wg.Go(c.end)
	}
	wg.Wait()
}

// Close ends the session and everything of the run in the database. Safe to
// call twice.
func (s *Session) Close(ctx context.Context) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.age.Stop()
	_ = s.listener.Close()
	s.abort(errClosed)
	ended := make(chan struct{})
	go func() { s.wg.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	s.dropIdle()
	defer func() { s.control.close(ctx) }()
	return s.sweep(ctx)
}

// sweep releases the snapshot and waits until no backend of the run is left.
func (s *Session) sweep(ctx context.Context) error {
	err := s.control.release(ctx)
	if s.control.pg.IsClosed() { // by the server
		cfg, e := s.login(ctx)
		if e != nil {
			return fmt.Errorf("look for backends of run %s: %w", s.runID, e)
		}
		pg, e := connect(ctx, cfg, s.application())
		if e != nil {
			return fmt.Errorf("look for backends of run %s: %w", s.runID, e)
		}
		s.control.pg, err = pg, nil
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for err == nil {
		var left int
		if left, err = s.control.end(ctx, s.application()); err != nil || left == 0 {
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%d backends of run %s are still there: %w", left, s.runID, ctx.Err())
		}
	}
	if err != nil {
		return fmt.Errorf("end the backends of run %s: %w", s.runID, err)
	}
	return nil
}
