package connect

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/sparkwright/sparkwright"
)

const stateFile = "server.json"

// key names what a server is made from: another configuration needs another
// server.
func (c *Config) key() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d\n%s\n%s\n%s\n%v\n%s\n%s", keeperVersion, c.Runtime.Dir, c.Master, c.DriverMemory, c.Unconfined, c.ResultsDir, c.Sockets))
	return hex.EncodeToString(sum[:8])
}

// keptToken is the token of the kept servers of a directory: made once, and
// readable by its user alone.
func keptToken(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the directory of the warm server: %w", err)
	}
	path := filepath.Join(dir, "token")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // G304: our own file
	if err == nil {
		_, err = f.WriteString(newToken())
		err = errors.Join(err, f.Close())
	} else if errors.Is(err, os.ErrExist) {
		err = nil
	}
	if err != nil {
		return "", fmt.Errorf("make the token of the warm server: %w", err)
	}
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("others can read %s", path)
	}
	text, err := os.ReadFile(path) //nolint:gosec // G304: our own file
	if err != nil || len(text) < 32 {
		return "", fmt.Errorf("%s holds no token yet", path)
	}
	return string(text), nil
}

// useKept returns the kept server of cfg.KeepDir: the one that runs when it
// was made from the same configuration and answers, else a new one. When one
// of another configuration is in use, the caller gets a server of its own.
func useKept(ctx context.Context, cfg Config, token string) (*server, error) {
	lock := flock.New(filepath.Join(cfg.KeepDir, "start.lock"), flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, 50*time.Millisecond); err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeCancelled, "interrupted while another command starts Spark: %w", err)
	}
	defer lock.Unlock() //nolint:errcheck // ends with the process
	if state := readState(cfg.KeepDir); state != nil && state.Token == token {
		if state.Key == cfg.key() {
			if srv, err := join(ctx, state); err == nil {
				return srv, nil
			}
			tell(ctx, state, wordStop) // it does not answer
		} else if !tell(ctx, state, wordRetire) {
			return startServer(ctx, cfg, token)
		}
	}
	state, err := startKeeper(ctx, cfg, token)
	if err != nil {
		return nil, err
	}
	return join(ctx, state)
}

// join holds a kept server.
func join(ctx context.Context, state *keptState) (*server, error) {
	conn, err := speak(ctx, state, wordUse)
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	lines := bufio.NewReaderSize(conn, 16)
	answer, err := lines.ReadString('\n')
	if err != nil || answer != "ok\n" {
		_ = conn.Close()
		return nil, fmt.Errorf("the keeper of the warm Spark server does not answer: %w", errors.Join(err, io.ErrUnexpectedEOF))
	}
	_ = conn.SetReadDeadline(time.Time{})
	s := &server{
		remote: fmt.Sprintf("sc://localhost:%d/", state.Port), target: net.JoinHostPort("127.0.0.1", strconv.Itoa(state.Port)),
		port: state.Port, logPath: state.Log, lease: conn, gone: make(chan struct{}),
	}
	if s.rpc, err = dial("localhost", state.Port, state.Token, s.dial); err != nil {
		_ = conn.Close()
		return nil, err
	}
	words := &keptBinds{conn: conn, answers: make(chan string, 1), gone: s.gone}
	if state.Boxed {
		s.remote, s.binds = insideURL, words
	}
	go func() { // ends when the server has ended, or with our own end of the connection
		defer close(s.gone)
		for {
			answer, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			words.answers <- strings.TrimSuffix(answer, "\n")
		}
	}()
	if err := s.rpc.healthy(ctx, newID()); err != nil {
		s.stop(ctx)
		return nil, err
	}
	return s, nil
}

// keptBinds shows paths to a kept server by telling its keeper.
type keptBinds struct {
	mu      sync.Mutex
	conn    net.Conn
	answers chan string
	gone    chan struct{}
}

// Bind implements binder.
func (b *keptBinds) Bind(path string, write bool) error {
	if write {
		return b.say(wordWrite, path)
	}
	return b.say(wordRead, path)
}

// Unbind implements binder.
func (b *keptBinds) Unbind(path string) error { return b.say(wordHide, path) }

