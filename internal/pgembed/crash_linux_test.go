package pgembed_test

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
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
