package connect

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/childproc"
	"github.com/sparkwright/sparkwright/internal/crosscheck"
	"github.com/sparkwright/sparkwright/internal/direct"
	"github.com/sparkwright/sparkwright/internal/sandbox"
)

// clientStart is how long a client process may take until it is ready.
const clientStart = 60 * time.Second

// reply is one line that a client process writes.
type reply struct {
	Type       string                     `json:"type"` // ready policy dryrun progress done
	ID         int                        `json:"id"`
	Exit       int                        `json:"exit"`
	Violations []sparkwright.Violation    `json:"violations"`
	Schema     []sparkwright.ResultColumn `json:"schema"`
	Fault      *sparkwright.Fault         `json:"fault"`
	Error      string                     `json:"error"`

	Findings    []sparkwright.Finding  `json:"findings"`
	Plan        string                 `json:"plan"`
	Translation crosscheck.Translation `json:"translation"`
	Direct      direct.Statement       `json:"direct"`
	sparkwright.Progress
}

// client is one pre-imported Python process. It serves any number of policy
// and dry-run requests and at most one run.
type client struct {
	box     *sandbox.Box // nil without a sandbox
	far     address
	inside  string // where it finds a managed server; "" = at the server's own address
	child   *childproc.Child
	out     io.WriteCloser // requests
	replies chan reply     // closed when the process has closed its end
	stdout  *os.File
	stderr  *os.File
	nextID  int
}

// startClient starts a process and returns without waiting until it is ready.
func startClient(cfg Config, token string) (*client, error) {
	var files [8]*os.File
	closeAll := func() {
		for _, f := range files {
			if f != nil {
				_ = f.Close()
			}
		}
	}
	for i := 0; i < len(files); i += 2 {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll()
			return nil, fmt.Errorf("make a pipe: %w", err)
		}
		files[i], files[i+1] = r, w //nolint:gosec // G602: the array has an even length
	}
	stdout, stderr, repliesR, requestsW := files[0], files[2], files[4], files[7]
	c := &client{out: requestsW, stdout: stdout, stderr: stderr, replies: make(chan reply, 16)}
	extra := []*os.File{files[5], files[6]} // 3: replies, 4: requests
	var err error
	if cfg.Unconfined {
		cmd := exec.Command(cfg.Runtime.Python, clientArgs()...) //nolint:gosec,noctx // G204: our own interpreter; ended by its owner
		cmd.Env, cmd.Dir = clientEnv(cfg, token), os.TempDir()
		cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = files[1], files[3], extra
		c.child, err = childproc.Start(cmd, syscall.SIGKILL)
	} else {
		err = c.startBox(cfg, token, sandbox.Stdio{Stdout: files[1], Stderr: files[3], Extra: extra})
	}
	if err != nil {
		closeAll()
		return nil, err
	}
	for _, i := range []int{1, 3, 5, 6} { // the child's ends
		_ = files[i].Close()
	}
	go c.read(repliesR)
	return c, nil
}

func (c *client) read(r io.ReadCloser) {
	defer r.Close() //nolint:errcheck // read only
	defer close(c.replies)
	lines := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var rep reply
		if json.Unmarshal(line, &rep) == nil {
			c.replies <- rep
		}
	}
}

// send writes one request.
func (c *client) send(req map[string]any) (id int, err error) {
	c.nextID++
	req["id"] = c.nextID
	line, err := json.Marshal(req)
	if err != nil {
		return 0, fmt.Errorf("encode request: %w", err)
	}
	if _, err := c.out.Write(append(line, '\n')); err != nil {
		return 0, fmt.Errorf("the client process is gone: %w", err)
	}
	return c.nextID, nil
}

