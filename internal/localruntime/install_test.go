package localruntime_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gofrs/flock"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/localruntime"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

// TestRepair breaks one thing of a finished install: it is seen, and the next
// install mends it and does not do again what is whole.
func TestRepair(t *testing.T) {
	t.Parallel()
	remove := func(path func(rt *localruntime.Runtime) string) func(*testing.T, *localruntime.Runtime) {
		return func(t *testing.T, rt *localruntime.Runtime) {
			t.Helper()
			if err := os.RemoveAll(path(rt)); err != nil {
				t.Fatal(err)
			}
		}
	}
	write := func(text string, path func(rt *localruntime.Runtime) string) func(*testing.T, *localruntime.Runtime) {
		return func(t *testing.T, rt *localruntime.Runtime) {
			t.Helper()
			if err := os.WriteFile(path(rt), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	in := func(name string) func(rt *localruntime.Runtime) string {
		return func(rt *localruntime.Runtime) string { return filepath.Join(rt.Dir, name) }
	}
	for _, test := range []struct {
		name      string
		damage    func(*testing.T, *localruntime.Runtime)
		broken    string // the step that Inspect shows as not done; "client" for that of the client
		downloads int64
	}{
		{"driver gone", remove(func(rt *localruntime.Runtime) string { return rt.Driver }), "driver", 2},
		{"driver corrupt", write("not a jar", func(rt *localruntime.Runtime) string { return rt.Driver }), "driver", 2},
		{"driver's marker gone", remove(in("driver.done")), "driver", 1},
		{"client gone", remove(func(rt *localruntime.Runtime) string { return rt.ClientDir }), "client", 1},
		{"client's entry gone", remove(func(rt *localruntime.Runtime) string {
			return filepath.Join(rt.ClientDir, "sparkwright_client", "__main__.py")
		}), "client", 1},
		{"client's module cut", write("", func(rt *localruntime.Runtime) string {
			return filepath.Join(rt.ClientDir, "sparkwright_client", "worker.py")
		}), "client", 1},
		{"client's marker gone", remove(func(rt *localruntime.Runtime) string { return rt.ClientDir + ".done" }), "client", 1},
		{"environment's python gone", remove(func(rt *localruntime.Runtime) string { return rt.Python }), "environment", 1},
		{"environment gone", remove(in("venv")), "environment", 1},
		{"environment's marker gone", remove(in("environment.done")), "environment", 1},
		{"pip not done", func(t *testing.T, rt *localruntime.Runtime) {
			t.Helper()
			remove(in("python.done"))(t, rt)
			remove(in("spark"))(t, rt)
			remove(in("venv/pip-runs"))(t, rt)
		}, "python", 1},
		{"pip broken off", func(t *testing.T, rt *localruntime.Runtime) {
			t.Helper()
			remove(in("python.done"))(t, rt)
			write("", in("python.done.begun"))(t, rt)
		}, "python", 1},
		{"Spark's link gone", func(t *testing.T, rt *localruntime.Runtime) {
			t.Helper()
			remove(in("spark"))(t, rt)
			remove(in("venv/pip-runs"))(t, rt)
		}, "python", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			rt := b.install(t)
			b.checkComplete(t, true)
			test.damage(t, rt)
			for _, s := range b.checkComplete(t, false).Steps {
				name, _, _ := strings.Cut(s.Name, "-")
				if name == test.broken && s.Done {
					t.Errorf("step %s counts as done", s.Name)
				}
			}
			b.install(t)
			b.checkComplete(t, true)
			if got := b.downloads.Load(); got != test.downloads {
				t.Errorf("driver downloaded %d times, want %d", got, test.downloads)
			}
		})
	}
}

func TestSecondInstallDoesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.install(t)
	b.opt.MavenURL = "http://127.0.0.1:1"
	b.program(t, "python3", "exit 1")
	b.opt.Progress = func(text string) { t.Errorf("it did something: %s", text) }
	if second := b.install(t); *second != *first {
		t.Errorf("another runtime: %+v, then %+v", first, second)
	}
}

// TestTwoAtOnce has pip refuse to run twice: one installs, the others wait.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	installAtOnce(t, 4, b.opt)
	b.checkComplete(t, true)
	if n := b.downloads.Load(); n != 1 {
		t.Errorf("driver downloaded %d times", n)
	}
}

