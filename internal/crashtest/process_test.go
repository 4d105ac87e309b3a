package crashtest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/crashtest"
	"github.com/sparkwright/sparkwright/internal/failpoint"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/store"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

// variable holds the Setup of a server process; the test program is one then.
const variable = "CRASHTEST_SERVER"

func TestMain(m *testing.M) {
	if text := os.Getenv(variable); text != "" {
		var setup crashtest.Setup
		err := json.Unmarshal([]byte(text), &setup)
		if err == nil {
			err = crashtest.Serve(context.Background(), setup, os.Stdin, os.Stdout)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	pgembed.KeeperMain()
	code := m.Run()
	if pg.srv != nil {
		_ = pg.srv.Stop(context.Background())
		_ = os.RemoveAll(pg.dir)
	}
	os.Exit(code)
}

// pg is one PostgreSQL for all tests.
var pg struct {
	once sync.Once
	dir  string
	srv  *pgembed.Server
	err  error
}

func postgresURL(t *testing.T, name string) string {
	t.Helper()
	pg.once.Do(func() {
		if pg.dir, pg.err = os.MkdirTemp("", "crash"); pg.err != nil { //nolint:usetesting // it outlives the test
			return
		}
		pg.srv, pg.err = pgembed.Start(context.Background(), pgembed.Options{
			Dir: filepath.Join(pg.dir, "pg"), CacheDir: filepath.Join(testkit.Home(t), "runtime", "postgres"),
			RepositoryURL: testkit.MavenURL(t),
		})
	})
	if pg.err != nil {
		t.Fatal(pg.err)
	}
	return testkit.NewDatabase(t, pg.srv.Connection(), name)
}

// patience is how long anything is waited for.
const patience = 60 * time.Second

// bundle is a world, a database, and what was acknowledged.
type bundle struct {
	t     *testing.T
	setup crashtest.Setup
	store *store.Store
	next  int
	kills int
	child *child // the one that requests go to

	asked  map[string]crashtest.Ask // by key; whether acknowledged or not
	acked  map[string]string        // key → run
	torn   map[string]int           // question → deaths while it was with the model
	resume time.Duration            // the longest that a run waited for its next server
}

// newBundle prepares a test; where is "" for SQLite, or a PostgreSQL's URL.
func newBundle(t *testing.T, where string) *bundle {
	t.Helper()
	dir := t.TempDir()
	if where == "" {
		where = filepath.Join(dir, "runs.db")
	}
	b := &bundle{
		t: t, setup: crashtest.Setup{Dir: dir, Database: where, JobTime: 250 * time.Millisecond},
		asked: map[string]crashtest.Ask{}, acked: map[string]string{}, torn: map[string]int{},
	}
	var err error
	if b.store, err = store.Open(t.Context(), where); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.store.Close() })
	return b
}

// child is one server process.
type child struct {
	name    string
	cmd     *exec.Cmd
	in      io.WriteCloser
	replies chan crashtest.Reply
	ended   chan struct{}
	started time.Time
}

// start starts a server process, with a failpoint or "". A process that ends
// before it is ready is fine when it has a failpoint.
func (b *bundle) start(point string) *child {
	b.t.Helper()
	self, err := os.Executable()
	if err != nil {
		b.t.Fatal(err)
	}
	b.next++
	setup := b.setup
	setup.Name = fmt.Sprintf("server-%d", b.next)
	text, err := json.Marshal(setup)
	if err != nil {
		b.t.Fatal(err)
	}
	c := &child{name: setup.Name, cmd: exec.Command(self), replies: make(chan crashtest.Reply, 1000), ended: make(chan struct{}), started: time.Now()}
	c.cmd.Env = append(os.Environ(), variable+"="+string(text), failpoint.Variable+"="+point)
	c.cmd.Stderr = os.Stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		b.t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err = c.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var r crashtest.Reply
			if json.Unmarshal(lines.Bytes(), &r) == nil {
				c.replies <- r
			}
		}
		_ = c.cmd.Wait()
		close(c.ended)
	}()
	b.t.Cleanup(func() { _ = c.cmd.Process.Kill(); <-c.ended })
	select {
	case r := <-c.replies:
		if r.Key != "ready" {
			b.t.Fatalf("first line %+v", r)
		}
	case <-c.ended:
		if point == "" {
			b.t.Fatal("the server did not start")
		}
	case <-time.After(patience):
		b.t.Fatal("the server did not get ready")
	}
	b.child = c
	return c
}

