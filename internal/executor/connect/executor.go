// Package connect carries out attempts on Spark Connect: a server that it
// manages on this machine (or one that somebody else runs), and a pool of
// pre-imported Python client processes, each of which serves one run.
//
// A server of ours starts with the first use, is replaced when it has died or
// hangs, and ends with its owner: this process, or a keeper that several
// commands share (Config.KeepDir). A server that dies fails every attempt on it at
// once. Cancel and the time limit kill the client's process group, interrupt
// the Spark session, and release it.
package connect

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/attempts"
	"github.com/sparkwright/sparkwright/internal/localruntime"
)

// Name is the executor's name in placements and handles.
const Name = "connect"

// Config says how the executor works.
type Config struct {
	Runtime      *localruntime.Runtime
	Master       string        // of the managed server: local[*], spark://…, k8s://…
	Remote       string        // sc://host:port of a server that is not ours; then Master is unused
	DriverMemory string        // of the managed server
	ClientMemory int64         // bytes that a client process may use; 0 = no limit
	PoolSize     int           // client processes kept ready
	NoRefill     bool          // a process that was taken out of the pool is not replaced
	Timeout      time.Duration // of one attempt; 0 = none
	// Unconfined is that generated code runs outside of the sandbox, because a
	// person said so.
	Unconfined bool
	// ResultsDir is what all locations of attempts are below; "" = /tmp.
	// Sockets is the broker's directory of sockets.
	ResultsDir, Sockets string
	// KeepDir is where a server is found that outlives this process; it ends
	// after KeepIdle without users. "" = the server is this process's own.
	KeepDir  string
	KeepIdle time.Duration
}

// Executor implements sparkwright.Executor. Close it.
type Executor struct {
	*attempts.Set
	cfg    Config
	engine *engine
	pool   *pool

	mu       sync.Mutex
	reserved map[string]*client   // by run
	running  map[*client]struct{} // that carry out attempts
}

var _ sparkwright.Executor = (*Executor)(nil)

// New returns an executor; nothing is started before the first use.
func New(cfg Config) *Executor {
	token := os.Getenv("SPARK_CONNECT_AUTHENTICATE_TOKEN")
	if cfg.Remote == "" {
		token = newToken()
		if cfg.KeepDir != "" {
			if kept, err := keptToken(cfg.KeepDir); err == nil {
				token = kept
			} else {
				cfg.KeepDir = ""
			}
		}
	}
	e := &Executor{cfg: cfg, pool: &pool{cfg: cfg, token: token}, reserved: map[string]*client{}, running: map[*client]struct{}{}}
	e.engine = &engine{cfg: cfg, token: token, busy: e.busy}
	e.Set = attempts.NewSet(Name, cfg.Timeout, e.carryOut)
	return e
}

func (e *Executor) busy() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.running) > 0
}

// Warm fills the pool and starts the server, at the same time.
func (e *Executor) Warm(ctx context.Context) error {
	e.pool.fill(ctx)
	_, err := e.engine.get(ctx)
	return err
}

// Close cancels what runs and stops everything.
func (e *Executor) Close(ctx context.Context) {
	e.Set.Close(ctx)
	e.pool.close()
	e.engine.close(ctx)
}

// carryOut implements attempts.CarryOut.
func (e *Executor) carryOut(ctx context.Context, a *attempts.Attempt) *sparkwright.Fault {
	srv, err := e.engine.get(ctx)
	if err != nil {
		return startFault(err)
	}
	c := e.takeReserved(a.RunID)
	if c != nil && c.child.Ended() {
		c.close()
		c = nil
	}
	if c == nil {
		if c, err = e.pool.take(ctx); err != nil {
			return startFault(err)
		}
	}
	defer e.pool.done(context.WithoutCancel(ctx), c)
	e.mu.Lock()
	e.running[c] = struct{}{}
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.running, c)
	}()
	var readers sync.WaitGroup
	readers.Go(func() { a.Collect("stdout", c.stdout) })
	readers.Go(func() { a.Collect("stderr", c.stderr) })
	hide, err := srv.show(a.Location, a.Files)
	if err != nil {
		return startFault(err)
	}
	defer hide()
	if c.box != nil {
		if err = c.box.Bind(a.Location, true); err != nil {
			return startFault(err)
		}
	}
	session := newID()
	id, err := c.send(map[string]any{
		"op": "run", "script": a.Script, "remote": c.session(srv, session), "env": a.Secrets,
		"limits": map[string]any{"memory_bytes": e.cfg.ClientMemory},
	})
	if err != nil {
		return startFault(err)
	}
	a.Running()
	fault := follow(ctx, a, c, id, srv)
	if fault != nil || c.child.Ended() && c.child.ExitCode() != 0 {
		cleanUp(context.WithoutCancel(ctx), srv, session, c)
	}
	awaitOutput(&readers)
	return fault
}

// outputGrace is how long output is waited for when the client has ended: a
// grandchild may hold the pipes open.
const outputGrace = 2 * time.Second

func awaitOutput(readers *sync.WaitGroup) {
	ended := make(chan struct{})
	go func() { readers.Wait(); close(ended) }()
	timer := time.NewTimer(outputGrace)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
	}
}

// exitGrace is how long a client may take to exit after it is done.
const exitGrace = 5 * time.Second

// follow reads the client's replies until it is done. A fault says that it
// did not end by itself.
func follow(ctx context.Context, a *attempts.Attempt, c *client, id int, srv *server) *sparkwright.Fault {
	for {
		select {
		case rep, ok := <-c.replies:
			switch {
			case !ok:
				return nil
			case rep.Type == "progress":
				a.Progress(rep.Progress)
			case rep.Type == "done" && rep.ID == id:
				timer := time.NewTimer(exitGrace)
				defer timer.Stop()
				select {
				case <-c.child.Done():
				case <-timer.C:
				}
				return nil
			}
		case <-srv.lost():
			return lostServer(srv)
		case <-ctx.Done():
			return startFault(ctx.Err()) // replaced by the reason
		}
	}
}

// cleanUp stops what a client that did not finish has left in Spark.
func cleanUp(ctx context.Context, srv *server, session string, c *client) {
	_ = c.child.Signal(syscall.SIGKILL)
	select {
	case <-srv.lost():
		return
	default:
	}
	_ = srv.rpc.interrupt(ctx, session)
	_ = srv.rpc.release(ctx, session)
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // a version 4 UUID, as Spark wants
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
