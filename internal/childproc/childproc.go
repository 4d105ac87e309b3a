// Package childproc starts child processes that leave nothing behind: each is
// the head of its own process group, and the whole group is ended when its head
// ends or this process dies, however it dies. On Linux the kernel tells the
// head at once; the rest of the group falls to a watcher, a shell that sees the
// end of a pipe that this process holds.
package childproc

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

// Child is a started process group.
type Child struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // of Wait; read after done
}

// Start starts cmd as the head of a new process group that gets the signal
// onDeath when this process dies, and SIGKILL when that does not end it. The
// caller sets everything else of cmd before; what its SysProcAttr says of
// namespaces stays.
func Start(cmd *exec.Cmd, onDeath syscall.Signal) (*Child, error) {
	cmd.SysProcAttr = attributes(cmd.SysProcAttr, onDeath)
	c := &Child{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	// The kernel watches the thread that forked, so that thread must live as
	// long as the child: the goroutine keeps it to itself and waits on it.
	go func() {
		unlock := lockThread()
		defer unlock()
		err := cmd.Start()
		var unwatch func()
		if err == nil {
			if unwatch, err = watch(cmd.Process.Pid, onDeath); err != nil {
				_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
				_ = cmd.Wait()
			}
		}
		started <- err
		if err != nil {
			return
		}
		c.err = cmd.Wait()
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // members that are left
		unwatch()
		close(c.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return c, nil
}

// PID is the id of the process and of its group.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Done is closed when the process has ended, its output is read and nothing of
// its group is left.
func (c *Child) Done() <-chan struct{} { return c.done }

// Ended reports whether Done is closed.
func (c *Child) Ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// Err is how the process ended; nil is exit code 0. Valid after Done.
func (c *Child) Err() error { return c.err }

// ExitCode is the exit code, or -1 when a signal ended it. Valid after Done.
func (c *Child) ExitCode() int { return c.cmd.ProcessState.ExitCode() }

// Signal sends sig to the whole group. After Done it does nothing: the group
// is gone, and its id may be another's.
func (c *Child) Signal(sig syscall.Signal) error {
	if c.Ended() {
		return nil
	}
	if err := syscall.Kill(-c.PID(), sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal group %d: %w", c.PID(), err)
	}
	return nil
}

// Kill ends the group at once and returns when the process is gone.
func (c *Child) Kill() {
	_ = c.Signal(syscall.SIGKILL)
	<-c.done
}

// Stop asks the group to end, kills it after grace or when ctx ends, and
// returns when the process is gone. Safe to call twice.
func (c *Child) Stop(ctx context.Context, grace time.Duration) {
	_ = c.Signal(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
	case <-ctx.Done():
	}
	_ = c.Signal(syscall.SIGKILL)
	<-c.done
}