// kill ends a server process at once.
func (b *bundle) kill(c *child) {
	_ = c.cmd.Process.Signal(syscall.SIGKILL)
	<-c.ended
	b.died(c)
}

// died notes what a death may excuse: the question that was with the model may
// be asked once more.
func (b *bundle) died(c *child) {
	b.t.Helper()
	b.kills++
	b.drain(c)
	page, err := b.store.List(b.t.Context(), sparkwright.RunFilter{State: sparkwright.RunGenerating, Limit: 1000})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, r := range page.Runs {
		b.torn[r.Question.Text]++
	}
}

// ask sends a request; the reply is read by drain.
func (b *bundle) ask(c *child, key string, req sparkwright.Request) {
	req.IdempotencyKey = key
	b.send(c, crashtest.Ask{Request: req})
}

func (b *bundle) send(c *child, a crashtest.Ask) {
	if a.Cancel == "" && a.Approve == "" {
		b.asked[a.Request.IdempotencyKey] = a
	}
	text, err := json.Marshal(a)
	if err != nil {
		b.t.Fatal(err)
	}
	_, _ = c.in.Write(append(text, '\n')) // a dead server does not read
}

// drain notes the acknowledgements that have arrived.
func (b *bundle) drain(c *child) {
	b.t.Helper()
	for {
		select {
		case r := <-c.replies:
			b.note(r)
		default:
			return
		}
	}
}

func (b *bundle) note(r crashtest.Reply) {
	b.t.Helper()
	if _, is := b.asked[r.Key]; !is {
		return
	}
	if r.Error != "" {
		b.t.Errorf("%s was refused: %s", r.Key, r.Error)
	}
	if had := b.acked[r.Key]; had != "" && had != r.RunID {
		b.t.Errorf("%s became %s and %s", r.Key, had, r.RunID)
	}
	b.acked[r.Key] = r.RunID
}

// again asks for what was not acknowledged, as a client does.
func (b *bundle) again(c *child) {
	for key, a := range b.asked {
		if b.acked[key] == "" {
			b.send(c, a)
		}
	}
}

// until waits for something, or for the end of the process.
func (b *bundle) until(what string, c *child, ok func() bool) {
	b.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for {
		if c != nil {
			b.drain(c)
		}
		if ok() {
			return
		}
		var ended <-chan struct{}
		if c != nil {
			ended = c.ended
		}
		select {
		case <-tick.C:
		case <-ended:
			b.drain(c)
			return
		case <-deadline:
			b.t.Fatalf("not so in time: %s; %d of %d acknowledged, open %+v", what, len(b.acked), len(b.asked), b.open())
		}
	}
}

// open lists the runs that are in no final state.
func (b *bundle) open() []store.OpenRun {
	b.t.Helper()
	open, err := b.store.OpenRuns(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return open
}

// measure notes how long the runs of a dead server waited for this one.
func (b *bundle) measure(c *child) {
	b.t.Helper()
	before := map[string]int64{}
	for _, o := range b.open() {
		before[o.RunID] = o.Fence
	}
	b.until("the runs are taken over", c, func() bool {
		for _, o := range b.open() {
			if fence, was := before[o.RunID]; was && fence == o.Fence && o.State != sparkwright.RunAwaitingApproval && o.State != sparkwright.RunQueued {
				return false
			}
		}
		return true
	})
	b.resume = max(b.resume, time.Since(c.started))
}

// decision approves the code of a run.
func decision(runID, codeHash string) crashtest.Ask {
	return crashtest.Ask{Approve: runID, CodeHash: codeHash}
}

func (b *bundle) cancel(c *child, runID string) { b.send(c, crashtest.Ask{Cancel: runID}) }
