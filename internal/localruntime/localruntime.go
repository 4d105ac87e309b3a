// Package localruntime installs and finds what local runs need: a private
// Python environment with a pinned pyspark, the pgjdbc driver, and Java.
//
// Everything lies in <home>/runtime/<fingerprint>, where the fingerprint is
// that of the pinned requirements: another version is another directory. An
// install is a list of steps, each of which leaves a marker when it is
// complete; a half-finished install is continued, and a step whose outcome is
// gone is done again. A file lock makes two installing processes safe: the
// second waits and finds the work done.
package localruntime

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/python"
)

// The PostgreSQL JDBC driver, as Maven Central publishes it.
const (
	DriverVersion = "42.7.8"
	driverPath    = "org/postgresql/postgresql/" + DriverVersion + "/" + driverName
	driverName    = "postgresql-" + DriverVersion + ".jar"
	driverSHA256  = "2a32a9dcbc42d67a50ad3a0de5efd102c8d2be46720045f2cbd6689f160ab7c7"
)

// needBytes is the disk space that a fresh install takes, with room for the
// packages while they are unpacked.
const needBytes = 2 << 30

// Options say where and from where.
type Options struct {
	Home     string              // the data directory
	Python   string              // interpreter to build the environment with; "" = python3 on PATH
	MavenURL string              // base URL of the Maven repository
	Progress func(text string)   // may be nil
	Getenv   func(string) string // JAVA_HOME and PATH; nil = os.Getenv
}

// Runtime is an installed runtime.
type Runtime struct {
	Dir       string // everything below it is ours
	Python    string // the private environment's interpreter
	SparkHome string
	ClientDir string // PYTHONPATH of the client process
	Driver    string // the JDBC driver's jar
	JavaHome  string // "" = java on PATH
}

// Status is what `sparkwright runtime status` shows.
type Status struct {
	Dir      string `json:"dir"`
	Complete bool   `json:"complete"`
	Steps    []Step `json:"steps"`
	Bytes    int64  `json:"bytes"`
}

// Step is one part of the install.
type Step struct {
	Name string `json:"name"`
	Done bool   `json:"done"`
	Note string `json:"note,omitempty"`
}

type step struct {
	name string
	text string
	// ok looks whether the outcome is there.
	ok func() bool
	do func(ctx context.Context) error
}

// Install makes the runtime complete and returns it. Errors have CodeMissing
// (Python or Java), CodeUnavailable (network), CodeResource (disk).
func Install(ctx context.Context, opt Options) (*Runtime, error) {
	rt, err := layout(opt)
	if err != nil {
		return nil, err
	}
	if rt.JavaHome, err = findJava(ctx, opt); err != nil {
		return nil, err
	}
	steps := rt.steps(opt)
	if complete(rt, steps) {
		return rt, nil
	}
	root := filepath.Dir(rt.Dir)
	if err = os.MkdirAll(root, 0o750); err != nil {
		return nil, diskError("create the runtime directory", err)
	}
	unlock, err := lock(ctx, filepath.Join(root, "install.lock"), opt)
	if err != nil {
		return nil, err
	}
	defer unlock()
	// Under the lock: one who removes the runtime may have held it.
	if err := os.MkdirAll(rt.Dir, 0o750); err != nil {
		return nil, diskError("create the runtime directory", err)
	}
	if !rt.done("python") || !rt.sparkThere() {
		if err := checkDisk(rt.Dir, needBytes); err != nil {
			return nil, err
		}
	}
	for i, s := range steps {
		if rt.done(s.name) && s.ok() {
			continue
		}
		_ = os.Remove(rt.marker(s.name))
		opt.say("%d/%d %s", i+1, len(steps), s.text)
		if err := s.do(ctx); err != nil {
			return nil, err
		}
		if !s.ok() {
			return nil, &sparkwright.Error{
				Code: sparkwright.CodeInternal, Message: "the runtime step " + s.name + " ended without its outcome",
				Remedy: "sparkwright runtime remove && sparkwright runtime install",
			}
		}
		if err := os.WriteFile(rt.marker(s.name), []byte(time.Now().UTC().Format(time.RFC3339)+"\n"), 0o600); err != nil {
			return nil, diskError("record a finished step", err)
		}
	}
	return rt, nil
}

