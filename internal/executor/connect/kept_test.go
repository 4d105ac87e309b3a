package connect_test

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/executor/connect"
	"github.com/sparkwright/sparkwright/internal/executortest"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

func TestMain(m *testing.M) {
	connect.KeeperMain()
	if os.Getenv("TEST_INHERITED") != "" {
		connect.CloseInherited()
		if _, err := unix.FcntlInt(3, unix.F_GETFD, 0); err == nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A lock or pipe that the command has from its caller is not held by the
// keeper, which outlives both.
func TestKeeperInheritsNothing(t *testing.T) {
	t.Parallel()
	f, err := os.Create(filepath.Join(t.TempDir(), "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // nothing is written
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), "TEST_INHERITED=1")
	cmd.ExtraFiles = []*os.File{f}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("the file is still open: %v\n%s", err, out)
	}
}

// kept is what the state file tells of the server that outlives commands.
type kept struct {
	PID    int
	Port   int
	Keeper string
}

func keptIn(t *testing.T, dir string) (k kept) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "server.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &k); err != nil {
		t.Fatal(err)
	}
	return k
}

// soon waits for something that takes a moment.
func soon(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); <-tick.C {
		if ok() {
			return
		}
	}
	t.Fatalf("not so after 90 s: %s", what)
}

func gone(pid int) bool { return syscall.Kill(pid, 0) != nil || zombie(pid) }

// Commands share one server, which outlives them and is replaced when it, or
// the process that keeps it, has died. The steps build on one another, as
// every start takes some seconds.
func TestKeptServer(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "spark")
	command := func(change func(*connect.Config)) *connect.Executor {
		return newExecutor(t, func(c *connect.Config) {
			c.KeepDir, c.KeepIdle, c.PoolSize = dir, 10*time.Minute, 0
			if change != nil {
				change(c)
			}
		})
	}
	warm := func(e *connect.Executor) {
		t.Helper()
		if err := e.Warm(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { connect.StopKept(context.Background(), dir) })

	// Two at once start one server.
	a, b := command(nil), command(nil)
	var wg sync.WaitGroup
	for _, e := range []*connect.Executor{a, b} {
		wg.Go(func() { warm(e) })
	}
	wg.Wait()
	first := keptIn(t, dir)
	if a.ServerPort() != first.Port || b.ServerPort() != first.Port {
		t.Fatalf("ports %d and %d, kept is %d", a.ServerPort(), b.ServerPort(), first.Port)
	}
	for _, name := range []string{"server.json", "token"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	// Without the token the keeper tells nothing.
	if answer := say(t, first.Keeper, "0000 use\n"); answer != "" {
		t.Errorf("without the token: %q", answer)
	}
	// It outlives the commands, and serves the next one.
	a.Close(t.Context())
	b.Close(t.Context())
	c := command(nil)
	h, err := c.Submit(t.Context(), executortest.Job(t, "r_kept", "result = spark.range(3)"))
	if err != nil {
		t.Fatal(err)
	}
	if out := executortest.Finish(t, c, h, &executortest.Sink{}); out.State != sparkwright.AttemptSucceeded {
		t.Fatalf("state %s, fault %+v", out.State, out.Fault)
	}
	if got := c.ServerPort(); got != first.Port {
		t.Fatalf("the next command has port %d, the kept one is %d", got, first.Port)
	}
	// Another configuration does not end what is in use.
	other := command(func(c *connect.Config) { c.DriverMemory = "1100m" })
	warm(other)
	if other.ServerPort() == first.Port || keptIn(t, dir) != first {
		t.Errorf("port %d, kept %+v, before %+v", other.ServerPort(), keptIn(t, dir), first)
	}
	other.Close(t.Context())
	// The keeper dies: the attempt fails at once, nothing is left, the next
	// attempt gets another server.
	if h, err = c.Submit(t.Context(), executortest.Job(t, "r_kept_lost", endless)); err != nil {
		t.Fatal(err)
	}
	awaitRunning(t, c, h)
	if err = syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if out := executortest.Finish(t, c, h, &executortest.Sink{}); out.State != sparkwright.AttemptFailed || out.Fault.Class != "SPARK_SERVER_LOST" {
		t.Errorf("state %s, fault %+v", out.State, out.Fault)
	}
	soon(t, "Spark ends with its keeper", func() bool { return !listens(first.Port) })
	warm(c)
	second := keptIn(t, dir)
	if second.PID == first.PID || c.ServerPort() != second.Port {
		t.Errorf("after the crash %+v, before %+v, port %d", second, first, c.ServerPort())
	}
	// Told to stop, it stops, and its users learn of it.
	if !connect.StopKept(t.Context(), dir) || !gone(second.PID) && listens(second.Port) {
		t.Errorf("%+v is still there", second)
	}
	soon(t, "the state is forgotten", func() bool { return connect.Kept(t.Context(), dir) == "" })
	c.Close(t.Context())
	// Without users it ends.
	short := command(func(c *connect.Config) { c.KeepIdle = time.Second })
	warm(short)
	third := keptIn(t, dir)
	short.Close(t.Context())
	soon(t, "an idle server ends", func() bool { return gone(third.PID) && !listens(third.Port) })
	if _, err := os.Stat(filepath.Join(dir, "server.json")); !os.IsNotExist(err) {
		t.Errorf("its state is left: %v", err)
	}
}

// A state file that others could have written is not believed.
func TestKeptStateOfOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	state := `{"version":1,"key":"k","pid":1,"keeper":"127.0.0.1:1","port":1,"token":"x"}`
	if err := os.WriteFile(filepath.Join(dir, "server.json"), []byte(state), 0o644); err != nil {
		t.Fatal(err)
	}
	if connect.StopKept(t.Context(), dir) || connect.Kept(t.Context(), dir) != "" {
		t.Error("believed")
	}
}

func TestKeepDirOfOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("0123456789abcdef0123456789abcdef"), 0o644); err != nil {
		t.Fatal(err)
	}
	e := connect.New(connect.Config{Runtime: testkit.Runtime(t), KeepDir: dir})
	defer e.Close(t.Context())
	if e.Keeps() {
		t.Error("a token that others can read is used")
	}
}

func say(t *testing.T, address, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // read only
	_, _ = c.Write([]byte(text))
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
	buf := make([]byte, 16)
	n, _ := c.Read(buf)
	return string(buf[:n])
}

func listens(port int) bool {
	c, err := net.DialTCP("tcp", nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	if err == nil {
		_ = c.Close()
	}
	return err == nil
}
