package sandbox_test

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright/internal/childproc"
	"github.com/sparkwright/sparkwright/internal/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.HelperMain()
	os.Exit(m.Run())
}

// start starts a shell script inside. What it prints comes out of the pipe.
func start(t *testing.T, spec sandbox.Spec, script string) (*sandbox.Box, *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	spec.Path, spec.Args, spec.Fork = "/bin/sh", []string{"-c", script}, true
	if spec.Env == nil {
		spec.Env = []string{"PATH=/usr/bin:/bin"}
	}
	box, err := sandbox.Start(spec, sandbox.Stdio{Stdout: w, Stderr: w}, syscall.SIGKILL)
	_ = w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(box.Close)
	return box, r
}

// run starts a script and returns all that it prints.
func run(t *testing.T, spec sandbox.Spec, script string) string {
	t.Helper()
	box, r := start(t, spec, script)
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	<-box.Done()
	return strings.TrimSpace(string(text))
}

func TestWhatAProgramIs(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		"id -un; id -u":     "sparkwright\n1000",
		"pwd":               "/tmp",
		"ls -A /tmp":        "",
		"ls /dev/shm":       "",
		"ls -d /proc/1/*":   "ls: cannot access '/proc/1/*': Permission denied",
		"hostname":          "sandbox",
		"env | grep -v PWD": "PATH=/usr/bin:/bin",
		"exit 3":            "",
		"grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status | tr -d '[:space:]'": "CapEff:0000000000000000CapBnd:0000000000000000NoNewPrivs:1Seccomp:2",
	} {
		if got := run(t, sandbox.Spec{}, script); got != want {
			t.Errorf("%s: %q, want %q", script, got, want)
		}
	}
}

func TestExitCode(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -9 $$": 137, "sleep 600 & exit 4": 4} {
		box, _ := start(t, sandbox.Spec{}, script)
		<-box.Done()
		if box.ExitCode() != want {
			t.Errorf("%s: exit code %d, want %d", script, box.ExitCode(), want)
		}
	}
}

// Paths appear and go while the program runs, below slots only where it writes.
func TestBind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "read", "file")
	for _, sub := range []string{"read", "write", "slot/write"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(file, []byte("seen"), 0o600); err != nil {
		t.Fatal(err)
	}
	write := filepath.Join(dir, "slot", "write")
	box, r := start(t, sandbox.Spec{Slots: []string{filepath.Join(dir, "slot")}}, `
		say() { while ! eval "$1"; do sleep 0.02; done; echo "$2"; }
		echo begun
		say '[ -e `+file+` ]' there; cat `+file+`; echo; (echo x > `+file+`) 2>/dev/null || echo kept
		say '[ -e `+write+` ]' writable; echo out > `+write+`/made; echo wrote
		say '[ ! -s `+file+` ]' gone`)
	line := lines(t, r)
	line("begun")
	if err := box.Bind(file, false); err != nil {
		t.Fatal(err)
	}
	line("there")
	line("seen")
	line("kept")
	if err := box.Bind(write, true); err != nil {
		t.Fatal(err)
	}
	line("writable")
	line("wrote")
	if text, err := os.ReadFile(filepath.Join(write, "made")); err != nil || string(text) != "out\n" {
		t.Errorf("written: %q, %v", text, err)
	}
	for _, bad := range []string{"/", "relative", "/nowhere/at/all"} {
		if err := box.Bind(bad, false); err == nil {
			t.Errorf("%s is shown", bad)
		}
	}
	if err := box.Bind("/usr/share", true); err == nil {
		t.Error("what is outside of the slots is writable")
	}
	if err := box.Unbind(file); err != nil {
		t.Fatal(err)
	}
	line("gone")
}

// lines returns a function that wants a line.
func lines(t *testing.T, r io.Reader) func(want string) {
	t.Helper()
	one := make([]byte, 1)
	return func(want string) {
		t.Helper()
		var text []byte
		for {
			if _, err := r.Read(one); err != nil {
				t.Fatalf("%q is read, then %v; want %q", text, err, want)
			}
			if one[0] == '\n' {
				break
			}
			text = append(text, one[0])
		}
		if string(text) != want {
			t.Fatalf("%q is read, want %q", text, want)
		}
	}
}

