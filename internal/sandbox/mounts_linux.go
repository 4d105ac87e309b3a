package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// builder makes the root directory that the program sees. It is built in the
// mount namespace of process 1, below rootDir, and shared from there: what
// process 1 mounts later appears in the program's own mount namespace, which
// has nothing else.
type builder struct {
	spec *Spec
}

// rootDir is where process 1 keeps it: in place of a directory that it does not
// need itself.
const rootDir = "/sys"

// systemPaths are what programs need of the system.
func systemPaths() []string {
	return []string{
		"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d",
		"/etc/alternatives", "/etc/localtime", "/etc/java", "/etc/java-17-openjdk", "/etc/java-21-openjdk", "/etc/java-25-openjdk",
	}
}

func etcFiles(hosts []string) map[string]string {
	return map[string]string{
		"/etc/passwd":        fmt.Sprintf("sparkwright:x:%d:%d::/tmp:/usr/sbin/nologin\n", insideID, insideID),
		"/etc/group":         fmt.Sprintf("sparkwright:x:%d:\n", insideID),
		"/etc/hosts":         "127.0.0.1 localhost " + hostName + " " + strings.Join(hosts, " ") + "\n",
		"/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
		"/etc/resolv.conf":   "",
	}
}

func (b *builder) root() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return wall("keep mounts to ourselves", err)
	}
	if !b.spec.has(Files) {
		return nil
	}
	if err := tmpfs(rootDir, "size=16m,mode=755"); err != nil {
		return wall("make the root directory", err)
	}
	for _, dir := range []string{"/tmp", "/proc", "/dev", "/dev/shm", "/etc"} {
		if err := os.MkdirAll(rootDir+dir, 0o755); err != nil { //nolint:gosec // G301: as on every system
			return wall("make the root directory", err)
		}
	}
	if err := b.private(); err != nil {
		return err
	}
	for _, path := range append(systemPaths(), b.spec.Read...) {
		if err := b.bind(path, false); err != nil {
			return wall("show "+path+" inside", err)
		}
	}
	for path, text := range etcFiles(b.spec.Hosts) {
		if err := os.WriteFile(rootDir+path, []byte(text), 0o644); err != nil { //nolint:gosec // G306: public
			return wall("make "+path, err)
		}
	}
	for _, path := range b.spec.Write {
		if err := b.bind(path, true); err != nil {
			return wall("show "+path+" inside", err)
		}
	}
	for _, path := range b.spec.Slots {
		if err := os.MkdirAll(rootDir+filepath.Clean(path), 0o755); err != nil { //nolint:gosec // G301: it holds nothing
			return wall("make room for "+path, err)
		}
	}
	return wall("share the root directory", unix.Mount("", rootDir, "", unix.MS_REC|unix.MS_SHARED, ""))
}

// private makes what every system has, new and empty.
func (b *builder) private() error {
	if err := tmpfs(rootDir+"/tmp", fmt.Sprintf("size=%d,mode=1777", b.spec.Limits.Scratch)); err != nil {
		return wall("make a private /tmp", err)
	}
	if err := tmpfs(rootDir+"/dev/shm", fmt.Sprintf("size=%d,mode=1777", b.spec.Limits.Scratch)); err != nil {
		return wall("make a private /dev/shm", err)
	}
	for _, name := range []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"} {
		if err := mountAt(name, rootDir+name, 0); err != nil {
			return wall("show "+name+" inside", err)
		}
	}
	for link, target := range map[string]string{
		"/dev/fd": "/proc/self/fd", "/dev/stdin": "/proc/self/fd/0", "/dev/stdout": "/proc/self/fd/1", "/dev/stderr": "/proc/self/fd/2",
	} {
		if err := os.Symlink(target, rootDir+link); err != nil {
			return wall("make "+link, err)
		}
	}
	if !b.spec.has(Processes) { // then it is not ours to mount
		return wall("show /proc", mountAt("/proc", rootDir+"/proc", unix.MOUNT_ATTR_NOSUID))
	}
	err := unix.Mount("proc", rootDir+"/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "hidepid=2,subset=pid")
	if err == nil { // process 1 is not to be looked at, by root's programs either
		err = tmpfs(rootDir+"/proc/1", "size=4k,mode=000")
	}
	return wall("mount a private /proc", err)
}

