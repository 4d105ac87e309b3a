package connect_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/executor/connect"
	"github.com/sparkwright/sparkwright/internal/executortest"
	"github.com/sparkwright/sparkwright/internal/localruntime"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

func newExecutor(t *testing.T, change func(*connect.Config)) *connect.Executor {
	t.Helper()
	cfg := connect.Config{
		Runtime: testkit.Runtime(t), Master: "local[2]", DriverMemory: "1g", ClientMemory: 4 << 30, PoolSize: 2,
	}
	if change != nil {
		change(&cfg)
	}
	e := connect.New(cfg)
	t.Cleanup(func() { e.Close(context.Background()) })
	return e
}

func TestConformance(t *testing.T) { //nolint:tparallel // the cases share one server, in order
	t.Parallel()
	if err := testkit.Runtime(t).Archive(t.Context(), localruntime.Options{}); err != nil {
		t.Fatal(err)
	}
	e := newExecutor(t, nil)
	executortest.Run(t, e, func() sparkwright.Executor { return newExecutor(t, nil) })
	t.Run("the server takes its classes from the archive", func(t *testing.T) { archived(t, e.ServerPID()) })
	t.Run("a lost server fails the attempt at once", func(t *testing.T) { lostServer(t, e) })
	t.Run("the next attempt gets a new server", func(t *testing.T) {
		h, err := e.Submit(t.Context(), executortest.Job(t, "r_next", "result = spark.range(2)"))
		if err != nil {
			t.Fatal(err)
		}
		if out := executortest.Finish(t, e, h, &executortest.Sink{}); out.State != sparkwright.AttemptSucceeded {
			t.Errorf("state %s, fault %+v", out.State, out.Fault)
		}
	})
	t.Run("nothing is left after close", func(t *testing.T) {
		pids := e.PIDs()
		if len(pids) == 0 {
			t.Fatal("no process to look for")
		}
		e.Close(t.Context())
		for _, pid := range pids {
			if err := syscall.Kill(pid, 0); err == nil && !zombie(pid) {
				t.Errorf("process %d is left", pid)
			}
		}
	})
}

const endless = "result = spark.range(0, 10**14, 1, 2).selectExpr('sum(sqrt(id)) AS s')"

func lostServer(t *testing.T, e *connect.Executor) {
	h, err := e.Submit(t.Context(), executortest.Job(t, "r_lost", endless))
	if err != nil {
		t.Fatal(err)
	}
	awaitRunning(t, e, h)
	if err := syscall.Kill(e.ServerPID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	out := executortest.Finish(t, e, h, &executortest.Sink{})
	if out.State != sparkwright.AttemptFailed || out.Fault.Class != "SPARK_SERVER_LOST" {
		t.Errorf("state %s, fault %+v", out.State, out.Fault)
	}
}

func awaitRunning(t *testing.T, e *connect.Executor, h sparkwright.Handle) {
	t.Helper()
	for {
		e.Wait(t.Context(), h)
		out, err := e.Poll(t.Context(), h, &executortest.Sink{})
		if err != nil || out.State.Final() {
			t.Fatalf("ended too early: %+v, %v", out, err)
		}
		if out.State == sparkwright.AttemptRunning {
			return
		}
	}
}

func TestTimeLimit(t *testing.T) {
	t.Parallel()
	e := newExecutor(t, func(c *connect.Config) { c.Timeout = 20 * time.Second })
	if err := e.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	h, err := e.Submit(t.Context(), executortest.Job(t, "r_slow", endless))
	if err != nil {
		t.Fatal(err)
	}
	out := executortest.Finish(t, e, h, &executortest.Sink{})
	if out.State != sparkwright.AttemptFailed || out.Fault.Kind != sparkwright.FaultTimeout {
		t.Errorf("state %s, fault %+v", out.State, out.Fault)
	}
}

func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	e := newExecutor(t, func(c *connect.Config) { c.ClientMemory = 3 << 30 })
	h, err := e.Submit(t.Context(), executortest.Job(t, "r_big", "x = bytearray(4 << 30)\nresult = spark.range(1)"))
	if err != nil {
		t.Fatal(err)
	}
	out := executortest.Finish(t, e, h, &executortest.Sink{})
	if out.State != sparkwright.AttemptFailed || out.Fault.Class != "MemoryError" {
		t.Errorf("state %s, fault %+v", out.State, out.Fault)
	}
}

func TestRemote(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, remote string
		class        string
	}{
		{"nobody listens", "sc://127.0.0.1:1", "does not answer"},
		{"not an address", "http://127.0.0.1:1", "not a Spark Connect address"},
		{"parameters", "sc://h:1/;token=x", "not a Spark Connect address"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newExecutor(t, func(c *connect.Config) { c.Remote = tt.remote })
			h, err := e.Submit(t.Context(), executortest.Job(t, "r_remote", "result = spark.range(1)"))
			if err != nil {
				t.Fatal(err)
			}
			out := executortest.Finish(t, e, h, &executortest.Sink{})
			if out.State != sparkwright.AttemptFailed || !strings.Contains(out.Fault.Message, tt.class) {
				t.Errorf("state %s, fault %+v", out.State, out.Fault)
			}
		})
	}
}

func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(stat), ") Z ")
}