// A link that a program makes does not lead what is shown later elsewhere.
func TestLinkInTheWay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "results"), 0o700); err != nil {
		t.Fatal(err)
	}
	first := "/tmp/" + strings.Split(dir, "/")[2]
	box, r := start(t, sandbox.Spec{Without: []sandbox.Layer{sandbox.Landlock}}, "ln -s /etc "+first+"; echo made; sleep 600")
	lines(t, r)("made")
	if err := box.Bind(filepath.Join(dir, "results"), true); err == nil {
		t.Error("the way leads over a link")
	}
}

// Ports are served inside by this process, and reached inside from it.
func TestPorts(t *testing.T) {
	t.Parallel()
	box, r := start(t, sandbox.Spec{Listen: []int{7001}}, "exec bash -c 'exec 3<>/dev/tcp/127.9.8.7/7001; cat <&3'")
	go sandbox.Forward(box.Listener(0), func(to net.Addr) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			_, _ = io.WriteString(far, "at "+to.String())
			_ = far.Close()
		}()
		return near, nil
	})
	text, err := io.ReadAll(r)
	if err != nil || string(text) != "at 127.9.8.7:7001" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err = box.Dial(9); err == nil {
		t.Error("a port that nobody serves is reached")
	}
}

// Everything inside ends with the program's owner's wish, also what has made
// itself independent.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	box, r := start(t, sandbox.Spec{}, "setsid sleep 987654 & echo begun; wait; sleep 600")
	lines(t, r)("begun")
	box.Close()
	if !box.Ended() {
		t.Error("the box has not ended")
	}
	found, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), "sleep\x00987654") {
			t.Errorf("%s is left", path)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, spec := range map[string]sandbox.Spec{
		"no program": {Path: "/nowhere"}, "no directory": {Path: "/bin/true", Dir: "/nowhere"},
	} {
		box, err := sandbox.Start(spec, sandbox.Stdio{}, syscall.SIGKILL)
		if err == nil {
			box.Close()
			t.Errorf("%s: it is started", name)
		} else if !strings.Contains(err.Error(), "locked in") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	layers, err := sandbox.Probe()
	if err != nil || !slices.Equal(layers, sandbox.Layers()) {
		t.Errorf("%q, %v", layers, err)
	}
}

func TestSocketDir(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	dir, err := sandbox.SocketDir(t.Context(), home)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "127.1.1.1"))
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = l.Close()
	// A process that another test starts just now may hold the socket until it runs its program.
	for try := 0; ; try++ {
		if _, err = sandbox.SocketDir(t.Context(), home); err != nil {
			t.Fatal(err)
		}
		if _, err = os.Stat(filepath.Join(dir, "127.1.1.1")); err != nil {
			break
		}
		if try == 100 {
			t.Fatal("a dead socket is left")
		}
		<-time.After(50 * time.Millisecond)
	}
	if err = os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err = sandbox.SocketDir(t.Context(), home); err == nil {
		t.Error("a directory that others can enter is used")
	}
	if long, err := sandbox.SocketDir(t.Context(), filepath.Join(home, strings.Repeat("long/", 30))); err != nil || len(long) > 90 {
		t.Errorf("%s, %v", long, err)
	} else if err = os.Remove(long); err != nil {
		t.Error(err)
	}
}

// What the walls cost: a program that does nothing, inside and outside.
func BenchmarkStart(b *testing.B) {
	b.Run("inside", func(b *testing.B) {
		for b.Loop() {
			box, err := sandbox.Start(sandbox.Spec{Path: "/bin/true", Listen: []int{sandbox.Port}}, sandbox.Stdio{}, syscall.SIGKILL)
			if err != nil {
				b.Fatal(err)
			}
			<-box.Done()
			box.Close()
		}
	})
	b.Run("outside", func(b *testing.B) {
		for b.Loop() {
			child, err := childproc.Start(exec.Command("/bin/true"), syscall.SIGKILL)
			if err != nil {
				b.Fatal(err)
			}
			<-child.Done()
		}
	})
}
