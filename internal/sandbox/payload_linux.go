package sandbox

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// payloadMain builds the walls that are of one process, and becomes the program.
func payloadMain(fd int) int {
	unix.CloseOnExec(fd)
	unix.CloseOnExec(fd + 1)
	var spec Spec
	err := json.NewDecoder(os.NewFile(uintptr(fd), "spec")).Decode(&spec)
	if err == nil {
		err = payload(&spec)
	}
	status := os.NewFile(uintptr(fd+1), "status")
	_ = json.NewEncoder(status).Encode(answer{Error: strings.TrimSuffix(err.Error(), ": "+syscall.Errno(errnoOf(err)).Error()), Errno: errnoOf(err)})
	return 1
}

// payload returns only when it fails.
func payload(s *Spec) error {
	if err := enter(s); err != nil {
		return err
	}
	if err := limit(s); err != nil {
		return err
	}
	if s.has(NoNewPrivs) {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return wall("set no_new_privs", err)
		}
	}
	if s.has(Landlock) {
		if err := landlock(s); err != nil {
			return wall("restrict files by Landlock", err)
		}
	}
	if err := unix.Chdir(s.Dir); err != nil {
		return wall("go to "+s.Dir, err)
	}
	path := s.Path
	argv := append([]string{path}, s.Args...)
	if s.has(Seccomp) {
		if err := restrictCalls(s); err != nil {
			return wall("restrict system calls by seccomp", err)
		}
	}
	if s.has(Capabilities) {
		if err := dropCapabilities(); err != nil {
			return wall("drop capabilities", err)
		}
	}
	return wall("start "+path, syscall.Exec(path, argv, s.Env)) //nolint:gosec // G204: it is what it is for
}

// enter makes the built root directory the only one.
func enter(s *Spec) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return wall("follow the mounts of the sandbox", err)
	}
	if !s.has(Files) {
		return nil
	}
	if err := unix.Chdir(rootDir); err != nil {
		return wall("enter the root directory", err)
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return wall("change the root directory", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return wall("leave the old root directory", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return wall("enter the root directory", err)
	}
	err := unix.MountSetattr(unix.AT_FDCWD, "/", 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	return wall("make the root directory read-only", err)
}

// limit sets what the kernel holds one process to.
func limit(s *Spec) error {
	type bound struct {
		what  string
		which int
		value uint64
	}
	bounds := []bound{{"core files", unix.RLIMIT_CORE, 0}, {"message queues", unix.RLIMIT_MSGQUEUE, 1 << 16}}
	if s.has(LimitFiles) {
		bounds = append(bounds, bound{"file size", unix.RLIMIT_FSIZE, uint64(s.Limits.FileSize)}) //nolint:gosec // G115: positive
	}
	if s.has(LimitMemory) && s.Limits.Memory > 0 {
		bounds = append(bounds, bound{"memory", unix.RLIMIT_DATA, uint64(s.Limits.Memory)})
	}
	if s.has(LimitTasks) {
		bounds = append(bounds, bound{"processes", unix.RLIMIT_NPROC, uint64(s.Limits.Tasks)}) //nolint:gosec // G115: positive
	}
	for _, b := range bounds {
		var now unix.Rlimit
		if err := unix.Getrlimit(b.which, &now); err != nil {
			return wall("limit "+b.what, err)
		}
		v := min(b.value, now.Max)
		if err := unix.Setrlimit(b.which, &unix.Rlimit{Cur: v, Max: v}); err != nil {
			return wall("limit "+b.what, err)
		}
	}
	return nil
}

// dropCapabilities gives up every one, for good.
func dropCapabilities() error {
	for c := uintptr(0); ; c++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		if err == unix.EINVAL { // there are no more
			break
		}
		if err != nil {
			return err
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return err
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	return unix.Capset(&header, &none[0])
}

// landlock lets files be read wherever the root directory shows them, started
// where programs are, and written where the Spec says. It keeps programs from
// making links, pipes, sockets and devices, also where they may write: who
// reads a result afterwards must not be led elsewhere by it.
func landlock(s *Spec) error {
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return errno
	}
	read := uint64(unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR)
	write := uint64(unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG)
	special := uint64(unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO |
		unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK | unix.LANDLOCK_ACCESS_FS_MAKE_SYM)
	device := uint64(0)
	if abi >= 2 {
		write |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if abi >= 3 {
		write |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if abi >= 5 {
		device = unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	execute := uint64(unix.LANDLOCK_ACCESS_FS_EXECUTE)
	set, err := ruleset(read | write | special | device | execute)
	if err != nil {
		return err
	}
	defer unix.Close(set) //nolint:errcheck // nothing was written
	rules := map[string]uint64{"/": read}
	for _, path := range append(systemPaths(), s.Read...) {
		if path == "" {
			continue
		}
		rules[filepath.Clean(path)] |= read | execute
	}
	for _, path := range append(append([]string{"/tmp", "/dev/shm"}, s.Write...), s.Slots...) {
		rules[filepath.Clean(path)] |= read | write
	}
	rules["/dev"] |= read | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | device
	for path, access := range rules {
		if err = allow(set, path, access); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	if _, _, errno = unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(set), 0, 0); errno != 0 {
		return errno
	}
	return nil
}
