package pgembed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	embedded "github.com/fergusstrange/embedded-postgres"

	"github.com/sparkwright/sparkwright"
)

const (
	keeperVariable = "SPARKWRIGHT_PG_KEEPER"
	startLimit     = 2 * time.Minute
	portTries      = 5
	reapLimit      = 5 * time.Second
)

// keeperRequest is the first line on the keeper's standard input.
type keeperRequest struct {
	Base     string            `json:"base"`
	Binaries string            `json:"binaries"`
	Password string            `json:"password"`
	Settings map[string]string `json:"settings"`
}

// keeperWord is one line on the keeper's standard output; one field is set.
type keeperWord struct {
	Text  string             `json:"text,omitempty"`  // what is being done
	Port  int                `json:"port,omitempty"`  // the server is ready
	Error *sparkwright.Error `json:"error,omitempty"` // it could not be started
}

// KeeperMain must be called first in main, and in TestMain of tests that use
// Start. In a process that Start has started as the keeper it does not return.
func KeeperMain() {
	if os.Getenv(keeperVariable) == "" {
		return
	}
	_ = os.Unsetenv(keeperVariable)
	if err := keep(os.Stdin, os.Stdout); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// keeperEnvironment holds nothing of the parent's but what programs need.
func keeperEnvironment(base string) []string {
	env := []string{keeperVariable + "=1", "TMPDIR=" + filepath.Join(base, "tmp"), "LC_ALL=C", "TZ=UTC", "PGCTLTIMEOUT=120"}
	for _, name := range []string{"PATH", "GOCOVERDIR"} {
		if value := os.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// keep runs PostgreSQL until in ends.
func keep(in io.Reader, out io.Writer) error {
	syscall.CloseOnExec(3) // the lock: ours, not PostgreSQL's
	// The terminal's signals are for the parent. When it is gone, writing to
	// it must not kill us.
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	adopt()

	dec := json.NewDecoder(in)
	var req keeperRequest
	if err := dec.Decode(&req); err != nil {
		return fmt.Errorf("keeper request: %w", err)
	}
	say := json.NewEncoder(out)
	server, port, err := run(req, func(text string) { _ = say.Encode(keeperWord{Text: text}) })
	if err != nil {
		_ = say.Encode(keeperWord{Error: startError(req, err)})
		return err
	}
	_ = say.Encode(keeperWord{Port: port})

	parent := make(chan struct{})
	go func() {
		defer close(parent)
		_, _ = io.Copy(io.Discard, io.MultiReader(dec.Buffered(), in))
	}()
	pid, err := serverPID(filepath.Join(req.Base, dataDir))
	if err != nil {
		return errors.Join(err, server.Stop())
	}
	died := watchServer(pid)
	select {
	case <-parent:
	case <-terminated:
	case <-died:
		return errors.New("PostgreSQL has ended by itself")
	}
	if err := server.Stop(); err != nil { // its directory may have been removed
		return errors.Join(fmt.Errorf("stop PostgreSQL: %w", err), end(context.Background(), pid))
	}
	timer := time.NewTimer(reapLimit)
	defer timer.Stop()
	select {
	case <-died:
	case <-timer.C:
	}
	return nil
}

// run creates the cluster when there is none and starts the server.
func run(req keeperRequest, progress func(string)) (*embedded.EmbeddedPostgres, int, error) {
	complete := filepath.Join(req.Base, completeFile)
	data := filepath.Join(req.Base, dataDir)
	_, err := os.Stat(complete)
	fresh := err != nil
	if fresh {
		// What a broken-off creation has left looks like a whole one.
		if err = os.RemoveAll(data); err != nil {
			return nil, 0, err
		}
		progress("Creating the database cluster")
	} else {
		if err = checkVersion(data); err != nil {
			return nil, 0, err
		}
		progress("Starting PostgreSQL " + Version)
	}
	tmp := filepath.Join(req.Base, "tmp")
	if err = errors.Join(os.RemoveAll(tmp), os.MkdirAll(tmp, 0o700)); err != nil {
		return nil, 0, err
	}
	server, port, err := startAnywhere(req)
	if err != nil || !fresh {
		return server, port, err
	}
	if err := finishCluster(data, complete); err != nil {
		return nil, 0, errors.Join(err, server.Stop())
	}
	return server, port, nil
}

// startAnywhere starts the server on a free port; another process may take
// the port in between, then the next one is tried.
func startAnywhere(req keeperRequest) (*embedded.EmbeddedPostgres, int, error) {
	var last error
	for range portTries {
		port, err := freePort()
		if err != nil {
			return nil, 0, err
		}
		server := embedded.NewDatabase(embedded.DefaultConfig().
			Version(Version).
			Port(uint32(port)). //nolint:gosec // a port
			Username(superuser).
			Password(req.Password).
			Database(maintenance).
			Locale("C").
			Encoding("UTF8").
			BinariesPath(req.Binaries).
			CachePath(filepath.Join(req.Base, "tmp")).
			RuntimePath(filepath.Join(req.Base, "run")).
			DataPath(filepath.Join(req.Base, dataDir)).
			StartParameters(serverSettings(req.Settings)).
			StartTimeout(startLimit).
			Logger(io.Discard))
		last = server.Start()
		if last == nil {
			return server, port, nil
		}
		if !strings.Contains(last.Error(), "already listening") && !strings.Contains(last.Error(), "Address already in use") {
			break
		}
	}
	return nil, 0, last
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // does not wait
	if err != nil {
		return 0, err
	}
	addr, ok := l.Addr().(*net.TCPAddr)
	if err := l.Close(); err != nil || !ok {
		return 0, errors.Join(errors.New("no free port"), err)
	}
	return addr.Port, nil
}

// serverSettings are PostgreSQL's settings, the user's last.
func serverSettings(own map[string]string) map[string]string {
	settings := map[string]string{
		"listen_addresses":         "127.0.0.1",
		"unix_socket_directories":  "",
		"max_connections":          "100",
		"shared_buffers":           "128MB",
		"timezone":                 "UTC",
		"log_timezone":             "UTC",
		"logging_collector":        "on",
		"log_directory":            "log",
		"log_filename":             "postgresql-%a.log",
		"log_rotation_age":         "1d",
		"log_truncate_on_rotation": "on",
		"jit":                      "off",
	}
	maps.Copy(settings, own)
	return settings
}

// finishCluster lets passwords cross the connection only hashed, and marks the
// cluster as whole.
func finishCluster(data, complete string) error {
	const rules = "# Only this machine, only with a password.\nhost all all 127.0.0.1/32 scram-sha-256\n"
	if err := os.WriteFile(filepath.Join(data, "pg_hba.conf"), []byte(rules), 0o600); err != nil {
		return err
	}
	pid, err := serverPID(data)
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
		return err
	}
	return os.WriteFile(complete, []byte(Version+"\n"), 0o600)
}

// checkVersion refuses data of another major version.
func checkVersion(data string) error {
	content, err := os.ReadFile(filepath.Join(data, "PG_VERSION")) //nolint:gosec // our own directory
	if err != nil {
		return err
	}
	if got := strings.TrimSpace(string(content)); got != majorVersion {
		return &sparkwright.Error{
			Code:    sparkwright.CodeConflict,
			Message: "the data in " + data + " is of PostgreSQL " + got + ", this sparkwright runs " + majorVersion,
			Remedy:  "remove that directory; demo data is created again",
		}
	}
	return nil
}

// serverPID is the first line of the server's pid file.
func serverPID(data string) (int, error) {
	content, err := os.ReadFile(filepath.Join(data, "postmaster.pid")) //nolint:gosec // our own directory
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid <= 1 {
		return 0, errors.New("postmaster.pid holds no process id")
	}
	return pid, nil
}

// startError turns what the library says into an error for people.
func startError(req keeperRequest, err error) *sparkwright.Error {
	if e, ok := errors.AsType[*sparkwright.Error](err); ok {
		return e
	}
	text := strings.ReplaceAll(err.Error(), req.Password, "***")
	if isFull(err) || strings.Contains(text, "No space left on device") {
		return &sparkwright.Error{
			Code: sparkwright.CodeResource, Message: "PostgreSQL could not be started", Because: "no space is left on the disk of " + req.Base,
			Remedy: "free some space there",
		}
	}
	return &sparkwright.Error{
		Code: sparkwright.CodeUnavailable, Message: "PostgreSQL could not be started", Because: strings.TrimSpace(text),
		Remedy: "see the files in " + filepath.Join(req.Base, dataDir, "log"),
	}
}
