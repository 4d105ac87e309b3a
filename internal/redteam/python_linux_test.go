package redteam_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sparkwright/sparkwright/internal/executor/connect"
	"github.com/sparkwright/sparkwright/internal/sandbox"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

const (
	canaryName = "REDTEAM_CANARY"
	canary     = "canary-7f3a9c51"
)

// outcome is what became of one attack.
type outcome struct {
	Name, Wall, Got, Stopped string
}

// world is what is outside of the sandbox and must stay there.
type world struct {
	TCP      int               `json:"tcp"`
	TCP6     int               `json:"tcp6"`
	UDP      int               `json:"udp"`
	MPTCP    bool              `json:"mptcp"`
	Abstract string            `json:"abstract"`
	Unix     string            `json:"unix"`
	Secret   string            `json:"secret"`
	Tmp      string            `json:"tmp"`
	Other    string            `json:"other"`
	Results  string            `json:"results"`
	Home     string            `json:"home"`
	Shown    []string          `json:"shown"`
	Runtime  string            `json:"runtime"`
	PID      int               `json:"pid"`
	SHM      int               `json:"shm"`
	Tasks    int               `json:"tasks"`
	Memory   int64             `json:"memory"`
	FileSize int64             `json:"file_size"`
	Scratch  int64             `json:"scratch"`
	Calls    map[string]uint32 `json:"calls"`

	hits atomic.Int32 // connections and packets that came out
	spec sandbox.Spec
}

func outside(t *testing.T) *world {
	t.Helper()
	rt := testkit.Runtime(t)
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	private, err := os.MkdirTemp(testkit.Home(t), "redteam-") //nolint:usetesting // not below /tmp, which is another wall's
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(private) })
	tmp := t.TempDir()
	w := &world{
		Abstract: "sparkwright-redteam-" + filepath.Base(private), Unix: filepath.Join(tmp, "unix"), Secret: filepath.Join(private, "secret"),
		Tmp: filepath.Join(tmp, "secret"), Other: filepath.Join(private, "other"), Results: filepath.Join(private, "results"),
		Home: home, Runtime: rt.Dir, PID: os.Getpid(), Calls: calls(),
	}
	for _, dir := range []string{w.Other, w.Results} {
		if err = os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{w.Secret, w.Tmp, filepath.Join(w.Other, "manifest.json")} {
		if err = os.WriteFile(path, []byte(canary), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.listen(t)
	if w.SHM, err = sharedMemory(t); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("/proc/sys/net/mptcp/enabled")
	w.MPTCP = err == nil && strings.TrimSpace(string(text)) == "1"

	script := filepath.Join(private, "attacks.py")
	code, err := os.ReadFile("testdata/attacks.py")
	if err == nil {
		err = os.WriteFile(script, code, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	// The box of a client process as runs have it, with another program in it.
	w.spec = connect.ClientBox(connect.Config{Runtime: rt, Master: "local[2]", ClientMemory: 512 << 20, ResultsDir: private})
	w.spec.Read, w.spec.Write = append(w.spec.Read, script), []string{w.Results}
	w.spec.Limits.FileSize, w.spec.Limits.Scratch = 64<<20, 128<<20
	w.Tasks, w.Memory, w.FileSize, w.Scratch = w.spec.Limits.Tasks, w.spec.Limits.Memory, w.spec.Limits.FileSize, w.spec.Limits.Scratch
	for _, path := range w.spec.Read {
		if rest, ok := strings.CutPrefix(path, home+"/"); ok {
			first, _, _ := strings.Cut(rest, "/")
			w.Shown = append(w.Shown, first)
		}
	}
	w.spec.Args = []string{"-P", script}
	return w
}

// listen makes what nobody inside may reach.
func (w *world) listen(t *testing.T) {
	t.Helper()
	serve := func(network, address string) net.Listener {
		l, err := net.Listen(network, address)
		if err != nil {
			return nil
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				w.hits.Add(1)
				_, _ = conn.Write([]byte(canary))
				_ = conn.Close()
			}
		}()
		return l
	}
	if l := serve("tcp", "127.0.0.1:0"); l != nil {
		w.TCP = l.Addr().(*net.TCPAddr).Port
	}
	if l := serve("tcp", "[::1]:0"); l != nil {
		w.TCP6 = l.Addr().(*net.TCPAddr).Port
	}
	if serve("unix", w.Unix) == nil || serve("unix", "@"+w.Abstract) == nil || w.TCP == 0 {
		t.Fatal("no listeners outside")
	}
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = packets.Close() })
	w.UDP = packets.LocalAddr().(*net.UDPAddr).Port
	go func() {
		buf := make([]byte, 16)
		for {
			if _, _, err := packets.ReadFrom(buf); err != nil {
				return
			}
			w.hits.Add(1)
		}
	}()
}

func sharedMemory(t *testing.T) (key int, err error) {
	t.Helper()
	key = 0x5a000000 | os.Getpid()&0xffff
	id, err := unix.SysvShmGet(key, 4096, unix.IPC_CREAT|0o600)
	if err != nil {
		return 0, err
	}
	t.Cleanup(func() { _, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil) })
	return key, nil
}

