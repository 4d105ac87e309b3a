package childproc

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Self identifies this process for others on this machine: host, pid and, on
// Linux, start time, so that a reused pid is not taken for it.
func Self() string { return identity(os.Getpid()) }

func identity(pid int) string {
	host, _ := os.Hostname()
	return fmt.Sprintf("%s/%d/%s", host, pid, startTime(pid))
}

// startTime is field 22 of /proc/PID/stat; "" where there is none.
func startTime(pid int) string {
	_, start := stat(pid)
	return start
}

// stat reads the state (field 3) and the start time (field 22) of a process
// from /proc; both are "" where there is none.
func stat(pid int) (state, start string) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", ""
	}
	// The command, field 2, is in parentheses and may hold anything.
	rest := string(text[strings.LastIndexByte(string(text), ')')+1:])
	fields := strings.Fields(rest)
	if len(fields) < 20 {
		return "", ""
	}
	return fields[0], fields[19]
}

// Alive reports whether the process that Self named lives. One that has ended
// but is not collected yet (a zombie) does not. Processes of other machines
// count as living: nothing is known of them.
func Alive(self string) bool {
	host, rest, _ := strings.Cut(self, "/")
	pidText, _, _ := strings.Cut(rest, "/")
	pid, err := strconv.Atoi(pidText)
	if err != nil || pid <= 0 {
		return false
	}
	if here, _ := os.Hostname(); here != host {
		return true
	}
	if err := syscall.Kill(pid, 0); err != nil && !errors.Is(err, syscall.EPERM) {
		return false
	}
	if state, _ := stat(pid); state == "Z" || state == "X" {
		return false
	}
	return identity(pid) == self
}
