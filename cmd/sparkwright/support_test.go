package main

import (
	"archive/zip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright/internal/redact"
)

// bundleOf is what sparkwright support-bundle gathers, by name.
func bundleOf(t *testing.T, home, log string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	file, logFile := filepath.Join(dir, "bundle.zip"), filepath.Join(dir, "log")
	if err := os.WriteFile(logFile, []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	self := filepath.Join(program(t), "sparkwright")
	cmd := exec.CommandContext(t.Context(), self, "support-bundle", file, "--log", logFile)
	cmd.Env = append(os.Environ(), "SPARKWRIGHT_HOME="+home)
	if out, problem := cmd.CombinedOutput(); problem != nil {
		t.Fatalf("%v: %s", problem, out)
	}
	if info, problem := os.Stat(file); problem != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, problem)
	}
	whole, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close() //nolint:errcheck // read only
	parts := map[string]string{}
	for _, f := range whole.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		parts[f.Name] = string(text)
	}
	return parts
}

// TestSupportBundle: it tells what is wrong, and nothing of questions, rows and
// secrets, those that have got into the log included.
func TestSupportBundle(t *testing.T) { //nolint:paralleltest // sets the environment
	home := newHome(t)
	t.Setenv("SPARKWRIGHT_HOME", home)
	const kept, key = `canary-kept "pä/1`, "canary-key-0c55"
	t.Setenv("CANARY_KEY", key)
	do := func(code int, stdin string, args ...string) string {
		t.Helper()
		got, out, errs := cli(t, home, stdin, args...)
		if got != code {
			t.Fatalf("%v: exit %d: %s", args, got, errs)
		}
		return strings.TrimSpace(out)
	}
	do(0, kept+"\n", "connections", "add", "shop", "--host", "127.0.0.1", "--port", "1", "--database", "d", "--user", "u", "--tls", "disable", "--password-stdin")
	do(0, "", "settings", "set", "anthropic.api_key", "env:CANARY_KEY")
	token := do(0, "", "token", "show")
	do(exitUnavailable, "", "ask", "how many canary-questions are there", "--connection", "shop")
	log := `{"time":"t","level":"INFO","msg":"request","route":"/api/v1/runs","status":200}` + "\n" +
		`{"time":"t","level":"ERROR","msg":"m","a":"postgresql://u:unheard-of@h/d","b":"` + key + `","c":"Authorization: Bearer ` + token + `","d":"canary-kept \\"pä/1"}` + "\n" +
		"a row that a job has printed: canary-row\n"
	parts := bundleOf(t, home, log)
	hidden := redact.New(kept, key, token, "unheard-of", "canary-questions", "canary-row")
	for name, text := range parts {
		if clean := hidden.Text(text); clean != text {
			t.Errorf("%s tells too much: %s", name, clean)
		}
	}
	for name, want := range map[string]string{
		"README.txt": "look at it before", "versions.json": `"environment"`, "settings.json": `"anthropic.api_key": "(set)"`,
		"doctor.json": `"local.sandbox"`, "runs.json": "PostgreSQL at (address)", "log.jsonl": `"route":"/api/v1/runs"`,
	} {
		if !strings.Contains(parts[name], want) {
			t.Errorf("%s has no %s: %.3000s", name, want, parts[name])
		}
	}
	if code, _, errs := cli(t, home, "", "support-bundle", filepath.Join(home, "settings.json")); code != exitInvalid {
		t.Errorf("a file is written over: exit %d: %s", code, errs)
	}
}
