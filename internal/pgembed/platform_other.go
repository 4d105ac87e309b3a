//go:build !linux

package pgembed

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/sparkwright/sparkwright"
)

// identity is who runs the keeper and PostgreSQL: here always the user.
type identity struct{}

func identities(bool) []identity { return []identity{{}} }

func (identity) attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func (identity) refused(error) bool { return false }

// prepare makes the directory of the server. PostgreSQL refuses root, and
// there are no user namespaces here.
func (identity) prepare(o Options) (home, error) {
	if os.Geteuid() == 0 {
		return home{}, &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "PostgreSQL does not run as root on this system",
			Remedy: "run sparkwright as an ordinary user",
		}
	}
	h := home{base: filepath.Join(o.Dir, "server"), binaries: filepath.Join(o.CacheDir, "postgresql-"+Version)}
	if err := os.MkdirAll(h.base, 0o700); err != nil {
		return h, diskError(h.base, err)
	}
	return h, nil
}

func selfPath() (string, error) { return os.Executable() }

func adopt() {}

// watchServer knows nothing here.
func watchServer(int) <-chan struct{} { return make(chan struct{}) }

func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// worksIn asks lsof, which macOS brings along, for the working directory.
func worksIn(ctx context.Context, pid int, dir string) bool {
	out, err := exec.CommandContext(ctx, "lsof", "-a", "-p", strconv.Itoa(pid), "-d", "cwd", "-Fn").Output() //nolint:gosec // a number
	if err != nil {
		return false
	}
	b, err := os.Stat(dir)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(out)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "n"); ok {
			if a, err := os.Stat(path); err == nil && os.SameFile(a, b) {
				return true
			}
		}
	}
	return false
}
