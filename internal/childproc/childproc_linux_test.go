package childproc_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright/internal/childproc"
)

// parentRole makes this test binary a parent that starts the script in its
// first argument and waits to be killed.
const parentRole = "CHILDPROC_TEST_ON_DEATH"

func TestMain(m *testing.M) {
	if sig := os.Getenv(parentRole); sig != "" {
		n, _ := strconv.Atoi(sig)
		cmd := exec.Command("/bin/sh", "-c", os.Args[1])
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		child, err := childproc.Start(cmd, syscall.Signal(n))
		if err != nil {
			panic(err)
		}
		<-child.Done()
		os.Exit(3)
	}
	os.Exit(m.Run())
}

// family is a head that prints its own id and that of a member of its group.
const family = `sh -c 'trap "" TERM; while :; do sleep 1; done' & echo $$ $!; wait`

// alone is a head without members: the kernel's signal reaches the head only.
const alone = `echo $$ $$; while :; do sleep 0.1; done`

func TestParentKilled(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		onDeath syscall.Signal
		script  string
	}{
		{"killed", syscall.SIGKILL, alone},
		{"asked to end", syscall.SIGTERM, alone},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], test.script)
			cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", parentRole, test.onDeath))
			cmd.Stderr = os.Stderr
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			pids := readPIDs(t, out)
			for _, pid := range pids {
				if gone(pid) {
					t.Fatalf("%d ended before its parent", pid)
				}
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			awaitGone(t, pids...)
		})
	}
}

func TestStopKillsWhatIgnoresSIGTERM(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		script string
	}{
		{"head and member", `trap "" TERM; ` + family},
		{"only the member", family},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			child, pids := start(t, test.script)
			child.Stop(t.Context(), 100*time.Millisecond)
			if !child.Ended() {
				t.Error("Stop returned before the child was done")
			}
			if child.ExitCode() == 0 || child.Err() == nil {
				t.Errorf("exit code %d, error %v of a stopped child", child.ExitCode(), child.Err())
			}
			awaitGone(t, pids...)
			child.Stop(t.Context(), time.Hour) // a second time returns at once
			if err := child.Signal(syscall.SIGKILL); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestStopDoesNotWaitPastItsContext(t *testing.T) {
	t.Parallel()
	child, pids := start(t, `trap "" TERM; `+family)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	child.Stop(ctx, time.Hour)
	awaitGone(t, pids...)
}

func TestNothingIsLeftWhenTheHeadEnds(t *testing.T) {
	t.Parallel()
	child, pids := start(t, `sleep 600 & echo $$ $!; exit 7`)
	<-child.Done()
	if child.ExitCode() != 7 {
		t.Errorf("exit code %d, want 7", child.ExitCode())
	}
	awaitGone(t, pids...)
}

func TestStopLetsTheChildEndItself(t *testing.T) {
	t.Parallel()
	child, _ := start(t, `trap 'exit 5' TERM; echo $$ $$; while :; do sleep 0.05; done`)
	child.Stop(t.Context(), time.Hour)
	if child.ExitCode() != 5 {
		t.Errorf("exit code %d, want 5: it was not asked, or not waited for", child.ExitCode())
	}
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	_, err := childproc.Start(exec.CommandContext(t.Context(), "/nowhere/program"), syscall.SIGKILL)
	if err == nil || !strings.Contains(err.Error(), "/nowhere/program") {
		t.Errorf("error %v does not name the program", err)
	}
}

func TestAlive(t *testing.T) {
	t.Parallel()
	self := childproc.Self()
	host, rest, _ := strings.Cut(self, "/")
	pid, began, _ := strings.Cut(rest, "/")
	// A process that has ended and is not waited for.
	zombie := exec.CommandContext(t.Context(), "/bin/true")
	if err := zombie.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = zombie.Wait() })
	awaitGone(t, zombie.Process.Pid)
	for _, test := range []struct {
		name string
		self string
		want bool
	}{
		{"this process", self, true},
		{"its id, another start time", host + "/" + pid + "/" + began + "1", false},
		{"its id, no start time", host + "/" + pid + "/", false},
		{"another machine", "elsewhere.invalid/1/1", true},
		{"a zombie", identityOf(t, host, zombie.Process.Pid), false},
		{"no such process", host + "/4194305/1", false},
		{"not an identity", "nonsense", false},
		{"empty", "", false},
		{"the own group", host + "/0/", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := childproc.Alive(test.self); got != test.want {
				t.Errorf("Alive(%q) = %v, want %v", test.self, got, test.want)
			}
		})
	}
}

// start starts a script that prints two process ids first.
func start(t *testing.T, script string) (*childproc.Child, []int) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close() //nolint:errcheck // read only
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "/bin/sh", "-c", script)
	cmd.Stdout, cmd.Stderr = w, os.Stderr
	child, err := childproc.Start(cmd, syscall.SIGKILL)
	_ = w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { child.Stop(context.WithoutCancel(t.Context()), 0) })
	return child, readPIDs(t, r)
}

func readPIDs(t *testing.T, r io.Reader) []int {
	t.Helper()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var head, member int
	if _, err := fmt.Sscan(line, &head, &member); err != nil {
		t.Fatal(err)
	}
	return []int{head, member}
}

// stat returns the state and the start time of a process.
func stat(pid int) (state, began string) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", ""
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	return fields[0], fields[19]
}

func gone(pid int) bool {
	state, _ := stat(pid)
	return state == "" || state == "Z" || state == "X"
}

// awaitGone fails when a process still runs after a time that is far longer
// than any grace.
func awaitGone(t *testing.T, pids ...int) {
	t.Helper()
	deadline := time.After(time.Minute)
	for _, pid := range pids {
		for !gone(pid) {
			select {
			case <-deadline:
				_ = syscall.Kill(pid, syscall.SIGKILL)
				t.Fatalf("process %d is left", pid)
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
}

func identityOf(t *testing.T, host string, pid int) string {
	t.Helper()
	state, began := stat(pid)
	if state != "Z" {
		t.Fatalf("process %d has state %q, want a zombie", pid, state)
	}
	return fmt.Sprintf("%s/%d/%s", host, pid, began)
}