// ask sends a request and waits for its reply.
func (c *client) ask(ctx context.Context, req map[string]any) (reply, error) {
	id, err := c.send(req)
	if err != nil {
		return reply{}, err
	}
	for {
		select {
		case rep, ok := <-c.replies:
			if !ok {
				return reply{}, sparkwright.Errorf(sparkwright.CodeUnavailable, "the client process ended without a reply")
			}
			if rep.ID == id && rep.Type == "error" {
				return reply{}, sparkwright.Errorf(sparkwright.CodeInternal, "the client process refused a request: %s", rep.Error)
			}
			if rep.ID == id && rep.Type != "progress" {
				return rep, nil
			}
		case <-ctx.Done():
			return reply{}, sparkwright.Errorf(sparkwright.CodeCancelled, "interrupted: %w", ctx.Err())
		}
	}
}

// await waits for the process to be ready.
func (c *client) await(ctx context.Context) error {
	timer := time.NewTimer(clientStart)
	defer timer.Stop()
	select {
	case rep, ok := <-c.replies:
		if ok && rep.Type == "ready" {
			return nil
		}
		text, _ := io.ReadAll(io.LimitReader(c.stderr, 64<<10))
		return &sparkwright.Error{
			Code: sparkwright.CodeInternal, Message: "the Spark client process did not start", Because: lastLine(string(text)),
			Remedy: "sparkwright runtime remove && sparkwright runtime install",
		}
	case <-timer.C:
		return sparkwright.Errorf(sparkwright.CodeTimeout, "the Spark client process was not ready within %s", clientStart)
	case <-ctx.Done():
		return sparkwright.Errorf(sparkwright.CodeCancelled, "interrupted: %w", ctx.Err())
	}
}

// session opens or joins a session of that id, for this client.
func (c *client) session(srv *server, id string) string {
	c.far.server.Store(srv)
	if c.inside != "" {
		return sessionURL(c.inside, id)
	}
	return srv.session(id)
}

// close ends the process and everything in its group.
func (c *client) close() {
	_ = c.out.Close()
	if c.box != nil {
		c.box.Close()
	}
	c.child.Kill()
	_ = c.stdout.Close()
	_ = c.stderr.Close()
}

// pool keeps processes that are ready before they are needed. They are
// replaced when a taken one is given back, so that importing Python modules
// does not compete with the query that runs.
type pool struct {
	cfg   Config
	token string
	mu    sync.Mutex
	idle  []*client
	shut  bool
	wg    sync.WaitGroup
}

// take returns a process of its own for the caller, who must give it back.
func (p *pool) take(ctx context.Context) (*client, error) {
	for {
		p.mu.Lock()
		var c *client
		if n := len(p.idle); n > 0 {
			c = p.idle[0]
			p.idle = p.idle[1:]
		}
		p.mu.Unlock()
		if c == nil {
			break
		}
		select {
		case <-c.child.Done():
			c.close()
		default:
			return c, nil
		}
	}
	c, err := startClient(p.cfg, p.token)
	if err != nil {
		return nil, err
	}
	if err := c.await(ctx); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// done ends a taken process and fills the pool up again.
func (p *pool) done(ctx context.Context, c *client) {
	c.close()
	if !p.cfg.NoRefill {
		p.fill(ctx)
	}
}

// fill starts processes in the background until the pool is full.
func (p *pool) fill(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shut {
		return
	}
	p.wg.Go(func() {
		for {
			p.mu.Lock()
			full := p.shut || len(p.idle) >= p.cfg.PoolSize
			p.mu.Unlock()
			if full {
				return
			}
			c, err := startClient(p.cfg, p.token)
			if err != nil {
				return
			}
			if err := c.await(context.WithoutCancel(ctx)); err != nil {
				c.close()
				return
			}
			p.mu.Lock()
			if p.shut || len(p.idle) >= p.cfg.PoolSize {
				p.mu.Unlock()
				c.close()
				return
			}
			p.idle = append(p.idle, c)
			p.mu.Unlock()
		}
	})
}

func (p *pool) close() {
	p.mu.Lock()
	p.shut = true
	p.mu.Unlock()
	p.wg.Wait()
	for _, c := range p.idle {
		c.close()
	}
	p.idle = nil
}
