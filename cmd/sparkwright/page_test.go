package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright/internal/testkit"
)

// TestPage is the page in a real Chromium, against the real program with real
// PostgreSQL and Spark: web/e2e/page.mjs says what is done and seen. With
// SPARKWRIGHT_SCREENSHOTS_DIR it leaves its pictures there.
func TestPage(t *testing.T) {
	t.Parallel()
	if os.Getenv("SPARKWRIGHT_TEST_NO_BROWSER") == "1" {
		t.Skip("SPARKWRIGHT_TEST_NO_BROWSER=1: somebody does without the page's test")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatalf("%v: the page needs Node 20.19 or newer", err)
	}
	chromium := os.Getenv("CHROMIUM")
	if chromium == "" {
		chromium = "/usr/bin/chromium"
	}
	if _, err = os.Stat(chromium); err != nil {
		t.Fatalf("%v: make chromium installs it, CHROMIUM names another; SPARKWRIGHT_TEST_NO_BROWSER=1 does without", err)
	}
	testkit.Runtime(t)
	out, err := os.MkdirTemp("", "sparkwright-page-") //nolint:usetesting // its picture of what went wrong outlives the test
	if err != nil {
		t.Fatal(err)
	}
	s := serveIn(t, newHome(t))
	script := exec.CommandContext(t.Context(), node, filepath.Join("..", "..", "web", "e2e", "page.mjs"))
	script.Env = append(os.Environ(), "SPARKWRIGHT_URL="+s.url, "CHROMIUM="+chromium, "SPARKWRIGHT_E2E_OUT="+out)
	said, err := script.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\nthe server said:\n%s", err, said, s.said())
	}
	t.Logf("%s", said)
	if err = os.RemoveAll(out); err != nil {
		t.Error(err)
	}
	if strings.Contains(s.said(), "canary-key") {
		t.Error("a secret that was typed into the page is in the log")
	}
}
