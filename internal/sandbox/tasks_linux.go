package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// The number of processes and threads inside is bounded in one of three ways.
// RLIMIT_NPROC holds ordinary users to it, but the kernel exempts root. Since
// Linux 6.14 a pid namespace has a largest pid of its own, for root too. Where
// there is none, process 1 counts.

// ownPIDs reports whether a pid namespace has its own pid_max; before 6.14 the
// number was the whole machine's.
func ownPIDs() bool {
	major, minor := kernel()
	return major > 6 || major == 6 && minor >= 14
}

func kernel() (major, minor int) {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return 0, 0
	}
	_, _ = fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor)
	return major, minor
}

// limitTasks bounds the processes and threads of the pid namespace.
func limitTasks(s *Spec) error {
	if !s.has(Processes) || s.CountTasks || !ownPIDs() {
		return nil
	}
	err := os.WriteFile("/proc/sys/kernel/pid_max", []byte(strconv.Itoa(s.Limits.Tasks)), 0o600)
	return wall("limit processes", err)
}

// countEvery bounds how many can be made before they are counted.
const countEvery = 10 * time.Millisecond

// countTasks ends everything inside when there are too many tasks.
func countTasks(s *Spec) {
	if !s.CountTasks || !s.has(LimitTasks) || !s.has(Processes) || !s.has(Files) {
		return
	}
	for range time.Tick(countEvery) {
		if tasks(rootDir+"/proc") > s.Limits.Tasks {
			os.Exit(128 + int(unix.SIGKILL))
		}
	}
}

// tasks counts the processes and threads that a /proc shows.
func tasks(proc string) (n int) {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if e.Name()[0] < '1' || e.Name()[0] > '9' {
			continue
		}
		n++
		var st unix.Stat_t
		if unix.Stat(filepath.Join(proc, e.Name(), "task"), &st) == nil && st.Nlink > 3 {
			n += int(st.Nlink) - 3 //nolint:gosec // G115: a link for each thread, and the two of a directory
		}
	}
	return n
}