// run carries out the attacks in the box, or those of some walls without them.
func (w *world) run(t *testing.T, without ...sandbox.Layer) []outcome {
	t.Helper()
	text, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	spec := w.spec
	spec.Args, spec.Without = append(slices.Clone(spec.Args), string(text)), without
	for _, l := range without {
		spec.Args = append(spec.Args, string(l))
	}
	r, wr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close() //nolint:errcheck // read only
	box, err := sandbox.Start(spec, sandbox.Stdio{Stdout: wr, Stderr: os.Stderr}, syscall.SIGKILL)
	_ = wr.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	var all []outcome
	for lines := bufio.NewScanner(r); lines.Scan(); {
		var o outcome
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		if o.Stopped == "end" {
			return all
		}
		all = append(all, o)
	}
	_, _ = io.Copy(io.Discard, r)
	t.Fatalf("the attacks ended by themselves after %d", len(all))
	return nil
}

const fewestAttacks = 90

// Whatever code does in a client process: nothing gets out.
func TestPython(t *testing.T) {
	w := outside(t)
	all := w.run(t)
	for _, o := range all {
		if o.Got != "" {
			t.Errorf("%s escapes: %s", o.Name, o.Got)
		}
	}
	if len(all) < fewestAttacks {
		t.Errorf("%d attacks were carried out, want %d", len(all), fewestAttacks)
	}
	if n := w.hits.Load(); n != 0 {
		t.Errorf("%d connections or packets came out", n)
	}
}

// With a wall left out, the attacks that it stops succeed: each wall stands for
// something, and the attacks are real.
func TestWalls(t *testing.T) {
	w := outside(t)
	for _, wall := range sandbox.Layers() {
		t.Run(string(wall), func(t *testing.T) {
			escaped := 0
			for _, o := range w.run(t, wall) {
				if o.Got == "" {
					t.Logf("without it %s is still stopped: %s", o.Name, o.Stopped)
					continue
				}
				escaped++
			}
			if escaped == 0 {
				t.Error("without it nothing escapes: no attack shows what it is for")
			}
		})
	}
}

// calls are the numbers of system calls.
func calls() map[string]uint32 {
	return map[string]uint32{
		"name_to_handle_at": unix.SYS_NAME_TO_HANDLE_AT, "mount": unix.SYS_MOUNT, "fsopen": unix.SYS_FSOPEN, "umount2": unix.SYS_UMOUNT2,
		"ptrace": unix.SYS_PTRACE, "process_vm_readv": unix.SYS_PROCESS_VM_READV, "unshare": unix.SYS_UNSHARE, "setns": unix.SYS_SETNS,
		"keyctl": unix.SYS_KEYCTL, "add_key": unix.SYS_ADD_KEY, "io_uring_setup": unix.SYS_IO_URING_SETUP, "bpf": unix.SYS_BPF,
		"userfaultfd": unix.SYS_USERFAULTFD, "perf_event_open": unix.SYS_PERF_EVENT_OPEN, "init_module": unix.SYS_INIT_MODULE,
		"reboot": unix.SYS_REBOOT, "swapon": unix.SYS_SWAPON, "settimeofday": unix.SYS_SETTIMEOFDAY, "ioctl": unix.SYS_IOCTL,
	}
}
