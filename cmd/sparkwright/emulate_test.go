package main

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What `make demo-aws KEEP=1` keeps is used as its user does: the printed
// environment in another shell, a server there, and the plain client against it.
func TestScriptAgainstKeptEmulator(t *testing.T) {
	t.Parallel()
	home := newHome(t)
	self := filepath.Join(program(t), "sparkwright")
	cmd := exec.Command(self, "emulate", "emr-serverless", "--keep", "--", "true")
	cmd.Env = append(os.Environ(), "SPARKWRIGHT_HOME="+home)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	kept := make(chan struct{})
	env := map[string]string{}
	go func() {
		defer close(ended)
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			pair, isExport := strings.CutPrefix(lines.Text(), "export ")
			if name, value, ok := strings.Cut(pair, "="); isExport && ok {
				if env[name] = value; name == "PATH" { // the last one
					close(kept)
				}
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		<-ended
		if failed := cmd.Wait(); failed != nil {
			t.Errorf("the emulator ended with %v", failed)
		}
	})
	select {
	case <-kept:
	case <-ended:
		t.Fatal("the emulator has ended")
	case <-time.After(5 * time.Minute):
		t.Fatal("the emulator prints no environment")
	}
	var pairs []string
	for name, value := range env {
		pairs = append(pairs, name+"="+strings.ReplaceAll(value, "$PATH", os.Getenv("PATH")))
	}
	var settings struct {
		Postgres struct {
			Connections []struct {
				Name, Host, Database string
				Port                 int
				SecretARN            string `json:"secret_arn"`
			}
		}
	}
	text, err := os.ReadFile(filepath.Join(env["SPARKWRIGHT_HOME"], "settings.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err = json.Unmarshal(text, &settings); err != nil || len(settings.Postgres.Connections) == 0 {
		t.Fatalf("%v in %s", err, text)
	}
	c := settings.Postgres.Connections[0]
	s := serveIn(t, env["SPARKWRIGHT_HOME"], pairs...)
	script := exec.CommandContext(t.Context(), filepath.Join("..", "..", "scripts", "test_pg_clean.py"), "--url", s.url, "--connection", c.Name,
		"--jdbc-url", "jdbc:postgresql://"+c.Host+":"+strconv.Itoa(c.Port)+"/"+c.Database, "--secret-arn", c.SecretARN,
		"--table", "sales.orders", "--question", "How many orders are there?", "--timeout", "360")
	out, err := script.CombinedOutput()
	if want := regexp.MustCompile(`\AStatus: 200\nJDBC: ✓, Secrets: ✓\nResult: success\nRun: r_\w+\nPlace: PostgreSQL tables: EMR Serverless application 00g0oddl52n83r09 `); err != nil || !want.Match(out) {
		t.Errorf("%v\n%s\n%s", err, out, s.said())
	}
}
