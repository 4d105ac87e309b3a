package connect_test

import (
	"bufio"
	"context"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/childproc"
	"github.com/sparkwright/sparkwright/internal/executor/connect"
	"github.com/sparkwright/sparkwright/internal/executortest"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

// daemon starts one of Spark's own daemons and returns what its log says of
// where it listens.
func daemon(t *testing.T, address *regexp.Regexp, class string, args ...string) string {
	t.Helper()
	rt := testkit.Runtime(t)
	cmd := exec.Command(filepath.Join(rt.SparkHome, "bin", "spark-class"), append([]string{class}, args...)...)
	cmd.Env = append(rt.Env(), "SPARK_DAEMON_MEMORY=512m", "SPARK_LOCAL_IP=127.0.0.1")
	cmd.Dir = t.TempDir()
	r, w := io.Pipe()
	cmd.Stderr, cmd.Stdout = w, w
	child, err := childproc.Start(cmd, syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { child.Kill(); _ = w.Close() })
	found := make(chan string, 1)
	go func() {
		for sc := bufio.NewScanner(r); sc.Scan(); {
			if m := address.FindString(sc.Text()); m != "" {
				select {
				case found <- m:
				default:
				}
			}
		}
	}()
	select {
	case m := <-found:
		return m
	case <-child.Done():
		t.Fatalf("%s ended at its start", class)
	case <-t.Context().Done():
		t.Fatal("the test ended")
	}
	return ""
}

func finishes(t *testing.T, e *connect.Executor, run, code string) sparkwright.Outcome {
	t.Helper()
	h, err := e.Submit(t.Context(), executortest.Job(t, run, code))
	if err != nil {
		t.Fatal(err)
	}
	return executortest.Finish(t, e, h, &executortest.Sink{})
}

// spark.master: the managed server drives a standalone cluster of one master
// and one worker, which do the work.
func TestStandaloneCluster(t *testing.T) {
	t.Parallel()
	master := daemon(t, regexp.MustCompile(`spark://127\.0\.0\.1:\d+`), "org.apache.spark.deploy.master.Master",
		"--host", "127.0.0.1", "--port", "0", "--webui-port", "0")
	daemon(t, regexp.MustCompile(`Successfully registered with master`), "org.apache.spark.deploy.worker.Worker", master,
		"--host", "127.0.0.1", "--port", "0", "--webui-port", "0", "--cores", "2", "--memory", "1g", "--work-dir", t.TempDir())
	e := newExecutor(t, func(c *connect.Config) { c.Master, c.PoolSize = master, 0 })
	if out := finishes(t, e, "r_cluster", "result = spark.range(0, 1000, 1, 2).selectExpr('sum(id) AS s')"); out.State != sparkwright.AttemptSucceeded {
		t.Errorf("state %s, fault %+v", out.State, out.Fault)
	}
}

// spark.remote: a server that somebody else runs is used with its token, is
// not ended, and fails the attempt when it is lost.
func TestRemoteServer(t *testing.T) {
	token := "test-token-of-the-remote-server"
	t.Setenv("SPARK_CONNECT_AUTHENTICATE_TOKEN", token)
	theirs := newExecutor(t, func(c *connect.Config) { c.PoolSize, c.Unconfined = 0, true })
	theirs.SetToken(token)
	if err := theirs.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	remote := "sc://localhost:" + strconv.Itoa(theirs.ServerPort())
	ours := func() *connect.Executor {
		return newExecutor(t, func(c *connect.Config) { c.Remote, c.PoolSize = remote, 0 })
	}
	plain := newExecutor(t, func(c *connect.Config) {
		c.Remote, c.PoolSize = "sc://127.0.0.1:"+strconv.Itoa(theirs.ServerPort()), 0
	})
	if err := plain.Warm(t.Context()); sparkwright.ErrorCode(err) != sparkwright.CodeUnavailable {
		t.Errorf("a token went to another host without TLS: %v", err)
	}
	for range 2 { // the first one's end leaves the server alone
		e := ours()
		if out := finishes(t, e, "r_remote", "result = spark.range(3)"); out.State != sparkwright.AttemptSucceeded {
			t.Fatalf("state %s, fault %+v", out.State, out.Fault)
		}
		e.Close(context.WithoutCancel(t.Context()))
	}
	t.Setenv("SPARK_CONNECT_AUTHENTICATE_TOKEN", "wrong")
	if out := finishes(t, ours(), "r_token", "result = spark.range(3)"); out.State != sparkwright.AttemptFailed {
		t.Errorf("with a wrong token: state %s", out.State)
	}
	t.Setenv("SPARK_CONNECT_AUTHENTICATE_TOKEN", token)
	e := ours()
	h, err := e.Submit(t.Context(), executortest.Job(t, "r_remote_lost", endless))
	if err != nil {
		t.Fatal(err)
	}
	awaitRunning(t, e, h)
	if err := syscall.Kill(theirs.ServerPID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if out := executortest.Finish(t, e, h, &executortest.Sink{}); out.State != sparkwright.AttemptFailed {
		t.Errorf("state %s, fault %+v", out.State, out.Fault)
	}
}
