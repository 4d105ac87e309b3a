package connect

import (
	"bufio"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/sandbox"
)

// A keeper is a process of its own that owns one Spark server and outlives
// the commands that use it, so that the next command finds Spark warm. It ends
// with its server, after a time without users, or when it is told to; its
// server ends with it, however it dies.
//
// What it takes to use it stands in a file that only its user can read. A user
// holds a connection to the keeper for as long as it needs the server: the
// kernel closes it when the user dies, and closes it when the keeper dies, so
// that both sides learn of it at once.

const (
	keeperVariable = "SPARKWRIGHT_SPARK_KEEPER"
	keeperVersion  = 2
)

// keptState is the file in which users find the keeper.
type keptState struct {
	Version int    `json:"version"`
	Key     string `json:"key"` // what the server was made from
	PID     int    `json:"pid"`
	Keeper  string `json:"keeper"` // address of its loopback socket
	Port    int    `json:"port"`   // of Spark Connect
	Boxed   bool   `json:"boxed"`  // users say what paths it is to see
	Token   string `json:"token"`
	Log     string `json:"log"`
}

// keeperRequest is what a keeper is started with.
type keeperRequest struct {
	Config Config        `json:"config"`
	Token  string        `json:"token"`
	Key    string        `json:"key"`
	State  string        `json:"state"` // path of the file
	Idle   time.Duration `json:"idle"`
}

// keeperWord is what a keeper says once, when its server answers or does not.
type keeperWord struct {
	State *keptState         `json:"state,omitempty"`
	Error *sparkwright.Error `json:"error,omitempty"`
}

// What users say to a keeper after the token.
const (
	wordUse    = "use"    // hold the server until the connection ends
	wordStop   = "stop"   // end now
	wordRetire = "retire" // end, unless somebody uses it

	// And on a connection that holds the server:
	wordRead  = "read"  // let the server read a path
	wordWrite = "write" // let it write below a path
	wordHide  = "hide"  // take a path away again
)

// KeeperMain must be called first in main, and in TestMain of tests that set
// Config.KeepDir. In a process that was started as a keeper it does not return.
func KeeperMain() {
	sandbox.HelperMain() // a server inside is the keeper's
	if os.Getenv(keeperVariable) == "" {
		return
	}
	_ = os.Unsetenv(keeperVariable)
	closeInherited()
	// The terminal's signals are for those who use it.
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	err := runKeeper(ctx, os.Stdin, os.Stdout)
	stop()
	if err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// maxInherited is how far files of those that started us are looked for.
const maxInherited = 1024

// closeInherited closes what the command had open besides its standard
// streams: a lock or a pipe of its caller must not live as long as the keeper.
// Files of this process itself are marked to be closed on exec.
func closeInherited() {
	for fd := 3; fd < maxInherited; fd++ {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			_ = unix.Close(fd)
		}
	}
}

// keeper is the state of a keeper's process.
type keeper struct {
	req keeperRequest
	srv *server

	mu      sync.Mutex
	users   map[net.Conn]struct{}
	ending  bool
	idle    *time.Timer
	stopped chan struct{}
}

// runKeeper starts the server, tells of it, and keeps it until its time is up.
func runKeeper(ctx context.Context, in io.Reader, out io.WriteCloser) error {
	say := func(w keeperWord) {
		_ = json.NewEncoder(out).Encode(w)
		_ = out.Close()
	}
	var req keeperRequest
	if err := json.NewDecoder(in).Decode(&req); err != nil {
		return fmt.Errorf("keeper request: %w", err)
	}
	k := &keeper{req: req, users: map[net.Conn]struct{}{}, stopped: make(chan struct{})}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err == nil {
		k.srv, err = startServer(ctx, req.Config, req.Token)
	}
	if err != nil {
		e, ok := errors.AsType[*sparkwright.Error](err)
		if !ok {
			e = &sparkwright.Error{Code: sparkwright.ErrorCode(err), Message: err.Error()}
		}
		say(keeperWord{Error: &sparkwright.Error{Code: e.Code, Message: e.Message, Because: e.Because, Remedy: e.Remedy}})
		return err
	}
	defer listener.Close() //nolint:errcheck // the process ends; until then it is seen to be ending
	defer k.srv.stop(context.WithoutCancel(ctx))
	state := &keptState{
		Version: keeperVersion, Key: req.Key, PID: os.Getpid(), Keeper: listener.Addr().String(),
		Port: k.srv.port, Token: req.Token, Log: k.srv.logPath, Boxed: k.srv.box != nil,
	}
	if state.Boxed { // users reach Spark Connect through here
		way, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			say(keeperWord{Error: &sparkwright.Error{Code: sparkwright.CodeResource, Message: "no port for the warm Spark server", Because: err.Error()}})
			return err
		}
		defer way.Close()                           //nolint:errcheck // as above
		state.Port = way.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // a TCP listener has no other
		go sandbox.Forward(way, func(net.Addr) (net.Conn, error) { return k.srv.dial(context.WithoutCancel(ctx)) })
	}
	if err := writeState(req.State, state); err != nil {
		say(keeperWord{Error: &sparkwright.Error{Code: sparkwright.CodeResource, Message: "the warm Spark server cannot be noted", Because: err.Error()}})
		return err
	}
	defer forgetState(req.State, state.PID)
	k.idle = time.AfterFunc(req.Idle, k.retire)
	go k.serve(listener)
	say(keeperWord{State: state})
	select {
	case <-k.srv.lost():
	case <-k.stopped:
	case <-ctx.Done():
	}
	k.close()
	return nil
}

