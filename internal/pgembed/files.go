package pgembed

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sparkwright/sparkwright"
)

const (
	passwordFile = "password"
	dataDir      = "data"
	completeFile = "complete" // beside data: the cluster was created to its end
	lockPoll     = 100 * time.Millisecond
)

// home is where one identity keeps its server.
type home struct {
	base     string // holds data, and what PostgreSQL needs while it runs
	binaries string
}

func (h home) data() string { return filepath.Join(h.base, dataDir) }

// locks are the two locks on a server's directory. The owner's lock ends with
// the process that uses the server. The keeper's is shared with the keeper and
// so lasts until PostgreSQL is stopped, also after a crash of the owner.
type locks struct {
	owner  *os.File
	keeper *os.File
}

// acquire locks dir. CodeConflict when a living process uses it. When its
// owner has died, the keeper's end is awaited.
func acquire(ctx context.Context, dir string) (*locks, error) {
	owner, err := tryLock(filepath.Join(dir, "owner.lock"))
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeConflict, Message: "the embedded PostgreSQL in " + dir + " is in use",
			Because: "another sparkwright process has started it",
			Remedy:  "stop that process, or give this one another directory with SPARKWRIGHT_HOME", Err: err,
		}
	}
	if err != nil {
		return nil, diskError(dir, err)
	}
	ctx, cancel := context.WithTimeout(ctx, keeperGrace)
	defer cancel()
	for {
		keeper, err := tryLock(filepath.Join(dir, "keeper.lock"))
		if err == nil {
			return &locks{owner: owner, keeper: keeper}, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			_ = owner.Close()
			return nil, diskError(dir, err)
		}
		if !wait(ctx, lockPoll) {
			_ = owner.Close()
			return nil, &sparkwright.Error{
				Code: sparkwright.CodeConflict, Message: "the embedded PostgreSQL in " + dir + " is still shutting down",
				Because: "the process that started it has ended, PostgreSQL not yet", Remedy: "try again in a minute", Err: ctx.Err(),
			}
		}
	}
}

func tryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the user's own directory
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// release frees what this process holds. Safe to call twice.
func (l *locks) release() {
	_ = l.keeper.Close()
	_ = l.owner.Close()
}

// ensurePassword returns the superuser's password, making one up for a new
// server.
func ensurePassword(dir, base string) (string, error) {
	path := filepath.Join(dir, passwordFile)
	content, err := os.ReadFile(path) //nolint:gosec // the user's own directory
	if password := strings.TrimSpace(string(content)); err == nil && password != "" {
		return password, nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", diskError(dir, err)
	}
	if _, err := os.Stat(filepath.Join(base, completeFile)); err == nil {
		return "", &sparkwright.Error{
			Code: sparkwright.CodeConflict, Message: "the password of the embedded PostgreSQL is lost",
			Because: path + " is missing, the data is not", Remedy: "put the file back, or remove " + dir + " to begin anew",
		}
	}
	password := rand.Text()
	tmp := path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", diskError(dir, err)
	}
	if err := os.WriteFile(tmp, []byte(password), 0o600); err != nil {
		return "", diskError(dir, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return "", diskError(dir, err)
	}
	return password, nil
}

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// wait waits, or returns false when ctx ends before.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