func (b *keptBinds) say(word, path string) error {
	if strings.ContainsAny(path, "\n\r") || len(path) > maxPath/2 {
		return fmt.Errorf("the path %q cannot be shown to Spark", path)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := b.conn.Write([]byte(word + " " + path + "\n")); err != nil {
		return fmt.Errorf("the keeper of the warm Spark server is gone: %w", err)
	}
	select {
	case answer := <-b.answers:
		if answer != "ok" {
			return errors.New(answer)
		}
		return nil
	case <-b.gone:
		return errors.New("the warm Spark server has ended")
	}
}

// speak opens a connection to a keeper and says a word.
func speak(ctx context.Context, state *keptState, word string) (net.Conn, error) {
	d := net.Dialer{Timeout: 5 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", state.Keeper)
	if err == nil {
		if _, err = conn.Write([]byte(state.Token + " " + word + "\n")); err != nil {
			_ = conn.Close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the keeper of the warm Spark server is gone: %w", err)
	}
	return conn, nil
}

// stopTime is how long a keeper may take to end its server.
const stopTime = 15 * time.Second

// tell says a word that may end the keeper, and reports whether it has ended.
func tell(ctx context.Context, state *keptState, word string) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	if conn, err := speak(ctx, state, word); err == nil {
		_ = conn.SetReadDeadline(time.Now().Add(stopTime))
		answer, _ := io.ReadAll(io.LimitReader(conn, 16))
		_ = conn.Close()
		if len(answer) > 0 {
			return false // somebody uses it
		}
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", state.Keeper)
		if err != nil {
			return ctx.Err() == nil
		}
		_ = conn.Close()
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}

// startKeeper starts a keeper and returns when its server answers.
func startKeeper(ctx context.Context, cfg Config, token string) (*keptState, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the own program: %w", err)
	}
	logFile, err := os.OpenFile(filepath.Join(cfg.KeepDir, "keeper.log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make the keeper's log: %w", err)
	}
	defer logFile.Close() //nolint:errcheck // the child holds its own copy
	request, err := json.Marshal(keeperRequest{
		Config: cfg, Token: token, Key: cfg.key(), State: filepath.Join(cfg.KeepDir, stateFile), Idle: cfg.KeepIdle,
	})
	if err != nil {
		return nil, fmt.Errorf("encode the keeper's request: %w", err)
	}
	cmd := exec.Command(self)                 //nolint:gosec,noctx // G204: our own program; it outlives the caller
	cmd.Env = []string{keeperVariable + "=1"} // and nothing of ours that could be a secret
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "GOCOVERDIR"} {
		if value := os.Getenv(name); value != "" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	cmd.Dir = cfg.KeepDir
	cmd.Stdin = strings.NewReader(string(request))
	cmd.Stderr = logFile
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // not of the caller's terminal
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start the keeper of the Spark server: %w", err)
	}
	words := make(chan keeperWord, 1)
	go func() {
		var w keeperWord
		_ = json.NewDecoder(out).Decode(&w)
		words <- w
		_ = cmd.Wait() // collected when it ends while we live
	}()
	select {
	case w := <-words:
		switch {
		case w.Error != nil:
			return nil, w.Error
		case w.State == nil:
			return nil, &sparkwright.Error{
				Code: sparkwright.CodeUnavailable, Message: "the keeper of the Spark server ended at its start", Because: tailOf(logFile.Name()),
				Remedy: "set spark.keep_warm_seconds to 0 to do without it",
			}
		}
		return w.State, nil
	case <-ctx.Done():
		_ = cmd.Process.Kill() // its server ends with it
		return nil, sparkwright.Errorf(sparkwright.CodeCancelled, "the start of Spark was interrupted: %w", ctx.Err())
	}
}

// StopKept ends the kept server of a directory, also when it is in use.
// stopped is false when there was none.
func StopKept(ctx context.Context, dir string) (stopped bool) {
	state := readState(dir)
	if state == nil {
		return false
	}
	conn, err := speak(ctx, state, wordUse)
	if err != nil {
		_ = os.Remove(filepath.Join(dir, stateFile)) // left by a crash
		return false
	}
	_ = conn.Close()
	return tell(ctx, state, wordStop)
}

// Kept tells of the kept server of a directory, "" when there is none.
func Kept(ctx context.Context, dir string) string {
	state := readState(dir)
	if state == nil {
		return ""
	}
	conn, err := speak(ctx, state, wordUse)
	if err != nil {
		return ""
	}
	_ = conn.Close()
	return "port " + strconv.Itoa(state.Port) + ", kept by process " + strconv.Itoa(state.PID)
}
