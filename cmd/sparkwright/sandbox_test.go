package main

import (
	"io"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright"
)

// Only the command line turns the sandbox off, and by these words only.
func TestSandboxFlag(t *testing.T) {
	t.Setenv("SPARKWRIGHT_SANDBOX", "off")
	t.Setenv("SPARKWRIGHT_SPARK_SANDBOX", "off")
	for args, want := range map[string]sparkwright.SandboxState{
		"version": sparkwright.SandboxOn, "--sandbox=on": sparkwright.SandboxOn, "--sandbox=off": sparkwright.SandboxOff, "--sandbox off": sparkwright.SandboxOff,
		"--sandbox=OFF": "", "--sandbox=": "", "--sandbox=false": "",
	} {
		app := newApp(strings.NewReader(""), io.Discard, io.Discard)
		err := newRoot(app).ParseFlags(strings.Fields(args))
		if want == "" && err == nil || want != "" && (err != nil || app.sandbox.state() != want) {
			t.Errorf("%s: %s, error %v", args, app.sandbox.state(), err)
		}
	}
}