func (k *keeper) serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go k.user(c)
	}
}

// user serves one connection: the token and a word on one line, then nothing
// until it ends.
func (k *keeper) user(c net.Conn) {
	defer c.Close() //nolint:errcheck // nothing is lost
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	line, err := bufio.NewReaderSize(io.LimitReader(c, 256), 256).ReadString('\n')
	token, word, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	if err != nil || subtle.ConstantTimeCompare([]byte(token), []byte(k.req.Token)) != 1 {
		return
	}
	_ = c.SetDeadline(time.Time{})
	switch word {
	case wordStop:
		k.end()
		<-k.stopped
		return
	case wordRetire:
		k.retire()
		k.mu.Lock()
		ending := k.ending
		k.mu.Unlock()
		if !ending {
			_, _ = c.Write([]byte("busy\n"))
		}
		return
	case wordUse:
	default:
		return
	}
	if !k.add(c) {
		return
	}
	defer k.remove(c)
	if _, err = c.Write([]byte("ok\n")); err == nil {
		k.showFor(c)
	}
}

// maxPath is the longest line that a user may say.
const maxPath = 16 << 10

// showFor lets the server see the paths that a user names, while the user is
// there: "read PATH", "write PATH" and "hide PATH", each answered by "ok" or by
// what went wrong.
func (k *keeper) showFor(c net.Conn) {
	var shown []string
	defer func() {
		for _, path := range shown {
			_ = k.srv.binds.Unbind(path) // with the server everything goes
		}
	}()
	lines := bufio.NewScanner(c)
	lines.Buffer(make([]byte, 0, 1024), maxPath)
	for lines.Scan() {
		if k.srv.binds == nil {
			return
		}
		word, path, _ := strings.Cut(lines.Text(), " ")
		var err error
		switch i := slices.Index(shown, path); {
		case word == wordRead || word == wordWrite:
			if err = k.srv.binds.Bind(path, word == wordWrite); err == nil {
				shown = append(shown, path)
			}
		case word == wordHide && i >= 0:
			shown = slices.Delete(shown, i, i+1)
			err = k.srv.binds.Unbind(path)
		default:
			return
		}
		answer := "ok"
		if err != nil {
			answer = strings.ReplaceAll(err.Error(), "\n", " ")
		}
		if _, err = c.Write([]byte(answer + "\n")); err != nil {
			return
		}
	}
}

// add counts a user in, unless the keeper is ending.
func (k *keeper) add(c net.Conn) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ending {
		return false
	}
	k.users[c] = struct{}{}
	k.idle.Stop()
	return true
}

func (k *keeper) remove(c net.Conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.users, c)
	if len(k.users) == 0 {
		k.idle.Reset(k.req.Idle)
	}
}

// retire ends the keeper when nobody uses it.
func (k *keeper) retire() {
	k.mu.Lock()
	used := len(k.users) > 0
	k.mu.Unlock()
	if !used {
		k.end()
	}
}

func (k *keeper) end() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.ending {
		k.ending = true
		close(k.stopped)
	}
}

// close tells every user that the server is gone.
func (k *keeper) close() {
	k.end()
	k.mu.Lock()
	defer k.mu.Unlock()
	for c := range k.users {
		_ = c.Close()
	}
}

func writeState(path string, s *keptState) error {
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode the state: %w", err)
	}
	next := fmt.Sprintf("%s.%d", path, s.PID)
	if err = os.WriteFile(next, text, 0o600); err == nil {
		err = os.Rename(next, path)
	}
	if err != nil {
		return fmt.Errorf("write the state: %w", err)
	}
	return nil
}

// readState returns nil when there is none that can be used.
func readState(dir string) *keptState {
	path := filepath.Join(dir, stateFile)
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return nil // somebody else could have written it
	}
	text, err := os.ReadFile(path) //nolint:gosec // G304: our own file
	var s keptState
	if err != nil || json.Unmarshal(text, &s) != nil || s.Version != keeperVersion || s.Token == "" {
		return nil
	}
	return &s
}

// forgetState removes the file when it is still this keeper's.
func forgetState(path string, pid int) {
	if s := readState(filepath.Dir(path)); s != nil && s.PID == pid {
		_ = os.Remove(path)
	}
}
