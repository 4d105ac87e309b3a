package localruntime

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/sparkwright/sparkwright/internal/childproc"
)

// tailLines is how much of a program's output is kept to explain a failure.
const tailLines = 40

// stopGrace is the time that an interrupted program has to clean up.
const stopGrace = 5 * time.Second

// command runs a program to its end and returns the last lines of its output.
// Each line is handed to onLine, when that is not nil. The program and all it
// started end with ctx and with this process: a later install must not meet it.
func command(ctx context.Context, onLine func(string), name string, args ...string) (tail string, err error) {
	out := &lineWriter{onLine: onLine}
	cmd := exec.Command(name, args...) //nolint:gosec,noctx // G204: an interpreter of ours or of the operator; stopped as a group below
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = stopGrace
	child, err := childproc.Start(cmd, syscall.SIGKILL)
	if err != nil {
		return "", fmt.Errorf("run %s: %w", name, err)
	}
	select {
	case <-child.Done():
	case <-ctx.Done():
		child.Stop(context.WithoutCancel(ctx), stopGrace)
	}
	out.flush()
	tail = strings.Join(out.tail, "\n")
	if ctx.Err() != nil {
		return tail, cancelled(ctx)
	}
	if err := child.Err(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return tail, fmt.Errorf("run %s: %w", name, err)
	}
	return tail, nil
}

// lineWriter cuts what is written to it into lines. os/exec writes from one
// goroutine, because stdout and stderr are the same writer.
type lineWriter struct {
	onLine  func(string)
	partial []byte
	tail    []string
}

// Write implements io.Writer.
func (w *lineWriter) Write(p []byte) (int, error) {
	w.partial = append(w.partial, p...)
	for {
		line, rest, found := bytes.Cut(w.partial, []byte("\n"))
		if !found {
			return len(p), nil
		}
		w.line(string(line))
		w.partial = rest
	}
}

func (w *lineWriter) flush() {
	if len(w.partial) > 0 {
		w.line(string(w.partial))
		w.partial = nil
	}
}

func (w *lineWriter) line(text string) {
	text = strings.TrimRight(text, "\r")
	w.tail = append(w.tail, text)
	w.tail = w.tail[max(0, len(w.tail)-tailLines):]
	if w.onLine != nil {
		w.onLine(text)
	}
}
