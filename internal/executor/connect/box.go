package connect

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sparkwright/sparkwright/internal/sandbox"
)

// insidePort is where Spark Connect is found in every box: each has a network
// of its own.
const insidePort = 15002

// boxed reports whether the managed server runs inside. One whose executors
// are on other machines has to reach them.
func (c *Config) boxed() bool {
	return !c.Unconfined && c.Remote == "" && strings.HasPrefix(c.Master, "local")
}

// serverBox is what the managed server may reach: Spark, its own directory, the
// results and files of the runs that it carries out (server.show), and the
// broker. There is no Python in reach of its Java: functions in Python, which
// would stay in a server that others use too, cannot be started.
func serverBox(cfg Config, dir string) sandbox.Spec {
	return sandbox.Spec{
		Path: filepath.Join(cfg.Runtime.SparkHome, "bin", "spark-submit"), Args: submitArgs(cfg, insidePort, dir),
		Env: append(cfg.Runtime.InsideEnv(), "PYSPARK_PYTHON="+noPython, "PYSPARK_DRIVER_PYTHON="+noPython),
		Dir: dir, Read: append(cfg.Runtime.Archived(), cfg.Runtime.SparkHome, cfg.Runtime.Driver, cfg.Runtime.JavaHome), Write: []string{dir},
		Slots: cfg.slots(), Listen: []int{sandbox.Port}, Fork: true, Datagrams: true,
		Limits: sandbox.Limits{Memory: serverMemory(cfg.DriverMemory), Tasks: serverTasks},
	}
}

const (
	// noPython is what the server is told to start for functions in Python.
	noPython    = "/functions-in-python-need-a-server-of-their-own"
	serverTasks = 4096
	// beside is what Java needs besides heap and buffers: code, classes, stacks.
	beside = 3 << 30
)

// serverMemory is what the whole Java process may have, for a heap of that
// size, as Java writes it; buffers may take as much again. 0 when it is not
// understood.
func serverMemory(heap string) int64 {
	units := map[string]int64{"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
	text := strings.TrimSuffix(strings.ToLower(heap), "b")
	for unit, size := range units {
		if n, err := strconv.ParseInt(strings.TrimSuffix(text, unit), 10, 32); err == nil && strings.HasSuffix(text, unit) {
			return 2*n*size + beside
		}
	}
	return 0
}

// ClientBox is what a client process may reach: Python, the results of its run
// (Bind), and Spark Connect. It can start no other process.
func ClientBox(cfg Config) sandbox.Spec {
	spec := sandbox.Spec{
		Path: cfg.Runtime.Python, Args: clientArgs(), Read: cfg.Runtime.Visible(), Slots: cfg.slots(), Listen: []int{insidePort},
		Env: clientEnv(cfg, ""), Limits: sandbox.Limits{Tasks: clientTasks},
	}
	if cfg.ClientMemory > 0 {
		spec.Limits.Memory = cfg.ClientMemory + clientBase
	}
	if host, port, ok := remoteAddress(cfg.Remote); ok {
		spec.Listen, spec.Hosts = []int{port}, []string{host}
	}
	return spec
}

const (
	clientTasks = 512
	clientBase  = 1 << 30 // what an idle client has, generously
)

// slots are where runs put their results.
func (c *Config) slots() []string {
	if c.ResultsDir == "" {
		return nil // below /tmp
	}
	return []string{c.ResultsDir}
}

// remoteAddress is the host name and port of a server that is not ours.
func remoteAddress(remote string) (host string, port int, ok bool) {
	rest, ok := strings.CutPrefix(remote, "sc://")
	if !ok {
		return "", 0, false
	}
	hostPort, _, _ := strings.Cut(rest, "/")
	host, text, err := net.SplitHostPort(hostPort)
	if err != nil {
		host, text = hostPort, "15002"
	}
	port, err = strconv.Atoi(text)
	return host, port, err == nil
}

// address is where a client reaches its server: known when it gets work.
type address struct{ server atomic.Pointer[server] }

func (a *address) dial(net.Addr) (net.Conn, error) {
	srv := a.server.Load()
	if srv == nil {
		return nil, errors.New("no server yet")
	}
	return srv.dial(context.Background())
}

// dial opens a connection to Spark Connect.
func (s *server) dial(ctx context.Context) (net.Conn, error) {
	if s.box != nil {
		return s.box.Dial(insidePort)
	}
	d := net.Dialer{Timeout: dialTime}
	return d.DialContext(ctx, "tcp", s.target)
}

const dialTime = 10 * time.Second

// show lets the server's process see what a run needs: its results, which it
// writes, and its files. hide takes them away again.
func (s *server) show(location string, files []string) (hide func(), err error) {
	if s.binds == nil {
		return func() {}, nil
	}
	var shown []string
	hide = func() {
		for _, path := range shown {
			_ = s.binds.Unbind(path) // with the server everything goes
		}
	}
	for _, path := range append([]string{location}, files...) {
		if path == "" {
			continue
		}
		if err = s.binds.Bind(path, path == location); err != nil {
			hide()
			return nil, err
		}
		shown = append(shown, path)
	}
	return hide, nil
}

// binder shows paths in the box of a server: its own, or a kept one's.
type binder interface {
	Bind(path string, write bool) error
	Unbind(path string) error
}

// startBox starts the client inside.
func (c *client) startBox(cfg Config, token string, files sandbox.Stdio) error {
	spec := ClientBox(cfg)
	spec.Env = clientEnv(cfg, token)
	box, err := sandbox.Start(spec, files, syscall.SIGKILL)
	if err != nil {
		return err
	}
	c.box, c.child = box, box.Child
	if cfg.Remote == "" {
		c.inside = insideURL
	}
	go sandbox.Forward(box.Listener(0), c.far.dial)
	return nil
}

func clientArgs() []string { return []string{"-P", "-W", "ignore", "-m", "sparkwright_client"} }

// clientEnv is the whole environment of a client process.
func clientEnv(cfg Config, token string) []string {
	return []string{
		"PYTHONPATH=" + cfg.Runtime.ClientDir, "PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1", "TZ=UTC",
		"LC_ALL=C.UTF-8", "PATH=/usr/bin:/bin", "SPARK_CONNECT_AUTHENTICATE_TOKEN=" + token, "OMP_NUM_THREADS=1",
	}
}

// launchBox starts a server inside.
func launchBox(cfg Config, token, dir string, log *os.File) (*server, error) {
	spec := serverBox(cfg, dir)
	spec.Env = append(spec.Env, "SPARK_CONNECT_AUTHENTICATE_TOKEN="+token)
	box, err := sandbox.Start(spec, sandbox.Stdio{Stdout: log, Stderr: log}, syscall.SIGTERM)
	if err != nil {
		return nil, err
	}
	if cfg.Sockets != "" {
		go sandbox.Forward(box.Listener(0), sandbox.Sockets(cfg.Sockets))
	}
	s := &server{remote: insideURL, box: box, child: box.Child, binds: box, logPath: log.Name()}
	if s.rpc, err = dial("localhost", insidePort, token, s.dial); err != nil {
		box.Close()
		return nil, err
	}
	return s, nil
}

// sessionURL opens or joins a session of that id.
func sessionURL(remote, id string) string { return remote + ";user_id=" + userID + ";session_id=" + id }

// insideURL is the address of Spark Connect in every box.
var insideURL = "sc://localhost:" + strconv.Itoa(insidePort) + "/"
