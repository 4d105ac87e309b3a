package connect

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/childproc"
	"github.com/sparkwright/sparkwright/internal/sandbox"
)

// startTimeout is how long a server may take until it answers. Cold starts
// were measured at 5 s on two idle cores, and at over 90 s on very busy ones.
const startTimeout = 3 * time.Minute

// server is one running Spark Connect server.
type server struct {
	rpc     *rpc
	remote  string // sc://host:port/, as clients see it
	target  string // host:port, as this process sees it; unused inside a box
	port    int
	box     *sandbox.Box     // that a server of ours runs in; else nil
	binds   binder           // shows paths in the box, ours or a kept server's; nil without
	child   *childproc.Child // nil when it is not this process's own
	lease   net.Conn         // held on a kept server; else nil
	gone    chan struct{}    // closed when a kept server has ended
	logPath string
}

// lost is closed when a server of ours has died; nil (never) for others.
func (s *server) lost() <-chan struct{} {
	if s.child == nil {
		return s.gone
	}
	return s.child.Done()
}

// session returns the URL that opens or joins a session of that id.
func (s *server) session(id string) string {
	return sessionURL(s.remote, id)
}

// stop ends a server of ours.
func (s *server) stop(ctx context.Context) {
	s.rpc.close()
	if s.lease != nil {
		_ = s.lease.Close()
	}
	if s.child != nil {
		s.child.Stop(ctx, 5*time.Second)
		if s.box != nil {
			s.box.Close()
		}
		_ = os.RemoveAll(filepath.Dir(s.logPath))
	}
}

// startServer starts a Spark Connect server and returns when it answers. The
// port is chosen by the system and may be taken by somebody else before Spark
// binds it: then another one is tried.
func startServer(ctx context.Context, cfg Config, token string) (*server, error) {
	for try := 1; ; try++ {
		s, err := launch(ctx, cfg, token)
		if err == nil || try == 3 || !strings.Contains(err.Error(), "BindException") {
			return s, err
		}
	}
}

func newToken() string {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)
	return hex.EncodeToString(secret)
}

func launch(ctx context.Context, cfg Config, token string) (*server, error) {
	// Spark's own scratch space lives and dies with the server.
	dir, err := os.MkdirTemp("", "sparkwright-connect-")
	if err != nil {
		return nil, fmt.Errorf("make the server's directory: %w", err)
	}
	logFile, err := os.Create(filepath.Join(dir, "server.log")) //nolint:gosec // G304: our own directory
	if err != nil {
		return nil, fmt.Errorf("make the server's log: %w", err)
	}
	defer logFile.Close() //nolint:errcheck // the child holds its own copy
	var s *server
	if cfg.boxed() {
		s, err = launchBox(cfg, token, dir, logFile) //nolint:contextcheck // connections of the box live as long as it
	} else {
		s, err = launchFree(ctx, cfg, token, dir, logFile)
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	if err := s.awaitStart(ctx); err != nil {
		s.stop(context.WithoutCancel(ctx))
		return nil, err
	}
	return s, nil
}

// launchFree starts a server without a sandbox.
func launchFree(ctx context.Context, cfg Config, token, dir string, logFile *os.File) (*server, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	s := &server{remote: fmt.Sprintf("sc://localhost:%d/", port), target: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), port: port, logPath: logFile.Name()}
	cmd := exec.Command(filepath.Join(cfg.Runtime.SparkHome, "bin", "spark-submit"), submitArgs(cfg, port, dir)...) //nolint:gosec,noctx // G204: arguments from validated settings; outlives the caller's context
	cmd.Env = append(cfg.Runtime.Env(), "SPARK_CONNECT_AUTHENTICATE_TOKEN="+token)
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = logFile, logFile
	if s.child, err = childproc.Start(cmd, syscall.SIGTERM); err != nil {
		return nil, err
	}
	if s.rpc, err = dial("localhost", port, token, s.dial); err != nil {
		s.child.Stop(ctx, 0)
		return nil, err
	}
	return s, nil
}

func (s *server) awaitStart(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, errStartTimeout)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-s.child.Done():
			return &sparkwright.Error{
				Code: sparkwright.CodeUnavailable, Message: "the local Spark server did not start",
				Because: tailOf(s.logPath), Remedy: "sparkwright runtime status; check spark.master and spark.driver_memory in the settings",
			}
		case <-ctx.Done():
			if context.Cause(ctx) == errStartTimeout { //nolint:errorlint // identity of a cause set above
				return &sparkwright.Error{
					Code: sparkwright.CodeTimeout, Message: fmt.Sprintf("the local Spark server did not answer within %s", startTimeout),
					Because: tailOf(s.logPath), Remedy: "try again when the machine is less busy",
				}
			}
			return sparkwright.Errorf(sparkwright.CodeCancelled, "the start of Spark was interrupted: %w", ctx.Err())
		case <-tick.C:
			if s.rpc.healthy(ctx, newID()) == nil {
				return nil
			}
		}
	}
}

var errStartTimeout = fmt.Errorf("start time-out")

