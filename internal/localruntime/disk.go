package localruntime

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/python"
)

func requirements() (string, error) {
	text, err := python.FS.ReadFile("requirements.txt")
	return string(text), err
}

// checkDisk refuses with CodeResource when dir's file system has less than
// need bytes left.
func checkDisk(dir string, need uint64) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return fmt.Errorf("look at the disk of %s: %w", dir, err)
	}
	if free := st.Bavail * uint64(st.Bsize); free < need { //nolint:gosec // G115: block sizes are positive
		return &sparkwright.Error{
			Code: sparkwright.CodeResource, Message: "there is not enough disk space for the runtime",
			Because: fmt.Sprintf("%s has %d MB free, %d MB are needed", dir, free>>20, need>>20),
			Remedy:  "free some space, or set SPARKWRIGHT_HOME to a directory on a larger disk",
		}
	}
	return nil
}

// diskError wraps a file system error, and names a full or closed disk as such.
func diskError(doing string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &sparkwright.Error{
			Code: sparkwright.CodeResource, Message: "could not " + doing, Because: "the disk is full",
			Remedy: "free some space, or set SPARKWRIGHT_HOME to a directory on a larger disk", Err: err,
		}
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.ENOTDIR) {
		return &sparkwright.Error{
			Code: sparkwright.CodeResource, Message: "could not " + doing, Because: err.Error(),
			Remedy: "make the data directory writable, or set SPARKWRIGHT_HOME to another directory", Err: err,
		}
	}
	return &sparkwright.Error{Code: sparkwright.CodeInternal, Message: "could not " + doing, Because: err.Error(), Err: err}
}