func TestWaitingIsInterrupted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	unlock := hold(t, b)
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b.opt.Progress = func(text string) {
		if !strings.Contains(text, "waiting for another process") {
			t.Errorf("it did not wait: %s", text)
		}
		cancel()
	}
	_, err := localruntime.Install(ctx, b.opt)
	checkError(t, err, sparkwright.CodeCancelled, "", "run it again")
}

// TestRemovedWhileWaiting removes everything under the lock that an install
// waits for.
func TestRemovedWhileWaiting(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rt := b.install(t)
	if err := os.Remove(rt.ClientDir + ".done"); err != nil {
		t.Fatal(err)
	}
	unlock := hold(t, b)
	var once sync.Once
	b.opt.Progress = func(string) {
		once.Do(func() {
			if err := os.RemoveAll(rt.Dir); err != nil {
				t.Error(err)
			}
			unlock()
		})
	}
	b.install(t)
	b.checkComplete(t, true)
}

func TestInspectAndRemove(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if st := b.checkComplete(t, false); st.Bytes != 0 {
		t.Errorf("%d bytes of nothing", st.Bytes)
	}
	if entries, err := os.ReadDir(b.opt.Home); err != nil || len(entries) != 0 {
		t.Errorf("Inspect made %v (%v)", entries, err)
	}
	if err := localruntime.Remove(t.Context(), b.opt); err != nil {
		t.Errorf("remove of nothing: %v", err)
	}
	rt := b.install(t)
	if st := b.checkComplete(t, true); st.Bytes < 1<<20 || st.Dir != rt.Dir {
		t.Errorf("status %+v of %s", st, rt.Dir)
	}
	if err := localruntime.Remove(t.Context(), b.opt); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(rt.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left (%v)", rt.Dir, err)
	}
	b.checkComplete(t, false)
	b.install(t)
	b.checkComplete(t, true)
}

func TestNoHome(t *testing.T) {
	t.Parallel()
	if _, err := localruntime.Install(t.Context(), localruntime.Options{}); sparkwright.ErrorCode(err) != sparkwright.CodeInvalid {
		t.Errorf("error %v, want one of code invalid", err)
	}
}

// TestFromScratch is the real thing: pip is broken off in the middle, then two
// finish at once, and Spark's client can be imported.
func TestFromScratch(t *testing.T) {
	t.Parallel()
	opt := localruntime.Options{Home: t.TempDir(), MavenURL: testkit.MavenURL(t)}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	collected := 0
	opt.Progress = func(text string) {
		t.Log(text)
		if strings.Contains(text, "collecting") {
			if collected++; collected == 4 {
				cancel()
			}
		}
	}
	_, err := localruntime.Install(ctx, opt)
	checkError(t, err, sparkwright.CodeCancelled, "", "run it again")
	opt.Progress = func(text string) { t.Log(text) }
	rt := installAtOnce(t, 2, opt)
	cmd := exec.CommandContext(t.Context(), rt.Python, "-P", "-c",
		"import pyspark, sparkwright_client; from pyspark.sql.connect.session import SparkSession; print(pyspark.__version__)")
	cmd.Env = append(rt.Env(), "PYTHONPATH="+rt.ClientDir)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "4.") {
		t.Errorf("%v: %s", err, out)
	}
	st, err := localruntime.Inspect(t.Context(), opt)
	if err != nil || !st.Complete || st.Bytes < 100<<20 {
		t.Errorf("status %+v, %v", st, err)
	}
	if err := localruntime.Remove(t.Context(), opt); err != nil {
		t.Error(err)
	}
}

// installAtOnce installs n times at once and wants one and the same runtime.
func installAtOnce(t *testing.T, n int, opt localruntime.Options) *localruntime.Runtime {
	t.Helper()
	found := make([]*localruntime.Runtime, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			var err error
			if found[i], err = localruntime.Install(t.Context(), opt); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, rt := range found {
		if rt == nil || *rt != *found[0] {
			t.Fatalf("runtimes differ: %+v, %+v", found[0], rt)
		}
	}
	return found[0]
}

// hold takes the lock, as another process does that installs.
func hold(t *testing.T, b *testBundle) (unlock func()) {
	t.Helper()
	root := filepath.Join(b.opt.Home, "runtime")
	if err := os.MkdirAll(root, 0o750); err != nil {
		t.Fatal(err)
	}
	l := flock.New(filepath.Join(root, "install.lock"))
	if ok, err := l.TryLock(); err != nil || !ok {
		t.Fatalf("not locked: %v, %v", ok, err)
	}
	return func() { _ = l.Unlock() }
}
