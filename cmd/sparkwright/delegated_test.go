package main

import (
	"bufio"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/fake/agentcore"
	emr "github.com/sparkwright/sparkwright/internal/fake/emrserverless"
	"github.com/sparkwright/sparkwright/internal/server/api"
)

// A run that the agent of spark.supervisor_arn carries out, a real one behind
// AgentCore, is among this server's runs: with its code, how it ended, where its
// result is and what it printed. One that fails there has failed here.
func TestDelegatedRunsAreInTheHistory(t *testing.T) {
	t.Parallel()
	conn, _ := ordersDatabase(t)
	l := sparkLab(t, conn, emr.Timing{Step: 20 * time.Millisecond})
	target := agent(t, l.Env()...)
	core := agentcore.Start(httputil.NewSingleHostReverseProxy(target))
	t.Cleanup(core.Close)
	home := newHome(t)
	conf := l.World.Settings()
	conf["spark"].(map[string]any)["supervisor_arn"] = agentcore.ARN
	writeSettings(t, home, conf)
	env := append(l.Env(), "AWS_ENDPOINT_URL_BEDROCK_AGENTCORE="+core.URL)
	s := serveIn(t, home, env...)
	whole := func(table string) map[string]any {
		return map[string]any{
			"connection_name": "aurora", "database": conn.Database, "schema": "public", "table": table, "secret_arn": l.World.SecretARN,
			"auth_method": "secrets_manager", "jdbc_url": "jdbc:postgresql://" + net.JoinHostPort(conn.Host, strconv.Itoa(conn.Port)) + "/" + conn.Database,
		}
	}
	ask := func(question, table string) spoken {
		return s.post(t, "/spark/generate", map[string]any{
			"prompt": question, "session_id": "delegated", "framework": "spark", "execution_platform": "emr", "selected_postgres_tables": []any{whole(table)},
		})
	}
	good := ask("How many orders are there?", "orders")
	if good.Outcome != "success" || good.RunID == "" || len(good.Rows) != 1 {
		t.Fatalf("%+v\n%s", good, s.said())
	}
	bad := ask("How many orders are there?", "nothing_of_this_name")
	if bad.Outcome != "failed" || bad.Message == "" {
		t.Errorf("%+v", bad)
	}

	var run api.Run
	s.get(t, "/api/v1/runs/"+good.RunID, &run)
	switch {
	case run.State != sparkwright.RunSucceeded, run.Question.Text != "How many orders are there?", run.Placement.Executor != agentPlace, run.Placement.Application != agentcore.ARN:
		t.Errorf("%+v", run)
	case !strings.Contains(run.Analysis, "orders") || len(run.Attempts) != 1 || run.Attempts[0].State != sparkwright.AttemptSucceeded:
		t.Errorf("code %q, attempts %+v", run.Analysis, run.Attempts)
	case run.Result == nil || run.Result.RowCount != 1 || run.Result.Bytes == 0:
		t.Errorf("result %+v", run.Result)
	}
	var page struct{ Rows [][]json.RawMessage }
	s.get(t, "/api/v1/runs/"+good.RunID+"/result", &page)
	if len(page.Rows) != 1 || string(page.Rows[0][0]) != "1000" {
		t.Errorf("the result: %s", page.Rows)
	}
	var failed api.Run
	s.get(t, "/api/v1/runs/"+bad.RunID, &failed)
	if failed.State != sparkwright.RunFailed || failed.Fault == nil || !strings.Contains(failed.Fault.Because, "nothing_of_this_name") {
		t.Errorf("%s, %+v", failed.State, failed.Fault)
	}
	if code, list, stderr := programSays(t, home, env, "runs", "list"); code != 0 || !strings.Contains(list, good.RunID) || !strings.Contains(list, "succeeded") || !strings.Contains(list, "failed") {
		t.Errorf("runs list: %d\n%s%s", code, list, stderr)
	}
	if code, text, stderr := programSays(t, home, env, "runs", "show", good.RunID, "--script"); code != 0 || !strings.Contains(text, "get_secret_value") {
		t.Errorf("runs show --script: %d\n%s%s", code, text, stderr)
	}
	if code, text, stderr := programSays(t, home, env, "runs", "logs", good.RunID); code != 0 || !strings.Contains(text, "1 row") {
		t.Errorf("runs logs: %d\n%s%s", code, text, stderr)
	}
}

// programSays runs the program in a data directory, with these variables besides.
func programSays(t *testing.T, home string, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(program(t), "sparkwright"), args...)
	cmd.Env = append(append(os.Environ(), "SPARKWRIGHT_HOME="+home), env...)
	var out, errOut strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errOut
	_ = cmd.Run()
	return cmd.ProcessState.ExitCode(), out.String(), errOut.String()
}

// agent starts sparkwright agent in a data directory of its own, with these
// variables besides.
func agent(t *testing.T, env ...string) *url.URL {
	t.Helper()
	self := filepath.Join(program(t), "sparkwright")
	cmd := exec.Command(self, "agent", "--addr", "127.0.0.1:0")
	cmd.Env = append(append(os.Environ(), "SPARKWRIGHT_HOME="+newHome(t), "SPARKWRIGHT_SPARK_DRIVER_MEMORY=1g"), env...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	found := make(chan string, 1)
	go func() {
		defer close(ended)
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			if at := serving.FindString(lines.Text()); at != "" && len(found) == 0 {
				found <- at
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
		_ = cmd.Wait()
	})
	select {
	case at := <-found:
		u, err := url.Parse(at)
		if err != nil {
			t.Fatal(err)
		}
		return u
	case <-ended:
		t.Fatal("the agent has ended")
	case <-time.After(2 * time.Minute):
		t.Fatal("the agent does not serve")
	}
	return nil
}

// get reads JSON of the server's API.
func (s *testServer) get(t *testing.T, path string, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{}
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if err = json.NewDecoder(res.Body).Decode(into); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d, %v", path, res.StatusCode, err)
	}
}
