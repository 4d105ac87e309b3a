package pgembed

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/sparkwright/sparkwright"
)

// stopOrphan stops a server that still runs on data although its keeper is
// gone. It is known by the process id in its pid file together with the
// directory that this process works in. A pid file whose id now belongs to
// another process is removed; PostgreSQL would take that process for itself.
func stopOrphan(ctx context.Context, data string) error {
	pid, err := serverPID(data)
	if err != nil {
		return nil //nolint:nilerr // nothing runs, or a broken file that PostgreSQL itself replaces
	}
	if !alive(pid) {
		return nil
	}
	if !worksIn(ctx, pid, data) {
		if err := os.Remove(filepath.Join(data, "postmaster.pid")); err != nil && !errors.Is(err, os.ErrNotExist) {
			return diskError(data, err)
		}
		return nil
	}
	return end(ctx, pid)
}

// end ends a server: politely, then less so.
func end(ctx context.Context, pid int) error {
	for _, step := range []struct {
		signal syscall.Signal
		limit  time.Duration
	}{
		{syscall.SIGINT, 30 * time.Second},  // fast shutdown
		{syscall.SIGQUIT, 10 * time.Second}, // immediate: recovered at the next start
		{syscall.SIGKILL, 10 * time.Second},
	} {
		if err := syscall.Kill(pid, step.signal); errors.Is(err, syscall.ESRCH) || gone(ctx, pid, step.limit) {
			return nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return &sparkwright.Error{
		Code: sparkwright.CodeConflict, Message: "an earlier embedded PostgreSQL still runs",
		Because: "process " + strconv.Itoa(pid) + " does not end",
		Remedy:  "end that process", Err: ctx.Err(),
	}
}

// gone waits for the end of a process.
func gone(ctx context.Context, pid int, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for alive(pid) {
		if !wait(ctx, 50*time.Millisecond) {
			return !alive(pid)
		}
	}
	return true
}
