package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cli runs the program in a data directory of its own.
func cli(t *testing.T, home, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	t.Setenv("SPARKWRIGHT_HOME", home)
	var out, errOut strings.Builder
	code = run(args, strings.NewReader(stdin), &out, &errOut)
	return code, out.String(), errOut.String()
}

func TestWrongUse(t *testing.T) { //nolint:paralleltest // sets the environment
	home := t.TempDir()
	tests := []struct {
		name string
		args []string
		code int
		says string
	}{
		{"an unknown command", []string{"aks"}, 2, "unknown command"},
		{"no question", []string{"ask"}, 2, "arg(s)"},
		{"an unknown flag", []string{"ask", "x", "--tabel", "y"}, 2, "--tabel"},
		{"an unknown connection", []string{"tables", "--connection", "nobody"}, 3, "nobody"},
		{"an unknown run", []string{"runs", "show", "r_nobody"}, 3, "r_nobody"},
		{"PostgreSQL is down", []string{"tables", "--url", "postgresql://u:canary-pw@127.0.0.1:1/db"}, 6, "127.0.0.1"},
		{"not a URL", []string{"tables", "--url", "mysql://h/db"}, 2, ""},
		{"an option smuggled into the URL", []string{"tables", "--url", "postgresql://u@127.0.0.1:1/db?options=-c%20x"}, 2, "options"},
		{"a password where a reference belongs", []string{"connections", "add", "x", "--secret", "canary-pw"}, 2, ""},
		{"a bad host", []string{"connections", "add", "x", "--host", "h?socketFactory=x", "--secret", "env:X"}, 2, ""},
	}
	for _, tt := range tests { //nolint:paralleltest // sets the environment
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := cli(t, home, "", tt.args...)
			if code != tt.code || !strings.Contains(stderr, tt.says) || stdout != "" {
				t.Errorf("exit %d, stdout %q, stderr %s", code, stdout, stderr)
			}
			if strings.Contains(stderr, "canary-pw") || strings.Contains(stderr, "goroutine") {
				t.Errorf("stderr tells too much: %s", stderr)
			}
		})
	}
}

func TestErrorsAsJSON(t *testing.T) { //nolint:paralleltest // sets the environment
	code, _, stderr := cli(t, t.TempDir(), "", "--json", "tables", "--connection", "nobody")
	var got struct {
		Error struct {
			Code, Message, Remedy string
			Exit                  int
		}
	}
	if err := json.Unmarshal([]byte(stderr), &got); err != nil {
		t.Fatalf("%v: %s", err, stderr)
	}
	if code != 3 || got.Error.Exit != 3 || got.Error.Code != "not_found" || got.Error.Remedy == "" {
		t.Errorf("exit %d, %+v", code, got)
	}
}

func TestConnections(t *testing.T) { //nolint:paralleltest // sets the environment
	home := t.TempDir()
	code, _, stderr := cli(t, home, "canary-pw\n", "connections", "add", "shop", "--host", "127.0.0.1", "--user", "reader", "--password-stdin")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	info, err := os.Stat(filepath.Join(home, "secrets", "shop"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the kept password: %v, %v", info, err)
	}
	settings, err := os.ReadFile(filepath.Join(home, "settings.json"))
	if err != nil || strings.Contains(string(settings), "canary-pw") {
		t.Errorf("settings.json: %v\n%s", err, settings)
	}
	if _, list, _ := cli(t, home, "", "connections", "list"); !strings.Contains(list, "reader@127.0.0.1:5432/postgres") || strings.Contains(list, "canary-pw") {
		t.Errorf("list: %s", list)
	}
	if code, _, stderr = cli(t, home, "", "connections", "remove", "shop"); code != 0 {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if _, err := os.Stat(filepath.Join(home, "secrets", "shop")); !os.IsNotExist(err) {
		t.Errorf("the kept password is still there: %v", err)
	}
}

func TestShowCell(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`null`: "∅", `""`: "''", `12.50`: "12.50", `"a\nb"`: "a⏎b", `"\u001b[31mred"`: "\uFFFD[31mred",
		`"` + strings.Repeat("x", 60) + `"`: strings.Repeat("x", 24) + "…" + strings.Repeat("x", 23),
	} {
		if got := showCell(json.RawMessage(in)); got != want {
			t.Errorf("%s is shown as %q, want %q", in, got, want)
		}
	}
}

// Every exit code is in the documentation, and the other way round.
func TestExitCodesAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []int
	for _, m := range regexp.MustCompile(`(?m)^\| (\d+) \|`).FindAllStringSubmatch(string(text), -1) {
		n, _ := strconv.Atoi(m[1])
		documented = append(documented, n)
	}
	want := []int{
		0, exitInternal, exitInvalid, exitNotFound, exitDeclined, exitJobFailed, exitUnavailable, exitUnauthorized,
		exitMissing, exitResource, exitTimeout, exitConflict, exitCancelled,
	}
	if diff := cmp.Diff(want, documented); diff != "" {
		t.Error(diff)
	}
}