// submitArgs are spark-submit's arguments for a Connect server.
func submitArgs(cfg Config, port int, dir string) []string {
	cores := max(2, runtime.NumCPU())
	args := []string{
		"--master", cfg.Master, "--driver-memory", cfg.DriverMemory,
		"--jars", cfg.Runtime.Driver, "--driver-class-path", cfg.Runtime.Driver,
		"--class", "org.apache.spark.sql.connect.service.SparkConnectServer",
	}
	conf := [][2]string{
		{"spark.app.name", "sparkwright"},
		{"spark.connect.grpc.binding.address", "127.0.0.1"},
		{"spark.connect.grpc.binding.port", strconv.Itoa(port)},
		{"spark.connect.progress.reportInterval", "200ms"},
		{"spark.driver.host", "127.0.0.1"},
		{"spark.driver.bindAddress", "127.0.0.1"},
		{"spark.driver.extraJavaOptions", "-Duser.timezone=UTC -Djava.io.tmpdir=" + dir + " -XX:+UseParallelGC" + cfg.Runtime.JavaOptions()},
		{"spark.executor.extraJavaOptions", "-Duser.timezone=UTC"},
		{"spark.local.dir", dir},
		{"spark.sql.warehouse.dir", filepath.Join(dir, "warehouse")},
		{"spark.sql.session.timeZone", "UTC"},
		{"spark.sql.shuffle.partitions", strconv.Itoa(2 * cores)},
		{"spark.ui.enabled", "false"},
	}
	if !strings.HasPrefix(cfg.Master, "local") {
		conf = append(conf[:4], conf[6:]...) // executors elsewhere must reach the driver
	}
	for _, kv := range conf {
		args = append(args, "--conf", kv[0]+"="+kv[1])
	}
	return append(args, "spark-internal")
}

func freePort(ctx context.Context) (int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close() //nolint:errcheck // nothing was written
	return l.Addr().(*net.TCPAddr).Port, nil
}

// tailOf returns the last telling line of a log: the last with an exception
// or an error in it, else the last.
func tailOf(path string) string {
	f, err := os.Open(path) //nolint:gosec // G304: our own file
	if err != nil {
		return ""
	}
	defer f.Close() //nolint:errcheck // read only
	last, telling := "", ""
	for sc := bufio.NewScanner(io.LimitReader(f, 8<<20)); sc.Scan(); {
		line := strings.TrimSpace(sc.Text())
		if line == "" || strings.HasPrefix(line, "at ") {
			continue
		}
		last = line
		if strings.Contains(line, "Exception") || strings.Contains(line, "Error:") {
			telling = line
		}
	}
	if telling != "" {
		return telling
	}
	return last
}

// engine hands out the server: it starts one at the first use, and another
// when the last one has died or hangs.
type engine struct {
	cfg   Config
	token string // of every server; "" for a remote one without
	busy  func() bool
	mu    sync.Mutex
	cur   *server
	seen  time.Time // when it last answered
}

// believed is how long a server that has answered is not asked again.
const believed = 30 * time.Second

// get returns a server that lives.
func (e *engine) get(ctx context.Context) (*server, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cur != nil {
		if e.lives(ctx) {
			return e.cur, nil
		}
		e.cur.stop(context.WithoutCancel(ctx))
		e.cur = nil
	}
	var err error
	switch {
	case e.cfg.Remote != "":
		e.cur, err = attach(ctx, e.cfg.Remote, e.token, !e.cfg.Unconfined)
	case e.cfg.KeepDir != "":
		e.cur, err = useKept(ctx, e.cfg, e.token)
	default:
		e.cur, err = startServer(ctx, e.cfg, e.token)
	}
	e.seen = time.Now()
	return e.cur, err
}

// lives reports whether the server is there. One that has not been asked for
// some time is asked; under load it may be slow to answer, so one that carries
// out attempts is not doubted.
func (e *engine) lives(ctx context.Context) bool {
	select {
	case <-e.cur.lost():
		return false
	default:
	}
	if time.Since(e.seen) < believed || e.busy() {
		return true
	}
	if err := e.cur.rpc.healthy(ctx, newID()); err != nil && ctx.Err() == nil {
		return false
	}
	e.seen = time.Now()
	return true
}

func (e *engine) close(ctx context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cur != nil {
		e.cur.stop(ctx)
		e.cur = nil
	}
}

// attach connects to a server that somebody else runs.
func attach(ctx context.Context, remote, token string, confined bool) (*server, error) {
	rest, ok := strings.CutPrefix(remote, "sc://")
	hostPort, _, _ := strings.Cut(rest, "/")
	host, portText, err := net.SplitHostPort(hostPort)
	if err != nil {
		host, portText = hostPort, "15002" // Spark's default port
	}
	port, err := strconv.Atoi(portText)
	if !ok || host == "" || err != nil || strings.Contains(remote, ";") {
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "spark.remote is not a Spark Connect address", Because: remote,
			Remedy: "write sc://host:port; a token goes into SPARK_CONNECT_AUTHENTICATE_TOKEN",
		}
	}
	s := &server{remote: "sc://" + net.JoinHostPort(host, portText) + "/", target: net.JoinHostPort(host, portText)}
	if net.ParseIP(host) != nil && confined { // a box has names for 127.0.0.1, not other addresses
		s.remote = "sc://localhost:" + portText + "/"
	}
	if s.rpc, err = dial(host, port, token, s.dial); err != nil {
		return nil, err
	}
	if err := s.rpc.healthy(ctx, newID()); err != nil {
		s.rpc.close()
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeUnavailable, Message: "the Spark Connect server " + hostPort + " does not answer",
			Because: lastOf(err.Error(), "desc = "), Remedy: "start it, or correct spark.remote; a token goes into SPARK_CONNECT_AUTHENTICATE_TOKEN", Err: err,
		}
	}
	return s, nil
}

func lastOf(s, sep string) string {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[i+len(sep):]
	}
	return s
}
