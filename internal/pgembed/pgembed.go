// Package pgembed runs a private PostgreSQL for the demo and the tests. Its
// binaries are downloaded once and verified by checksum.
//
// PostgreSQL is started by a keeper: this very program, started again with an
// environment variable set, which waits for its standard input to end. It ends
// when the parent stops the server and also when the parent dies, however it
// dies; the keeper then shuts PostgreSQL down. When the keeper itself is killed,
// the next Start on the same directory finds the server by its pid file and
// stops it first. So each program that uses this package calls KeeperMain
// first of all.
//
// PostgreSQL refuses to run as root. On Linux the keeper of root therefore
// runs in a user namespace in which its one user is not root; where user
// namespaces are not allowed it runs as uid 65534. No user is created, and no
// owner or mode is changed outside the server's own directory.
package pgembed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
)

// Options says where the server lives.
type Options struct {
	Dir           string // holds the data, the password and the locks; made when missing
	CacheDir      string // holds the binaries; may be shared by any number of servers
	RepositoryURL string // Maven repository; "" = Maven Central
	// Progress is told what is being done, for people. May be nil.
	Progress func(text string)
	// Settings are added to PostgreSQL's settings: values of letters, digits,
	// spaces and -_.,:/%+ only.
	Settings map[string]string
	// NoNamespace makes root use uid 65534 even where user namespaces work.
	NoNamespace bool
}

const (
	superuser    = "sparkwright_owner"
	maintenance  = "postgres" // the database that is always there
	keeperGrace  = 90 * time.Second
	settingsNote = "letters, digits, spaces and -_.,:/%+"
)

var (
	settingName  = regexp.MustCompile(`^[a-z][a-z0-9_.]*$`)
	settingValue = regexp.MustCompile(`^[A-Za-z0-9 _.,:/%+-]*$`)
)

// Server is a running PostgreSQL. Its methods are safe for concurrent use.
type Server struct {
	dir    string
	base   string
	port   int
	stdin  io.Closer
	locks  *locks
	exited chan struct{} // closed when the keeper is gone and the locks are free
	fault  error         // how the keeper ended; read after exited
}

// Start starts the server of o.Dir, creating it when there is none, and
// returns when it accepts connections. What was stored in it before is there.
// The server outlives ctx; it is stopped by Stop or by the end of this process.
//
// Errors are *sparkwright.Error: CodeConflict when another process uses o.Dir,
// CodeUnavailable when the binaries cannot be downloaded, CodeResource when the
// disk is full.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	var err error
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "the directory of PostgreSQL: %w", err)
	}
	if o.CacheDir, err = filepath.Abs(o.CacheDir); err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "the cache directory of PostgreSQL: %w", err)
	}
	for name, value := range o.Settings {
		if !settingName.MatchString(name) || !settingValue.MatchString(value) {
			return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "the PostgreSQL setting %s has other characters than %s", name, settingsNote)
		}
	}
	if err = os.MkdirAll(o.Dir, 0o755); err != nil { //nolint:gosec // what is secret in it has its own mode
		return nil, diskError(o.Dir, err)
	}
	held, err := acquire(ctx, o.Dir)
	if err != nil {
		return nil, err
	}
	srv, err := start(ctx, o, held)
	if err != nil {
		held.release()
		return nil, err
	}
	return srv, nil
}

// start does Start's work under the locks.
func start(ctx context.Context, o Options, held *locks) (*Server, error) {
	var refused error
	for _, id := range identities(o.NoNamespace) {
		place, err := id.prepare(o)
		if err != nil {
			return nil, err
		}
		if err = ensureBinaries(ctx, o, place.binaries); err != nil {
			return nil, err
		}
		password, err := ensurePassword(o.Dir, place.base)
		if err != nil {
			return nil, err
		}
		if err = stopOrphan(ctx, place.data()); err != nil {
			return nil, err
		}
		srv, err := launch(ctx, o, id, place, password, held)
		if id.refused(err) {
			refused = err
			continue
		}
		return srv, err
	}
	return nil, &sparkwright.Error{
		Code: sparkwright.CodeUnavailable, Message: "PostgreSQL cannot be started by this user here",
		Because: fmt.Sprint(refused), Remedy: "run sparkwright as an ordinary user", Err: refused,
	}
}

