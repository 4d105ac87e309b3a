package pgembed_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright/internal/pgembed"
)

// startHelper runs a program that starts a server in dir, as that user or, with
// nil, as the one who runs the tests.
func startHelper(t *testing.T, program, dir, cache string, as *syscall.Credential) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(program)
	cmd.Dir = filepath.Dir(dir)
	cmd.Env = append(os.Environ(), helperVariable+"="+dir, "PGEMBED_TEST_CACHE="+cache)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Process.Kill()
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
	})
	line, _ := bufio.NewReader(out).ReadString('\n')
	if !strings.HasPrefix(line, "ready ") {
		t.Fatalf("helper: %q", line)
	}
	return cmd
}

// serverPID is the process id in the pid file below dir.
func serverPID(t *testing.T, data string) int {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.SplitN(string(content), "\n", 2)[0])
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// stat returns a field of /proc/<pid>/stat, counted from the state on; "" when
// there is no such process.
func stat(pid, field int) string {
	content, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	return strings.Fields(string(content[bytes.LastIndexByte(content, ')')+2:]))[field]
}

func running(pid int) bool {
	state := stat(pid, 0)
	return state != "" && state != "Z" && state != "X"
}

// eventually polls until ok, and fails the test when that takes a minute.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	limit := time.After(time.Minute)
	for !ok() {
		select {
		case <-limit:
			t.Fatalf("not within a minute: %s", what)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestParentKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := startHelper(t, self(t), dir, cacheDir(), nil)
	pid := serverPID(t, filepath.Join(dir, "server", "data"))
	if !running(pid) {
		t.Fatal("no server runs")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "PostgreSQL ends after its parent", func() bool { return !running(pid) })
	if got := ask(t, start(t, options(dir)), "SELECT answer::text FROM kept"); got != "42" {
		t.Errorf("answer %q", got)
	}
}

func TestStartWaitsForTheEndOfADeadParentsServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := startHelper(t, self(t), dir, cacheDir(), nil)
	_ = cmd.Process.Kill()
	_, _ = cmd.Process.Wait()
	if got := ask(t, start(t, options(dir)), "SELECT answer::text FROM kept"); got != "42" {
		t.Errorf("answer %q", got)
	}
}

func TestKeeperKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	srv := start(t, options(dir))
	_ = ask(t, srv, "CREATE TABLE kept AS SELECT 42 AS answer; SELECT 'made'")
	orphan := serverPID(t, filepath.Join(dir, "server", "data"))
	keeper, err := strconv.Atoi(stat(orphan, 1)) // its parent
	if err != nil || keeper == 1 {
		t.Fatalf("keeper %d, %v", keeper, err)
	}
	if err := syscall.Kill(keeper, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-srv.Done()
	if !running(orphan) {
		t.Fatal("this test needs the server to survive its keeper")
	}
	second := start(t, options(dir))
	if running(orphan) {
		t.Error("the orphan still runs")
	}
	if got := ask(t, second, "SELECT answer::text FROM kept"); got != "42" {
		t.Errorf("answer %q", got)
	}
	// Stopping the first one must leave the second alone.
	stop(t, srv)
	if got := ask(t, second, "SELECT 'still here'"); got != "still here" {
		t.Error(got)
	}
}

func TestStopEndsAnOrphan(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	srv := start(t, options(dir))
	orphan := serverPID(t, filepath.Join(dir, "server", "data"))
	keeper, _ := strconv.Atoi(stat(orphan, 1))
	if err := syscall.Kill(keeper, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-srv.Done()
	stop(t, srv)
	if running(orphan) {
		t.Error("the orphan still runs")
	}
}

func TestServerKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	srv := start(t, options(dir))
	_ = ask(t, srv, "CREATE TABLE kept AS SELECT 42 AS answer; SELECT 'made'")
	if err := syscall.Kill(serverPID(t, filepath.Join(dir, "server", "data")), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-srv.Done() // it is noticed
	if got := ask(t, start(t, options(dir)), "SELECT answer::text FROM kept"); got != "42" {
		t.Errorf("answer %q", got)
	}
}

func TestStalePidFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	srv := start(t, options(dir))
	stop(t, srv)
	// A process id that was given to another program of this user.
	other := exec.Command("sleep", "600")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	data := filepath.Join(dir, "server", "data")
	content := strconv.Itoa(other.Process.Pid) + "\n" + data + "\n1700000000\n5432\n\n127.0.0.1\n  12345         0\nready\n"
	if err := os.WriteFile(filepath.Join(data, "postmaster.pid"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, start(t, options(dir)), "SELECT 'works'"); got != "works" {
		t.Error(got)
	}
	if !running(other.Process.Pid) {
		t.Error("the other program was stopped")
	}
}

func TestPasswordIsInNoCommandLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	seen := 0
	look := func(password string) {
		files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err == nil && password != "" && bytes.Contains(content, []byte(password)) {
				t.Errorf("%s: %q", file, content)
			}
			if err == nil && bytes.Contains(content, []byte(dir)) {
				seen++
			}
		}
	}
	done := make(chan struct{})
	stopped := make(chan struct{})
	go func() { // also while it is created
		defer close(stopped)
		for {
			password, _ := os.ReadFile(filepath.Join(dir, "password"))
			look(string(password))
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	srv := start(t, options(dir))
	_ = ask(t, srv, "SELECT 'works'")
	close(done)
	<-stopped
	if seen == 0 {
		t.Error("no command line of the server was looked at")
	}
}

// TestOtherUsers runs the server in each way that this user can choose.
func TestOtherUsers(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		// An ordinary user has one way only, which all other tests take.
		return
	}
	t.Run("root without namespaces", func(t *testing.T) {
		t.Parallel()
		o := options(publicDir(t))
		o.NoNamespace = true
		removeElsewhere(t, o.Dir)
		checkOwner(t, o, filepath.Join(o.Dir, "server", "data"), 65534)
	})
	t.Run("root without namespaces in a private directory", func(t *testing.T) {
		t.Parallel()
		o := options(t.TempDir())
		o.NoNamespace = true
		removeElsewhere(t, o.Dir)
		srv := start(t, o)
		if got := ask(t, srv, "SELECT 'works'"); got != "works" {
			t.Error(got)
		}
		info, err := os.Stat(o.Dir)
		if err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
			t.Errorf("%s was changed: %v, %v", o.Dir, info, err)
		}
	})
	t.Run("root with namespaces", func(t *testing.T) {
		t.Parallel()
		o := options(t.TempDir())
		checkOwner(t, o, filepath.Join(o.Dir, "server", "data"), 0)
	})
	t.Run("root changes the way", func(t *testing.T) {
		t.Parallel()
		o := options(publicDir(t))
		removeElsewhere(t, o.Dir)
		srv := start(t, o)
		_ = ask(t, srv, "CREATE TABLE kept AS SELECT 42 AS answer; SELECT 'made'")
		stop(t, srv)
		o.NoNamespace = true
		srv = start(t, o)
		if got := ask(t, srv, "SELECT answer::text FROM kept"); got != "42" {
			t.Error(got)
		}
		stop(t, srv)
		o.NoNamespace = false
		if got := ask(t, start(t, o), "SELECT answer::text FROM kept"); got != "42" {
			t.Error(got)
		}
	})
	t.Run("ordinary user", func(t *testing.T) { t.Parallel(); checkUser(t, 1) })
	t.Run("ordinary user without a name", func(t *testing.T) { t.Parallel(); checkUser(t, 54321) })
}