// Inspect tells what is installed, without changing anything.
func Inspect(ctx context.Context, opt Options) (*Status, error) {
	rt, err := layout(opt)
	if err != nil {
		return nil, err
	}
	st := &Status{Dir: rt.Dir, Complete: true}
	java, err := findJava(ctx, opt)
	javaStep := Step{Name: "java", Done: err == nil, Note: java}
	if err != nil {
		javaStep.Note = err.Error()
	}
	st.Steps = append(st.Steps, javaStep)
	for _, s := range rt.steps(opt) {
		st.Steps = append(st.Steps, Step{Name: s.name, Done: rt.done(s.name) && s.ok()})
	}
	for _, s := range st.Steps {
		st.Complete = st.Complete && s.Done
	}
	err = filepath.WalkDir(rt.Dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			st.Bytes += info.Size()
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("measure the runtime: %w", err)
	}
	return st, nil
}

// Remove deletes every installed runtime. It waits for an install that is
// under way.
func Remove(ctx context.Context, opt Options) error {
	rt, err := layout(opt)
	if err != nil {
		return err
	}
	root := filepath.Dir(rt.Dir)
	if _, err = os.Stat(root); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	unlock, err := lock(ctx, filepath.Join(root, "install.lock"), opt)
	if err != nil {
		return err
	}
	defer unlock()
	entries, err := os.ReadDir(root)
	if err != nil {
		return fmt.Errorf("list runtimes: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := os.RemoveAll(filepath.Join(root, e.Name())); err != nil {
				return diskError("remove the runtime", err)
			}
		}
	}
	return nil
}

// Fingerprint identifies the pinned contents: requirements, client and driver.
func Fingerprint() (string, error) {
	h := sha256.New()
	err := fs.WalkDir(python.FS, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := python.FS.ReadFile(path)
		_, _ = fmt.Fprintf(h, "%s\x00%s\x00", path, text)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read the embedded client: %w", err)
	}
	_, _ = h.Write([]byte(driverSHA256))
	return hex.EncodeToString(h.Sum(nil))[:12], nil
}

func layout(opt Options) (*Runtime, error) {
	if opt.Home == "" {
		return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "no data directory is set")
	}
	root, err := filepath.Abs(opt.Home)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	reqs, err := python.FS.ReadFile("requirements.txt")
	if err != nil {
		return nil, fmt.Errorf("read the embedded requirements: %w", err)
	}
	fp, err := Fingerprint()
	if err != nil {
		return nil, err
	}
	// The environment is large: it belongs to the requirements alone, so that
	// another client version does not install pyspark again.
	sum := sha256.Sum256(reqs)
	dir := filepath.Join(runtimes(root), hex.EncodeToString(sum[:])[:12])
	return &Runtime{
		Dir: dir, Python: filepath.Join(dir, "venv", "bin", "python"),
		SparkHome: filepath.Join(dir, "spark"), ClientDir: filepath.Join(dir, "client-"+fp),
		Driver: filepath.Join(dir, "jars", driverName),
	}, nil
}

// runtimes is the directory of all runtimes, by its own name: Java takes the
// archive of classes under that alone.
func runtimes(home string) string {
	dir := filepath.Join(home, "runtime")
	if own, err := filepath.EvalSymlinks(dir); err == nil {
		return own
	}
	return dir
}

func (rt *Runtime) venv() string { return filepath.Join(rt.Dir, "venv") }

func lock(ctx context.Context, path string, opt Options) (func(), error) {
	l := flock.New(path)
	ok, err := l.TryLock()
	if err == nil && !ok {
		opt.say("waiting for another process that installs the runtime")
		ok, err = l.TryLockContext(ctx, 200*time.Millisecond)
	}
	if ctx.Err() != nil {
		if ok {
			_ = l.Unlock()
		}
		return nil, cancelled(ctx)
	}
	if err != nil {
		return nil, diskError("lock the runtime", err)
	}
	if !ok {
		return nil, sparkwright.Errorf(sparkwright.CodeConflict, "another process holds the runtime's lock")
	}
	return func() { _ = l.Unlock() }, nil
}

func (o Options) say(format string, args ...any) {
	if o.Progress != nil {
		o.Progress(fmt.Sprintf(format, args...))
	}
}

func (o Options) bytes(name string) func(done, total int64) {
	last := int64(-1)
	return func(done, total int64) {
		if total <= 0 {
			return
		}
		if p := done * 10 / total; p != last {
			last = p
			o.say("%s %d%%", name, p*10)
		}
	}
}

func (o Options) getenv(key string) string {
	if o.Getenv != nil {
		return o.Getenv(key)
	}
	return os.Getenv(key)
}

// lookPath is exec.LookPath on the options' PATH.
func (o Options) lookPath(name string) (string, error) {
	for _, dir := range filepath.SplitList(o.getenv("PATH")) {
		if !filepath.IsAbs(dir) {
			continue // the current directory is not a place for programs
		}
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", exec.ErrNotFound
}
