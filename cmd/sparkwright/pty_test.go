package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/creack/pty"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/rogpeppe/go-internal/testscript"
)

var escape = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)

// onTerminal WIDTH CODE ARG… runs sparkwright on a real terminal of that width,
// wants that exit code and no line wider than the terminal, and writes what
// the terminal got to the file tty, and the same without colours to screen.
func onTerminal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: terminal WIDTH CODE ARG…")
	}
	width, _ := strconv.Atoi(args[0])
	cmd := exec.Command(filepath.Join(filepath.SplitList(ts.Getenv("PATH"))[0], "sparkwright"), args[2:]...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{
		"PATH", "HOME", "TMPDIR", "NO_COLOR", "SPARKWRIGHT_HOME", "SPARKWRIGHT_MAVEN_URL", "SPARKWRIGHT_SPARK_DRIVER_MEMORY",
	} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	cmd.Env = append(cmd.Env, "TERM=xterm", "CI=1")
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: uint16(width), Rows: 40})
	ts.Check(err)
	out, err := io.ReadAll(tty)
	if err != nil && !errors.Is(err, syscall.EIO) { // Linux's word for the end
		ts.Fatalf("%v", err)
	}
	_ = tty.Close()
	code := 0
	if e := (*exec.ExitError)(nil); errors.As(cmd.Wait(), &e) {
		code = e.ExitCode()
	}
	screen := escape.ReplaceAllString(strings.ReplaceAll(string(out), "\r\n", "\n"), "")
	ts.Check(os.WriteFile(ts.MkAbs("tty"), out, 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("screen"), []byte(screen), 0o600))
	if strconv.Itoa(code) != args[1] {
		ts.Fatalf("exit %d, want %s\n%s", code, args[1], screen)
	}
	for line := range strings.SplitSeq(screen, "\n") {
		line = line[strings.LastIndexByte(line, '\r')+1:]
		if n := text.StringWidth(line); n > width {
			ts.Fatalf("a line has %d columns on a terminal of %d: %q", n, width, line)
		}
	}
}