// checkUser runs a program that starts a server as that user.
func checkUser(t *testing.T, uid uint32) {
	t.Helper()
	dir := publicDir(t)
	program := filepath.Join(dir, "program")
	copyFile(t, self(t), program)
	theirs := filepath.Join(dir, "home")
	cache := filepath.Join(theirs, "cache")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	jars, _ := filepath.Glob(filepath.Join(cacheDir(), "*.jar"))
	if len(jars) == 0 { // nothing was downloaded yet
		stop(t, start(t, options(t.TempDir())))
		jars, _ = filepath.Glob(filepath.Join(cacheDir(), "*.jar"))
	}
	for _, jar := range jars {
		copyFile(t, jar, filepath.Join(cache, filepath.Base(jar)))
	}
	if err := exec.Command("chown", "-R", fmt.Sprintf("%d:%d", uid, uid), theirs).Run(); err != nil {
		t.Fatal(err)
	}
	cmd := startHelper(t, program, filepath.Join(theirs, "pg"), cache, &syscall.Credential{Uid: uid, Gid: uid})
	data := filepath.Join(theirs, "pg", "server", "data")
	pid := serverPID(t, data)
	if owner := fileOwner(t, "/proc/"+strconv.Itoa(pid)); owner != uid {
		t.Errorf("the server runs as %d", owner)
	}
	_ = cmd.Process.Kill()
	eventually(t, "PostgreSQL ends after its parent", func() bool { return !running(pid) })
	// Root does not take over what a user has made. PostgreSQL may be gone before
	// the killed process is quite: then the directory is in use.
	var err error
	eventually(t, "the directory is free", func() bool {
		_, err = pgembed.Start(t.Context(), options(filepath.Join(theirs, "pg")))
		return err == nil || !strings.Contains(err.Error(), "is in use")
	})
	if err == nil || !strings.Contains(err.Error(), "belongs to another user") {
		t.Errorf("start by root: %v", err)
	}
}

// removeElsewhere removes, at the end, the directory that is used when uid
// 65534 may not enter dir or the cache.
func removeElsewhere(t *testing.T, dir string) {
	t.Helper()
	sum := sha256.Sum256([]byte(dir))
	path := "/var/tmp/sparkwright-postgres-" + hex.EncodeToString(sum[:8])
	t.Cleanup(func() { _ = os.RemoveAll(path) })
}

// publicDir is a directory that every user may enter.
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "pgembed-test-") //nolint:usetesting // t.TempDir is private to its user
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func checkOwner(t *testing.T, o pgembed.Options, data string, uid uint32) {
	t.Helper()
	srv := start(t, o)
	if got := ask(t, srv, "SELECT 'works'"); got != "works" {
		t.Error(got)
	}
	if owner := fileOwner(t, data); owner != uid {
		t.Errorf("%s belongs to %d, want %d", data, owner, uid)
	}
	if status, err := os.ReadFile("/proc/" + strconv.Itoa(serverPID(t, data)) + "/status"); err != nil || !bytes.Contains(status, []byte("CapEff:\t0000000000000000")) {
		t.Errorf("the server has privileges: %s, %v", status, err)
	}
}

func fileOwner(t *testing.T, path string) uint32 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Uid
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o755); err != nil {
		t.Fatal(err)
	}
}
