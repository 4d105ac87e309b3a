package pgembed

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sparkwright/sparkwright"
)

// nobody runs PostgreSQL where namespaces are refused.
const nobody = 65534

// identity is who runs the keeper and PostgreSQL.
type identity struct {
	kind identityKind
}

type identityKind int

const (
	asUser      identityKind = iota // the user who runs this program
	asNamespace                     // the user, by another number in a user namespace
	asNobody                        // uid 65534
)

// identities are the ways to run PostgreSQL, the preferred first.
func identities(noNamespace bool) []identity {
	uid := os.Geteuid()
	switch {
	case uid != 0 && named(uid):
		return []identity{{asUser}}
	case uid != 0: // initdb wants a name: a container that was given any number
		return []identity{{asNamespace}, {asUser}}
	case noNamespace:
		return []identity{{asNobody}}
	default:
		return []identity{{asNamespace}, {asNobody}}
	}
}

// hostUID is who owns the files, seen from outside.
func (id identity) hostUID() int {
	if id.kind == asNobody {
		return nobody
	}
	return os.Geteuid()
}

// named tells whether the user has a name.
func named(uid int) bool {
	_, err := user.LookupId(strconv.Itoa(uid))
	return err == nil
}

// namespaceUser is who the user is inside the namespace: any that is not root
// and has a name.
func namespaceUser() int {
	if named(nobody) {
		return nobody
	}
	content, _ := os.ReadFile("/etc/passwd") // without it initdb says what is missing
	for line := range strings.Lines(string(content)) {
		fields := strings.Split(line, ":")
		if len(fields) < 3 {
			continue
		}
		if uid, err := strconv.Atoi(fields[2]); err == nil && uid > 0 {
			return uid
		}
	}
	return nobody
}

// attributes start the keeper in a session of its own, as this identity.
func (id identity) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setsid: true}
	switch id.kind {
	case asNamespace:
		attr.Cloneflags = syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: namespaceUser(), HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: nobody, HostID: os.Getegid(), Size: 1}}
	case asNobody:
		attr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	default:
	}
	return attr
}

// refused tells that the system does not allow this identity.
func (id identity) refused(err error) bool {
	if err == nil || id.kind == asUser {
		return false
	}
	for _, no := range []error{syscall.EPERM, syscall.EACCES, syscall.EINVAL, syscall.ENOSPC, syscall.ENOSYS, syscall.EUSERS} {
		if errors.Is(err, no) && sparkwright.ErrorCode(err) == sparkwright.CodeInternal {
			return true
		}
	}
	return false
}

// prepare makes the directory of the server. Root's server has no privileges:
// when it could not reach the directory or the binaries, they are kept below
// /var/tmp instead.
func (id identity) prepare(o Options) (home, error) {
	h := home{base: filepath.Join(o.Dir, "server"), binaries: filepath.Join(o.CacheDir, "postgresql-"+Version)}
	if os.Geteuid() != 0 {
		if err := os.MkdirAll(h.base, 0o700); err != nil {
			return h, diskError(h.base, err)
		}
		return h, nil
	}
	if err := os.MkdirAll(o.CacheDir, 0o755); err != nil { //nolint:gosec // programs, not secrets
		return h, diskError(o.CacheDir, err)
	}
	sum := sha256.Sum256([]byte(o.Dir))
	elsewhere := filepath.Join("/var/tmp", "sparkwright-postgres-"+hex.EncodeToString(sum[:8]))
	if !reachable(o.Dir, id.hostUID()) {
		h.base = elsewhere
	}
	if !reachable(o.CacheDir, id.hostUID()) {
		h.binaries = filepath.Join(elsewhere, "postgresql-"+Version)
		if err := id.own(elsewhere); err != nil {
			return h, err
		}
	}
	return h, id.own(h.base)
}

// own makes dir, and gives what is in it to the identity. A directory of
// another user is refused.
func (id identity) own(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return diskError(dir, err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return diskError(dir, err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || (stat.Uid != 0 && stat.Uid != nobody) {
		return &sparkwright.Error{
			Code: sparkwright.CodeConflict, Message: "the directory " + dir + " belongs to another user",
			Because: "root does not take over a database that an ordinary user has made",
			Remedy:  "run sparkwright as that user, or give root another directory with SPARKWRIGHT_HOME",
		}
	}
	if int(stat.Uid) == id.hostUID() {
		return nil
	}
	err = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, id.hostUID(), id.hostUID()) //nolint:gosec // no link is followed, and the server that owns it is stopped
	})
	if err != nil {
		return diskError(dir, err)
	}
	return nil
}

// reachable tells whether uid may pass through every directory on the way to
// dir and through dir itself.
func reachable(dir string, uid int) bool {
	for path := dir; ; path = filepath.Dir(path) {
		var stat unix.Stat_t
		if unix.Stat(path, &stat) != nil {
			return false
		}
		bit := uint32(0o001)
		switch uint32(uid) { //nolint:gosec // a user id
		case stat.Uid:
			bit = 0o100
		case stat.Gid: // the group of the identity has the same number
			bit = 0o010
		}
		if stat.Mode&bit == 0 {
			return false
		}
		if path == filepath.Dir(path) {
			return true
		}
	}
}

// selfPath is this program, reachable also for an identity that may not enter
// the program's directory.
func selfPath() (string, error) { return "/proc/self/exe", nil }

// adopt makes this process the parent of the server, which would otherwise be
// left to init.
func adopt() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// watchServer closes the returned channel when the server has ended.
func watchServer(pid int) <-chan struct{} {
	died := make(chan struct{})
	go func() {
		for {
			if _, err := unix.Wait4(pid, nil, 0, nil); errors.Is(err, unix.EINTR) {
				continue
			} else if err == nil {
				close(died)
			}
			return // not our child: nothing is known
		}
	}()
	return died
}

// alive tells whether a process exists and is not just a zombie.
func alive(pid int) bool {
	content, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, after, ok := bytes.Cut(content, []byte(") "))
	return ok && !bytes.HasPrefix(after, []byte("Z")) && !bytes.HasPrefix(after, []byte("X"))
}

// worksIn tells whether dir is the process's working directory.
func worksIn(_ context.Context, pid int, dir string) bool {
	a, err := os.Stat(fmt.Sprintf("/proc/%d/cwd", pid))
	if err != nil {
		return false
	}
	b, err := os.Stat(dir)
	return err == nil && os.SameFile(a, b)
}