func tmpfs(path, options string) error {
	return unix.Mount("tmpfs", path, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options)
}

// bind shows a path of the machine at the same path inside. Links stay links;
// what does not exist is left out.
func (b *builder) bind(path string, write bool) error {
	if path == "" {
		return nil
	}
	path = filepath.Clean(path)
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&os.ModeSymlink != 0 && !write {
		if done, e := copyLink(path); done || e != nil {
			return e
		}
	}
	attr := uint64(unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV)
	if !write {
		attr |= unix.MOUNT_ATTR_RDONLY
	}
	return mountAt(path, rootDir+path, attr)
}

// copyLink makes the same link inside when it leads within what is shown. done
// is false when what it leads to has to be shown in its place.
func copyLink(path string) (done bool, err error) {
	target, err := os.Readlink(path)
	if err != nil {
		return false, err
	}
	if filepath.IsAbs(target) || !slices.Contains(systemPaths(), path) {
		return false, nil
	}
	if err = os.Symlink(target, rootDir+path); errors.Is(err, os.ErrExist) {
		err = nil
	}
	return true, err
}

// mountAt mounts a copy of source and everything below it, with attributes, at
// target, which is made.
func mountAt(source, target string, attr uint64) error {
	tree, err := clone(source, attr)
	if err != nil {
		return err
	}
	defer unix.Close(tree) //nolint:errcheck // nothing was written
	dir, err := isDir(tree)
	if err != nil {
		return err
	}
	at, err := place(target, dir)
	if err != nil {
		return err
	}
	defer unix.Close(at) //nolint:errcheck // nothing was written
	return unix.MoveMount(tree, "", at, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
}

func clone(source string, attr uint64) (int, error) {
	tree, err := unix.OpenTree(unix.AT_FDCWD, source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return -1, err
	}
	if attr != 0 {
		err = unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: attr})
	}
	if err != nil {
		_ = unix.Close(tree)
	}
	return tree, err
}

func isDir(fd int) (bool, error) {
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	return st.Mode&unix.S_IFMT == unix.S_IFDIR, err
}

// place opens the path to mount at, and makes what of it is missing. A link on
// the way, which a program inside may have made, is an error.
func place(target string, dir bool) (int, error) {
	rest, ok := strings.CutPrefix(target, rootDir+"/")
	if !ok {
		return -1, fmt.Errorf("%s is outside", target)
	}
	at, err := unix.Open(rootDir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	names := strings.Split(rest, "/")
	for i, name := range names {
		last := i == len(names)-1
		next, e := step(at, name, !last || dir)
		_ = unix.Close(at)
		if e != nil {
			return -1, e
		}
		at = next
	}
	return at, nil
}

// step opens one name, and makes it when it is missing.
func step(at int, name string, dir bool) (int, error) {
	flags := unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC
	if dir {
		flags |= unix.O_DIRECTORY
	}
	fd, err := unix.Openat(at, name, flags, 0)
	if !errors.Is(err, unix.ENOENT) {
		return fd, err
	}
	if dir {
		err = unix.Mkdirat(at, name, 0o755)
	} else {
		var f int
		if f, err = unix.Openat(at, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o644); err == nil {
			err = unix.Close(f)
		}
	}
	if err != nil {
		return -1, err
	}
	return unix.Openat(at, name, flags, 0)
}

// bindLate shows a path while the program runs. What can be written is below a
// slot or /tmp, where Landlock lets it be.
func (b *builder) bindLate(path string, write bool) error {
	path = filepath.Clean(path)
	if !filepath.IsAbs(path) || path == "/" {
		return fmt.Errorf("%s is not a path that can be shown", path)
	}
	if write && !slices.ContainsFunc(append([]string{"/tmp"}, b.spec.Slots...), func(slot string) bool { return strings.HasPrefix(path, filepath.Clean(slot)+"/") }) {
		return fmt.Errorf("%s is outside of what can be written", path)
	}
	attr := uint64(unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC)
	if !write {
		attr |= unix.MOUNT_ATTR_RDONLY
	}
	if !b.spec.has(Files) {
		return nil
	}
	return mountAt(path, rootDir+path, attr)
}

func (b *builder) unbind(path string) error {
	if !b.spec.has(Files) {
		return nil
	}
	return unix.Unmount(rootDir+filepath.Clean(path), unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
}