// launch starts the keeper and waits for its word that the server is ready.
func launch(ctx context.Context, o Options, id identity, place home, password string, held *locks) (*Server, error) {
	logFile, err := os.OpenFile(filepath.Join(o.Dir, "keeper.log"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, diskError(o.Dir, err)
	}
	defer func() { _ = logFile.Close() }()
	self, err := selfPath()
	if err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeInternal, "cannot find this program's own file: %w", err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self) //nolint:gosec // this very program
	cmd.Args[0] = "sparkwright-postgres-keeper"
	cmd.Dir = place.base
	cmd.Env = keeperEnvironment(place.base)
	cmd.Stderr = logFile
	cmd.ExtraFiles = []*os.File{held.keeper}
	cmd.SysProcAttr = id.attributes()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeInternal, "keeper of PostgreSQL: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeInternal, "keeper of PostgreSQL: %w", err)
	}
	if err = cmd.Start(); err != nil {
		_ = stdin.Close()
		return nil, fmt.Errorf("start the keeper of PostgreSQL: %w", err)
	}
	srv := &Server{dir: o.Dir, base: place.base, stdin: stdin, locks: held, exited: make(chan struct{})}
	words := make(chan keeperWord, 16)
	go srv.watch(cmd, out, words)

	request := keeperRequest{Base: place.base, Binaries: place.binaries, Password: password, Settings: o.Settings}
	if err = json.NewEncoder(stdin).Encode(request); err != nil { //nolint:gosec // through a pipe that only the keeper reads
		_ = stdin.Close()
	}
	for {
		select {
		case <-ctx.Done():
			_ = stdin.Close() // the keeper stops what it has started
			<-srv.exited
			return nil, &sparkwright.Error{Code: sparkwright.CodeCancelled, Message: "starting PostgreSQL was cancelled", Err: ctx.Err()}
		case word, more := <-words:
			switch {
			case !more:
				<-srv.exited
				return nil, &sparkwright.Error{
					Code: sparkwright.CodeUnavailable, Message: "PostgreSQL could not be started",
					Because: fmt.Sprintf("its keeper ended (%v)", srv.fault), Remedy: "see " + logFile.Name(), Err: srv.fault,
				}
			case word.Text != "":
				o.Progress(word.Text)
			case word.Error != nil:
				_ = stdin.Close()
				<-srv.exited
				return nil, word.Error
			case word.Port != 0:
				srv.port = word.Port
				return srv, nil
			}
		}
	}
}

// watch hands on what the keeper says until it is gone, then frees the locks.
func (s *Server) watch(cmd *exec.Cmd, out io.Reader, words chan<- keeperWord) {
	dec := json.NewDecoder(out)
	ready := false
	for {
		var word keeperWord
		if err := dec.Decode(&word); err != nil {
			break
		}
		if !ready {
			words <- word
			ready = word.Port != 0
		}
	}
	_, _ = io.Copy(io.Discard, out)
	s.fault = cmd.Wait()
	s.locks.release()
	close(s.exited)
	close(words)
}

// Connection is how to reach the server as its superuser, in the database
// "postgres"; set Database for another one. The host is loopback, the port
// differs from start to start.
func (s *Server) Connection() sparkwright.Connection {
	return sparkwright.Connection{
		Name: "embedded", Host: "127.0.0.1", Port: s.port, Database: maintenance, User: superuser,
		AuthMethod: sparkwright.AuthUserPassword, Secret: "file:" + filepath.Join(s.dir, passwordFile), TLS: sparkwright.TLSDisable,
	}
}

// Done is closed when the server is no longer looked after: it was stopped, or
// its keeper or PostgreSQL itself has died.
func (s *Server) Done() <-chan struct{} { return s.exited }

// CreateDatabase creates the database unless it exists.
func (s *Server) CreateDatabase(ctx context.Context, name string) error {
	password, err := os.ReadFile(filepath.Join(s.dir, passwordFile))
	if err != nil {
		return diskError(s.dir, err)
	}
	cfg, err := postgres.Config(s.Connection(), sparkwright.Credentials{User: superuser, Password: strings.TrimSpace(string(password))})
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return sparkwright.Errorf(sparkwright.CodeUnavailable, "cannot reach the embedded PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == "42P04" {
		return nil // duplicate_database
	}
	if err != nil {
		return sparkwright.Errorf(sparkwright.CodeInternal, "cannot create the database %q: %w", name, err)
	}
	return nil
}

// Stop shuts PostgreSQL down and returns when it is gone. Connections are
// closed, transactions rolled back. When ctx ends before, the shutdown still
// goes on. Safe to call twice.
func (s *Server) Stop(ctx context.Context) error {
	_ = s.stdin.Close()
	select {
	case <-s.exited:
	case <-ctx.Done():
		return &sparkwright.Error{Code: sparkwright.CodeTimeout, Message: "PostgreSQL is still shutting down", Err: ctx.Err()}
	}
	// A keeper that was killed has left the server running. Another Start may
	// hold the directory by now; then it is not ours any more.
	held, err := acquire(ctx, s.dir)
	if err != nil {
		return nil // whoever holds it looks after it
	}
	defer held.release()
	return stopOrphan(ctx, filepath.Join(s.base, dataDir))
}

// diskError tells that dir cannot be used.
func diskError(dir string, err error) error {
	out := &sparkwright.Error{
		Code: sparkwright.CodeResource, Message: "cannot use the directory " + dir, Because: err.Error(),
		Remedy: "make it writable for this user, or choose another one with SPARKWRIGHT_HOME", Err: err,
	}
	if isFull(err) {
		out.Because, out.Remedy = "no space is left on its disk", "free some space there"
	}
	return out
}
